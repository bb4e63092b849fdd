/** How many layers of a prompt's KV stay on the GPU, which ones, and how long the others take to leave (LayerKV). */

import { causalPairs } from '../cost/types.ts';
import { matmulPeakFlopsPerS } from '../dtypes.ts';
import { activeParameters } from '../shape.ts';
import type { EngineInput } from '../types.ts';

export type EstimateInput = Pick<
  EngineInput,
  'model' | 'weightDtype' | 'activationDtype' | 'gpu' | 'parallelism' | 'layerkv' | 'cost'
>;

/**
 * LayerKV's own estimate of a prefill, s: α · (2·P_active·s + attention FLOPs(s)) / peak FLOP/s of the replica's ranks.
 * A plan with `cost.linear` has no FLOPs: its hand-made prefill time takes their place.
 */
export function prefillEstimate(input: EstimateInput): (promptTokens: number) => number {
  const { model, parallelism, layerkv, cost } = input;
  if (cost.kind === 'linear') {
    const { prefillBaseMs, prefillPerTokenMs } = cost.linear;
    return (tokens) => (layerkv.alpha * (prefillBaseMs + prefillPerTokenMs * tokens)) / 1000;
  }
  const ranks = parallelism.tensor;
  const peak = matmulPeakFlopsPerS(input.gpu, input.weightDtype, input.activationDtype) * ranks;
  const linearFlops = 2 * activeParameters(model);
  const window = model.slidingWindow;
  const global = model.layers - (window?.localLayers ?? 0);
  const flopsPerPair = 2 * model.queryHeads * (model.headDim + (model.mla?.vHeadDim ?? model.headDim));
  return (tokens) => {
    const local =
      window === undefined ? 0 : window.localLayers * Math.min(causalPairs(tokens, 0), tokens * window.tokens);
    const attention = flopsPerPair * (global * causalPairs(tokens, 0) + local);
    return (layerkv.alpha * (linearFlops * tokens + attention)) / peak;
  };
}

/** Smallest x in 0..L for which moving L − x layers takes no longer than the prefill. */
export function minimumRetainedLayers(layers: number, perLayerTransferS: number, prefillS: number): number {
  if (perLayerTransferS <= 0) return 0;
  return Math.max(0, Math.min(layers, Math.ceil(layers - prefillS / perLayerTransferS - 1e-12)));
}

/**
 * Interleaved placement, evenly spread: layer l stays iff the running count ⌊(l+1)·x/L⌋ rises there.
 * 8 layers with 4 kept: 1, 3, 5, 7 stay.
 */
export function staysOnGpu(layer: number, retained: number, layers: number): boolean {
  // The count rises where the division's rest comes round.
  return (layer * retained) % layers >= layers - retained;
}
