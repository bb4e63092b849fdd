/** Bytes that a model's weights take on each GPU of a pipeline, tensor by tensor, as PyTorch's allocator hands them out. */
import { WEIGHT_BYTES } from '../dtypes.ts';
import { expertSplit, expertsAloneQuantised } from '../shape.ts';
import type { EngineInput, ModelShape } from '../types.ts';

export type WeightInput = Pick<EngineInput, 'model' | 'weightDtype' | 'gpu' | 'parallelism'>;

/** What vLLM keeps in 16 bit whatever the weights are stored in: embeddings, head, routers. */
const SIXTEEN_BIT_BYTES = 2;
/** vLLM pads the vocabulary to multiples of this (vocab_parallel_embedding.py, DEFAULT_VOCAB_PADDING_SIZE). */
const VOCAB_PADDING = 64;

const MIB = 2 ** 20;
/** From this size on a tensor gets a segment of its own, in whole steps; a smaller rest than this is not split off again. */
const OWN_SEGMENT_BYTES = 10 * MIB;
const SEGMENT_STEP_BYTES = 2 * MIB;
const LEAST_REST_BYTES = MIB;

/**
 * What a tensor takes (c10/cuda/CUDACachingAllocator.cpp: kMinLargeAlloc, kRoundLarge, kSmallSize). For Qwen2.5-7B this is
 * 55 MiB that the parameters do not explain and start-up logs show.
 */
export function allocatedBytes(bytes: number): number {
  if (bytes < OWN_SEGMENT_BYTES) return bytes;
  const rest = Math.ceil(bytes / SEGMENT_STEP_BYTES) * SEGMENT_STEP_BYTES - bytes;
  return rest <= LEAST_REST_BYTES ? bytes + rest : bytes;
}

/**
 * @param layers model layers that a stage holds. @param first, last the stage holds the embedding, the output head.
 * @returns bytes on one GPU of that stage.
 */
export function stageWeightBytes(input: WeightInput, layers: readonly number[], first: boolean, last: boolean): number {
  const { model, parallelism } = input;
  const attention = attentionBytes(input);
  const dense = denseBytes(input, model.ffnSize);
  const experts = expertBytes(input);
  const inLayers = layers.reduce((sum, layer) => sum + attention + (isExpertLayer(model, layer) ? experts : dense), 0);
  const vocab = Math.ceil(model.vocabSize / VOCAB_PADDING) * VOCAB_PADDING;
  const table = allocatedBytes((vocab / parallelism.tensor) * model.hiddenSize * SIXTEEN_BIT_BYTES);
  const head = last && !(first && model.tieEmbeddings);
  return inLayers + ropeBytes(model) + (first ? table : 0) + (head ? table : 0);
}

/** The layer has routed experts. */
export function isExpertLayer({ moe }: ModelShape, layer: number): boolean {
  return moe !== undefined && layer >= moe.firstDenseLayers && (layer - moe.firstDenseLayers + 1) % moe.moeEvery === 0;
}

/** Cosines and sines for every position, one table for all layers (rotary_embedding: `cos_sin_cache`, 16 bit). */
function ropeBytes(model: ModelShape): number {
  return model.maxPositionTokens * (model.mla?.qkRopeHeadDim ?? model.headDim) * SIXTEEN_BIT_BYTES;
}

/** Bytes per weight outside the routed experts. */
function linearBytesPerWeight({ model, weightDtype }: WeightInput): number {
  return expertsAloneQuantised(model, weightDtype) ? SIXTEEN_BIT_BYTES : WEIGHT_BYTES[weightDtype];
}

function attentionBytes(input: WeightInput): number {
  const { model, parallelism } = input;
  const { hiddenSize: h, queryHeads, kvHeads, headDim, mla } = model;
  const tensor = parallelism.tensor;
  const stored = linearBytesPerWeight(input);
  const heads = queryHeads / tensor;
  if (mla === undefined) {
    // Once there are more ranks than KV heads, each rank has a copy of one.
    const qkv = h * headDim * (heads + 2 * Math.max(1, kvHeads / tensor));
    return allocatedBytes(qkv * stored) + allocatedBytes(h * headDim * heads * stored);
  }
  const latent = mla.kvLoraRank + mla.qkRopeHeadDim;
  const up = heads * mla.kvLoraRank * (mla.qkNopeHeadDim + mla.vHeadDim);
  // The projections down to the latent spaces lie on every rank.
  const q = mla.qLoraRank === undefined ? h * heads * headDim : h * mla.qLoraRank + mla.qLoraRank * heads * headDim;
  const weights = [q, h * latent, up, heads * mla.vHeadDim * h];
  const matrices = weights.reduce((sum, elements) => sum + allocatedBytes(elements * stored), 0);
  // W_UK and W_UV are taken out of the up projection after loading, in 16 bit; the projection itself stays.
  return matrices + allocatedBytes(up * SIXTEEN_BIT_BYTES);
}

function denseBytes(input: WeightInput, width: number): number {
  const matrix = (input.model.hiddenSize * width * linearBytesPerWeight(input)) / input.parallelism.tensor;
  return allocatedBytes(2 * matrix) + allocatedBytes(matrix);
}

function expertBytes(input: WeightInput): number {
  const { model, parallelism, weightDtype } = input;
  const { moe } = model;
  if (moe === undefined) return 0;
  const { ranks, slices } = expertSplit(parallelism);
  const local = Math.ceil(moe.experts / ranks);
  const { hidden, width } = expertSizes(input, moe.expertFfn / slices);
  const matrix = local * hidden * width * WEIGHT_BYTES[weightDtype];
  const router = model.hiddenSize * moe.experts * SIXTEEN_BIT_BYTES;
  const shared = moe.sharedFfnTotal > 0 ? denseBytes(input, moe.sharedFfnTotal) : 0;
  return allocatedBytes(2 * matrix) + allocatedBytes(matrix) + router + shared;
}

/**
 * mxfp4 kernels pad the experts' hidden size to 256 and their width to what the kernel takes: 64 on Hopper (Triton), 256 on
 * Blackwell (FlashInfer), 128 elsewhere (Marlin). vllm/model_executor/layers/quantization/mxfp4.py, `create_weights`.
 */
function expertSizes({ model, weightDtype, gpu }: WeightInput, width: number): { hidden: number; width: number } {
  if (weightDtype !== 'mxfp4') return { hidden: model.hiddenSize, width };
  const step = gpu.computeCapability.startsWith('9.') ? 64 : gpu.computeCapability.startsWith('10.') ? 256 : 128;
  return { hidden: Math.ceil(model.hiddenSize / 256) * 256, width: Math.ceil(width / step) * step };
}
