/** Reads the command line. Never throws: a mistake is an answer that says what to type instead. */
import { parseArgs } from 'node:util';
import type { PolicyChoice } from '../forecast/types.ts';
import { MAX_SEED } from '../plan/dialects/nativeWorkload.ts';
import { nearest } from '../text/nearest.ts';
import { COMMANDS, type CommandName, OPTIONS, type OptionSpec } from './usage.ts';

export type CheckFormat = 'text' | 'json' | 'sarif';

export interface SimulateArguments {
  readonly command: 'simulate';
  readonly files: readonly string[];
  readonly json: boolean;
  /** Absent: the plan's own. */
  readonly policy: PolicyChoice | undefined;
  readonly seed: number | undefined;
  readonly requests: number | undefined;
  readonly perRequest: boolean;
  readonly interval: boolean;
  readonly annotated: boolean;
}

export interface CheckArguments {
  readonly command: 'check';
  readonly files: readonly string[];
  readonly format: CheckFormat;
}

export interface CalibrateArguments {
  readonly command: 'calibrate';
  readonly file: string;
  readonly benchmarks: readonly string[];
  readonly log: string | undefined;
  /** Absent: where the plan looks for it. */
  readonly out: string | undefined;
  readonly json: boolean;
}

export interface ExtractArguments {
  readonly command: 'extract';
  readonly files: readonly string[];
  readonly json: boolean;
}

export type Arguments =
  | SimulateArguments
  | CheckArguments
  | CalibrateArguments
  | ExtractArguments
  | { readonly command: 'help'; readonly about: CommandName | undefined }
  | { readonly command: 'version' }
  | { readonly command: 'mistake'; readonly message: string; readonly about: CommandName | undefined };

const formats: readonly CheckFormat[] = ['text', 'json', 'sarif'];
const policies: readonly PolicyChoice[] = ['vllm', 'layerkv', 'layerkv-no-slo', 'compare'];
/** More than this would not fit into memory as records; a longer run says nothing that a shorter one does not. */
const mostRequests = 10_000_000;

/** `argv` without the interpreter and the script. */
export function readArguments(argv: readonly string[]): Arguments {
  const [first, ...rest] = argv;
  if (first === undefined) return { command: 'mistake', message: 'Name a command.', about: undefined };
  if (first === '--version' || first === '-V') return { command: 'version' };
  if (first === '--help' || first === '-h') return { command: 'help', about: undefined };
  const command = COMMANDS.find((name) => name === first);
  if (command === undefined) {
    const what = first.startsWith('-') ? 'option before a command' : 'command';
    return {
      command: 'mistake',
      message: `Unknown ${what} '${first}'.${didYouMean(first, COMMANDS)}`,
      about: undefined,
    };
  }
  const read = readOptions(command, rest);
  if (!read.ok) return { command: 'mistake', message: read.message, about: command };
  if (read.flags.has('help')) return { command: 'help', about: command };
  if (read.files.length === 0) {
    return { command: 'mistake', message: `Name at least one file to ${command}.`, about: command };
  }
  const result = interpret(command, read);
  return typeof result === 'string' ? { command: 'mistake', message: result, about: command } : result;
}

interface ReadOptions {
  readonly ok: true;
  readonly files: readonly string[];
  readonly flags: ReadonlySet<string>;
  /** Every value of each option, in the order given; the last one counts where only one can. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

function readOptions(command: CommandName, argv: readonly string[]): ReadOptions | { ok: false; message: string } {
  const specs: Readonly<Record<string, OptionSpec>> = OPTIONS[command];
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      {
        type: spec.value === undefined ? ('boolean' as const) : ('string' as const),
        ...(name === 'help' && { short: 'h' }),
      },
    ]),
  );
  // Not strict: its exceptions name neither the near miss nor the command.
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true, allowPositionals: true });
  const files: string[] = [];
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') files.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (spec === undefined) {
      const hint = didYouMean(token.name, Object.keys(specs), '--');
      return { ok: false, message: `'layerkv ${command}' has no option '${token.rawName}'.${hint}` };
    }
    if (spec.value === undefined) {
      if (token.value !== undefined) return { ok: false, message: `'--${token.name}' takes no value.` };
      flags.add(token.name);
    } else {
      if (token.value === undefined || token.value === '') {
        return { ok: false, message: `'--${token.name}' needs a value: --${token.name} ${spec.value}.` };
      }
      values.set(token.name, [...(values.get(token.name) ?? []), token.value]);
    }
  }
  return { ok: true, files, flags, values };
}

function interpret(command: CommandName, { files, flags, values }: ReadOptions): Arguments | string {
  const last = (name: string): string | undefined => values.get(name)?.at(-1);
  switch (command) {
    case 'simulate': {
      const policy = choice('policy', last('policy'), policies);
      if (!policy.ok) return policy.message;
      const seed = wholeNumber('seed', last('seed'), 0, MAX_SEED);
      if (!seed.ok) return seed.message;
      const requests = wholeNumber('requests', last('requests'), 1, mostRequests);
      if (!requests.ok) return requests.message;
      return {
        command,
        files,
        json: flags.has('json'),
        policy: policy.value,
        seed: seed.value,
        requests: requests.value,
        perRequest: flags.has('per-request'),
        interval: !flags.has('no-interval'),
        annotated: flags.has('annotated'),
      };
    }
    case 'check': {
      const format = choice('format', last('format'), formats);
      if (!format.ok) return format.message;
      return { command, files, format: format.value ?? 'text' };
    }
    case 'calibrate': {
      const [file, second] = files;
      const benchmarks = values.get('bench') ?? [];
      const log = last('log');
      if (file === undefined || second !== undefined) {
        return `Name one plan to calibrate; measurements go behind --bench and --log.`;
      }
      if (benchmarks.length === 0 && log === undefined) {
        return 'Give what was measured: --bench FILE (a benchmark result), --log FILE (the start-up log), or both.';
      }
      return { command, file, benchmarks, log, out: last('out'), json: flags.has('json') };
    }
    case 'extract':
      return { command, files, json: flags.has('json') };
  }
}

type Checked<T> =
  | { readonly ok: true; readonly value: T | undefined }
  | { readonly ok: false; readonly message: string };

function choice<T extends string>(name: string, given: string | undefined, allowed: readonly T[]): Checked<T> {
  if (given === undefined) return { ok: true, value: undefined };
  const value = allowed.find((item) => item === given);
  if (value !== undefined) return { ok: true, value };
  return {
    ok: false,
    message: `--${name} is one of ${allowed.join(', ')}, not '${given}'.${didYouMean(given, allowed)}`,
  };
}

function wholeNumber(name: string, given: string | undefined, least: number, most: number): Checked<number> {
  if (given === undefined) return { ok: true, value: undefined };
  const value = Number(given);
  if (/^\d+$/.test(given) && value >= least && value <= most) return { ok: true, value };
  return { ok: false, message: `--${name} is a whole number from ${least} to ${most}, not '${given}'.` };
}

function didYouMean(given: string, candidates: readonly string[], prefix = ''): string {
  const near = nearest(given.replace(/^-+/, ''), candidates);
  return near === undefined ? '' : ` Did you mean '${prefix}${near}'?`;
}
