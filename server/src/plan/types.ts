/**
 * The normalised deployment. Every value knows where it came from, so that diagnostics, hovers and hints can point
 * at text. Plain data: survives `structuredClone`.
 */
import type {
  ArrivalProcess,
  CostScale,
  GpuFacts,
  KvConnector,
  KvDtype,
  LengthDistribution,
  LinearCost,
  MemoryLaw,
  ModelShape,
  SchedulerKind,
  TraceColumns,
  WeightDtype,
} from '../engine/types.ts';
import type { Problem, Range } from '../text/types.ts';

/** `native` is our own format; the others carry the names of the corpus' folders. */
export type Dialect = 'native';

/** A value, where it stands, and who said so. */
export interface Located<T> {
  readonly value: T;
  /** Of the value in the text; null where nothing in the text stands for it. */
  readonly range: Range | null;
  /** Of the key that holds it; null likewise. */
  readonly keyRange: Range | null;
  readonly origin: 'stated' | 'default' | 'inferred';
  /** For defaults and inferred values: which table row or rule gave it. */
  readonly source?: string;
}

/** A model of the catalogue (or given inline) by its public name. */
export interface CatalogModel {
  readonly id: string;
  readonly shape: ModelShape;
  /** How a checkpoint stores its weights, where that may differ from the shape's own format (quantised copies). */
  readonly storedDtype?: WeightDtype;
  readonly paramsTotal: number;
  readonly paramsActive: number;
  readonly source: string;
}

/** A GPU of the catalogue (or given inline) by its public name. */
export interface CatalogGpu {
  readonly id: string;
  readonly facts: GpuFacts;
  readonly linkTopology: string;
  readonly pcieGen: number;
  readonly source: string;
}

export interface Plan {
  readonly dialect: Dialect;
  /** 0-based among the YAML documents of the file. */
  readonly documentIndex: number;
  /** The whole document, for findings that have no better place. */
  readonly documentRange: Range;
  /** Where the headline lens stands: first line of the document's content. */
  readonly anchor: Range;
  readonly name: Located<string>;
  readonly model: Located<CatalogModel>;
  readonly weightDtype: Located<WeightDtype>;
  readonly gpu: Located<CatalogGpu>;
  readonly gpusPerReplica: Located<number>;
  readonly interconnect: Located<'pcie' | 'nvlink'>;
  /** Effective, one direction, per GPU, GB/s (1e9 bytes). */
  readonly hostLinkGBs: Located<number>;
  readonly hostMemoryBytes: Located<number | null>;
  readonly tensor: Located<number>;
  readonly pipeline: Located<number>;
  readonly data: Located<number>;
  readonly expert: Located<number>;
  readonly replicas: Located<number>;
  readonly routing: Located<'roundRobin' | 'leastLoad'>;
  readonly engine: {
    readonly version: Located<string>;
    /** Whose defaults were used ('vllm 0.5.5'), and the row of the table that speaks for it. */
    readonly defaults: { readonly release: string; readonly row: string };
    readonly scheduler: Located<SchedulerKind>;
    readonly blockSize: Located<number>;
    readonly gpuMemoryUtilization: Located<number>;
    readonly maxModelLen: Located<number>;
    readonly maxNumSeqs: Located<number>;
    readonly maxNumBatchedTokens: Located<number>;
    readonly kvCacheDtype: Located<KvDtype>;
    readonly activationDtype: Located<'bf16' | 'fp8' | 'int8'>;
    readonly numGpuBlocks: Located<number | null>;
    readonly enforceEager: Located<boolean>;
    readonly asyncScheduling: Located<boolean>;
    /** vLLM's full-sequence gate of admission; follows from the version alone. */
    readonly reserveFullSequence: Located<boolean>;
    /** vLLM's hybrid KV cache manager; follows from the version alone. */
    readonly hybridKvCache: Located<boolean>;
    readonly fullDecodeGraphs: Located<boolean>;
    /** What start-up counts against the share of memory; follows from the version, the scheduler and the model. */
    readonly memoryLaw: Located<MemoryLaw>;
    readonly prefixCaching: Located<boolean>;
    readonly kvOffloadHostPoolBytes: Located<number | null>;
    readonly kvOffloadConnector: Located<KvConnector>;
    /** LMCache's; without a meaning for others. */
    readonly kvOffloadChunkTokens: Located<number>;
  };
  readonly layerkv: {
    readonly enabled: Located<boolean>;
    readonly sloAware: Located<boolean>;
    readonly hostPoolBytes: Located<number>;
    readonly residency: Located<'reload' | 'stream'>;
    readonly alpha: Located<number>;
    readonly transientLayers: Located<number>;
    readonly growthReserve: Located<number>;
    readonly offloadThreshold: Located<number>;
    readonly chunkBytes: Located<number>;
    readonly lostRequests: Located<'block' | 'ignore'>;
    readonly countReloadWait: Located<boolean>;
    readonly predictorBuckets: Located<number>;
    readonly predictorAccuracy: Located<number>;
  };
  readonly workload: {
    readonly arrivals: Located<ArrivalProcess>;
    readonly input: Located<LengthDistribution>;
    readonly output: Located<LengthDistribution>;
    readonly sharedPrefixTokens: Located<number>;
    readonly sharedPrefixShare: Located<number>;
    /** Path as written and what was read from it; replaces arrivals, input and output. */
    readonly trace: Located<{ readonly path: string; readonly columns: TraceColumns } | null>;
    readonly requests: Located<number>;
    readonly seed: Located<number>;
  };
  readonly slo: {
    readonly ttftMs: Located<number | null>;
    readonly tpotMs: Located<number | null>;
    readonly attainment: Located<number>;
  };
  readonly cost: Located<LinearCost | null>;
  /** Factors on the step times, and the file they are from; null where nothing was measured of this deployment. */
  readonly calibration: Located<{ readonly path: string; readonly scales: CostScale } | null>;
}

/** What `layerkv extract` tells of a document: the corpus' workload keys, each with its place. */
export interface ExtractedWorkload {
  readonly documentIndex: number;
  readonly dialect: Dialect;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly origins: Readonly<Record<string, { readonly origin: Located<unknown>['origin']; readonly range: Range }>>;
}

/** A text, analysed: never throws, whatever the text. */
export interface Analysis {
  /** False: nothing in this text is ours, stay silent. */
  readonly relevant: boolean;
  readonly problems: readonly Problem[];
  /** One per document that could be understood well enough to simulate. */
  readonly plans: readonly Plan[];
  readonly workloads: readonly ExtractedWorkload[];
}
