/**
 * Which factors on the parts of a step make the simulation say what was measured. Deterministic: the same measurements
 * give the same factors.
 */
import { latencies, meanOf, percentiles } from '../engine/metrics.ts';
import { simulate } from '../engine/simulate.ts';
import type { CostScale, EngineInput } from '../engine/types.ts';

/** A measured figure: times in ms, rates per second. */
export interface Measured {
  readonly statistic: 'mean' | 'median' | 'total';
  readonly value: number;
}

/** What one run of a benchmark saw, and the same run as the engine takes it. Null: not measured. */
export interface Observation {
  readonly input: EngineInput;
  /** Figures are averaged over so many seeds, from the input's own on: random arrivals need several. */
  readonly seeds: number;
  readonly ttftMs: Measured | null;
  readonly tpotMs: Measured | null;
  readonly outputTokensPerS: Measured | null;
  /** The TTFT is mostly queueing: it tells the throughput once more, and of the prefill nothing. */
  readonly saturated: boolean;
}

/** The same figures, predicted; null where nothing is measured to compare with. */
export interface Predicted {
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly outputTokensPerS: number | null;
}

export const UNSCALED: CostScale = { prefill: 1, decode: 1, overhead: 1 };

/** @throws where the engine cannot run the input at all. */
export function predictFigures({ input, seeds, ...measured }: Observation, costScale: CostScale): Predicted {
  const runs: Predicted[] = [];
  for (let k = 0; k < seeds; k++) {
    const workload = { ...input.workload, seed: input.workload.seed + k };
    const { records, makespanS } = simulate({ ...input, costScale, workload });
    const times = latencies(records);
    const of = (values: Float64Array, figure: Measured | null): number | null => {
      const found = figure === null ? null : percentiles(values, 1000);
      return found === null ? null : found[figure?.statistic === 'median' ? 'p50' : 'mean'];
    };
    let tokens = 0;
    for (let request = 0; request < records.count; request++) {
      if (!Number.isNaN(records.finishS[request])) tokens += records.outputTokens[request] ?? 0;
    }
    runs.push({
      ttftMs: of(times.ttftS, measured.ttftMs),
      tpotMs: of(times.tpotS, measured.tpotMs),
      outputTokensPerS: measured.outputTokensPerS === null || makespanS <= 0 ? null : tokens / makespanS,
    });
  }
  const average = (figure: keyof Predicted): number | null =>
    runs.some((run) => run[figure] === null) ? null : meanOf(Float64Array.from(runs, (run) => run[figure] ?? 0));
  return {
    ttftMs: average('ttftMs'),
    tpotMs: average('tpotMs'),
    outputTokensPerS: average('outputTokensPerS'),
  };
}

/**
 * How closely figures are matched (relative, one standard deviation), and how far factors stray where nothing is measured
 * of them. One benchmark tells less than three factors, so the rest is a guess; which guess predicts other loads of
 * the same deployment best was tried on published measurements (docs/calibration.md).
 */
interface FitRule {
  readonly tpot: number;
  readonly ttft: number;
  readonly throughput: number;
  /** Of ln(decode) about 0. */
  readonly decode: number;
  /** Of ln(prefill) about ln(decode): a GPU that is slower than thought is so in all it does. */
  readonly prefill: number;
  /** Of ln(overhead) about ln(decode). One TPOT cannot tell the two apart. */
  readonly overhead: number;
}

const FIT_RULE: FitRule = {
  tpot: 0.02,
  ttft: 0.07,
  throughput: 0.05,
  decode: 0.3,
  prefill: 0.3,
  overhead: 0.15,
};

/** The search stops at factors of e^±4: what lies that far off is no matter of factors. */
const BOUND = 4;
const STEPS = 12;
/** For slopes; a simulation has small jumps, which a smaller difference would mistake for slopes. */
const DIFFERENCE = 0.03;
const SMALL_ENOUGH = 1e-4;

type Point = readonly [prefill: number, decode: number, overhead: number];

const scalesAt = ([prefill, decode, overhead]: Point, sequences: readonly number[]): CostScale => ({
  prefill: Math.exp(prefill),
  decode: Math.exp(decode),
  overhead: Math.exp(overhead),
  sequences,
});

/** How many sequences decode at once, on average over the run; at least 1. */
function decodingSequences({ input }: Observation): number {
  const { records } = simulate(input);
  const { tpotS } = latencies(records);
  let sequencesS = 0;
  let fromS = Number.POSITIVE_INFINITY;
  let toS = 0;
  for (let request = 0; request < records.count; request++) {
    const finishS = records.finishS[request]!;
    if (Number.isNaN(finishS)) continue;
    sequencesS += (records.outputTokens[request]! - 1) * tpotS[request]!;
    fromS = Math.min(fromS, records.firstTokenS[request]!);
    toS = Math.max(toS, finishS);
  }
  return toS > fromS ? Math.max(1, sequencesS / (toS - fromS)) : 1;
}

/**
 * Least squares over logarithms (Levenberg-Marquardt). @param report called with the share of the search that is done.
 */
