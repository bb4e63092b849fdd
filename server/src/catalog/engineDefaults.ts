/** What vLLM does when a deployment does not say: one row a range of releases, each with its source. */
import type { SchedulerKind } from '../engine/types.ts';
import type { CatalogGpu } from '../plan/types.ts';
import { compareVersions, numbersOf, parseVersion } from './versions.ts';

/** Version reckoned with where a plan states none: the newest release that the table was checked against. */
export const DEFAULT_VERSION = '0.30.0';

/** A row of the table: holds from `since` up to the next row. */
export interface EngineDefaultsRow {
  readonly since: string;
  readonly scheduler: SchedulerKind;
  readonly gpuMemoryUtilization: number;
  readonly blockSizeTokens: number;
  readonly prefixCaching: boolean;
  readonly asyncScheduling: boolean;
  /** A waiting request is admitted only if its whole sequence fits the free blocks (scheduler_reserve_full_isl). */
  readonly reserveFullSequence: boolean;
  /** Layers with a sliding window keep no more than it (hybrid KV cache manager). */
  readonly hybridKvCache: boolean;
  /** Decode steps are recorded whole as CUDA graphs; else all but their attention. */
  readonly fullDecodeGraphs: boolean;
  readonly chunkedPrefill: boolean;
  /** On GPUs that vLLM calls large (see `large`). */
  readonly maxNumSeqsLarge: number;
  readonly maxNumSeqsOther: number;
  /** API server's values; null: the longest prompt, at least 2048 (a prefill is never cut). */
  readonly maxNumBatchedTokensLarge: number | null;
  readonly maxNumBatchedTokensOther: number | null;
  /** Which GPUs are large: by name, or by the memory that the driver lists. */
  readonly large: 'none' | 'h100-h200' | 'from-70GiB' | 'from-70GiB-but-a100';
  readonly source: string;
}

const VLLM = 'https://github.com/vllm-project/vllm';

const V0: Omit<EngineDefaultsRow, 'since' | 'source'> = {
  scheduler: 'v0',
  gpuMemoryUtilization: 0.9,
  blockSizeTokens: 16,
  prefixCaching: false,
  asyncScheduling: false,
  reserveFullSequence: false,
  hybridKvCache: false,
  fullDecodeGraphs: true,
  chunkedPrefill: false,
  maxNumSeqsLarge: 256,
  maxNumSeqsOther: 256,
  maxNumBatchedTokensLarge: null,
  maxNumBatchedTokensOther: null,
  large: 'none',
};

const V1: Omit<EngineDefaultsRow, 'since' | 'source'> = {
  ...V0,
  scheduler: 'v1',
  prefixCaching: true,
  fullDecodeGraphs: false,
  chunkedPrefill: true,
  maxNumSeqsLarge: 1024,
  maxNumBatchedTokensLarge: 8192,
  maxNumBatchedTokensOther: 2048,
  large: 'from-70GiB-but-a100',
};

const HYBRID: Omit<EngineDefaultsRow, 'since' | 'source'> = { ...V1, hybridKvCache: true };
const FULL_GRAPHS: Omit<EngineDefaultsRow, 'since' | 'source'> = { ...HYBRID, fullDecodeGraphs: true };

