/**
 * Where a GPU's memory goes: weights, activation peak, what else is resident, and what is left for the paged KV pool.
 * vLLM's start-up arithmetic (determine_num_available_blocks, determine_available_memory): share × total − what a
 * profiling run needs, over the bytes of one block. What counts follows the release (`MemoryLaw`).
 */
import type { MechanismInput } from './applies.ts';
import { stageLayers } from './cost/stages.ts';
import { KV_BYTES } from './dtypes.ts';
import { fullLengthBlocks, type HybridGroups, hybridGroups, loggedGroups } from './kv/hybrid.ts';
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
> &
  MechanismInput;

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
  /** Groups of layers that share the pool, where vLLM's hybrid KV cache manager runs; null where a block spans all layers. */
  readonly hybrid: HybridGroups | null;
  /** Blocks of one data-parallel rank's pool as vLLM counts them: each spans all layers, or one group of them. */
  readonly gpuBlocks: number;
  /**
   * Tokens that fit in sequences of max-model-len: vLLM's "GPU KV cache size", with groups its "Maximum concurrency" ×
   * max-model-len, which it prints as the size from 0.20 on (PR #40691; before, blocks over groups).
   */
  readonly kvTokens: number;
  readonly hostPoolTokens: number;
}

/** @returns the split of one GPU's memory, bytes; never throws, negative budgets mean "does not fit". */
export function memoryModel(input: MemoryInput): MemoryModel {
  const { model, limits } = input;
  const kvBytesPerToken = model.layers * kvElementsPerTokenPerLayer(model) * KV_BYTES[input.kvDtype];
  const hybrid = hybridGroups(input);
  const stage = tightestStage(input, hybrid?.layersPerGroup ?? null);
  const gpuBlocks = pinnedBlocks(input, hybrid) ?? Math.max(0, Math.floor(stage.blocks));
  return {
    usableBytesPerGpu: stage.usableBytes,
    weightsBytesPerGpu: stage.weightsBytes,
    activationBytesPerGpu: stage.activationBytes,
    overheadBytesPerGpu: stage.overheadBytes,
    kvBudgetBytesPerGpu: stage.kvBudgetBytes,
    kvBytesPerToken,
    kvBytesPerTokenPerGpu: stage.kvBytesPerToken,
    hybrid,
    gpuBlocks,
    kvTokens:
      hybrid === null
        ? gpuBlocks * limits.blockSizeTokens
        : Math.floor((gpuBlocks * limits.maxModelLenTokens) / fullLengthBlocks(hybrid, limits)),
    hostPoolTokens: Math.floor(input.layerkv.hostPoolBytes / kvBytesPerToken),
  };
}

/** A log counts blocks of groups where vLLM by itself would have them; what runs here may need blocks of all layers. */
function pinnedBlocks(input: MemoryInput, hybrid: HybridGroups | null): number | null {
  const logged = hybrid === null ? loggedGroups(input) : null;
  if (input.numGpuBlocks === null || logged === null) return input.numGpuBlocks;
  return Math.floor((input.numGpuBlocks * logged.layersPerGroup) / input.model.layers);
}

/**
 * Blocks of the pool that vLLM logs as so many tokens.
 * @param ofFullLength whether groups print "Maximum concurrency" × max-model-len (from 0.20), or blocks over groups.
 */
export function loggedBlocks(input: MemoryInput, tokens: number, ofFullLength: boolean): number {
  const { blockSizeTokens, maxModelLenTokens } = input.limits;
  const groups = loggedGroups(input);
  if (groups === null) return Math.max(1, Math.floor(tokens / blockSizeTokens));
  const perToken = ofFullLength
    ? fullLengthBlocks(groups, input.limits) / maxModelLenTokens
    : (groups.globalGroups + groups.localGroups) / blockSizeTokens;
  return Math.max(1, Math.round(tokens * perToken));
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

/** @param blockLayers layers that a block spans; null: all of the stage. */
function tightestStage(input: MemoryInput, blockLayers: number | null): StageMemory {
  const counts = stageLayers(input.model.layers, input.parallelism.pipeline);
  let from = 0;
  const stages = counts.map((count, k) => {
    const layers = Array.from({ length: count }, (_, i) => from + i);
    from += count;
    return stageMemory(input, layers, blockLayers ?? count, k === 0, k === counts.length - 1);
  });
  return stages.reduce((tightest, stage) => (stage.blocks < tightest.blocks ? stage : tightest));
}

function stageMemory(
  input: MemoryInput,
  layers: readonly number[],
  blockLayers: number,
  first: boolean,
  last: boolean,
): StageMemory {
  const { model, parallelism, limits } = input;
  const usableBytes = input.gpu.programMemoryBytes * input.gpuMemoryUtilization;
  const weightsBytes = stageWeightBytes(input, layers, first, last);
  const activationBytes = profilePeakBytes(input, last);
  const overheadBytes = residentBytes(input);
  const kvBudgetBytes = usableBytes - weightsBytes - activationBytes - overheadBytes;
  const layerTokenBytes = kvElementsPerRank(model, parallelism.tensor) * KV_BYTES[input.kvDtype];
  const kvBytesPerToken = layers.length * layerTokenBytes;
  const blocks = kvBudgetBytes / (blockLayers * layerTokenBytes * limits.blockSizeTokens);
  return { usableBytes, weightsBytes, activationBytes, overheadBytes, kvBudgetBytes, kvBytesPerToken, blocks };
}
