/** The matrix products of a model on one tensor-parallel rank. */
import { expertLayers, expertsAloneQuantised } from '../shape.ts';
import type { GpuFacts, ModelShape, WeightDtype } from '../types.ts';
import type { ProductFormat } from './kernelFamily.ts';

/** Weights of n × k that `count` layers multiply each token with. */
export interface Projection {
  readonly n: number;
  readonly k: number;
  readonly count: number;
  /** Embeddings, heads and routers stay in 16 bit whatever the model is stored in. */
  readonly quantised: boolean;
}

/** @returns the dense products of all layers, without routed experts and output head. */
export function projections(model: ModelShape, weights: WeightDtype, tensor: number): readonly Projection[] {
  const { hiddenSize: h, layers, ffnSize, moe } = model;
  const moeLayers = expertLayers(model);
  const denseLayers = layers - moeLayers;
  const quantised = !expertsAloneQuantised(model, weights);
  const feedForward = (width: number, count: number): Projection[] =>
    count === 0 || width === 0
      ? []
      : [
          { n: (2 * width) / tensor, k: h, count, quantised },
          { n: h, k: width / tensor, count, quantised },
        ];
  return [
    ...attentionProjections(model, tensor, quantised),
    ...feedForward(ffnSize, denseLayers),
    ...feedForward(moe?.sharedFfnTotal ?? 0, moeLayers),
    ...(moe === undefined ? [] : [{ n: moe.experts, k: h, count: moeLayers, quantised: false }]),
  ];
}

function attentionProjections(model: ModelShape, tensor: number, quantised: boolean): readonly Projection[] {
  const { hiddenSize: h, layers: count, queryHeads, kvHeads, headDim, mla } = model;
  const heads = queryHeads / tensor;
  if (mla === undefined) {
    // More ranks than KV heads: each rank holds a copy of one.
    const qkv = (heads + 2 * Math.max(1, kvHeads / tensor)) * headDim;
    return [
      { n: qkv, k: h, count, quantised },
      { n: h, k: heads * headDim, count, quantised },
    ];
  }
  const { kvLoraRank, qLoraRank, qkRopeHeadDim, qkNopeHeadDim, vHeadDim } = mla;
  const down = kvLoraRank + qkRopeHeadDim;
  const query: Projection[] =
    qLoraRank === undefined
      ? [{ n: heads * headDim + down, k: h, count, quantised }]
      : [
          // The two down-projections are one product, and whole on every rank.
          { n: qLoraRank + down, k: h, count, quantised },
          { n: heads * headDim, k: qLoraRank, count, quantised },
        ];
  return [
    ...query,
    // Up from the latent space: one product for the keys, one for the values, in 16 bit.
    { n: heads * qkNopeHeadDim, k: kvLoraRank, count, quantised: false },
    { n: heads * vHeadDim, k: kvLoraRank, count, quantised: false },
    { n: h, k: heads * vHeadDim, count, quantised },
  ];
}

/** How weights of this kind are multiplied on this GPU. */
export function productFormat(
  model: ModelShape,
  gpu: GpuFacts,
  weights: WeightDtype,
  activations: 'bf16' | 'fp8' | 'int8',
): ProductFormat {
  switch (weights) {
    case 'bf16':
    case 'fp16':
      return 'bf16';
    case 'fp8':
      if (activations !== 'fp8' || gpu.fp8FlopsPerS === 0) return 'weightOnly';
      // DeepSeek, MiniMax, and Qwen3's fp8 repositories have a scale for each block of 128 × 128.
      return model.nativeWeightDtype === 'fp8' || model.fp8Blocks === true ? 'fp8Block' : 'fp8';
    case 'int8':
      return activations === 'int8' && gpu.int8OpsPerS > 0 ? 'int8' : 'weightOnly';
    case 'nvfp4':
      return activations === 'fp8' && gpu.fp4FlopsPerS > 0 ? 'nvfp4' : 'weightOnly';
    default:
      return 'weightOnly';
  }
}
