/**
 * Step time from the kernels that a step runs: matrix products, routed experts, attention, data movers and all-reduces,
 * each by its law over shape, GPU facts and batch (`kernels.ts`), plus what the CPU adds. At a fixed number of sequences
 * a decode step is affine in the sum of contexts, which lets the engine add up runs of steps in closed form.
 */
import { ranksStepTogether } from '../applies.ts';
import { matmulPeakFlopsPerS, WEIGHT_BYTES } from '../dtypes.ts';
import { expertLayers, expertSplit, kvElementsPerRank } from '../shape.ts';
import type { EngineInput, WeightDtype } from '../types.ts';
import { attentionLaw } from './attention.ts';
import { CAPTURED_TOKENS, type HostCoefficients, hostLaw } from './host.ts';
import hostTable from './hostTable.json';
import { type KernelFamilies, type Kernels, kernelsOf, type ProductFormat } from './kernelFamily.ts';
import { allReduceS, elementwiseS, expertsS, productS } from './kernels.ts';
import { productFormat, projections } from './projections.ts';
import { rememberedBySeqs } from './remembered.ts';
import { stageLaw } from './stages.ts';
import type { CostModel, DecodeLaw, StepBatch, TogetherLaw } from './types.ts';

export type StepCostInput = Pick<
  EngineInput,
  | 'model'
  | 'weightDtype'
  | 'kvDtype'
  | 'activationDtype'
  | 'gpu'
  | 'parallelism'
  | 'interconnect'
  | 'scheduler'
  | 'enforceEager'
  | 'fullDecodeGraphs'
  | 'asyncScheduling'
  | 'harness'
>;

type TokenLaw = (tokens: number) => number;

/**
 * Time laws of one data-parallel rank of a replica. All ranks of a tensor group move together.
 * @param hostCoefficients other than the fitted ones, to fit them; @param families likewise, for studies.
 */
export function stepCost(
  input: StepCostInput,
  hostCoefficients: HostCoefficients = hostTable,
  families?: KernelFamilies,
): CostModel {
  const kernels = kernelsOf(input.gpu, families);
  const shared = ranksStepTogether(input) ? sharedExperts(input, kernels) : null;
  const layersS = sumOf([
    projectionLaw(input, kernels),
    shared === null ? ownExpertLaw(input, kernels) : () => 0,
    moverLaw(input, kernels),
  ]);
  const collectiveS = remembered(collectiveLaw(input, kernels));
  const tokensS = remembered((tokens) => layersS(tokens) + collectiveS(tokens));
  const headS = remembered(headLaw(input, kernels));
  const attention = attentionLaw(input, kernels);
  const host = hostLaw(input, hostCoefficients);
  const stages = input.parallelism.pipeline;
  const windowTokens = input.model.slidingWindow?.tokens ?? Number.POSITIVE_INFINITY;
  const tokenWorkS = (tokens: number, sampled: number): number => {
    const ownS = tokensS(tokens) + headS(sampled);
    return shared === null ? ownS : ownS + shared.secondsS(shared.seen(tokens, tokens));
  };

  const local = input.model.slidingWindow?.localLayers ?? 0;
  const global = input.model.layers - local;
  const decodes = rememberedBySeqs((seqs): DecodeTimes => {
    const mixedS = attention.mixedContextS(seqs);
    const perTokenS = attention.decodeGlobalS(seqs);
    const perWindowS = attention.decodeWindowS(seqs);
    return {
      baseS: attention.decodeBaseS(seqs),
      perTokenS,
      perWindowS,
      mixedPerTokenS: perTokenS + global * mixedS,
      mixedPerWindowS: perWindowS + local * mixedS,
    };
  });

  return {
    provenance: kernels.measured ? 'fitted' : 'roofline',
    collectives: input.parallelism.tensor > 1 ? { perStep: 2 * input.model.layers, secondsS: collectiveS } : null,
    together: shared === null ? null : togetherLaw(shared),
    stages: stages > 1 ? stageLaw(input.model.layers, stages, (seqs) => host.betweenS(seqs), headS) : null,
    windowTokens,
    frontEnd: host.frontEnd,
    stepsAhead: input.scheduler === 'v1' && input.asyncScheduling && stages === 1,
    stepS(batch: StepBatch): number {
      const { decodeSeqs, prefillTokens } = batch;
      const tokens = decodeSeqs + prefillTokens;
      let kernelsS = tokenWorkS(tokens, batch.sampledSeqs) + attention.prefillS(batch);
      let contextsS = 0;
      if (decodeSeqs > 0) {
        const times = decodes(decodeSeqs);
        kernelsS += times.baseS;
        contextsS =
          prefillTokens === 0
            ? times.perTokenS * batch.decodeContextTokens + times.perWindowS * batch.decodeWindowTokens
            : times.mixedPerTokenS * batch.decodeContextTokens + times.mixedPerWindowS * batch.decodeWindowTokens;
      }
      const baseS = Math.max(kernelsS, host.launchS(tokens, prefillTokens === 0));
      return baseS + contextsS + stages * host.betweenS(decodeSeqs + batch.prefillSeqs);
    },
    hostS: (seqs) => stages * host.betweenS(seqs),
    decodeLaw(seqs: number): DecodeLaw {
      const { baseS, perTokenS, perWindowS } = decodes(seqs);
      return {
        baseS: Math.max(tokenWorkS(seqs, seqs) + baseS, host.launchS(seqs, true)) + stages * host.betweenS(seqs),
        perContextTokenS: perTokenS,
        perWindowTokenS: perWindowS,
      };
    },
  };
}

