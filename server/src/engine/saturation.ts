/** Whether a run with open arrivals is served for as long as they last, or puts off more and more. */
import { meanOf } from './metrics.ts';
import type { Records } from './schedule/records.ts';
import type { Run } from './simulate.ts';

/** The last count of those who wait has to hold more than this share of the requests. */
const NOTICEABLE = 0.05;
/** Standard deviations of the number of arrivals below which growth may be chance. */
const CHANCE_DEVIATIONS = 2;

/** Requests that have arrived and that nothing is being done for: in the queue, or parked after their first token. */
export interface Backlog {
  /** Half-way through the arrivals, and when the last one arrives. */
  readonly atHalf: number;
  readonly atEnd: number;
  /** Those of `atEnd` that are parked. */
  readonly parkedAtEnd: number;
  /** True where the engine falls behind the arrivals by more than chance explains. */
  readonly grows: boolean;
}

/**
 * The contract's verdict. Open arrivals only: the queue at the end of each half of the arrival window is longer than at
 * its start, and the last holds more than 5 % of the requests.
 */
export function isSaturated(run: Run): boolean {
  return growsThrough(queueOverTime(run), run);
}

/**
 * The same question with parked requests counted, since LayerKV lets a prompt in early and makes it wait afterwards.
 * Running requests do not count: a stable deployment has more and more of them until the first ones finish.
 * A parked request of a stable run is no rarity, so growth also has to pass what chance adds to as many arrivals of this
 * spread: n arrivals vary by cv · √n, taken at least as for Poisson. Null where arrivals follow completions.
 * A preempted request that waits to be computed again is left out, as the contract's queue leaves it out.
 */
export function backlogOf(run: Run): Backlog | null {
  const { records, workload } = run;
  if (!workload.open || records.count === 0) return null;
  const counts = queueOverTime(run).map((queue, k) => queue + records.parkedAt[k]!);
  const [atStart = 0, atHalf = 0, atEnd = 0] = counts;
  const chance = CHANCE_DEVIATIONS * Math.max(1, gapVariation(records)) * Math.sqrt(records.count);
  return {
    atHalf,
    atEnd,
    parkedAtEnd: records.parkedAt.at(-1) ?? 0,
    grows: growsThrough(counts, run) && atEnd - atStart > chance,
  };
}

/** @param counts at the start, the middle and the end of the arrival window. */
function growsThrough(counts: readonly number[], { records }: Run): boolean {
  const [atStart, atHalf, atEnd] = counts;
  if (atStart === undefined || atHalf === undefined || atEnd === undefined) return false;
  return atHalf > atStart && atEnd > atHalf && atEnd > NOTICEABLE * records.count;
}

/** Requests that have arrived and whose prefill has not started, at each watched moment; refused ones never queue. */
function queueOverTime({ records }: Run): readonly number[] {
  return records.watchS.map((timeS) => {
    let length = 0;
    for (let k = 0; k < records.count; k++) {
      if (records.arrivalS[k]! <= timeS && records.prefillStartS[k]! > timeS) length += 1;
    }
    return length;
  });
}

/** Coefficient of variation of the time between arrivals: 1 for Poisson. */
function gapVariation({ arrivalS }: Records): number {
  const gapsS = arrivalS.slice(1).map((timeS, k) => timeS - arrivalS[k]!);
  const meanS = meanOf(gapsS);
  return meanS === 0 ? 0 : Math.sqrt(meanOf(gapsS.map((gapS) => (gapS - meanS) ** 2))) / meanS;
}
