/** The terminal program `layerkv`: arguments in, exit code out. Formats and codes are the contract's. */
import type { ForecastOptions } from '../forecast/types.ts';
import type { Analysis } from '../plan/types.ts';
import { indexLines, type LineIndex } from '../text/lines.ts';
import type { Problem } from '../text/types.ts';
import { annotate } from './annotate.ts';
import {
  type Arguments,
  type CheckArguments,
  type ExtractArguments,
  readArguments,
  type SimulateArguments,
} from './args.ts';
import { runCalibrate } from './calibrate.ts';
import { describeComparison } from './comparison.ts';
import { describeFacts } from './facts.ts';
import { describeDeployment, describePrediction, type SimulatedPlan } from './figures.ts';
import type { Terminal } from './io.ts';
import { byPlace, countProblems, describeProblem, type Layout } from './problems.ts';
import type { Rooms } from './rooms.ts';
import { sarifLog } from './sarif.ts';
import { painter, printable, wrap } from './style.ts';
import { usage } from './usage.ts';
import { explain } from './why.ts';

/** 0 fine · 1 warnings only (`check`) · 2 an error in a file · 3 wrong usage, or an unreadable file. */
export type ExitCode = 0 | 1 | 2 | 3;

/** A record takes some 200 bytes of text, and a text in memory ends at half a gigabyte. */
const MOST_RECORDS = 1_000_000;

interface Opened {
  readonly file: string;
  readonly lines: LineIndex;
  readonly analysis: Analysis;
}

interface Inspected extends Opened {
  readonly problems: readonly Problem[];
  readonly plans: readonly SimulatedPlan[];
}

/** Runs one command. `argv` is without the interpreter and the script. */
export async function run(
  argv: readonly string[],
  terminal: Terminal,
  rooms: Rooms,
  version: string,
): Promise<ExitCode> {
  const args: Arguments = readArguments(argv);
  switch (args.command) {
    case 'help':
      terminal.out(usage(args.about));
      return 0;
    case 'version':
      terminal.out(`${version}\n`);
      return 0;
    case 'mistake':
      terminal.err(`${printable(args.message)}\n\n${usage(args.about)}`);
      return 3;
    case 'simulate':
      return simulate(args, terminal, rooms);
    case 'check':
      return check(args, terminal, rooms, version);
    case 'calibrate':
      return runCalibrate(args, terminal, rooms);
    case 'extract':
      return extract(args, terminal, rooms);
  }
}

async function simulate(args: SimulateArguments, terminal: Terminal, rooms: Rooms): Promise<ExitCode> {
  const options: ForecastOptions = {
    ...(args.policy !== undefined && { policy: args.policy }),
    ...(args.seed !== undefined && { seed: args.seed }),
    ...(args.requests !== undefined && { requests: args.requests }),
    interval: args.interval,
    perRequest: args.perRequest,
  };
  const { opened, unreadable } = await open(args.files, terminal, rooms);
  const recorded = args.json && args.perRequest ? recordsOf(opened, args) : 0;
  if (recorded > MOST_RECORDS) {
    terminal.err(
      `--per-request would write ${recorded} records; ${MOST_RECORDS} are the most. Lower --requests (workload.requests in the plan), or name fewer files.\n`,
    );
    return 3;
  }
  const files = opened.map((each) => inspect(each, options, rooms));
  for (const { file, plans, problems } of files) {
    if (plans.length === 0 && problems.length === 0) {
      terminal.err(`${printable(file)}: no plan in this file (a plan says 'apiVersion: layerkv/v1').\n`);
    }
  }
  if (args.json) {
    const result = files.map(({ file, problems, plans }) => ({
      file,
      problems: problems.map(toJson),
      workloads: plans.flatMap(({ predictions }) => predictions),
    }));
    terminal.out(json({ schema: 'layerkv/result/v1', files: result }));
  } else {
    const layout = layoutOf(terminal);
    for (const [index, file] of files.entries()) {
      const lines = describeFile(file, args.annotated, layout);
      if (lines.length > 0) terminal.out(`${index === 0 ? '' : '\n'}${lines.join('\n')}\n`);
    }
  }
  const hasError = files.some(({ problems }) => problems.some(({ severity }) => severity === 'error'));
  return unreadable ? 3 : hasError ? 2 : 0;
}

/** Per-request records that a simulation writes: of every plan under every policy. */
function recordsOf(opened: readonly Opened[], { policy, requests }: SimulateArguments): number {
  const plans = opened.flatMap(({ analysis }) => analysis.plans);
  const each = plans.map(({ workload }) => requests ?? workload.requests.value);
  return each.reduce((sum, count) => sum + count, 0) * (policy === 'compare' ? 2 : 1);
}

