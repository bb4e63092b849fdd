/** What a prediction says. The JSON of `layerkv simulate` is this, entry for entry (schema `layerkv/result/v1`). */
import type { Backlog } from '../engine/saturation.ts';
import type { Policy, SchedulerKind } from '../engine/types.ts';

/** Percentiles are type 7 (linear interpolation). All requests count; null where no request has the figure. */
export interface Distribution {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface MemoryReport {
  readonly weightsBytesPerGpu: number;
  readonly activationBytesPerGpu: number;
  readonly kvBytesPerToken: number;
  readonly gpuBlocks: number;
  readonly kvTokens: number;
  /** KV tokens over max-model-len: a fraction. */
  readonly fullLengthSequences: number;
  readonly hostPoolTokens: number | null;
}

export interface OffloadReport {
  readonly layers: number;
  /** x at the mean prompt. */
  readonly retainedLayers: number;
  /** Share of the device-to-host time that compute hid; null when nothing moved. */
  readonly hiddenShare: number | null;
  readonly deviceToHostBytes: number;
  readonly hostToDeviceBytes: number;
  /** Summed wait of parked requests between first token and rejoining the decode batch. */
  readonly parkedS: number;
}

/** Shares of all prompt tokens that were admitted, those computed again after a preemption included. */
export interface PrefixCacheReport {
  /** Found on the GPU. */
  readonly gpuHitShare: number;
  /** Loaded from the host tier; null where there is none. */
  readonly hostHitShare: number | null;
}

export interface RequestRecord {
  readonly arrivalS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly prefillStartS: number | null;
  readonly firstTokenS: number | null;
  readonly finishS: number | null;
}

/**
 * Load by the share of the mean TTFT that is spent before the prefill starts: `light` below a third, `loaded` up to two
 * thirds; beyond, `backlogged` where requests arrive over time, `crowded` where users or requests are a given number.
 */
export type LoadKind = 'light' | 'loaded' | 'crowded' | 'backlogged';
/** Experts or not; `mla`: latent attention, which in practice comes with experts. */
export type ModelKind = 'dense' | 'moe' | 'mla';

/** Which published measurements a band is made of; null: of any. */
export interface Cell {
  /**
   * `published`: measurements, and what is predicted of them; `standIn`: what is predicted with the kernels of another
   * family of GPUs, as for GPUs of which no kernel was timed; `calibrated`: what is predicted once calibrated on another
   * measurement of the same deployment.
   */
  readonly basis: 'published' | 'standIn' | 'calibrated';
  /** Family of GPUs, as the cost model names it. */
  readonly gpu: string | null;
  readonly model: ModelKind | null;
  readonly load: LoadKind | null;
}

/** Measured over predicted, of means (of medians where only they are published). */
export interface Band {
  /** Eight of ten measurements lie between: the 10th and the 90th percentile. */
  readonly low: number;
  readonly high: number;
  /** Above 1: predictions are too low more often than too high. The prediction is not corrected by it. */
  readonly median: number;
  readonly measurements: number;
  readonly sources: number;
  readonly cell: Cell;
}

/** How far off predictions like this one were; null where nothing was measured, or nothing can be off. */
export interface Confidence {
  /** What ran in the measurements: no LayerKV was measured but in its paper. */
  readonly measuredPolicy: 'vllm';
  readonly ttft: Band | null;
  readonly tpot: Band | null;
  readonly throughput: Band | null;
}

export type Verdict = 'does-not-fit' | 'saturated' | 'violated' | 'met';

export interface Prediction {
  readonly name: string;
  /** 0-based index of the YAML document. */
  readonly document: number;
  readonly policy: Policy;
  readonly scheduler: SchedulerKind;
  readonly requests: number;
  readonly finished: number;
  readonly seed: number;
  readonly memory: MemoryReport;
  readonly ttftMs: Distribution | null;
  readonly tpotMs: Distribution | null;
  readonly e2eMs: Distribution | null;
  /** Time between successive tokens, over all tokens of all requests; percentiles within a quarter of a percent. */
  readonly itlMs?: Distribution | null;
  /** Mean time before the prefill starts over mean TTFT. */
  readonly queueShare: number | null;
  /** Mean TTFT in parts, ms: they sum to `ttftMs.mean`. */
  readonly ttftParts: { readonly queueMs: number; readonly prefillMs: number; readonly offloadMs: number } | null;
  readonly violationRate: {
    readonly ttft: number;
    readonly tpot: number;
    readonly any: number;
    /** 95 % t-interval of `any` over 10 further seeds. */
    readonly interval: readonly [number, number] | null;
    /** The same shares if times are off by as much as the ends of their bands say; absent without bands. */
    readonly withinError?: {
      readonly ttft: readonly [number, number];
      readonly tpot: readonly [number, number];
      readonly any: readonly [number, number];
    };
  } | null;
  readonly throughput: {
    readonly requestsPerS: number;
    readonly outputTokensPerS: number;
    readonly goodputPerS: number;
  } | null;
  readonly makespanS: number | null;
  readonly preemptions: number;
  readonly offload: OffloadReport | null;
  /** What the prefix cache found; absent where none runs (v0, LayerKV, or switched off). */
  readonly prefixCache?: PrefixCacheReport;
  /** Requests that nothing is being done for; absent where arrivals follow completions and where nothing ran. */
  readonly backlog?: Backlog;
  readonly verdict: Verdict;
  readonly provenance: {
    /** Of all times: `fitted` to kernels timed on this GPU, `roofline` (datasheet), `linear` or `calibrated`. */
    readonly cost: string;
    /** The file behind `calibrated`. */
    readonly calibration?: string;
    /** Release whose defaults count: 'vllm 0.5.5'. */
    readonly engineDefaults: string;
    /** Row of the defaults table that speaks for it, and its class of GPUs. */
    readonly engineDefaultsRow: string;
    readonly seed: number;
    /** Absent where nothing ran, and for times that the plan states itself. */
    readonly confidence?: Confidence;
  };
  readonly perRequest?: readonly RequestRecord[];
  /** How the run went over time; beside `perRequest`. */
  readonly series?: Series;
  /** In a comparison, on the second policy: how it differs from the first on identical requests. */
  readonly versus?: Versus;
}

/** Averages over equal spans of time, at most 240 of them; entry k covers [k, k + 1) × `stepS`. Summed over replicas. */
export interface Series {
  readonly stepS: number;
  /** Requests waiting for their prefill, decoding, and holding a first token while layers are away. */
  readonly queue: readonly number[];
  readonly decoding: readonly number[];
  readonly parked: readonly number[];
  /** KV held, of all replicas' pools together, 0 to 1. */
  readonly gpuKvShare: readonly number[];
  readonly hostKvShare: readonly number[];
  /** Directions of the host link that are busy, 0 to 2 a replica. */
  readonly linkBusy: readonly number[];
}

/** Difference of two policies in the share of requests that break an SLO (this one less the other). */
export interface Versus {
  readonly policy: Policy;
  /** Mean over the further seeds, each with the same requests for both. */
  readonly anyDifference: number;
  /** 95 % t-interval of that mean. */
  readonly interval: readonly [number, number];
  /** False where the interval spans zero: the seeds cannot tell the two apart. */
  readonly distinguishable: boolean;
}

export type PolicyChoice = Policy | 'compare';

export interface ForecastOptions {
  /** Absent: the plan's own policy. */
  readonly policy?: PolicyChoice;
  readonly seed?: number;
  readonly requests?: number;
  /** False skips the ten further seeds. */
  readonly interval: boolean;
  readonly perRequest: boolean;
}

/** 0..1; called often. Cancelling a forecast means terminating the worker it runs in. */
export type ReportProgress = (fraction: number) => void;
