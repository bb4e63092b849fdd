/**
 * Peak of vLLM's profiling run: a forward pass over max-num-batched-tokens, then one sampling. The larger of the two counts,
 * for what one leaves behind the other uses again.
 */
import { expertSplit } from '../shape.ts';
import type { EngineInput } from '../types.ts';

export type ProfileInput = Pick<
  EngineInput,
  'model' | 'gpu' | 'parallelism' | 'limits' | 'scheduler' | 'enforceEager' | 'memoryLaw'
>;

const ACTIVATION_BYTES = 2;
const MIB = 2 ** 20;
/** Fused expert kernels take at most so many tokens at once (VLLM_FUSED_MOE_CHUNK_SIZE). */
const EXPERT_CHUNK_TOKENS = 32768;

/** @param samples the stage ends with the output head. @returns bytes on one of its GPUs. */
export function profilePeakBytes(input: ProfileInput, samples: boolean): number {
  const sampler = samples && profileSamples(input) ? samplerBytes(input) : 0;
  return Math.max(forwardBytes(input), sampler) + workspaceBytes(input.gpu.computeCapability);
}

function profileSamples({ scheduler, limits, memoryLaw }: ProfileInput): boolean {
  // v0 cuts prompts only where they would not fit its budget; a budget below the longest sequence means chunks.
  const chunked = scheduler === 'v0' && limits.maxNumBatchedTokens < limits.maxModelLenTokens;
  return !chunked || memoryLaw.chunkedProfileSamples;
}

/** All ranks gather the whole vocabulary's logits: they are not divided by the tensor parallel size. */
function samplerBytes({ model, limits, memoryLaw }: ProfileInput): number {
  const tokens = limits.maxNumBatchedTokens;
  const sequences = Math.min(limits.maxNumSeqs, tokens);
  const hidden = tokens * model.hiddenSize * ACTIVATION_BYTES;
  return sequences * model.vocabSize * memoryLaw.samplerBytesPerLogit + hidden;
}

/** The widest moment of a layer, elements a token, over all tokens. */
function forwardBytes(input: ProfileInput): number {
  const { model, parallelism, limits, scheduler } = input;
  const { hiddenSize: h, moe } = model;
  const tensor = parallelism.tensor;
  const tokens = limits.maxNumBatchedTokens;
  // Step by step, a layer's input, the residual and the output are alive beside the feed-forward's two halves and their
  // product; a compiled graph frees each tensor after its last use.
  const eager = scheduler === 'v0' || input.enforceEager;
  const held = (eager ? 3 : 1) * h;
  const denseWidth = moe === undefined || moe.firstDenseLayers > 0 || moe.moeEvery > 1 ? model.ffnSize : 0;
  const widest = Math.max(held + (3 * denseWidth) / tensor, 2 * h + attentionWidth(input));
  // Experts see the tokens of all data-parallel ranks: gathered before, scattered after.
  const seen = tokens * parallelism.data;
  const gathered = parallelism.data > 1 ? 2 * seen * h : 0;
  const expert =
    moe === undefined ? 0 : tokens * 3 * h + gathered + Math.min(seen, EXPERT_CHUNK_TOKENS) * expertWidth(input);
  return Math.max(tokens * widest, expert) * ACTIVATION_BYTES;
}

/** Queries, keys, values and the result; MLA's keys and values are spread out for a prefill. */
function attentionWidth({ model, parallelism }: ProfileInput): number {
  const { queryHeads, kvHeads, headDim, mla } = model;
  const heads = queryHeads / parallelism.tensor;
  if (mla === undefined) return 2 * headDim * (heads + Math.max(1, kvHeads / parallelism.tensor));
  return heads * (2 * headDim + mla.qkNopeHeadDim + 2 * mla.vHeadDim);
}

/**
 * Intermediate results of the experts chosen for a token (fused_moe.py, `fused_experts_impl`): both halves, their product,
 * and each expert's output, which from v1 on lies where the halves were (`cache13`).
 */
function expertWidth({ model, parallelism, scheduler }: ProfileInput): number {
  const { moe } = model;
  if (moe === undefined) return 0;
  const width = moe.expertFfn / expertSplit(parallelism).slices;
  const halvesAndOutput = scheduler === 'v0' ? 2 * width + model.hiddenSize : Math.max(2 * width, model.hiddenSize);
  return moe.topK * (halvesAndOutput + width);
}

/**
 * cuBLAS' scratch memory, which PyTorch takes from its own allocator (aten/src/ATen/cuda/CublasHandlePool.cpp,
 * `parseChosenWorkspaceSize`).
 */
function workspaceBytes(computeCapability: string): number {
  if (/^gfx9[45]/.test(computeCapability)) return 128 * MIB;
  return /^(?:9\.|10\.|gfx)/.test(computeCapability) ? 32 * MIB : (2 * 4096 + 8 * 16) * 1024;
}
