/** What `docs/accuracy.json` holds: everything that the page shows, as plain numbers. Errors are shares: 0.1 is 10 %. */
import type { CalibratedGroup } from '../validate/calibrated.ts';
import type { GroupSummary } from '../validate/summary.ts';

export interface AccuracyData {
  readonly about: string;
  readonly rows: {
    readonly all: number;
    readonly judged: number;
    readonly covered: number;
    readonly allCovered: number;
  };
  /** All rows of high and medium quality. */
  readonly overall: GroupSummary;
  /** The same with a TTFT of unsaid kind compared with our median. */
  readonly medianReading: GroupSummary;
  readonly unsaid: UnsaidTtft;
  /** Kinds of groups in the page's order. */
  readonly groupings: readonly Grouping[];
  /** Nothing left out, but fitted in the way of the studies: what of their effect is the way itself. */
  readonly control: GroupSummary;
  readonly leftOut: readonly LeftOutStudy[];
  /** Figures of low-load rows that the host coefficients are fitted to. */
  readonly hostSamples: number;
  readonly calibrated: readonly (readonly [string, CalibratedGroup])[];
  readonly pools: PoolCheck;
  readonly traces: readonly TraceCheck[];
  readonly residuals: readonly Residual[];
  /** Share of all excess error that the residuals listed hold. */
  readonly residualShare: number;
  readonly plots: PlotData;
}

export interface Grouping {
  readonly title: string;
  readonly groups: readonly (readonly [string, GroupSummary])[];
}

/** Rows that do not say whether a TTFT is a mean or a median. */
export interface UnsaidTtft {
  readonly rows: number;
  /** Share of them that lie nearer to our mean than to our median, where these differ by a tenth or more. */
  readonly nearerToMean: number;
  readonly apart: number;
  /** One deployment over its loads. */
  readonly example: readonly {
    readonly concurrency: number;
    readonly publishedMs: number;
    readonly meanMs: number;
    readonly medianMs: number;
  }[];
}

/** Every model (source, GPU …) predicted with coefficients that have not seen its rows. */
export interface LeftOutStudy {
  readonly title: string;
  /** What was left out each time. */
  readonly what: string;
  readonly before: GroupSummary;
  readonly after: GroupSummary;
  readonly each: readonly LeftOut[];
}

export interface LeftOut {
  readonly name: string;
  /** Of the fit's samples, those that fell away. */
  readonly samplesLeftOut: number;
  /** What stands in for kernels that are no longer measured; empty where nothing changes. */
  readonly kernels: string;
  readonly before: GroupSummary;
  readonly after: GroupSummary;
}

/** KV pools at start-up against published logs. */
export interface PoolCheck {
  readonly logs: number;
  readonly medianAbs: number;
  readonly p90Abs: number;
  readonly worst: { readonly name: string; readonly error: number };
  /** Measurements of the file that state their blocks. */
  readonly pinned: readonly { readonly name: string; readonly error: number }[];
}

/** A recorded run, request by request. */
export interface TraceCheck {
  readonly name: string;
  readonly requests: number;
  readonly poolPinned: boolean;
  /** Signed errors of the means. */
  readonly meanTtft: number;
  readonly meanTpot: number;
  readonly throughput: number;
  /** Median over requests of the absolute error of each. */
  readonly eachTtft: number;
  readonly eachTpot: number;
}

/** Rows of one deployment that miss the targets most. */
export interface Residual {
  readonly name: string;
  readonly source: string;
  readonly rows: number;
  /** Median signed errors; null where not published. */
  readonly tpot: number | null;
  readonly ttft: number | null;
  readonly throughput: number | null;
  /** Of the excess error of all rows. */
  readonly share: number;
  readonly cause: string;
}

export type PlottedFigure = 'tpotMs' | 'ttftMs' | 'outputTokS';
export type PlottedFamily = 'ampere' | 'hopper' | 'blackwell' | 'ada' | 'older';

export interface PlotData {
  /** Measured and predicted, by figure and GPU family. */
  readonly points: Readonly<
    Record<PlottedFigure, Readonly<Record<PlottedFamily, readonly (readonly [number, number])[]>>>
  >;
  /** Closed loops: signed errors by number of users (up to the named one). */
  readonly byConcurrency: Readonly<Record<'tpotMs' | 'ttftMs', readonly ConcurrencyBin[]>>;
  /** Absolute errors at shares 0, 0.02 … 1 of the rows, by study. */
  readonly curves: Readonly<
    Record<PlottedFigure, Readonly<Record<'shipped' | 'model' | 'gpu' | 'family', readonly number[]>>>
  >;
}

export interface ConcurrencyBin {
  readonly users: number;
  readonly rows: number;
  readonly p10: number;
  readonly median: number;
  readonly p90: number;
}
