/** What the report page shows, as plain data: made on the editor's side, kept as the page's state, checked by tests. */
import type { Policy } from '../../../server/src/engine/types.ts';
import type { Prediction, Series } from '../../../server/src/forecast/types.ts';
import type { PlanSummary, SimulatedPrediction, SimulateSuccess } from '../../../server/src/protocol.ts';

/** Raised when the shape changes, so that a page restored from an older version starts afresh. */
export const REPORT_VERSION = 2;

/** At most this many points draw a distribution: more than a screen has columns to show. */
const MAX_POINTS = 400;

/** Digits of the figures over time: more than a drawing shows, and less than half the bytes of a full number. */
const SERIES_DIGITS = 4;

/** What a report keeps of a prediction; the figures over time are kept apart. */
export type Figures = Omit<Prediction, 'perRequest' | 'series'>;

/** An empirical distribution, thinned for drawing. */
export interface Curve {
  /** Ascending, ms. */
  readonly ms: readonly number[];
  /** Share of all requests that have their first token within `ms`, 0..1. */
  readonly share: readonly number[];
}

/** One policy of a report. */
export interface PolicyReport {
  readonly policy: Policy;
  readonly prediction: Figures;
  readonly ttft: Curve;
  /** TTFT below which each of `PERCENTS` of all requests lie, ms; null where that many never got a token. */
  readonly ttftAtPercent: readonly (number | null)[];
  /** The run over time; null where nothing ran. */
  readonly series: Series | null;
  /** Last answer and last arrival, s since the start. */
  readonly endS: number;
  readonly arrivalsEndS: number;
}

/** One plan, under one policy or two. */
export interface ReportModel {
  readonly reportVersion: typeof REPORT_VERSION;
  readonly uri: string;
  readonly fileName: string;
  readonly document: number;
  readonly plan: PlanSummary;
  readonly policies: readonly PolicyReport[];
}

/** Rows of the TTFT plot's table twin, percent of requests. */
export const PERCENTS = [1, 5, 10, 25, 50, 75, 90, 95, 99, 100] as const;

/** Makes the report of a simulation. */
export function reportModel(result: SimulateSuccess, fileName: string): ReportModel {
  return {
    reportVersion: REPORT_VERSION,
    uri: result.uri,
    fileName,
    document: result.document,
    plan: result.plan,
    policies: result.predictions.map(policyReport),
  };
}

/** True for state that this version of the page wrote itself. */
export function isReportModel(value: unknown): value is ReportModel {
  return (
    typeof value === 'object' && value !== null && 'reportVersion' in value && value.reportVersion === REPORT_VERSION
  );
}

function policyReport({ prediction: { series, ...prediction }, requests }: SimulatedPrediction): PolicyReport {
  const ttft: number[] = [];
  requests.firstTokenS.forEach((firstTokenS, index) => {
    if (firstTokenS !== null) ttft.push((firstTokenS - (requests.arrivalS[index] ?? 0)) * 1000);
  });
  ttft.sort((a, b) => a - b);
  const total = requests.arrivalS.length;
  return {
    policy: prediction.policy,
    prediction,
    ttft: cumulative(ttft, total),
    ttftAtPercent: PERCENTS.map((percent) => percentile(ttft, total, percent / 100)),
    series: series === undefined ? null : rounded(series),
    endS: requests.finishS.reduce<number>((last, timeS) => Math.max(last, timeS ?? 0), 0),
    arrivalsEndS: requests.arrivalS.reduce((last, timeS) => Math.max(last, timeS), 0),
  };
}

function rounded(series: Series): Series {
  const round = (values: readonly number[]): readonly number[] =>
    values.map((value) => Number(value.toPrecision(SERIES_DIGITS)));
  return {
    stepS: series.stepS,
    queue: round(series.queue),
    decoding: round(series.decoding),
    parked: round(series.parked),
    gpuKvShare: round(series.gpuKvShare),
    hostKvShare: round(series.hostKvShare),
    linkBusy: round(series.linkBusy),
  };
}

/** The empirical distribution over `total` requests, of which those in `sorted` (ms, ascending) got a first token. */
export function cumulative(sorted: readonly number[], total: number): Curve {
  const points = Math.min(sorted.length, MAX_POINTS);
  const ms: number[] = [];
  const share: number[] = [];
  for (let point = 1; point <= points; point++) {
    // The last of each bunch, so that the share at a kept value is exact.
    const rank = Math.round((point * sorted.length) / points);
    ms.push(sorted[rank - 1] ?? 0);
    share.push(rank / total);
  }
  return { ms, share };
}

/** Type 7 percentile (linear interpolation) over `total` requests; requests without a first token rank last. */
export function percentile(sorted: readonly number[], total: number, p: number): number | null {
  if (total === 0) return null;
  const rank = (total - 1) * p;
  const below = sorted[Math.floor(rank)];
  const above = sorted[Math.ceil(rank)];
  if (below === undefined || above === undefined) return null;
  return below + (above - below) * (rank - Math.floor(rank));
}