/** What attention takes in a step of so many decodes: at all, and per token of context and of window, alone or beside prompts. */
interface DecodeTimes {
  readonly baseS: number;
  readonly perTokenS: number;
  readonly perWindowS: number;
  readonly mixedPerTokenS: number;
  readonly mixedPerWindowS: number;
}

/** Token counts that recur in steps; above, laws are worked out each time. */
const REMEMBERED = 16_385;

/** A law that works out each count once. */
function remembered(law: TokenLaw): TokenLaw {
  const known = new Float64Array(REMEMBERED).fill(Number.NaN);
  return (tokens) => {
    if (tokens >= REMEMBERED) return law(tokens);
    const before = known[tokens]!;
    if (!Number.isNaN(before)) return before;
    const seconds = tokens > 0 ? law(tokens) : 0;
    known[tokens] = seconds;
    return seconds;
  };
}

function sumOf(laws: readonly TokenLaw[]): TokenLaw {
  return (tokens) => laws.reduce((sum, law) => sum + law(tokens), 0);
}

/** Projections, dense feed-forward, shared experts and routers of all layers. */
function projectionLaw(input: StepCostInput, kernels: Kernels): TokenLaw {
  const { model, gpu, parallelism } = input;
  const format = productFormat(model, gpu, input.weightDtype, input.activationDtype);
  const parts = projections(model, input.weightDtype, parallelism.tensor).map((part) => ({
    ...part,
    ...weightsAs(input, kernels, part.quantised ? format : 'bf16'),
  }));
  return (tokens) =>
    parts.reduce(
      (sum, { law, n, k, count, bytes, peak }) =>
        sum + count * productS(law, tokens, n, k, bytes, peak, gpu.memoryBandwidthBytesPerS),
      0,
    );
}

function weightsAs(input: StepCostInput, kernels: Kernels, format: ProductFormat) {
  const dtype: WeightDtype = format === 'bf16' ? 'bf16' : input.weightDtype;
  return {
    law: kernels.product(format),
    bytes: WEIGHT_BYTES[dtype],
    peak: matmulPeakFlopsPerS(input.gpu, dtype, format === 'weightOnly' ? 'bf16' : input.activationDtype),
  };
}

/** Routed experts of all layers, s, by the tokens that enter them on all data-parallel ranks. */
function expertLaw(input: StepCostInput, kernels: Kernels): TokenLaw {
  const { model, gpu, parallelism, weightDtype } = input;
  if (model.moe === undefined) return () => 0;
  const { experts, topK, expertFfn } = model.moe;
  const format = productFormat(model, gpu, weightDtype, input.activationDtype);
  const { ranks, slices } = expertSplit(parallelism);
  const shape = { hiddenSize: model.hiddenSize, width: expertFfn / slices, experts, topK, expertRanks: ranks };
  const law = kernels.experts(format);
  const count = expertLayers(model);
  const peak = matmulPeakFlopsPerS(gpu, weightDtype, format === 'weightOnly' ? 'bf16' : input.activationDtype);
  return (tokens) =>
    count * expertsS(law, tokens, shape, WEIGHT_BYTES[weightDtype], peak, gpu.memoryBandwidthBytesPerS);
}

/** Ranks that run freely: each as if the others had as many tokens as it has. */
function ownExpertLaw(input: StepCostInput, kernels: Kernels): TokenLaw {
  const law = expertLaw(input, kernels);
  return (tokens) => law(tokens * input.parallelism.data);
}

/** Experts on the tokens of all data-parallel ranks, s, by how many there are. */
interface SharedExperts {
  readonly secondsS: TokenLaw;
  /** Tokens that they take where `all` are on all ranks and `most` on the fullest. */
  seen(all: number, most: number): number;
}

/**
 * Ranks gather their tokens before the experts and scatter the results after them (all2all backend
 * `allgather_reducescatter`): together what an all-reduce over the ranks moves. Where every rank's step comes from a CUDA
 * graph, all are padded to the fullest (vllm/v1/worker/dp_utils.py, since PR #34102; earlier releases pad any step).
 */
