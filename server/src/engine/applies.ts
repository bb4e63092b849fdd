/** Which mechanisms act on an input: what is asked for, where the engine can do it, and what excludes what. */
import type { EngineInput } from './types.ts';

/** Whether LayerKV can do anything: without a link or a host pool the whole policy is the baseline. */
export function layerKvCanAct(input: Pick<EngineInput, 'hostLinkBytesPerS' | 'layerkv'>): boolean {
  return input.hostLinkBytesPerS > 0 && input.layerkv.hostPoolBytes > 0;
}

/** What the rules below look at. */
export type MechanismInput = Pick<
  EngineInput,
  | 'hostLinkBytesPerS'
  | 'layerkv'
  | 'prefixCaching'
  | 'kvOffload'
  | 'hybridKvCache'
  | 'scheduler'
  | 'policy'
  | 'parallelism'
  | 'model'
> & { readonly workload: Pick<EngineInput['workload'], 'source' | 'sharedPrefix'> };

/**
 * Whether prefix caching has an effect: v1 without LayerKV and without a pipeline (whose batches would find each other's
 * blocks half-way; not worked out [D]). v0 is simulated without it, as it was off by default there.
 * Nothing is published on LayerKV with shared blocks, and one would need a rule for a prefix that some of its users
 * have on the host, so LayerKV runs without it [D].
 */
export function prefixCachingApplies(input: MechanismInput): boolean {
  return input.prefixCaching === true && isPlainV1(input) && !hybridKvApplies(input);
}

/**
 * Whether the layers of a sliding window keep no more than their window (vLLM's hybrid KV cache manager): v1, one stage,
 * without LayerKV and without a connector to host memory, as in vLLM. Prompts that begin alike are simulated with the
 * prefix cache instead, and all layers in full: which of their blocks the cache still finds is not worked out [D].
 */
export function hybridKvApplies(input: MechanismInput): boolean {
  return isLoggedInGroups(input) && isPlainV1(input) && !(input.prefixCaching === true && beginsAlike(input.workload));
}

/** Whether vLLM itself would count its pool in blocks of groups of layers, whatever is simulated. */
export function isLoggedInGroups(input: MechanismInput): boolean {
  const window = input.model.slidingWindow;
  if (input.hybridKvCache !== true || window === undefined || window.kind !== 'sliding') return false;
  if (window.localLayers === 0 || window.globalLayers === 0 || input.kvOffload !== undefined) return false;
  return input.scheduler === 'v1' && input.parallelism.pipeline === 1;
}

/**
 * Whether the data-parallel ranks of a replica step together: those of a mixture of experts do, whose expert layers work on
 * the tokens of all ranks (vllm/v1/engine/core.py, `DPEngineCoreProc`). In a pipeline they run freely here [D].
 */
export function ranksStepTogether({
  model,
  scheduler,
  parallelism,
}: Pick<EngineInput, 'model' | 'scheduler'> & {
  readonly parallelism: Pick<EngineInput['parallelism'], 'data' | 'pipeline'>;
}): boolean {
  return model.moe !== undefined && scheduler === 'v1' && parallelism.data > 1 && parallelism.pipeline === 1;
}

function isPlainV1(input: MechanismInput): boolean {
  const layerKv = input.policy !== 'vllm' && layerKvCanAct(input);
  return input.scheduler === 'v1' && input.parallelism.pipeline === 1 && !layerKv;
}

function beginsAlike({ source, sharedPrefix }: MechanismInput['workload']): boolean {
  if (source.kind === 'trace' && source.trace.promptIds !== undefined) return true;
  return sharedPrefix !== undefined && sharedPrefix.share > 0 && sharedPrefix.tokens > 0;
}
