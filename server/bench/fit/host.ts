/**
 * Fits what the CPU costs to published end-to-end rows at low load: nothing else measures it. Kernel coefficients stay as
 * they are. Each source is also predicted with coefficients that have not seen it.
 */
import type { HostCoefficients } from '../../src/engine/cost/host.ts';
import { stepCost } from '../../src/engine/cost/stepCost.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { type Figures, isSaturatedRow, predict, publishedFigures } from '../validate/predict.ts';
import { rowInput, type ValidationRow } from '../validate/row.ts';
import { fitLaw, type Sample, type Unknown } from './leastSquares.ts';

/** At most so many requests at once, so that the CPU shows beside the GPU. */
const LOW_CONCURRENCY = 32;
const LOW_RATE_PER_S = 5;
/** Batches are all that does not stream its tokens; these are small enough for the CPU to show. */
const SMALL_BATCH = 100;

interface HostSample extends Sample {
  readonly row: ValidationRow;
  readonly input: EngineInput;
  readonly figure: keyof Figures;
}

const UNKNOWNS = {
  v0Step: { start: 3e-3, least: 1e-4, most: 2e-2 },
  v0Sequence: { start: 5e-5, least: 1e-7, most: 5e-4 },
  v0Stream: { start: 5e-5, least: 1e-7, most: 5e-4 },
  v0Eager: { start: 4e-4, least: 5e-5, most: 1.5e-3 },
  v0First: { start: 1e-2, least: 1e-4, most: 5e-2 },
  v1Step: { start: 1.2e-3, least: 5e-5, most: 1e-2 },
  v1Sequence: { start: 1e-5, least: 1e-7, most: 2e-4 },
  v1Eager: { start: 5e-4, least: 5e-5, most: 1.5e-3 },
  v1Compiled: { start: 3e-4, least: 5e-5, most: 1.5e-3 },
  // vllm-project/vllm/pull/25444, 10 requests of 1024 and 128 tokens at once, 48 layers, H100: 4.07 requests/s with attention
  // outside of the graphs, 5.98 with it inside. From 0.13 ms a layer (the difference alone) to 0.36 (were steps nothing else).
  v1Attention: { start: 2.1e-4, least: 2e-5, most: 6e-4 },
  asyncStep: { start: 4e-4, least: 1e-5, most: 5e-3 },
  asyncSequence: { start: 5e-6, least: 1e-7, most: 2e-4 },
  httpLatency: { start: 1e-2, least: 1e-4, most: 5e-2 },
  httpToken: { start: 5e-6, least: 1e-8, most: 3e-5 },
} satisfies Record<string, Unknown>;
type Name = keyof typeof UNKNOWNS;

/** Fits to all rows, and tells how well each source is met by coefficients that have not seen it. */
export function fitHost(rows: readonly ValidationRow[]) {
  const planes = hostPlanes(rows);
  const values = planes[0]?.point ?? startValues();
  const sources = [...new Set(planes.map(({ row }) => row.source))].sort();
  const leftOut = sources.map((source) => {
    const without = refitted(planes.filter(({ row }) => row.source !== source));
    const own = planes.filter(({ row }) => row.source === source);
    return { source, samples: own.length, medianError: round(quantile(errorsOf(own, without), 0.5)) };
  });
  return {
    coefficients: coefficients(rounded(values)),
    report: {
      samples: planes.length,
      medianError: round(quantile(errorsOf(planes, values), 0.5)),
      p90Error: round(quantile(errorsOf(planes, values), 0.9)),
      leftOut,
    },
  };
}

/**
 * The samples that the fit looks at, each as a plane around the coefficients that fit all of them: near there times are
 * almost affine in what the CPU takes, so a fit to some of the samples needs no further simulation.
 */
export function hostPlanes(rows: readonly ValidationRow[]): readonly HostPlane[] {
  const samples = lowLoadSamples(rows);
  const start = startValues();
  return planesAt(samples, polished(samples, fitted(planesAt(samples, start), start, REACH).values));
}

/** @returns coefficients fitted to these samples alone; the search begins where it does for all. */
export function hostCoefficients(planes: readonly HostPlane[]): HostCoefficients {
  return coefficients(rounded(refitted(planes)));
}

function refitted(planes: readonly HostPlane[]): Values {
  return fitted(planes, startValues(), Number.POSITIVE_INFINITY).values;
}

