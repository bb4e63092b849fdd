/**
 * Where a GPU's memory goes: weights, activation peak, what else is resident, and what is left for the paged KV pool.
 * vLLM's start-up arithmetic (determine_num_available_blocks, determine_available_memory): share × total − what a
 * profiling run needs, over the bytes of one block. What counts follows the release (`MemoryLaw`).
 */
import { stageLayers } from './cost/stages.ts';
import { KV_BYTES } from './dtypes.ts';
import { profilePeakBytes } from './memory/profile.ts';
import { residentBytes } from './memory/resident.ts';
import { stageWeightBytes } from './memory/weights.ts';
import { kvElementsPerRank, kvElementsPerTokenPerLayer } from './shape.ts';
import type { EngineInput } from './types.ts';

export type MemoryInput = Pick<
  EngineInput,
  | 'model'
  | 'weightDtype'
  | 'kvDtype'
  | 'gpu'
  | 'parallelism'
  | 'interconnect'
  | 'limits'
  | 'scheduler'
  | 'enforceEager'
  | 'gpuMemoryUtilization'
  | 'memoryLaw'
  | 'numGpuBlocks'
  | 'layerkv'
>;

/** Of a pipeline, its tightest stage: the one with the fewest blocks decides for all. */
export interface MemoryModel {
  readonly usableBytesPerGpu: number;
  readonly weightsBytesPerGpu: number;
  readonly activationBytesPerGpu: number;
  /** What else is resident and counts: kernels, buffers of collectives, CUDA context and graphs by release. */
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
  const { model, limits } = input;
  const kvBytesPerToken = model.layers * kvElementsPerTokenPerLayer(model) * KV_BYTES[input.kvDtype];
  const stage = tightestStage(input);
  const gpuBlocks = input.numGpuBlocks ?? Math.max(0, Math.floor(stage.blocks));
  return {
    usableBytesPerGpu: stage.usableBytes,
    weightsBytesPerGpu: stage.weightsBytes,
    activationBytesPerGpu: stage.activationBytes,
    overheadBytesPerGpu: stage.overheadBytes,
    kvBudgetBytesPerGpu: stage.kvBudgetBytes,
    kvBytesPerToken,
    kvBytesPerTokenPerGpu: stage.kvBytesPerToken,
    gpuBlocks,
    kvTokens: gpuBlocks * limits.blockSizeTokens,
    hostPoolTokens: Math.floor(input.layerkv.hostPoolBytes / kvBytesPerToken),
  };
}

interface StageMemory {
  readonly usableBytes: number;
  readonly weightsBytes: number;
  readonly activationBytes: number;
  readonly overheadBytes: number;
  readonly kvBudgetBytes: number;
  readonly kvBytesPerToken: number;
  /** Not rounded; negative when the model does not fit. */
  readonly blocks: number;
}

function tightestStage(input: MemoryInput): StageMemory {
  const counts = stageLayers(input.model.layers, input.parallelism.pipeline);
  let from = 0;
  const stages = counts.map((count, k) => {
    const layers = Array.from({ length: count }, (_, i) => from + i);
    from += count;
    return stageMemory(input, layers, k === 0, k === counts.length - 1);
  });
  return stages.reduce((tightest, stage) => (stage.blocks < tightest.blocks ? stage : tightest));
}

function stageMemory(input: MemoryInput, layers: readonly number[], first: boolean, last: boolean): StageMemory {
  const { model, parallelism, limits } = input;
  const usableBytes = input.gpu.programMemoryBytes * input.gpuMemoryUtilization;
  const weightsBytes = stageWeightBytes(input, layers, first, last);
  const activationBytes = profilePeakBytes(input, last);
  const overheadBytes = residentBytes(input);
  const kvBudgetBytes = usableBytes - weightsBytes - activationBytes - overheadBytes;
  const kvBytesPerToken = layers.length * kvElementsPerRank(model, parallelism.tensor) * KV_BYTES[input.kvDtype];
  const blocks = kvBudgetBytes / (kvBytesPerToken * limits.blockSizeTokens);
  return { usableBytes, weightsBytes, activationBytes, overheadBytes, kvBudgetBytes, kvBytesPerToken, blocks };
}
