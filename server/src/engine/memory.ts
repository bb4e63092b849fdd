/**
 * Where a GPU's memory goes: weights, activation peak, fixed overhead, and what is left for the paged KV pool.
 * Mirrors vLLM's start-up arithmetic (vllm/worker/worker.py, determine_num_available_blocks, v0.5.5; the same sum in
 * vllm/v1/worker/gpu_worker.py): utilisation × total − peak during a profiling run, over the bytes of one block.
 */
import { KV_BYTES, WEIGHT_BYTES } from './dtypes.ts';
import { countParameters, kvElementsPerRank, kvElementsPerTokenPerLayer } from './shape.ts';
import type { EngineInput } from './types.ts';

/** Share of the listed memory that the CUDA driver keeps: PyTorch sees 44.5 of 45.0 GiB on an L40S, 79.2 of 80 GiB on an A100. */
const DRIVER_SHARE = 0.01;
/** CUDA context, cuBLAS workspace and allocator slack, bytes: start-up logs of one-GPU vLLM leave 0.5 to 0.7 GiB unexplained. */
const CONTEXT_BYTES = 0.6e9;
/** NCCL and custom all-reduce buffers of a rank with peers, bytes. */
const COLLECTIVE_BYTES = 0.4e9;

export type MemoryInput = Pick<
  EngineInput,
  | 'model'
  | 'weightDtype'
  | 'kvDtype'
  | 'gpu'
  | 'parallelism'
  | 'limits'
  | 'gpuMemoryUtilization'
  | 'numGpuBlocks'
  | 'layerkv'
>;

export interface MemoryModel {
  readonly usableBytesPerGpu: number;
  readonly weightsBytesPerGpu: number;
  readonly activationBytesPerGpu: number;
  readonly overheadBytesPerGpu: number;
  /** Left for KV on one GPU; negative when the model does not fit. */
  readonly kvBudgetBytesPerGpu: number;
  /** KV of one token in all layers of one replica's ranks, counted once: what must move to the host. */
  readonly kvBytesPerToken: number;
  /** The same on one GPU (its layers, its heads; MLA whole). */
  readonly kvBytesPerTokenPerGpu: number;
  /** Blocks of one data-parallel rank's pool, each block spanning all layers. */
  readonly gpuBlocks: number;
  readonly kvTokens: number;
  readonly hostPoolTokens: number;
}

/** @returns the split of one GPU's memory, bytes; never throws, negative budgets mean "does not fit". */
export function memoryModel(input: MemoryInput): MemoryModel {
  const { model, limits, parallelism } = input;
  const layersPerRank = Math.ceil(model.layers / parallelism.pipeline);
  const kvBytes = KV_BYTES[input.kvDtype];
  const kvBytesPerTokenPerGpu = layersPerRank * kvElementsPerRank(model, parallelism.tensor) * kvBytes;
  const kvBytesPerToken = model.layers * kvElementsPerTokenPerLayer(model) * kvBytes;
  const usableBytesPerGpu = input.gpu.memoryBytes * (1 - DRIVER_SHARE) * input.gpuMemoryUtilization;
  const weightsBytesPerGpu = weightsPerGpu(input);
  const activationBytesPerGpu = activationPeak(input);
  const overheadBytesPerGpu = CONTEXT_BYTES + (parallelism.tensor * parallelism.pipeline > 1 ? COLLECTIVE_BYTES : 0);
  const kvBudgetBytesPerGpu = usableBytesPerGpu - weightsBytesPerGpu - activationBytesPerGpu - overheadBytesPerGpu;
  const blockBytes = kvBytesPerTokenPerGpu * limits.blockSizeTokens;
  const gpuBlocks = input.numGpuBlocks ?? Math.max(0, Math.floor(kvBudgetBytesPerGpu / blockBytes));
  return {
    usableBytesPerGpu,
    weightsBytesPerGpu,
    activationBytesPerGpu,
    overheadBytesPerGpu,
    kvBudgetBytesPerGpu,
    kvBytesPerToken,
    kvBytesPerTokenPerGpu,
    gpuBlocks,
    kvTokens: gpuBlocks * limits.blockSizeTokens,
    hostPoolTokens: Math.floor(input.layerkv.hostPoolBytes / kvBytesPerToken),
  };
}

function weightsPerGpu(input: MemoryInput): number {
  const { model, parallelism, weightDtype } = input;
  const counts = countParameters(model);
  const stored = WEIGHT_BYTES[weightDtype];
  // gpt-oss and its like quantise the experts alone; embeddings, head and routers stay in 16 bit everywhere.
  const others = model.nativeExpertsOnly === true && weightDtype === model.nativeWeightDtype ? 2 : stored;
  const linear = model.layers * counts.attentionPerLayer + counts.denseFfn;
  const split = parallelism.tensor * parallelism.pipeline;
  const expertSplit = parallelism.expert > 1 ? parallelism.expert * parallelism.pipeline : split;
  const sixteenBit = (counts.embeddings + counts.routers) * 2;
  return (linear * others + sixteenBit) / split + (counts.routedExperts * stored) / expertSplit;
}

/**
 * Peak of the profiling run at max-num-batched-tokens: residual and hidden states, the wider of the feed-forward's
 * and the attention's intermediate results, and the sampler's logits in 32 bit (one copy and its softmax).
 */
function activationPeak(input: MemoryInput): number {
  const { model, limits, parallelism } = input;
  const tokens = limits.maxNumBatchedTokens;
  const tensor = parallelism.tensor;
  const counts = countParameters(model);
  const denseWidth = counts.moeLayers < model.layers ? (3 * model.ffnSize) / tensor : 0;
  // Fused MoE kernels materialise both halves and the product for each chosen expert of each token.
  const moeWidth =
    model.moe === undefined
      ? 0
      : (model.moe.topK * (3 * model.moe.expertFfn)) / tensor + model.moe.topK * model.hiddenSize;
  const attentionWidth = ((2 * model.queryHeads + 2 * model.kvHeads) * model.headDim) / tensor;
  const width = 2 * model.hiddenSize + Math.max(denseWidth, moeWidth, attentionWidth);
  const sampled = Math.min(limits.maxNumSeqs, tokens);
  return tokens * width * 2 + sampled * model.vocabSize * 4 * 2;
}
