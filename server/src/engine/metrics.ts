/** What came of a run: distributions and rates. Definitions are the contract's. */
import type { Records } from './schedule/records.ts';
import type { Slo } from './types.ts';

export interface Percentiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Type 7 (linear interpolation between order statistics), as numpy's default. Null for no values.
 * @param values sorted on the way: a copy of a million would cost as much memory as the requests' own times.
 */
export function percentiles(values: Float64Array, scale: number): Percentiles | null {
  if (values.length === 0) return null;
  const mean = meanOf(values) * scale;
  const sorted = values.sort();
  const at = (p: number): number => {
    const rank = p * (sorted.length - 1);
    const low = Math.floor(rank);
    const high = Math.min(sorted.length - 1, low + 1);
    return (sorted[low]! + (sorted[high]! - sorted[low]!) * (rank - low)) * scale;
  };
  return {
    mean,
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: sorted.at(-1)! * scale,
  };
}

export function meanOf(values: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += values[k]!;
  return values.length === 0 ? 0 : sum / values.length;
}

/** Times of the finished requests, s, in the order of the records. */
export interface Latencies {
  readonly ttftS: Float64Array;
  /** (finish − first token) / (output − 1); 0 with one output token. */
  readonly tpotS: Float64Array;
  readonly e2eS: Float64Array;
  /** Means of the time before the prefill starts, and of what offload adds to the prefill. */
  readonly meanQueueS: number;
  readonly meanExposedS: number;
}

export function latencies(records: Records): Latencies {
  const { count, finished, arrivalS, prefillStartS, firstTokenS, finishS, exposedS } = records;
  const ttftS = new Float64Array(finished);
  const tpotS = new Float64Array(finished);
  const e2eS = new Float64Array(finished);
  let queueS = 0;
  let heldUpS = 0;
  let row = 0;
  for (let k = 0; k < count; k++) {
    if (Number.isNaN(finishS[k]!)) continue;
    ttftS[row] = firstTokenS[k]! - arrivalS[k]!;
    tpotS[row] = requestTpotS(records, k);
    e2eS[row] = finishS[k]! - arrivalS[k]!;
    queueS += prefillStartS[k]! - arrivalS[k]!;
    heldUpS += exposedS[k]!;
    row += 1;
  }
  const requests = Math.max(1, finished);
  return { ttftS, tpotS, e2eS, meanQueueS: queueS / requests, meanExposedS: heldUpS / requests };
}

function requestTpotS(records: Records, request: number): number {
  const tokens = records.outputTokens[request]!;
  return tokens <= 1 ? 0 : (records.finishS[request]! - records.firstTokenS[request]!) / (tokens - 1);
}

/** Shares of all requests; a refused request breaks whatever is stated. Null without any SLO. */
export interface Violations {
  readonly ttft: number;
  readonly tpot: number;
  readonly any: number;
}

export function violations(records: Records, slo: Slo): Violations | null {
  if (slo.ttftS === null && slo.tpotS === null) return null;
  let ttft = 0;
  let tpot = 0;
  let any = 0;
  for (let k = 0; k < records.count; k++) {
    const refused = Number.isNaN(records.finishS[k]!);
    const ttftS = records.firstTokenS[k]! - records.arrivalS[k]!;
    const breaksTtft = slo.ttftS !== null && (refused || ttftS > slo.ttftS);
    const breaksTpot = slo.tpotS !== null && (refused || requestTpotS(records, k) > slo.tpotS);
    if (breaksTtft) ttft += 1;
    if (breaksTpot) tpot += 1;
    if (breaksTtft || breaksTpot) any += 1;
  }
  const count = Math.max(1, records.count);
  return { ttft: ttft / count, tpot: tpot / count, any: any / count };
}

/** Two-sided 95 % interval of a mean share, within 0 and 1. */
export function shareInterval(values: readonly number[]): readonly [number, number] {
  const [low, high] = tInterval(values);
  return [Math.max(0, low), Math.min(1, high)];
}

/** Two-sided 95 % interval of the mean by Student's t; ten values, nine degrees of freedom. */
export function tInterval(values: readonly number[]): readonly [number, number] {
  const T_9_DEGREES = 2.2621571628;
  if (values.length !== 10) throw new Error('the interval is defined over ten seeds');
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const half = T_9_DEGREES * Math.sqrt(variance / values.length);
  return [mean - half, mean + half];
}
