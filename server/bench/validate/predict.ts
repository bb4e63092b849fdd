/** Runs a published measurement and sets our figures beside the published ones, like with like. */

import type { CostModel } from '../../src/engine/cost/types.ts';
import { latencies, meanOf, percentiles } from '../../src/engine/metrics.ts';
import { simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { meanLength } from '../../src/engine/workload/lengths.ts';
import type { ServedLoad } from '../../src/forecast/confidence.ts';
import { type PublishedTimes, rowInput, type ValidationRow } from './row.ts';

/** Figures that are compared; null where not published. */
export interface Figures {
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly outputTokS: number | null;
}

/** Our figures, and what the run tells of its load. */
export type Predicted = Figures & ServedLoad;

/** One row of the report. `predicted` is null where the row cannot be run. */
export interface ComparedRow {
  readonly id: string;
  readonly covered: boolean;
  readonly reason: string | null;
  readonly quality: string;
  readonly source: string;
  readonly gpu: string;
  readonly model: string;
  readonly load: string;
  readonly saturated: boolean;
  readonly measured: Figures;
  readonly predicted: Predicted | null;
}

/** Random arrivals and lengths are averaged over so many seeds; a closed loop or a burst averages by itself. */
const SEEDS_OF_POISSON = 3;

/** What a study varies. */
export interface Variation {
  readonly change?: (input: EngineInput) => EngineInput;
  /** In place of the built-in law of step times. */
  readonly cost?: (input: EngineInput) => CostModel;
  /** Which of our TTFTs a published one of unsaid kind is compared with; the mean if absent (docs/accuracy.md says why). */
  readonly unspecifiedTtft?: 'mean' | 'p50';
}

export function compareRow(row: ValidationRow, { change, cost, unspecifiedTtft }: Variation = {}): ComparedRow {
  const built = rowInput(row);
  const base = {
    id: row.id,
    quality: row.quality,
    source: row.source,
    gpu: row.gpu,
    model: row.model,
    load: row.load.kind,
    saturated: isSaturatedRow(row),
    measured: publishedFigures(row),
  };
  if (!built.ok) return { ...base, covered: false, reason: built.reason, predicted: null };
  const input = change?.(built.input) ?? built.input;
  const predicted = predict(row, input, cost?.(input), unspecifiedTtft);
  if (typeof predicted === 'string') return { ...base, covered: false, reason: predicted, predicted: null };
  return { ...base, covered: true, reason: null, predicted };
}

/** @param cost in place of the built-in law, for fits. @returns our figures, or why there are none. */
export function predict(
  row: ValidationRow,
  input: EngineInput,
  cost?: CostModel,
  unspecifiedTtft: 'mean' | 'p50' = 'mean',
): Predicted | string {
  const seeds = row.load.kind === 'poisson' ? SEEDS_OF_POISSON : 1;
  const runs: Predicted[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const run = simulate({ ...input, workload: { ...input.workload, seed } }, cost === undefined ? {} : { cost });
    const { records, makespanS } = run;
    if (records.finished < records.count) return `${records.refused} of ${records.count} requests are refused`;
    const times = latencies(records);
    const ttft = percentiles(times.ttftS, 1000);
    const tpot = percentiles(times.tpotS, 1000);
    if (ttft === null || tpot === null) return 'no request finished';
    const tokens = records.outputTokens.reduce((sum, each) => sum + each, 0);
    runs.push({
      ttftMs: ttft[likeKind(row.measured.ttftMs, unspecifiedTtft)],
      tpotMs: tpot[likeKind(row.measured.tpotMs, 'mean')],
      outputTokS: makespanS > 0 ? tokens / makespanS : 0,
      queueShare: ttft.mean > 0 ? (1000 * times.meanQueueS) / ttft.mean : 0,
      open: run.workload.open,
    });
  }
  const average = (figure: keyof Figures | 'queueShare'): number =>
    meanOf(Float64Array.from(runs, (run) => run[figure] ?? 0));
  const published = publishedFigures(row);
  return {
    ttftMs: published.ttftMs === null ? null : average('ttftMs'),
    tpotMs: published.tpotMs === null ? null : average('tpotMs'),
    outputTokS: published.outputTokS === null ? null : average('outputTokS'),
    queueShare: average('queueShare'),
    open: runs.some(({ open }) => open),
  };
}

/** The mean if published, else p50, else the figure of which the kind is not said. */
function publishedTime(times: PublishedTimes | undefined): number | null {
  return times?.mean ?? times?.p50 ?? times?.unspecified ?? null;
}

function likeKind(times: PublishedTimes | undefined, unspecified: 'mean' | 'p50'): 'mean' | 'p50' {
  if (times?.mean !== undefined) return 'mean';
  return times?.p50 !== undefined ? 'p50' : unspecified;
}

export function publishedFigures(row: ValidationRow): Figures {
  const { ttftMs, tpotMs, outputTokS, reqS } = row.measured;
  const derived = reqS === undefined ? null : reqS * meanOutput(row);
  return {
    ttftMs: publishedTime(ttftMs),
    tpotMs: publishedTime(tpotMs),
    outputTokS: outputTokS ?? derived,
  };
}

/**
 * By the published data alone: every burst; Poisson that completes less than 0.7 of its rate; closed loops that spend
 * more than a quarter of a request's time on its first token; traces with a mean TTFT above 2 s.
 */
export function isSaturatedRow(row: ValidationRow): boolean {
  const { load, measured } = row;
  const ttftMs = publishedTime(measured.ttftMs) ?? 0;
  const tpotMs = publishedTime(measured.tpotMs);
  switch (load.kind) {
    case 'burst':
      return true;
    case 'poisson':
      return measured.reqS !== undefined && measured.reqS < 0.7 * (load.rate ?? 0);
    case 'closed':
      return tpotMs !== null && ttftMs > 0.25 * (ttftMs + tpotMs * (meanOutput(row) - 1));
    case 'trace':
      return ttftMs > 2000;
    default:
      return false;
  }
}

function meanOutput({ output }: ValidationRow): number {
  if (output.kind === 'uniform' && output.min !== undefined && output.max !== undefined)
    return meanLength({ kind: 'uniform', min: output.min, max: output.max });
  return output.tokens ?? 1;
}