export function fitScales(
  observations: readonly Observation[],
  report: (fraction: number) => void = () => {},
): CostScale {
  const sequences = observations.map(decodingSequences);
  const residuals = (point: Point): readonly number[] => {
    const scale = scalesAt(point, sequences);
    return [...observations.flatMap((each) => misses(each, predictFigures(each, scale))), ...prior(point)];
  };
  let point: Point = [0, 0, 0];
  let misfit = residuals(point);
  let damping = 1e-3;
  for (let step = 0; step < STEPS; step++) {
    const slopes = [0, 1, 2].map((axis) => {
      const beside = residuals(moved(point, axis, DIFFERENCE));
      return beside.map((value, k) => (value - (misfit[k] ?? 0)) / DIFFERENCE);
    });
    let improved = false;
    for (let tries = 0; tries < 6 && !improved; tries++) {
      const change = solve(slopes, misfit, damping);
      const next = clamp(point, change);
      const there = residuals(next);
      if (sumOfSquares(there) < sumOfSquares(misfit)) {
        improved = true;
        damping = Math.max(1e-6, damping / 5);
        const moveSize = Math.max(...next.map((value, axis) => Math.abs(value - (point[axis] ?? 0))));
        point = next;
        misfit = there;
        if (moveSize < SMALL_ENOUGH) step = STEPS;
      } else damping *= 8;
    }
    report(Math.min(0.9, (step + 1) / STEPS));
    if (!improved) break;
  }
  return scalesAt(polished(point, residuals), sequences);
}

/** Moves of a logarithm that are tried in the end, the largest first. */
const TRIES: readonly number[] = [0.1, 0.04, 0.015];

/** Times jump where a request just reaches or just misses a step; where slopes have led no further, trying may. */
function polished(from: Point, residuals: (point: Point) => readonly number[]): Point {
  let point = from;
  let best = sumOfSquares(residuals(point));
  for (const size of TRIES) {
    for (let rounds = 0; rounds < STEPS; rounds++) {
      const before = best;
      for (const axis of [0, 1, 2]) {
        for (const by of [size, -size]) {
          const there = clamp(moved(point, axis, by), [0, 0, 0]);
          const misfit = sumOfSquares(residuals(there));
          if (misfit >= best) continue;
          [point, best] = [there, misfit];
        }
      }
      if (best === before) break;
    }
  }
  return point;
}

function misses(observation: Observation, predicted: Predicted): readonly number[] {
  const { ttftMs, tpotMs, outputTokensPerS, saturated } = observation;
  const miss = (measured: Measured | null, figure: number | null, tolerance: number): number[] =>
    measured === null || figure === null || figure <= 0 ? [] : [Math.log(figure / measured.value) / tolerance];
  return [
    ...miss(tpotMs, predicted.tpotMs, FIT_RULE.tpot),
    ...(saturated ? [] : miss(ttftMs, predicted.ttftMs, FIT_RULE.ttft)),
    // Where TPOT is known, throughput says the same again, with the start and the end of the run mixed in.
    ...(tpotMs !== null && !saturated ? [] : miss(outputTokensPerS, predicted.outputTokensPerS, FIT_RULE.throughput)),
  ];
}

function prior([prefill, decode, overhead]: Point): readonly number[] {
  return [decode / FIT_RULE.decode, (prefill - decode) / FIT_RULE.prefill, (overhead - decode) / FIT_RULE.overhead];
}

function moved([prefill, decode, overhead]: Point, axis: number, by: number): Point {
  return [prefill + (axis === 0 ? by : 0), decode + (axis === 1 ? by : 0), overhead + (axis === 2 ? by : 0)];
}

function clamp([prefill, decode, overhead]: Point, [a = 0, b = 0, c = 0]: readonly number[]): Point {
  const within = (value: number): number => Math.max(-BOUND, Math.min(BOUND, value));
  return [within(prefill + a), within(decode + b), within(overhead + c)];
}

const sumOfSquares = (values: readonly number[]): number => values.reduce((sum, value) => sum + value * value, 0);
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, k) => sum + value * (b[k] ?? 0), 0);

/** (JᵀJ + damping · diag) · change = −Jᵀr, by Cramer's FIT_RULE. @param slopes columns of J. */
function solve(
  slopes: readonly (readonly number[])[],
  residual: readonly number[],
  damping: number,
): readonly number[] {
  const matrix = slopes.map((row, i) => slopes.map((column, j) => dot(row, column) * (i === j ? 1 + damping : 1)));
  const right = slopes.map((column) => -dot(column, residual));
  const whole = determinant(matrix);
  return right.map((_, unknown) =>
    whole === 0
      ? 0
      : determinant(matrix.map((row, i) => row.map((value, j) => (j === unknown ? (right[i] ?? 0) : value)))) / whole,
  );
}

function determinant([
  [a = 0, b = 0, c = 0] = [],
  [d = 0, e = 0, f = 0] = [],
  [g = 0, h = 0, i = 0] = [],
]: readonly (readonly number[])[]): number {
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}