/** Three digits say all that a fit with errors of percents knows. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}

function rounded(values: Values): Values {
  return Object.fromEntries(NAMES.map((name) => [name, round(values[name])])) as Values;
}

/** Parsing and handing over a request; low load cannot tell it from latency (a request's path through vLLM: about 1 ms). */
const SERVICE_S = 1e-3;
/** The first planes hold near the start: no coefficient moves further than this factor by them. */
const REACH = 1.6;
/** Factors by which each coefficient in turn is then tried with the engine itself, the last until none helps. */
const TRIES: readonly number[] = [1.5, 1.2, 1.07];
/** Wide enough that who is scheduled when, which jumps, averages out. */
const SLOPE_STEP = 0.25;
type Values = Readonly<Record<Name, number>>;
const NAMES = Object.keys(UNKNOWNS) as Name[];

/** A sample's time as a plane over the coefficients around a point. */
export interface HostPlane extends HostSample {
  readonly atS: number;
  readonly point: Values;
  readonly slopes: Values;
}

/** Comes closer by trying: the engine's times jump where other requests are scheduled together, and slopes mislead. */
function polished(samples: readonly HostSample[], from: Values): Values {
  let values = from;
  let seconds = predictAll(samples, values);
  let best = loss(samples, seconds, values);
  for (const factor of TRIES) {
    for (let helped = true; helped; ) {
      helped = false;
      for (const name of NAMES) {
        const { least, most } = UNKNOWNS[name];
        for (const way of [factor, 1 / factor]) {
          const there = { ...values, [name]: Math.min(most, Math.max(least, values[name] * way)) };
          const moved = predictMoved(samples, seconds, there, name);
          const tried = loss(samples, moved, there);
          if (tried >= best - 1e-3) continue;
          [values, seconds, best, helped] = [there, moved, tried, true];
        }
      }
    }
  }
  return values;
}

/** Times where just one coefficient has moved. */
function predictMoved(
  samples: readonly HostSample[],
  before: readonly number[],
  values: Values,
  name: Name,
): readonly number[] {
  const moving = samples.filter(({ input }) => mattersTo(name, input));
  const moved = new Map(predictAll(moving, values).map((seconds, index) => [moving[index], seconds]));
  return samples.map((sample, index) => moved.get(sample) ?? before[index] ?? 0);
}

/** Soft-L1 over logarithms, as `fitLaw` minimises it, anchors included. */
function loss(samples: readonly HostSample[], seconds: readonly number[], values: Values): number {
  const soft = (ratio: number): number => Math.hypot(1, Math.log(ratio) / 0.1) - 1;
  const anchors = NAMES.reduce((sum, name) => sum + ANCHORS * soft(values[name] / UNKNOWNS[name].start), 0);
  return samples.reduce((sum, { measuredS }, index) => sum + soft((seconds[index] ?? 0) / measuredS), anchors);
}

function startValues(): Values {
  return Object.fromEntries(NAMES.map((name) => [name, UNKNOWNS[name].start])) as Values;
}

function planesAt(samples: readonly HostSample[], point: Values): readonly HostPlane[] {
  const at = predictAll(samples, point);
  const slopes = NAMES.map((name) => {
    const step = point[name] * SLOPE_STEP;
    const moved = predictMoved(samples, at, { ...point, [name]: point[name] + step }, name);
    return moved.map((seconds, index) => (seconds - (at[index] ?? 0)) / step);
  });
  return samples.map((sample, index) => ({
    ...sample,
    atS: at[index] ?? 0,
    point,
    slopes: Object.fromEntries(NAMES.map((name, k) => [name, slopes[k]?.[index] ?? 0])) as Values,
  }));
}

function mattersTo(name: Name, { scheduler, asyncScheduling, harness }: EngineInput): boolean {
  if (name.startsWith('v0')) return scheduler === 'v0';
  if (name.startsWith('http')) return (harness ?? 'http') === 'http';
  if (name.startsWith('async')) return scheduler === 'v1' && asyncScheduling;
  if (name === 'v1Step' || name === 'v1Sequence') return scheduler === 'v1' && !asyncScheduling;
  return scheduler === 'v1';
}

function planeS({ atS, point, slopes }: HostPlane, values: Values): number {
  const seconds = NAMES.reduce((sum, name) => sum + slopes[name] * (values[name] - point[name]), atS);
  return Math.max(atS / 10, seconds);
}

/**
 * What rows at low load cannot tell apart stays near where the search begins: each coefficient counts as a few rows that
 * measured just that.
 */
