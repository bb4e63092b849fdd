/**
 * What goes into the engine and what comes out of it. Plain numbers and columns: no text, no ranges, no clock.
 * Everything here survives `structuredClone`, so that it can cross into a worker.
 */

/** Which admission and KV policy runs over the baseline scheduler. */
export type Policy = 'vllm' | 'layerkv' | 'layerkv-no-slo';

/** vLLM's scheduler generation: v0 prefill-first, v1 chunked with one token budget. */
export type SchedulerKind = 'v0' | 'v1';

export type WeightDtype = 'bf16' | 'fp16' | 'fp8' | 'int8' | 'int4' | 'mxfp4' | 'nvfp4';
export type KvDtype = 'bf16' | 'fp8' | 'int8' | 'nvfp4';

/** Shape of a decoder-only transformer, as in its Hugging Face `config.json`. */
export interface ModelShape {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly attentionType: 'mha' | 'gqa' | 'mla';
  readonly queryHeads: number;
  readonly kvHeads: number;
  /** Query/key dimension of one head (for MLA: nope + rope). */
  readonly headDim: number;
  readonly ffnSize: number;
  readonly vocabSize: number;
  /** Longest context the model was made for, tokens. */
  readonly maxPositionTokens: number;
  readonly tieEmbeddings: boolean;
  readonly mla?: {
    readonly kvLoraRank: number;
    readonly qLoraRank?: number;
    readonly qkNopeHeadDim: number;
    readonly qkRopeHeadDim: number;
    readonly vHeadDim: number;
  };
  readonly moe?: {
    readonly experts: number;
    readonly topK: number;
    readonly expertFfn: number;
    /** Summed width of the shared experts (0: none). */
    readonly sharedFfnTotal: number;
    /** Leading layers that are dense and use `ffnSize`. */
    readonly firstDenseLayers: number;
    /** 1: every layer is MoE; 2: every second one. */
    readonly moeEvery: number;
  };
  /** Layers that attend only to the last `tokens` tokens. */
  readonly slidingWindow?: {
    readonly tokens: number;
    readonly kind: 'sliding' | 'chunked';
    readonly localLayers: number;
    readonly globalLayers: number;
  };
  /** The dtype the weights are published in. */
  readonly nativeWeightDtype: WeightDtype;
  /** True where only the routed experts are stored in the native dtype and all else is bf16 (gpt-oss). */
  readonly nativeExpertsOnly?: boolean;
  /** Its published fp8 weights have a scale for each block of 128 × 128, whatever the native dtype. */
  readonly fp8Blocks?: boolean;
}

/** What the cost and memory models need to know of a GPU. Rates are dense datasheet peaks. */
export interface GpuFacts {
  /** Memory that the driver lists. */
  readonly memoryBytes: number;
  /** Memory that a program is told of (`cudaMemGetInfo`; vLLM's `total_gpu_memory`): the driver keeps some back. */
  readonly programMemoryBytes: number;
  /** HBM streams a smaller share of its datasheet bandwidth than GDDR does. */
  readonly memoryKind: 'hbm' | 'gddr';
  readonly memoryBandwidthBytesPerS: number;
  readonly bf16FlopsPerS: number;
  /** 0 where the GPU has no such arithmetic. */
  readonly fp8FlopsPerS: number;
  readonly int8OpsPerS: number;
  readonly fp4FlopsPerS: number;
  /** One direction, per GPU; 0 without NVLink. */
  readonly nvlinkBytesPerS: number;
  /** One direction, host and device, achieved. */
  readonly hostLinkBytesPerS: number;
  /** '8.9'; AMD GPUs carry 'gfx942' and the like. */
  readonly computeCapability: string;
  /** Whose kernel measurements stand for this GPU, and whether they are its own. Absent: none's. */
  readonly kernels?: { readonly family: string; readonly measured: boolean };
}

/** Ranks of one replica; GPUs = tensor × pipeline × data. */
export interface Parallelism {
  readonly tensor: number;
  readonly pipeline: number;
  readonly data: number;
  readonly expert: number;
}

