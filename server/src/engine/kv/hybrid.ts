/**
 * vLLM's hybrid KV cache manager (vllm/v1/core/kv_cache_utils.py, single_type_kv_cache_manager.py; PR #17996): layers of
 * one kind are put into groups of equal size, a block belongs to one group, and all groups share one pool. Groups of
 * layers with a sliding window give back the blocks that lie wholly behind it.
 */
import { hybridKvApplies, isLoggedInGroups, type MechanismInput } from '../applies.ts';
import type { EngineLimits, ModelShape } from '../types.ts';

export interface HybridGroups {
  /** Groups of layers that see everything, and of layers with the window. */
  readonly globalGroups: number;
  readonly localGroups: number;
  /** Layers of a group, the last ones padded. */
  readonly layersPerGroup: number;
  readonly windowTokens: number;
}

/** @returns null where every layer keeps its KV in full. */
export function hybridGroups(input: MechanismInput): HybridGroups | null {
  const { slidingWindow } = input.model;
  return slidingWindow !== undefined && hybridKvApplies(input) ? groupsOf(slidingWindow) : null;
}

/** The groups whose blocks vLLM's own logs count; null where their blocks span all layers. */
export function loggedGroups(input: MechanismInput): HybridGroups | null {
  const { slidingWindow } = input.model;
  return slidingWindow !== undefined && isLoggedInGroups(input) ? groupsOf(slidingWindow) : null;
}

/** Groups are as large as the smaller kind; as the larger one where that is less than half as many more (a quarter, before 2026). */
function groupsOf({ tokens, localLayers, globalLayers }: NonNullable<ModelShape['slidingWindow']>): HybridGroups {
  const fewer = Math.min(localLayers, globalLayers);
  const more = Math.max(localLayers, globalLayers);
  const layersPerGroup = more < 1.5 * fewer ? more : fewer;
  return {
    globalGroups: Math.ceil(globalLayers / layersPerGroup),
    localGroups: Math.ceil(localLayers / layersPerGroup),
    layersPerGroup,
    windowTokens: tokens,
  };
}

/** Blocks of each windowed group that lie wholly behind the window of the next of `computed` tokens. */
export function blocksBehind(groups: HybridGroups, blockSizeTokens: number, computed: number): number {
  return Math.max(0, Math.floor((computed - groups.windowTokens + 1) / blockSizeTokens));
}

/**
 * Blocks of all groups that admission asks for so many tokens (`full_sequence_must_fit`): of windowed groups no more than
 * they ever hold.
 */
export function sequenceBlocks(groups: HybridGroups, limits: EngineLimits, tokens: number): number {
  const whole = Math.ceil(tokens / limits.blockSizeTokens);
  return groups.globalGroups * whole + groups.localGroups * Math.min(whole, mostWindowBlocks(groups, limits));
}

/** Blocks of all groups that vLLM reckons with for a sequence of max-model-len: its pool over them is "Maximum concurrency". */
export function fullLengthBlocks(groups: HybridGroups, limits: EngineLimits): number {
  const whole = Math.ceil(limits.maxModelLenTokens / limits.blockSizeTokens);
  return groups.globalGroups * whole + groups.localGroups * mostWindowBlocks(groups, limits);
}

/** The window and the largest chunk, and one more for where they begin (`SlidingWindowSpec.max_memory_usage_bytes`). */
function mostWindowBlocks({ windowTokens }: HybridGroups, limits: EngineLimits): number {
  const tokens = Math.min(windowTokens - 1 + limits.maxNumBatchedTokens, limits.maxModelLenTokens);
  return Math.ceil(tokens / limits.blockSizeTokens) + 1;
}
