/**
 * What vLLM's profiling run at start-up counts, by release. Formulas and logs: docs/vllm.md, part H. Each
 * figure is counted from the source, or is a measurement that somebody published; none was fitted to a pool.
 */
import type { MemoryLaw, SchedulerKind } from '../engine/types.ts';
import { compareVersions, numbersOf } from './versions.ts';

const GIB = 2 ** 30;

/**
 * Bytes alive for each logit at the peak of sampling with top-k and top-p, which the profiling run asks for. Always there:
 * the logits in 16 bit (2) and as float32 (4).
 */
const SAMPLER = {
  /**
   * PyTorch's sort: sorted values (4) and their indices (8), a table of indices (8), and the alternate buffers of CUB's
   * radix sort for keys and values (12). aten/src/ATen/native/cuda/Sort.cu, `segmented_sort_pairs`. PR #32558 measured 37
   * to 40 on its own.
   */
  sort: 2 + 4 + 4 + 8 + 8 + 12,
  /** vLLM's Triton kernel: 12 more, as PR #32558 measured (384 MiB for 256 × 131072 logits). */
  triton: 2 + 4 + 12,
  /** FlashInfer: masked logits (4) and probabilities (4), `top_k_top_p_sampling_from_logits`. */
  flashInfer: 2 + 4 + 4 + 4,
  /** Model runner V2 samples from the logits by Gumbel noise, without a copy. */
  gumbel: 2 + 4,
} as const;

/**
 * Kernels and handles that load during the profiling run, as start-up logs of one GPU print them (`non_torch_memory`):
 * 0.01 to 0.16 GiB up to 0.16, median 0.10; 0.26 GiB in both logs since that tell (0.31.0 on an A100, an RTX PRO 6000).
 */
const NON_TORCH_BYTES = { to016: 0.1 * GIB, since017: 0.26 * GIB } as const;

interface MemoryLawRow {
  /** Holds from this release up to the next row. */
  readonly since: string;
  readonly law: MemoryLaw;
  /** For models with routed experts, where they differ. */
  readonly experts?: Partial<MemoryLaw>;
  /** In vLLM's own container image (vllm/vllm-openai), where it differs from the bare package. */
  readonly image?: Partial<MemoryLaw>;
  /** For v0 on a release whose own scheduler is v1. */
  readonly v0?: Partial<MemoryLaw>;
}

const FIRST: MemoryLaw = {
  samplerBytesPerLogit: SAMPLER.sort,
  chunkedProfileSamples: false,
  contextCounted: false,
  collectivesCounted: true,
  graphsCounted: false,
  nonTorchBytes: NON_TORCH_BYTES.to016,
};
const V1: MemoryLaw = { ...FIRST, chunkedProfileSamples: true };
const TRITON: MemoryLaw = {
  ...V1,
  collectivesCounted: false,
  samplerBytesPerLogit: SAMPLER.triton,
  nonTorchBytes: NON_TORCH_BYTES.since017,
};
const GRAPHS: MemoryLaw = { ...TRITON, samplerBytesPerLogit: SAMPLER.flashInfer, graphsCounted: true };

const OLDEST: MemoryLawRow = {
  since: '0.5.0',
  law: FIRST,
  // vllm-project/vllm/pull/2031: free after the context − free after profile_run; chunked profiling runs printed no sampler's peak (vllm-project/vllm/issues/10517, /issues/13061).
};

/** Oldest first; comments give the sources. */
const MEMORY_LAWS: readonly MemoryLawRow[] = [
  OLDEST,
  {
    // vllm-project/vllm/pull/9352: all memory outside torch.
    since: '0.6.3',
    law: { ...FIRST, contextCounted: true },
  },
  {
    // vllm-project/vllm/pull/10511, /pull/11809, /pull/12126: increases during profiling.
    since: '0.6.5',
    law: FIRST,
  },
  {
    since: '0.8.0',
    law: { ...V1, contextCounted: true },
    v0: { contextCounted: false },
    // vllm/v1/worker/gpu_worker.py at 0012cf69: allocated peak − (used − torch's), the context in it.
  },
  {
    // vllm-project/vllm/pull/19312: v1 takes v0's memory_profiling.
    since: '0.9.0',
    law: V1,
    // The image brings FlashInfer (docker/Dockerfile), whose sampler v1 takes where it finds it, until vllm-project/vllm/pull/26859.
    image: { samplerBytesPerLogit: SAMPLER.flashInfer },
  },
  {
    since: '0.11.1',
    law: { ...V1, collectivesCounted: false },
    // vllm-project/vllm/pull/25359: NCCL is set up before the first snapshot.
  },
  {
    since: '0.17.0',
    law: TRITON,
    // vllm-project/vllm/pull/33538: Triton kernel for top-k and top-p; which of 0.16 and 0.17 shipped it first was not found.
  },
  {
    since: '0.21.0',
    law: GRAPHS,
    // vllm-project/vllm/pull/40376: FlashInfer's sampler by default; start-up logs: CUDA graphs are counted by default since v0.21.0.
  },
  {
    since: '0.25.1',
    law: { ...GRAPHS, samplerBytesPerLogit: SAMPLER.gumbel, graphsCounted: false },
    experts: GRAPHS,
    // vllm-project/vllm/issues/49224: dense models run in model runner V2, whose profile_cudagraph_memory returns 0.
  },
];

/** The law of one deployment, and the release whose row it is. */
export interface MemoryLawOfVersion {
  readonly law: MemoryLaw;
  readonly since: string;
}

/**
 * @param version digits and dots, from 0.5.0 on (older ones get the first row).
 * @param experts the model has routed experts. @param from what vLLM was installed from: deployments run its image.
 */
export function memoryLaw(
  version: string,
  scheduler: SchedulerKind,
  experts: boolean,
  from: 'image' | 'package' = 'image',
): MemoryLawOfVersion {
  const numbers = numbersOf(version);
  const row = MEMORY_LAWS.findLast((each) => compareVersions(numbers, numbersOf(each.since)) >= 0) ?? OLDEST;
  const law = {
    ...row.law,
    ...(experts ? row.experts : {}),
    ...(from === 'image' && scheduler === 'v1' ? row.image : {}),
    ...(scheduler === 'v0' ? row.v0 : {}),
  };
  return { law, since: row.since };
}