async function check(args: CheckArguments, terminal: Terminal, rooms: Rooms, version: string): Promise<ExitCode> {
  const { opened, unreadable } = await open(args.files, terminal, rooms);
  // The same run, interval included, as the editor's: one set of problems, whoever asks.
  const files = opened.map((each) => inspect(each, { interval: true, perRequest: false }, rooms));
  switch (args.format) {
    case 'json': {
      const found = files.map(({ file, problems }) => ({ file, problems: problems.map(toJson) }));
      terminal.out(json({ schema: 'layerkv/check/v1', files: found }));
      break;
    }
    case 'sarif':
      terminal.out(json(sarifLog(files, version)));
      break;
    case 'text': {
      const layout = layoutOf(terminal);
      for (const file of files) {
        for (const line of describeProblems(file, layout)) terminal.out(`${line}\n`);
      }
      const all = files.flatMap(({ problems }) => problems);
      const where = files.length === 1 ? '1 file' : `${files.length} files`;
      if (files.length > 0) terminal.out(`${countProblems(all, layout.paint)} in ${where}\n`);
    }
  }
  const severities = new Set(files.flatMap(({ problems }) => problems.map(({ severity }) => severity)));
  if (unreadable) return 3;
  return severities.has('error') ? 2 : severities.has('warning') ? 1 : 0;
}

async function extract(args: ExtractArguments, terminal: Terminal, rooms: Rooms): Promise<ExitCode> {
  const { opened, unreadable } = await open(args.files, terminal, rooms);
  if (args.json) {
    const files = opened.map(({ file, analysis }) => ({
      file,
      problems: byPlace(analysis.problems).map(toJson),
      workloads: analysis.workloads,
    }));
    terminal.out(json({ schema: 'layerkv/extract/v1', files }));
  } else {
    const layout = layoutOf(terminal);
    for (const file of opened) {
      const shown = { ...file, problems: byPlace(file.analysis.problems), plans: [] };
      const lines = [
        ...describeProblems(shown, layout),
        ...describeFacts(file.file, file.analysis.workloads, layout.paint),
      ];
      if (lines.length > 0) terminal.out(`${lines.join('\n')}\n`);
    }
  }
  const hasError = opened.some(({ analysis }) => analysis.problems.some(({ severity }) => severity === 'error'));
  return unreadable ? 3 : hasError ? 2 : 0;
}

/** Reads and analyses each file; says on standard error which could not be read. */
async function open(
  paths: readonly string[],
  terminal: Terminal,
  rooms: Rooms,
): Promise<{ readonly opened: readonly Opened[]; readonly unreadable: boolean }> {
  const opened: Opened[] = [];
  let unreadable = false;
  for (const file of paths) {
    const result = await terminal.read(file);
    if (!result.ok) {
      terminal.err(`Cannot read ${printable(file)}: ${result.reason}.\n`);
      unreadable = true;
      continue;
    }
    const analysis = await rooms.analyse(result.text, { fileName: file, files: terminal.filesBeside(file) });
    opened.push({ file, lines: indexLines(result.text), analysis });
  }
  return { opened, unreadable };
}

function inspect(opened: Opened, options: ForecastOptions, rooms: Rooms): Inspected {
  const plans = opened.analysis.plans.map((plan) => ({
    plan,
    assessment: rooms.assess(plan),
    predictions: rooms.forecast(plan, options),
  }));
  return { ...opened, plans, problems: byPlace(rooms.allProblems(opened.analysis, opened.lines, plans)) };
}

function describeFile(file: Inspected, annotated: boolean, layout: Layout): readonly string[] {
  const { paint } = layout;
  const problems = describeProblems(file, layout);
  const source = annotated ? [...annotate(file.file, file.lines, file.analysis, file.plans, layout), ''] : [];
  const results = file.plans.flatMap((simulated) => [...describeResult(simulated, layout), '']);
  if (problems.length + source.length + results.length === 0) return [];
  return [paint('dim', printable(file.file)), '', ...source, ...results, ...problems].join('\n').trimEnd().split('\n');
}

function describeResult(simulated: SimulatedPlan, layout: Layout): readonly string[] {
  const { plan, predictions } = simulated;
  const [first, second] = predictions;
  if (first === undefined) return [];
  const title = layout.paint('bold', `${printable(plan.name.value)}: ${describeDeployment(plan)}`);
  const body =
    second === undefined || first.verdict === 'does-not-fit'
      ? describePrediction(plan, first, layout)
      : describeComparison(plan, first, second, layout);
  const reasons = explain(simulated).flatMap((sentence) =>
    wrap(printable(sentence), layout.columns - 2).map((line, index) => (index === 0 ? `• ${line}` : `  ${line}`)),
  );
  return [title, ...body, ...(reasons.length === 0 ? [] : ['', ...reasons])];
}

function describeProblems({ file, lines, problems }: Inspected, layout: Layout): readonly string[] {
  return problems.flatMap((problem) => describeProblem(file, lines, problem, layout));
}

function layoutOf({ color, columns }: Terminal): Layout {
  return { paint: painter(color), columns };
}

function toJson({ rule, severity, message, range }: Problem): Problem {
  return { rule, severity, message, range };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
