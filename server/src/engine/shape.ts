/** Parameter and KV counts of a model from its shape. Counts leave out norms and biases (below 0.1 %). */
import type { EngineInput, ModelShape, WeightDtype } from './types.ts';

export interface ParameterCounts {
  /** Attention projections of one layer. */
  readonly attentionPerLayer: number;
  /** Dense feed-forward (and shared experts) of all layers together. */
  readonly denseFfn: number;
  /** Routers of all MoE layers together. */
  readonly routers: number;
  /** Routed experts of all layers together. */
  readonly routedExperts: number;
  /** Token embedding and, unless tied, the output head. */
  readonly embeddings: number;
  readonly lmHead: number;
  readonly moeLayers: number;
}

/** Layers with routed experts. */
export function expertLayers({ layers, moe }: ModelShape): number {
  return moe === undefined ? 0 : Math.floor((layers - moe.firstDenseLayers) / moe.moeEvery);
}

/** How routed experts are dealt to the GPUs of one deployment. */
export interface ExpertSplit {
  /** GPUs that share out whole experts: 1 without expert parallelism. */
  readonly ranks: number;
  /** GPUs that each expert is cut over. */
  readonly slices: number;
}

/**
 * Without expert parallelism every expert is cut over all GPUs, those of other data-parallel ranks too
 * (vllm/model_executor/layers/fused_moe/config.py, `flatten_tp_across_dp`).
 */
export function expertSplit({ tensor, data, expert }: Omit<EngineInput['parallelism'], 'pipeline'>): ExpertSplit {
  return expert > 1 ? { ranks: expert, slices: 1 } : { ranks: 1, slices: tensor * data };
}

/** Bit widths hold for the experts alone: gpt-oss and its like leave all else in 16 bit. Restated formats hold for all. */
export function expertsAloneQuantised(model: ModelShape, weights: WeightDtype): boolean {
  return model.nativeExpertsOnly === true && weights === model.nativeWeightDtype;
}

/** @returns parameters by part; their sum is the model's size. */
export function countParameters(model: ModelShape): ParameterCounts {
  const { hiddenSize: h, layers, moe } = model;
  const moeLayers = expertLayers(model);
  const denseLayers = layers - moeLayers;
  const table = model.vocabSize * h;
  return {
    attentionPerLayer: attentionParameters(model),
    denseFfn: 3 * h * (denseLayers * model.ffnSize + moeLayers * (moe?.sharedFfnTotal ?? 0)),
    routers: moeLayers * h * (moe?.experts ?? 0),
    routedExperts: moe === undefined ? 0 : moeLayers * moe.experts * 3 * h * moe.expertFfn,
    embeddings: model.tieEmbeddings ? table : 2 * table,
    lmHead: table,
    moeLayers,
  };
}

function attentionParameters(model: ModelShape): number {
  const { hiddenSize: h, queryHeads, kvHeads, headDim, mla } = model;
  if (mla === undefined) return h * headDim * (2 * queryHeads + 2 * kvHeads);
  const q =
    mla.qLoraRank === undefined ? h * queryHeads * headDim : h * mla.qLoraRank + mla.qLoraRank * queryHeads * headDim;
  const kvDown = h * (mla.kvLoraRank + mla.qkRopeHeadDim);
  const kvUp = mla.kvLoraRank * queryHeads * (mla.qkNopeHeadDim + mla.vHeadDim);
  return q + kvDown + kvUp + queryHeads * mla.vHeadDim * h;
}

/** Parameters that multiply each token: everything but the embedding table and the experts not chosen. */
export function activeParameters(model: ModelShape): number {
  const counts = countParameters(model);
  const experts = model.moe === undefined ? 0 : (counts.routedExperts * model.moe.topK) / model.moe.experts;
  return model.layers * counts.attentionPerLayer + counts.denseFfn + counts.routers + experts + counts.lmHead;
}

/** KV elements of one token in one layer, before any split over ranks. */
export function kvElementsPerTokenPerLayer(model: ModelShape): number {
  if (model.mla !== undefined) return model.mla.kvLoraRank + model.mla.qkRopeHeadDim;
  return 2 * model.kvHeads * model.headDim;
}

/**
 * KV elements of one token in one layer on one tensor-parallel rank. Heads are split, and replicated once there are
 * more ranks than KV heads; MLA's latent vector lies on every rank.
 */
export function kvElementsPerRank(model: ModelShape, tensor: number): number {
  if (model.mla !== undefined) return kvElementsPerTokenPerLayer(model);
  return 2 * Math.max(1, model.kvHeads / tensor) * model.headDim;
}
