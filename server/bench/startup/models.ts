/** Shapes of models that published start-up logs name and the catalogue does not hold, from their config.json. */
import type { ModelShape } from '../../src/engine/types.ts';

const dense = (shape: Omit<ModelShape, 'attentionType' | 'nativeWeightDtype'>): ModelShape => ({
  ...shape,
  attentionType: 'gqa',
  nativeWeightDtype: 'bf16',
});

export const QWEN3_06B = dense({
  layers: 28,
  hiddenSize: 1024,
  queryHeads: 16,
  kvHeads: 8,
  headDim: 128,
  ffnSize: 3072,
  vocabSize: 151936,
  maxPositionTokens: 40960,
  tieEmbeddings: true,
});
export const QWEN3_4B = dense({
  layers: 36,
  hiddenSize: 2560,
  queryHeads: 32,
  kvHeads: 8,
  headDim: 128,
  ffnSize: 9728,
  vocabSize: 151936,
  maxPositionTokens: 40960,
  tieEmbeddings: true,
});
export const QWEN25_15B = dense({
  layers: 28,
  hiddenSize: 1536,
  queryHeads: 12,
  kvHeads: 2,
  headDim: 128,
  ffnSize: 8960,
  vocabSize: 151936,
  maxPositionTokens: 32768,
  tieEmbeddings: true,
});
export const LLAMA32_1B = dense({
  layers: 16,
  hiddenSize: 2048,
  queryHeads: 32,
  kvHeads: 8,
  headDim: 64,
  ffnSize: 8192,
  vocabSize: 128256,
  maxPositionTokens: 131072,
  tieEmbeddings: true,
});