function fitted(planes: readonly HostPlane[], point: Values, reach: number) {
  const anchors = NAMES.flatMap((name) =>
    Array.from({ length: ANCHORS }, () => ({ name, measuredS: UNKNOWNS[name].start })),
  );
  const all: readonly (HostPlane | (Sample & { readonly name: Name }))[] = [...planes, ...anchors];
  const near = Object.fromEntries(
    NAMES.map((name) => {
      const { least, most } = UNKNOWNS[name];
      const from = Math.max(least, point[name] / reach);
      return [name, { start: point[name], least: from, most: Math.min(most, point[name] * reach) }];
    }),
  ) as Record<Name, Unknown>;
  return fitLaw(all, near, (sample, values) => ('name' in sample ? values[sample.name] : planeS(sample, values)));
}

const ANCHORS = 4;

/** Both figures of a row come of one run. */
function predictAll(samples: readonly HostSample[], values: Values): readonly number[] {
  const runs = new Map<ValidationRow, Figures>();
  const host = coefficients(values);
  return samples.map(({ row, input, figure }) => {
    const figures = runs.get(row) ?? predict(row, input, stepCost(input, host));
    if (typeof figures === 'string') throw new Error(`${row.id}: ${figures}`);
    runs.set(row, figures);
    return secondsOf(figure, figures[figure] ?? 0);
  });
}

const TIMES = ['ttftMs', 'tpotMs'] as const;
const THROUGHPUT = ['ttftMs', 'outputTokS'] as const;

/** Times in s; of a throughput, the seconds of a token. */
function secondsOf(figure: keyof Figures, value: number): number {
  return figure === 'outputTokS' ? 1 / Math.max(1e-9, value) : value / 1000;
}

function coefficients(v: Values): HostCoefficients {
  const v1 = {
    perStreamS: 0,
    launchEagerS: v.v1Eager,
    launchCompiledS: v.v1Compiled,
    launchAttentionS: v.v1Attention,
    firstTokenS: 0,
  };
  return {
    v0: {
      perStepS: v.v0Step,
      perSequenceS: v.v0Sequence,
      perStreamS: v.v0Stream,
      launchEagerS: v.v0Eager,
      launchCompiledS: v.v0Eager,
      launchAttentionS: v.v0Eager,
      firstTokenS: v.v0First,
    },
    v1: { perStepS: v.v1Step, perSequenceS: v.v1Sequence, ...v1 },
    v1Async: { perStepS: v.asyncStep, perSequenceS: v.asyncSequence, ...v1 },
    http: { serviceS: SERVICE_S, perTokenS: v.httpToken, latencyS: v.httpLatency },
    inProcess: { serviceS: 0, perTokenS: 0, latencyS: 0 },
  };
}

function lowLoadSamples(rows: readonly ValidationRow[]): readonly HostSample[] {
  return rows.flatMap((row): readonly HostSample[] => {
    // Without its version a row does not tell whose overhead it shows; between machines the network tells more.
    if (!/^\d/.test(row.engineVersion) || row.pp > 1) return [];
    if (row.quality === 'low' || !isLowLoad(row)) return [];
    const built = rowInput(row);
    const batch = row.load.kind === 'burst';
    if (batch ? !built.ok || built.input.harness !== 'batch' : isSaturatedRow(row)) return [];
    if (!built.ok || typeof predict(row, built.input) === 'string') return [];
    const published = publishedFigures(row);
    // Of a closed loop or a batch that publishes no TPOT, throughput tells the same.
    const figures = published.tpotMs !== null ? TIMES : row.load.kind === 'closed' || batch ? THROUGHPUT : TIMES;
    return figures.flatMap((figure) => {
      const measured = published[figure];
      return measured === null ? [] : [{ row, input: built.input, figure, measuredS: secondsOf(figure, measured) }];
    });
  });
}

function isLowLoad({ load }: ValidationRow): boolean {
  if (load.kind === 'serial') return true;
  if (load.kind === 'burst') return (load.numRequests ?? Number.POSITIVE_INFINITY) <= SMALL_BATCH;
  if (load.kind === 'closed') return (load.concurrency ?? Number.POSITIVE_INFINITY) <= LOW_CONCURRENCY;
  return load.kind === 'poisson' && (load.rate ?? Number.POSITIVE_INFINITY) <= LOW_RATE_PER_S;
}

function errorsOf(planes: readonly HostPlane[], values: Values): readonly number[] {
  return planes.map((plane) => Math.abs(planeS(plane, values) / plane.measuredS - 1));
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}
