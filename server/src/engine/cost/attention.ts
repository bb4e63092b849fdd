/** Attention of all layers on one rank: prompts by pairs of tokens, decodes by the KV they read. */
import { KV_BYTES } from '../dtypes.ts';
import { kvElementsPerRank } from '../shape.ts';
import type { EngineInput } from '../types.ts';
import type { Kernels } from './kernelFamily.ts';
import { decodeFixedS, kvByteS, prefillAttentionS } from './kernels.ts';
import type { StepBatch } from './types.ts';

export type AttentionInput = Pick<EngineInput, 'model' | 'kvDtype' | 'gpu' | 'parallelism'>;

export interface AttentionLaw {
  /** Seconds per token of context at `seqs` sequences, over the layers that attend to everything. */
  decodeGlobalS(seqs: number): number;
  /** The same for the layers behind a sliding window. */
  decodeWindowS(seqs: number): number;
  /** Of `seqs` decodes, beside their contexts, s. */
  decodeBaseS(seqs: number): number;
  prefillS(batch: StepBatch): number;
}

export function attentionLaw(input: AttentionInput, kernels: Kernels): AttentionLaw {
  const { model, gpu, parallelism } = input;
  const { mla } = model;
  const heads = model.queryHeads / parallelism.tensor;
  const kvHeads = mla === undefined ? Math.max(1, model.kvHeads / parallelism.tensor) : 1;
  const local = model.slidingWindow?.localLayers ?? 0;
  const global = model.layers - local;
  const bytesPerS = gpu.memoryBandwidthBytesPerS;
  const kvBytes = kvElementsPerRank(model, parallelism.tensor) * KV_BYTES[input.kvDtype];
  const decode = input.kvDtype === 'bf16' ? kernels.decodeAttention : kernels.decodeAttentionFp8;
  // MLA decodes in the latent space: each head scores and sums vectors of the latent's width.
  const decodeFlops = mla === undefined ? 0 : 2 * heads * (2 * mla.kvLoraRank + mla.qkRopeHeadDim);
  const arithmeticS = decodeFlops / (gpu.bf16FlopsPerS * kernels.prefillAttention.flopsShare);
  const contextS = (seqs: number): number => Math.max(kvBytes * kvByteS(decode, seqs, kvHeads, bytesPerS), arithmeticS);
  const pairFlops = 2 * heads * (model.headDim + (mla?.vHeadDim ?? model.headDim));
  const prefillLayerS = (pairs: number, tokens: number): number =>
    prefillAttentionS(kernels.prefillAttention, pairs, tokens, pairFlops, gpu.bf16FlopsPerS);
  return {
    decodeGlobalS: (seqs) => global * contextS(seqs),
    decodeWindowS: (seqs) => local * contextS(seqs),
    decodeBaseS: (seqs) => model.layers * decodeFixedS(decode, seqs, heads),
    prefillS: ({ prefillTokens, prefillPairs, prefillWindowPairs }) =>
      prefillTokens === 0
        ? 0
        : global * prefillLayerS(prefillPairs, prefillTokens) +
          (local === 0 ? 0 : local * prefillLayerS(prefillWindowPairs, prefillTokens)),
  };
}
