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
  /**
   * What a token of decode context costs beyond `decodeGlobalS` in a step that also holds prompts, s: attention then runs
   * one kernel made for prompts over all of them, and each decode fills one row of its tiles.
   */
  mixedContextS(seqs: number): number;
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
  const rows =
    kernels.mixedTile === null ? 0 : kernels.mixedTile.rows * (kernels.mixedTile.perKvHead ? kvHeads : heads);
  const tileS =
    mla === undefined ? (4 * rows * model.headDim) / (gpu.bf16FlopsPerS * kernels.prefillAttention.flopsShare) : 0;
  return {
    mixedContextS: (seqs) => Math.max(0, tileS - contextS(seqs)),
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