/** Oldest first. */
export const ENGINE_DEFAULTS: readonly EngineDefaultsRow[] = [
  {
    ...V0,
    since: '0.5.0',
    source: `${VLLM}/blob/v0.5.5/vllm/engine/arg_utils.py (EngineArgs), vllm/config.py (SchedulerConfig: max(max_model_len, 2048) without chunked prefill). From 0.5.4 it turned chunked prefill on by itself above 32768 tokens on CUDA; this project's v0 scheduler runs prompts whole`,
  },
  {
    ...V1,
    since: '0.8.0',
    large: 'h100-h200',
    source: `${VLLM}/blob/v0.8.0/vllm/engine/arg_utils.py (_set_default_args_v1: device name has h100 or h200); V1 on by default: docs.vllm.ai/en/v0.8.0/getting_started/v1_user_guide.html`,
  },
  {
    ...V1,
    since: '0.8.3',
    large: 'from-70GiB',
    source: `${VLLM}/blob/v0.8.5/vllm/engine/arg_utils.py (_set_default_args_v1: device_memory >= 70 GiB)`,
  },
  {
    ...V1,
    since: '0.9.0',
    source: `${VLLM}/blob/v0.9.0/vllm/engine/arg_utils.py; A100 leaves the large class: ${VLLM}/pull/17885`,
  },
  {
    ...HYBRID,
    since: '0.10.0',
    source: `${VLLM}/pull/17996: hybrid KV cache manager, on by default; merged in June 2025, at work in start-up logs of 0.10.1.1, which of 0.9.1 to 0.10.0 shipped it first was not found`,
  },
  {
    ...FULL_GRAPHS,
    since: '0.11.0',
    source: `${VLLM}/pull/25444 (cudagraph_mode FULL_AND_PIECEWISE by default), in the notes of ${VLLM}/releases/tag/v0.11.0`,
  },
  {
    ...FULL_GRAPHS,
    since: '0.14.0',
    asyncScheduling: true,
    source: `${VLLM}/releases/tag/v0.14.0: async scheduling on by default (${VLLM}/pull/27614), not with pipeline parallelism`,
  },
  {
    ...FULL_GRAPHS,
    since: '0.20.0',
    asyncScheduling: true,
    reserveFullSequence: true,
    source: `${VLLM}/pull/37307 (scheduler_reserve_full_isl, default on): absent up to 0.17, on in nightly builds of 0.19.1 and after; which of 0.18 to 0.20 shipped it first was not found`,
  },
  {
    ...FULL_GRAPHS,
    since: '0.21.0',
    asyncScheduling: true,
    reserveFullSequence: true,
    gpuMemoryUtilization: 0.92,
    source: `${VLLM}/blob/main/vllm/config/cache.py (gpu_memory_utilization 0.92) and gpu_worker.py: CUDA graphs are profiled "by default since v0.21.0", which the higher share makes up for; read up to v0.30.0`,
  },
];

/** The defaults of one deployment. */
export interface EngineDefaults {
  /** The release in the words of the result's provenance: 'vllm 0.5.5'. */
  readonly release: string;
  /** The row that speaks for it, and its class of GPUs: '0.9.0 until 0.10.0, GPUs from 70 GiB but A100'. */
  readonly row: string;
  /** The release alone: '0.5.5'. */
  readonly version: string;
  readonly scheduler: SchedulerKind;
  readonly gpuMemoryUtilization: number;
  readonly blockSizeTokens: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly prefixCaching: boolean;
  readonly asyncScheduling: boolean;
  readonly reserveFullSequence: boolean;
  readonly hybridKvCache: boolean;
  readonly fullDecodeGraphs: boolean;
  readonly chunkedPrefill: boolean;
  readonly source: string;
}

/** The defaults, or why the table has none for this version and what to write instead. */
export type EngineDefaultsResult =
  | { readonly ok: true; readonly value: EngineDefaults }
  | { readonly ok: false; readonly message: string };

/**
 * @param version as in an image tag: `0.5.5`, `v0.10.1.1`, `0.6.6.post1`, `0.9`. Versions newer than the table take
 * its last row.
 * @param maxModelLenTokens the longest sequence; sizes v0's token budget.
 * @param scheduler stated by the plan: v0 on a release from 0.8 on (VLLM_USE_V1=0), or v1 before it, has that
 * scheduler's own limits.
 */