function sharedExperts(input: StepCostInput, kernels: Kernels): SharedExperts {
  const { model, parallelism } = input;
  const { data } = parallelism;
  const experts = expertLaw(input, kernels);
  const { law, linkBytesPerS } = linkBetweenGpus(input, kernels);
  const layers = expertLayers(model);
  return {
    secondsS: remembered(
      (tokens) => experts(tokens) + layers * allReduceS(law, data, model.hiddenSize * 2 * tokens, linkBytesPerS),
    ),
    seen: (all, most) => (!input.enforceEager && most <= CAPTURED_TOKENS ? data * most : all),
  };
}

function togetherLaw({ secondsS, seen }: SharedExperts): TogetherLaw {
  return { moreS: (all, most, { tokens }) => secondsS(seen(all, most)) - secondsS(seen(tokens, tokens)) };
}

/**
 * Kernels that move data: two norms with their residuals, rotary embedding, KV write and activation in each layer; where
 * activations are quantised, one more before each product; latent attention and routed experts have their own besides.
 */
function moverLaw(input: StepCostInput, kernels: Kernels): TokenLaw {
  const { model, gpu, parallelism } = input;
  const { moe, mla, layers, hiddenSize } = model;
  const { tensor } = parallelism;
  const format = productFormat(model, gpu, input.weightDtype, input.activationDtype);
  const quantises = format !== 'bf16' && format !== 'weightOnly' && !kernels.productsQuantise;
  const heads = (model.queryHeads * model.headDim) / tensor;
  const kvWidth = kvElementsPerRank(model, tensor);
  const width = (moe === undefined ? model.ffnSize : (moe.sharedFfnTotal ?? 0)) / tensor;
  const moved = [hiddenSize * 8, hiddenSize * 8, (heads + kvWidth) * 4, kvWidth * 4, width * 6];
  // 16 bit in, 8 bit out.
  const quantised = quantises ? [hiddenSize * 3, heads * 3, hiddenSize * 3, width * 3] : [];
  // Norms of both latents, the query put together of its two parts, the merge of split attention.
  const latent =
    mla === undefined
      ? []
      : [(mla.qLoraRank ?? 0) * 4, mla.kvLoraRank * 4, heads * 4, (model.queryHeads / tensor) * mla.kvLoraRank * 4];
  // The choice of experts, and the sum of routed and shared.
  const routed = moe === undefined ? [] : [moe.experts * 4, hiddenSize * 6];
  const each = [...moved, ...quantised, ...latent, ...routed].filter((bytes) => bytes > 0);
  return (tokens) =>
    each.reduce(
      (sum, bytes) => sum + layers * elementwiseS(kernels.elementwise, bytes * tokens, gpu.memoryBandwidthBytesPerS),
      0,
    );
}

/** The output head over the rows that are sampled, and the sampler over their logits. */
function headLaw(input: StepCostInput, kernels: Kernels): TokenLaw {
  const { model, gpu, parallelism } = input;
  const law = kernels.product('bf16');
  const n = model.vocabSize / parallelism.tensor;
  const bytesPerS = gpu.memoryBandwidthBytesPerS;
  // Logits in 32 bit, written and read by softmax and argmax: about four passes.
  const samplerBytes = model.vocabSize * 4 * 4;
  return (rows) =>
    productS(law, rows, n, model.hiddenSize, 2, gpu.bf16FlopsPerS, bytesPerS) +
    SAMPLER_LAUNCHES * kernels.elementwise.launchS +
    (samplerBytes * rows) / bytesPerS;
}

/** Kernels of one sampling: temperature, softmax, argmax and copies (layer profiles: 12 to 25 µs at one row). */
const SAMPLER_LAUNCHES = 8;

/** Two all-reduces a layer over the tensor-parallel group, and the hand-over between pipeline stages. */
function collectiveLaw(input: StepCostInput, kernels: Kernels): TokenLaw {
  const { model, parallelism } = input;
  const ranks = parallelism.tensor;
  const hops = parallelism.pipeline - 1;
  if (ranks === 1 && hops === 0) return () => 0;
  const { law, linkBytesPerS } = linkBetweenGpus(input, kernels);
  const bytesPerToken = model.hiddenSize * 2;
  const reduces = ranks > 1 ? 2 * model.layers : 0;
  return (tokens) =>
    reduces * allReduceS(law, ranks, bytesPerToken * tokens, linkBytesPerS) +
    hops * (law.latencyS[0] + (bytesPerToken * tokens) / (linkBytesPerS * law.busShare[0]));
}

function linkBetweenGpus({ gpu, interconnect }: StepCostInput, kernels: Kernels) {
  return interconnect === 'nvlink' && gpu.nvlinkBytesPerS > 0
    ? { law: kernels.nvlink, linkBytesPerS: gpu.nvlinkBytesPerS }
    : { law: kernels.pcie, linkBytesPerS: gpu.hostLinkBytesPerS };
}
