/** `layerkv calibrate`: measurements in, a calibration file out, and a table of what it changes. */
import { readBenchmarks } from '../calibrate/benchmarks.ts';
import { type CalibrationResult, calibrate } from '../calibrate/calibrate.ts';
import { readStartupLog, type StartupLog } from '../calibrate/startupLog.ts';
import type { BenchmarkRun, Named } from '../calibrate/types.ts';
import { describeScales } from '../language/words.ts';
import { neighbourOf } from '../plan/calibrationFile.ts';
import type { Calibration } from '../plan/generated/calibrationDocument.ts';
import { formatDurationMs, formatTokens } from '../plan/quantity.ts';
import type { Analysis, Plan } from '../plan/types.ts';
import { indexLines } from '../text/lines.ts';
import { parseText } from '../text/parse.ts';
import { entryAtPath } from '../text/tree.ts';
import type { CalibrateArguments } from './args.ts';
import type { Terminal } from './io.ts';
import { describeProblem, type Layout } from './problems.ts';
import type { ExitCode } from './program.ts';
import type { Rooms } from './rooms.ts';
import { type Cell, painter, printable, table, wrap } from './style.ts';

/** Said on standard error; the exit code says whether a file could not be read (3) or not be used (2). */
interface Refusal {
  readonly ok: false;
  readonly code: 2 | 3;
  readonly lines: readonly string[];
}

type Outcome<T> = { readonly ok: true; readonly value: T } | Refusal;

export async function runCalibrate(args: CalibrateArguments, terminal: Terminal, rooms: Rooms): Promise<ExitCode> {
  const layout: Layout = { paint: painter(terminal.color), columns: terminal.columns };
  const refuse = ({ lines, code }: Refusal): ExitCode => {
    terminal.err(`${lines.join('\n')}\n`);
    return code;
  };
  const opened = await openPlan(args.file, terminal, rooms, layout);
  if (!opened.ok) return refuse(opened);
  const measured = await openMeasurements(args, terminal, layout);
  if (!measured.ok) return refuse(measured);
  const result = calibrate(opened.value.plan, measured.value, (fraction) =>
    terminal.progress?.(`Calibrating ${Math.floor(100 * fraction)} %`),
  );
  terminal.progress?.('');
  if (!result.ok) return refuse(unusable(result.message, layout));
  const { calibration, notes } = result.value;
  const text = `${JSON.stringify(calibration, null, 2)}\n`;
  if (args.json) {
    terminal.out(text);
    terminal.err(describeNotes(notes, layout));
    return 0;
  }
  const path = args.out ?? opened.value.target;
  const failure = await terminal.write(path, text);
  if (failure !== null) return refuse({ ok: false, code: 3, lines: [`Cannot write ${printable(path)}: ${failure}.`] });
  terminal.out(`${describe(opened.value.plan, result.value, layout).join('\n')}\n`);
  const used = path === opened.value.target;
  const advice = used ? 'It counts from now on.' : `Name it in the plan: \`calibration: ${printable(path)}\`.`;
  terminal.out(`\nWritten to ${printable(path)}. ${advice}\n`);
  return 0;
}

interface OpenedPlan {
  readonly plan: Plan;
  /** Where the plan looks for its calibration. */
  readonly target: string;
}

async function openPlan(file: string, terminal: Terminal, rooms: Rooms, layout: Layout): Promise<Outcome<OpenedPlan>> {
  const read = await terminal.read(file);
  if (!read.ok) return { ok: false, code: 3, lines: [`Cannot read ${printable(file)}: ${read.reason}.`] };
  const context = { fileName: file, files: terminal.filesBeside(file), uncalibrated: true };
  const analysis = await rooms.analyse(read.text, context);
  const { plans } = analysis;
  const [plan] = plans;
  if (plan === undefined || plans.length > 1) {
    const errors = errorsOf(file, read.text, analysis, layout);
    const count = plans.length === 0 ? 'no plan that can be simulated' : `${plans.length} plans; give a file with one`;
    return {
      ok: false,
      code: 2,
      lines: [...errors, `${printable(file)}: there ${plans.length > 1 ? 'are' : 'is'} ${count}.`],
    };
  }
  const stated = entryAtPath(parseText(read.text).documents[plan.documentIndex]?.root ?? null, ['spec', 'calibration']);
  const named = stated?.value.kind === 'scalar' && typeof stated.value.value === 'string' ? stated.value.value : null;
  const folder = /^.*[/\\]/.exec(file)?.[0] ?? '';
  const target = named ?? neighbourOf(file) ?? 'plan.calibration.json';
  return { ok: true, value: { plan, target: /^(?:[/\\]|[A-Za-z]:)/.test(target) ? target : folder + target } };
}

