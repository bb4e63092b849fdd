/** Every measurement of `npm run bench`, with the target it has to meet. */
import type { Task } from './tasks.ts';
import { WORK_TITLES, type WorkId } from './work.ts';

/** Published speeds of other simulators on W1, requests a second on a machine of two cores. */
export const PEERS: readonly { readonly name: string; readonly requestsPerS: number }[] = [
  { name: 'vidur', requestsPerS: 740 },
  { name: 'BLIS', requestsPerS: 2000 },
  { name: 'LLMServingSim', requestsPerS: 2 },
  { name: 'bare closed-form loop in Node', requestsPerS: 9_600_000 },
];

export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** A row of the table: what `value` makes of the task's runs. */
export interface Measurement {
  readonly id: string;
  readonly title: string;
  readonly unit: 'requests/s' | 'ms' | 'ns' | 'MB' | 'ratio';
  readonly target: Target | null;
  readonly task: Task;
  /** `median`: of the task's values as they are. `rate`: requests over the median of seconds. `p95`: of the values. */
  readonly value: 'median' | 'rate' | 'p95';
  /** Set against the peers' speeds. */
  readonly w1: boolean;
}

/** How large the work is; `quick` only shows that everything runs. */
export interface Sizes {
  readonly small: number;
  readonly middle: number;
  readonly large: number;
  readonly plan: number;
  readonly runs: number;
  readonly lines: number;
}

export const FULL: Sizes = { small: 10_000, middle: 100_000, large: 1_000_000, plan: 1000, runs: 9, lines: 1000 };
export const QUICK: Sizes = { small: 100, middle: 200, large: 400, plan: 50, runs: 2, lines: 100 };

const PLAN_TITLES = {
  forecast: 'warm',
  firstWorker: "fresh worker, a server's first",
  worker: 'fresh worker, a later one',
  spare: 'first run of a worker started beforehand',
} as const;