export function engineDefaults(
  version: string,
  gpu: CatalogGpu,
  maxModelLenTokens: number,
  scheduler?: SchedulerKind,
): EngineDefaultsResult {
  const parsed = parseVersion(version);
  if (parsed === null) {
    const shown = version.replace(/[`\s]+/g, ' ').slice(0, 40);
    return {
      ok: false,
      message: `\`${shown}\` is not a vLLM version. Write it like \`0.5.5\` or \`${DEFAULT_VERSION}\`, or leave \`version\` out to reckon with ${DEFAULT_VERSION}.`,
    };
  }
  const row = ENGINE_DEFAULTS.findLast((each) => compareVersions(parsed.numbers, numbersOf(each.since)) >= 0);
  if (row === undefined) {
    const oldest = ENGINE_DEFAULTS[0]?.since ?? DEFAULT_VERSION;
    return {
      ok: false,
      message: `The defaults of vLLM ${parsed.text} are not known: the table begins with ${oldest}. Write \`${oldest}\` or later, or leave \`version\` out.`,
    };
  }
  return { ok: true, value: resolve(row, parsed.text, gpu, maxModelLenTokens, scheduler) };
}

/** First release of each row, oldest first, and the default: what completion offers. */
export function knownVersions(): readonly string[] {
  return [...new Set([...ENGINE_DEFAULTS.map((row) => row.since), '0.5.5', DEFAULT_VERSION])].sort((a, b) =>
    compareVersions(numbersOf(a), numbersOf(b)),
  );
}

function resolve(
  row: EngineDefaultsRow,
  version: string,
  gpu: CatalogGpu,
  maxModelLenTokens: number,
  stated: SchedulerKind | undefined,
): EngineDefaults {
  const kind = stated ?? row.scheduler;
  // The other scheduler than the release's own: its limits come from the scheduler that runs, the rest from the release.
  const limits = kind === row.scheduler ? row : kind === 'v0' ? V0 : V1;
  const large = isLarge(limits.large, gpu);
  const maxNumSeqs = large ? limits.maxNumSeqsLarge : limits.maxNumSeqsOther;
  const tokens = large ? limits.maxNumBatchedTokensLarge : limits.maxNumBatchedTokensOther;
  return {
    release: `vllm ${version}`,
    row: `${rangeOf(row)}, ${GPU_CLASSES[limits.large][large ? 'large' : 'other']}`,
    version,
    scheduler: kind,
    gpuMemoryUtilization: row.gpuMemoryUtilization,
    blockSizeTokens: row.blockSizeTokens,
    maxNumSeqs,
    // v1 never budgets more than all its sequences can hold (arg_utils.py).
    maxNumBatchedTokens:
      tokens === null
        ? Math.max(2048, maxModelLenTokens)
        : Math.min(tokens, maxNumSeqs * Math.max(1, maxModelLenTokens)),
    prefixCaching: limits.prefixCaching,
    asyncScheduling: kind === 'v1' && row.asyncScheduling,
    reserveFullSequence: kind === 'v1' && row.reserveFullSequence,
    hybridKvCache: kind === 'v1' && row.hybridKvCache,
    fullDecodeGraphs: kind === 'v0' || row.fullDecodeGraphs,
    chunkedPrefill: limits.chunkedPrefill,
    source: row.source,
  };
}

/** The releases that a row speaks for. */
function rangeOf(row: EngineDefaultsRow): string {
  const next = ENGINE_DEFAULTS[ENGINE_DEFAULTS.indexOf(row) + 1];
  return next === undefined ? `${row.since} and later` : `${row.since} until ${next.since}`;
}

/** What vLLM calls a large GPU, and what not, by the rule of the release. */
const GPU_CLASSES: Readonly<Record<EngineDefaultsRow['large'], { readonly large: string; readonly other: string }>> = {
  none: { large: 'all GPUs', other: 'all GPUs' },
  'h100-h200': { large: 'H100 and H200', other: 'GPUs other than H100 and H200' },
  'from-70GiB': { large: 'GPUs from 70 GiB', other: 'GPUs below 70 GiB' },
  'from-70GiB-but-a100': { large: 'GPUs from 70 GiB but A100', other: 'GPUs below 70 GiB and A100' },
};

function isLarge(rule: EngineDefaultsRow['large'], gpu: CatalogGpu): boolean {
  const listed70GiB = gpu.facts.memoryBytes >= 70 * 2 ** 30;
  switch (rule) {
    case 'none':
      return false;
    case 'h100-h200':
      return /\bh[12]00\b/i.test(gpu.id);
    case 'from-70GiB':
      return listed70GiB;
    case 'from-70GiB-but-a100':
      return listed70GiB && !/a100/i.test(gpu.id);
  }
}