function errorsOf(file: string, text: string, analysis: Analysis, layout: Layout): readonly string[] {
  const lines = indexLines(text);
  return analysis.problems
    .filter(({ severity }) => severity === 'error')
    .flatMap((problem) => describeProblem(file, lines, problem, layout));
}

async function openMeasurements(
  { benchmarks: paths, log: logPath }: CalibrateArguments,
  terminal: Terminal,
  layout: Layout,
): Promise<Outcome<{ readonly benchmarks: readonly Named<BenchmarkRun>[]; readonly log: Named<StartupLog> | null }>> {
  const benchmarks: Named<BenchmarkRun>[] = [];
  for (const path of paths) {
    const read = await openFile(path, readBenchmarks, terminal, layout);
    if (!read.ok) return read;
    benchmarks.push(...read.value.map((value) => ({ file: baseName(path), value })));
  }
  if (logPath === undefined) return { ok: true, value: { benchmarks, log: null } };
  const log = await openFile(logPath, readStartupLog, terminal, layout);
  return log.ok ? { ok: true, value: { benchmarks, log: { file: baseName(logPath), value: log.value } } } : log;
}

async function openFile<T>(
  path: string,
  parse: (text: string) => { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string },
  terminal: Terminal,
  layout: Layout,
): Promise<Outcome<T>> {
  const read = await terminal.read(path);
  if (!read.ok) return { ok: false, code: 3, lines: [`Cannot read ${printable(path)}: ${read.reason}.`] };
  const parsed = parse(read.text);
  return parsed.ok ? parsed : unusable(`${path}: ${parsed.message}`, layout);
}

function unusable(message: string, { columns }: Layout): Refusal {
  return { ok: false, code: 2, lines: wrap(printable(message), columns) };
}

/** Folders of the machine that measured are nobody's business. */
function baseName(path: string): string {
  return path.split(/[/\\]/).at(-1) ?? path;
}

function describe(plan: Plan, { calibration, notes }: CalibrationResult, layout: Layout): readonly string[] {
  const { paint } = layout;
  const { benchmarks, scales, pool } = calibration;
  return [
    paint('bold', `${printable(plan.name.value)}: ${printable(`${plan.model.value.id} on ${plan.gpu.value.id}`)}`),
    ...benchmarks.flatMap((benchmark) => ['', ...describeBenchmark(benchmark, layout)]),
    '',
    `  Factors   ${describeScales(scales)}`,
    ...(pool === null ? [] : [`  KV pool   ${formatTokens(pool.kvTokens)} tokens, ${pool.numGpuBlocks} blocks`]),
    ...(notes.length === 0 ? [] : ['', describeNotes(notes, layout).trimEnd()]),
  ];
}

type Benchmark = Calibration['benchmarks'][number];

function describeBenchmark(benchmark: Benchmark, { paint }: Layout): readonly string[] {
  const milliseconds = (value: number): string => formatDurationMs(value);
  const rate = (value: number): string => `${Math.round(value)}/s`;
  const rows = [
    ['TTFT', benchmark.ttftMs, milliseconds, benchmark.saturated ? ' (queueing)' : ''],
    ['TPOT', benchmark.tpotMs, milliseconds, ''],
    ['Output tokens', benchmark.outputTokensPerS, rate, ''],
  ] as const;
  const head: Cell[] = ['', 'measured', 'before', 'error', 'after', 'error'].map((text) => ({ text, style: 'dim' }));
  const body = rows.flatMap(([name, figure, show, aside]) =>
    figure === null
      ? []
      : [
          [
            `${name}${figure.statistic === 'total' ? '' : ` ${figure.statistic}`}${aside}`,
            show(figure.measured),
            show(figure.measured * (1 + figure.errorBefore)),
            signedPercent(figure.errorBefore),
            show(figure.measured * (1 + figure.errorAfter)),
            signedPercent(figure.errorAfter),
          ],
        ],
  );
  return [`${printable(benchmark.file)}: ${benchmark.load}`, ...table([head, ...body], paint)];
}

/** "+3.1 %", "−0.2 %". */
function signedPercent(share: number): string {
  const shown = Math.abs(share * 100).toFixed(1);
  return `${share < 0 && shown !== '0.0' ? '−' : '+'}${shown} %`;
}

function describeNotes(notes: readonly string[], { columns }: Layout): string {
  return notes
    .flatMap((note) => wrap(printable(note), columns - 2).map((line, k) => `${k === 0 ? '•' : ' '} ${line}\n`))
    .join('');
}
