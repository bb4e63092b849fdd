/** Commands, options and help of the terminal program, in one table that both the parser and `--help` read. */

export type CommandName = 'simulate' | 'check' | 'calibrate' | 'extract';

export const COMMANDS: readonly CommandName[] = ['simulate', 'check', 'calibrate', 'extract'];

export interface OptionSpec {
  /** How its value is named in the help; absent: a switch. */
  readonly value?: string;
  readonly doc: string;
}

const help: OptionSpec = { doc: 'this text' };

/** Options by command, in the order of the help. */
export const OPTIONS: Readonly<Record<CommandName, Readonly<Record<string, OptionSpec>>>> = {
  simulate: {
    json: { doc: 'print schema layerkv/result/v1 and nothing else' },
    policy: {
      value: 'vllm|layerkv|layerkv-no-slo|compare',
      doc: "policy to run instead of the plan's own (compare: both)",
    },
    seed: { value: 'N', doc: "seed instead of the plan's" },
    requests: { value: 'N', doc: "number of requests instead of the plan's" },
    'per-request': { doc: 'with --json: one record per request' },
    'no-interval': { doc: 'skip the ten further seeds behind the 95 % interval' },
    annotated: { doc: 'print the file too, with the predictions beside its keys' },
    help,
  },
  check: {
    format: { value: 'text|json|sarif', doc: 'how to print the problems (default: text)' },
    help,
  },
  calibrate: {
    bench: { value: 'FILE', doc: 'result of vllm bench serve, guidellm or AIPerf; may be repeated' },
    log: { value: 'FILE', doc: 'start-up log of vLLM: pins the size of the KV pool' },
    out: { value: 'FILE', doc: 'where to write (default: NAME.calibration.json beside the plan)' },
    json: { doc: 'print schema layerkv/calibration/v1, write no file' },
    help,
  },
  extract: {
    json: { doc: 'print schema layerkv/extract/v1 and nothing else' },
    help,
  },
};

const summaries: Readonly<Record<CommandName, string>> = {
  simulate: 'predict TTFT, TPOT and SLO violations',
  check: 'report problems, for people and for CI',
  calibrate: 'fit the cost model of a plan to measurements of it',
  extract: 'tell what a file states, fact by fact, with its place',
};

const operands: Readonly<Record<CommandName, string>> = {
  simulate: 'FILE…',
  check: 'FILE…',
  calibrate: 'PLAN',
  extract: 'FILE…',
};

const exitCodes = `Exit codes
  0  fine
  1  warnings only (check)
  2  at least one error in a file
  3  wrong usage, or a file that cannot be read
`;

/** The whole help, or that of one command. Ends with a line break. */
export function usage(about?: CommandName): string {
  if (about === undefined) {
    const commands = COMMANDS.map((name) => `  ${name.padEnd(9)} ${summaries[name]}`).join('\n');
    return `layerkv: capacity planning for LLM serving, vLLM beside LayerKV

Usage: layerkv COMMAND FILE… [options]

Commands
${commands}

'layerkv COMMAND --help' lists the options of a command;
'layerkv --version' tells the version.

${exitCodes}`;
  }
  const rows = Object.entries(OPTIONS[about]).map(([name, spec]) => ({
    left: `--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`,
    doc: spec.doc,
  }));
  // A long option keeps its text on the next line, so that one does not push all others to the right.
  const width = Math.max(...rows.map(({ left }) => left.length).filter((length) => length <= 24));
  const options = rows.map(({ left, doc }) =>
    left.length <= width ? `  ${left.padEnd(width)}  ${doc}` : `  ${left}\n  ${' '.repeat(width)}  ${doc}`,
  );
  return `layerkv ${about}: ${summaries[about]}

Usage: layerkv ${about} ${operands[about]} [options]

Options
${options.join('\n')}

${exitCodes}`;
}
