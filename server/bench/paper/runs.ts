/** One run reduced to what the paper speaks of, and many runs reduced to a mean with its spread. */
import { addPrefill, emptyBatch } from '../../src/engine/cost/types.ts';
import { latencies, meanOf, percentiles, violations } from '../../src/engine/metrics.ts';
import { costModel, simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { type Variation, vary } from '../samples.ts';

/** Figures of one seed. Times in seconds, shares 0 to 1. */
export interface SeedFigures {
  readonly meanTtftS: number;
  readonly p99TtftS: number;
  /** Shortest TTFT of any request less what it takes alone: never negative, or tokens come from nowhere. */
  readonly leastSlackS: number;
  readonly meanTpotS: number;
  readonly meanE2eS: number;
  /** Mean time before the prefill starts over mean TTFT. */
  readonly queueShare: number;
  readonly makespanS: number;
  readonly outputTokensPerS: number;
  /** Share of requests that break either SLO, and each alone. */
  readonly anyViolation: number;
  readonly ttftViolation: number;
  readonly tpotViolation: number;
  readonly finished: number;
}

/** Runs one seed. */
export function runSeed(input: EngineInput): SeedFigures {
  const run = simulate(input);
  const { records } = run;
  const times = latencies(records);
  const broken = violations(records, input.slo);
  const ttft = percentiles(times.ttftS, 1);
  if (ttft === null || broken === null) throw new Error('a study needs finished requests and an SLO');
  const loneS = loneTtft(input);
  let leastSlackS = Number.POSITIVE_INFINITY;
  let outputTokens = 0;
  for (let k = 0; k < records.count; k++) {
    const ttftS = records.firstTokenS[k]! - records.arrivalS[k]!;
    leastSlackS = Math.min(leastSlackS, ttftS - loneS(records.inputTokens[k]!));
    outputTokens += records.outputTokens[k]!;
  }
  return {
    meanTtftS: ttft.mean,
    p99TtftS: ttft.p99,
    leastSlackS,
    meanTpotS: meanOf(times.tpotS),
    meanE2eS: meanOf(times.e2eS),
    queueShare: times.meanQueueS / ttft.mean,
    makespanS: run.makespanS,
    outputTokensPerS: outputTokens / run.makespanS,
    anyViolation: broken.any,
    ttftViolation: broken.ttft,
    tpotViolation: broken.tpot,
    finished: records.finished,
  };
}

/** TTFT of a request that has the server to itself, s, by its prompt's tokens: on the way, and its own step. */
export function loneTtft(input: EngineInput): (promptTokens: number) => number {
  const cost = costModel(input);
  return (promptTokens) => {
    const batch = emptyBatch();
    addPrefill(batch, promptTokens, 0, true, cost.windowTokens);
    const onTheWayS = cost.frontEnd === null ? 0 : cost.frontEnd.serviceS(promptTokens) + cost.frontEnd.latencyS;
    return onTheWayS + cost.stepS(batch);
  };
}

/** Runs of seeds 1, 2, … `seeds`. */
export function runSeeds(input: EngineInput, variation: Variation, seeds: number): readonly SeedFigures[] {
  return Array.from({ length: seeds }, (_, k) => runSeed(vary(input, { ...variation, seed: k + 1 })));
}

/** A mean over seeds, and how far single seeds lie from it. */
export interface Spread {
  readonly mean: number;
  readonly min: number;
  readonly max: number;
}

/** @returns mean, least and most of one figure over the seeds. */
export function spread(runs: readonly SeedFigures[], of: (figures: SeedFigures) => number): Spread {
  const values = runs.map(of);
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    min: Math.min(...values),
    max: Math.max(...values),
  };
}