/** Replaces the roofline by a hand-made law (plan: `cost.linear`). Milliseconds. */
export interface LinearCost {
  readonly prefillBaseMs: number;
  readonly prefillPerTokenMs: number;
  readonly decodeBaseMs: number;
  readonly decodePerSequenceMs: number;
  readonly decodePerContextTokenMs: number;
}

/** Factors on the parts of a step, from measurements (plan: `calibration`); 1 leaves a part as it is. */
export interface CostScale {
  /** Kernels of prompt tokens, and what a request spends in front of the engine. */
  readonly prefill: number;
  /** Kernels of decodes. */
  readonly decode: number;
  /** Host work between the steps. */
  readonly overhead: number;
  /** Decoding sequences of the runs that were measured: factors fade with distance from the nearest. Absent: they do not. */
  readonly sequences?: readonly number[];
}

export interface EngineLimits {
  readonly blockSizeTokens: number;
  readonly maxModelLenTokens: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  /**
   * v1 admits a waiting request only if its whole sequence so far fits the free blocks, although it takes just the first
   * chunk's (vLLM: scheduler_reserve_full_isl, PR #37307, on by default from 0.20). Absent: false.
   */
  readonly reserveFullSequence?: boolean;
}

/**
 * What vLLM's profiling run at start-up counts against `gpu_memory_utilization`: it changed from release to release. The
 * table of releases is the catalogue's; here are plain numbers.
 */
export interface MemoryLaw {
  /** Bytes alive at the peak of sampling, for each logit (sequences × vocabulary). */
  readonly samplerBytesPerLogit: number;
  /** False where the profiling run of v0's chunked prefill ends before sampling. */
  readonly chunkedProfileSamples: boolean;
  /** The CUDA context's memory counts. */
  readonly contextCounted: boolean;
  /** NCCL's and the custom all-reduce's buffers count. */
  readonly collectivesCounted: boolean;
  /** The estimate of what CUDA graphs will take counts. */
  readonly graphsCounted: boolean;
  /** Kernels and library handles that load during the profiling run, bytes. */
  readonly nonTorchBytes: number;
}

export interface LayerKvOptions {
  /** Host memory for offloaded layers, per replica, summed over ranks. */
  readonly hostPoolBytes: number;
  readonly residency: 'reload' | 'stream';
  /** α of the prefill-time estimate. */
  readonly alpha: number;
  /** Layers that may be in flight to the host while the next one computes. */
  readonly transientLayers: number;
  /** Share of the GPU pool kept for the growth of running requests. */
  readonly growthReserve: number;
  /** Share of the GPU pool below which layers of slack requests are offloaded. */
  readonly offloadThreshold: number;
  readonly chunkBytes: number;
  readonly lostRequests: 'block' | 'ignore';
  readonly countReloadWait: boolean;
  readonly predictor: { readonly buckets: number; readonly accuracy: number };
}

/** What moves KV between the prefix cache and the host: vLLM's OffloadingConnector, or LMCache. */
export type KvConnector = KvOffload['connector'];

/** Host memory behind the prefix cache, bytes per replica, summed over ranks. */
export type KvOffload =
  | { readonly connector: 'offloading'; readonly hostPoolBytes: number }
  | { readonly connector: 'lmcache'; readonly hostPoolBytes: number; readonly chunkTokens: number };

/** Service-level objectives; `null` is "none stated". */
export interface Slo {
  readonly ttftS: number | null;
  readonly tpotS: number | null;
  readonly attainment: number;
}

/** How request lengths are drawn, tokens. */
export type LengthDistribution =
  | { readonly kind: 'fixed'; readonly tokens: number }
  | { readonly kind: 'uniform'; readonly min: number; readonly max: number }
  | { readonly kind: 'lognormal'; readonly median: number; readonly sigma: number }
  | {
      readonly kind: 'percentiles';
      /** Ascending `[p, tokens]` with 0 < p ≤ 1; p = 1 is the maximum. */
      readonly points: readonly (readonly [number, number])[];
      readonly mean: number | null;
    };