/** @returns the measurements in the order of the table. */
export function measurements(sizes: Sizes): readonly Measurement[] {
  const long = Math.min(3, sizes.runs);
  const engine = (work: WorkId, requests: number, runs: number, atLeast: number | null): Measurement => ({
    id: `engine/${work}/${requests}`,
    title: `${WORK_TITLES[work]}, ${count(requests)} requests`,
    unit: 'requests/s',
    target: atLeast === null ? null : { atLeast },
    task: { kind: 'engine', work, requests, warmUps: 20, runs },
    value: 'rate',
    w1: work.startsWith('w1'),
  });
  const plan = (kind: keyof typeof PLAN_TITLES, work: WorkId, atMost: number | null): Measurement => ({
    id: `${kind}/${work}/${sizes.plan}`,
    title: `${WORK_TITLES[work]}, ${count(sizes.plan)} requests, ${PLAN_TITLES[kind]}`,
    unit: 'ms',
    target: atMost === null ? null : { atMost },
    task: {
      kind,
      work,
      requests: sizes.plan,
      warmUps: kind === 'forecast' ? 20 : 1,
      runs: kind === 'forecast' ? 3 * sizes.runs : sizes.runs,
    },
    value: 'median',
    w1: false,
  });
  const memory = (of: 'engine' | 'forecast', work: WorkId): Measurement => ({
    id: `memory/${of}/${work}/${sizes.large}`,
    title: `${WORK_TITLES[work]}, ${count(sizes.large)} requests, peak memory, ${of === 'engine' ? 'engine alone' : 'plan to prediction'}`,
    unit: 'MB',
    target: { atMost: 300 },
    task: { kind: 'memory', of, work, requests: sizes.large },
    value: 'median',
    w1: false,
  });
  const figures = (work: WorkId): Measurement => ({
    id: `figures/${work}/${sizes.middle}`,
    title: `${WORK_TITLES[work]}, ${count(sizes.middle)} requests, figures over simulation`,
    unit: 'ratio',
    target: { atMost: 1 },
    task: { kind: 'figures', work, requests: sizes.middle, warmUps: 1, runs: sizes.runs },
    value: 'median',
    w1: false,
  });
  const cost = (kind: 'decodeLaw' | 'step', title: string): Measurement => ({
    id: `cost/${kind}`,
    title,
    unit: 'ns',
    target: null,
    task: { kind, work: 'w1-v1', warmUps: 2, runs: sizes.runs, calls: 10 * sizes.middle },
    value: 'median',
    w1: false,
  });
  return [
    ...(['w1-v1', 'w1-v0'] as const).flatMap((work) => [
      engine(work, sizes.small, sizes.runs, null),
      engine(work, sizes.middle, sizes.runs, 1_000_000),
      engine(work, sizes.large, long, null),
    ]),
    engine('w1-v1-cached', sizes.middle, sizes.runs, null),
    engine('figure1-layerkv-0.45', sizes.small, sizes.runs, null),
    engine('figure1-layerkv-0.45', sizes.middle, sizes.runs, 500_000),
    engine('figure1-layerkv-0.45', sizes.large, long, null),
    engine('figure1-layerkv-1', sizes.middle, long, 100_000),
    engine('figure1-vllm', sizes.middle, long, null),
    engine('ranks', sizes.small, long, null),
    memory('engine', 'w1-v1'),
    memory('forecast', 'w1-v1'),
    memory('forecast', 'figure1-layerkv-0.45'),
    figures('w1-v1'),
    figures('figure1-layerkv-0.45'),
    plan('forecast', 'w1-v1', 5),
    plan('forecast', 'figure1-layerkv-0.45', 5),
    plan('forecast', 'figure1-layerkv-1', 5),
    {
      id: 'worker/empty',
      title: 'an empty thread, from start to its first word',
      unit: 'ms',
      target: null,
      task: { kind: 'emptyThread', warmUps: 1, runs: sizes.runs },
      value: 'median',
      w1: false,
    },
    ...(['firstWorker', 'worker'] as const).flatMap((kind) => [
      plan(kind, 'w1-v1', 60),
      plan(kind, 'figure1-layerkv-0.45', 60),
      plan(kind, 'figure1-layerkv-1', 60),
    ]),
    plan('spare', 'w1-v1', null),
    plan('spare', 'figure1-layerkv-1', null),
    cost('decodeLaw', 'cost model, law of a decode step at 1 to 128 sequences, a call'),
    cost('step', 'cost model, one step, a call'),
    {
      id: 'server/start',
      title: 'language server, from start to its answer to initialize',
      unit: 'ms',
      target: null,
      task: { kind: 'serverStart', warmUps: 1, runs: sizes.runs },
      value: 'median',
      w1: false,
    },
    {
      id: `server/keystroke/${sizes.lines}`,
      title: `language server, keystroke to diagnostics at ${count(sizes.lines)} lines, p95`,
      unit: 'ms',
      target: { atMost: 20 },
      task: { kind: 'keystroke', lines: sizes.lines, warmUps: 10, runs: 10 * sizes.runs },
      value: 'p95',
      w1: false,
    },
  ];
}

/** Pairs whose cost per request is compared: at the larger size at most 1.3 times that at the smaller. */
export function costRatios(
  sizes: Sizes,
): readonly { readonly title: string; readonly small: string; readonly large: string }[] {
  return (['w1-v1', 'w1-v0', 'figure1-layerkv-0.45'] as const).map((work) => ({
    title: `${WORK_TITLES[work]}, cost per request, ${count(sizes.large)} over ${count(sizes.small)}`,
    small: `engine/${work}/${sizes.small}`,
    large: `engine/${work}/${sizes.large}`,
  }));
}

export const COST_RATIO_TARGET: Target = { atMost: 1.3 };

/** 10 k, 1 M. */
function count(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000} M`;
  return value >= 10_000 ? `${value / 1000} k` : value >= 1000 ? `${value / 1000} 000` : String(value);
}