/** How requests arrive, for the whole deployment. */
export type ArrivalProcess =
  | { readonly kind: 'constant'; readonly ratePerS: number }
  | { readonly kind: 'poisson'; readonly ratePerS: number }
  | { readonly kind: 'gamma'; readonly ratePerS: number; readonly cv: number }
  | { readonly kind: 'closed'; readonly concurrency: number }
  | { readonly kind: 'burst' }
  | { readonly kind: 'serial' };

/** Columns of a recorded trace, sorted by arrival. */
export interface TraceColumns {
  readonly arrivalS: Float64Array;
  readonly inputTokens: Int32Array;
  readonly outputTokens: Int32Array;
  /** Where the trace tells which prompts begin alike (Mooncake's `hash_ids`). */
  readonly promptIds?: PromptIds;
}

/**
 * What prompts have in common: each is a row of ids, one for every `tokensPerId` tokens. Equal ids mean equal tokens up to
 * the id's end, as with Mooncake's chained `hash_ids` (512 tokens each; the last may be cut short by the prompt's end).
 * Tokens without an id are nobody else's.
 */
export interface PromptIds {
  readonly tokensPerId: number;
  /** Request k's ids are `ids[starts[k]] … ids[starts[k + 1] − 1]`. */
  readonly starts: Int32Array;
  /** Small whole numbers from 0. */
  readonly ids: Int32Array;
}

/** A share of the requests begin with the same tokens. */
export interface SharedPrefix {
  readonly tokens: number;
  /** 0 … 1; who has the prefix is drawn for each request. */
  readonly share: number;
}

export interface WorkloadSpec {
  readonly source:
    | {
        readonly kind: 'synthetic';
        readonly arrivals: ArrivalProcess;
        readonly input: LengthDistribution;
        readonly output: LengthDistribution;
      }
    | { readonly kind: 'trace'; readonly trace: TraceColumns };
  /** Absent: every prompt is its own. A trace with prompt ids needs none, and they go before it. */
  readonly sharedPrefix?: SharedPrefix;
  readonly requests: number;
  readonly seed: number;
}

/** Everything the engine needs for one deployment. */
export interface EngineInput {
  readonly model: ModelShape;
  readonly weightDtype: WeightDtype;
  readonly kvDtype: KvDtype;
  readonly activationDtype: 'bf16' | 'fp8' | 'int8';
  readonly gpu: GpuFacts;
  readonly parallelism: Parallelism;
  readonly interconnect: 'pcie' | 'nvlink';
  /** Effective bandwidth of one GPU's link to the host, each direction; 0 turns LayerKV off. */
  readonly hostLinkBytesPerS: number;
  readonly replicas: number;
  readonly routing: 'roundRobin' | 'leastLoad';
  readonly scheduler: SchedulerKind;
  readonly policy: Policy;
  readonly limits: EngineLimits;
  readonly gpuMemoryUtilization: number;
  readonly memoryLaw: MemoryLaw;
  /** Pins the KV pool (as a start-up log tells it); null: from the memory model. */
  readonly numGpuBlocks: number | null;
  readonly enforceEager: boolean;
  /** Decode steps are recorded whole as CUDA graphs (absent), or all but their attention. */
  readonly fullDecodeGraphs?: boolean;
  readonly asyncScheduling: boolean;
  /** How requests come in: over HTTP (absent), handed to the engine by the program that measures it, or all in one batch. */
  readonly harness?: 'http' | 'inProcess' | 'batch';
  /** v1 finds KV of equal prompt beginnings again (vLLM: enable_prefix_caching). Absent: false. */
  readonly prefixCaching?: boolean;
  /** v1 keeps no more than their window of layers with one (vLLM: hybrid KV cache manager). Absent: false. */
  readonly hybridKvCache?: boolean;
  /** Absent: no host memory behind the prefix cache. */
  readonly kvOffload?: KvOffload;
  readonly layerkv: LayerKvOptions;
  readonly slo: Slo;
  readonly cost: { readonly kind: 'roofline' } | { readonly kind: 'linear'; readonly linear: LinearCost };
  /** Absent: the cost law as it is. */
  readonly costScale?: CostScale;
  readonly workload: WorkloadSpec;
}
