/**
 * Step time from first principles: each group of kernels takes the longer of its arithmetic and its memory traffic,
 * at fixed shares of the datasheet peaks; collectives and host work are added. At a fixed number of sequences a decode
 * step is affine in the sum of contexts, which lets the engine add up runs of steps in closed form.
 */
import { KV_BYTES, matmulPeakFlopsPerS, WEIGHT_BYTES } from '../dtypes.ts';
import { countParameters, kvElementsPerRank } from '../shape.ts';
import type { EngineInput } from '../types.ts';
import { COEFFICIENTS } from './coefficients.ts';
import { stageLaw } from './stages.ts';
import type { CostModel, DecodeLaw, StepBatch } from './types.ts';

export type RooflineInput = Pick<
  EngineInput,
  | 'model'
  | 'weightDtype'
  | 'kvDtype'
  | 'activationDtype'
  | 'gpu'
  | 'parallelism'
  | 'interconnect'
  | 'hostLinkBytesPerS'
  | 'scheduler'
  | 'enforceEager'
  | 'asyncScheduling'
>;

/** Time laws of one data-parallel rank of a replica. All ranks of a tensor group move together. */
export function rooflineCost(input: RooflineInput): CostModel {
  const linear = linearLaw(input);
  const experts = expertLaw(input);
  const head = headLaw(input);
  const attention = attentionLaw(input);
  const collective = collectiveLaw(input);
  const host = hostLaw(input);
  const window = input.model.slidingWindow;
  const stages = input.parallelism.pipeline;

  const tokenWorkS = (tokens: number, sampled: number): number =>
    linear(tokens) + experts(tokens) + head(sampled) + collective(tokens);

  return {
    provenance: 'roofline',
    collectives: input.parallelism.tensor > 1 ? { perStep: 2 * input.model.layers, secondsS: collective } : null,
    stages: stages > 1 ? stageLaw(input.model.layers, stages, host.perStageS, head) : null,
    windowTokens: window?.tokens ?? Number.POSITIVE_INFINITY,
    stepS(batch: StepBatch): number {
      return (
        tokenWorkS(batch.decodeSeqs + batch.prefillTokens, batch.sampledSeqs) +
        attention.decodeGlobalS * batch.decodeContextTokens +
        attention.decodeWindowS * batch.decodeWindowTokens +
        attention.prefillS(batch) +
        host.perStepS(batch.decodeSeqs + batch.prefillSeqs, batch.prefillTokens === 0)
      );
    },
    decodeLaw(seqs: number): DecodeLaw {
      return {
        baseS: tokenWorkS(seqs, seqs) + host.perStepS(seqs, true),
        perContextTokenS: attention.decodeGlobalS,
        perWindowTokenS: attention.decodeWindowS,
      };
    },
  };
}

type TokenLaw = (tokens: number) => number;

/** Longer of arithmetic and weight streaming. */
function roof(flopsPerToken: number, weightBytes: number, flopsPerS: number, bytesPerS: number): TokenLaw {
  const perTokenS = flopsPerToken / flopsPerS;
  const streamS = weightBytes / bytesPerS;
  return (tokens) => (tokens > 0 ? Math.max(perTokenS * tokens, streamS) : 0);
}

/** Projections, dense feed-forward and shared experts of all layers. */
function linearLaw(input: RooflineInput): TokenLaw {
  const { model, gpu, parallelism } = input;
  const counts = countParameters(model);
  const parameters = (model.layers * counts.attentionPerLayer + counts.denseFfn + counts.routers) / parallelism.tensor;
  const dtype =
    model.nativeExpertsOnly === true && input.weightDtype === model.nativeWeightDtype ? 'bf16' : input.weightDtype;
  const flopsPerS = matmulPeakFlopsPerS(gpu, dtype, input.activationDtype) * COEFFICIENTS.matmulOfPeak;
  return roof(2 * parameters, parameters * WEIGHT_BYTES[dtype], flopsPerS, streamRate(input));
}

/** Routed experts: arithmetic of the chosen ones, traffic of those that any token touches, under uniform routing. */
function expertLaw(input: RooflineInput): TokenLaw {
  const { model, gpu, parallelism } = input;
  if (model.moe === undefined) return () => 0;
  const { experts, topK } = model.moe;
  const counts = countParameters(model);
  const expertParallel = parallelism.expert > 1;
  // Tensor ranks slice every expert; expert ranks hold whole ones and see the tokens of all data-parallel ranks.
  const share = 1 / (expertParallel ? parallelism.expert : parallelism.tensor);
  const tokenFactor = expertParallel ? parallelism.data : 1;
  const flopsPerS = matmulPeakFlopsPerS(gpu, input.weightDtype, input.activationDtype) * COEFFICIENTS.matmulOfPeak;
  const perTokenS = (2 * counts.routedExperts * share * topK) / experts / flopsPerS;
  const streamAllS = (counts.routedExperts * share * WEIGHT_BYTES[input.weightDtype]) / streamRate(input);
  const missed = 1 - topK / experts;
  return (tokens) => {
    if (tokens <= 0) return 0;
    const seen = tokens * tokenFactor;
    return Math.max(perTokenS * seen, streamAllS * (1 - missed ** seen));
  };
}

/** The output head, over the rows that are sampled. */
function headLaw(input: RooflineInput): TokenLaw {
  const parameters = countParameters(input.model).lmHead / input.parallelism.tensor;
  const flopsPerS = input.gpu.bf16FlopsPerS * COEFFICIENTS.matmulOfPeak;
  return roof(2 * parameters, parameters * 2, flopsPerS, streamRate(input));
}

interface AttentionLaw {
  /** Seconds per token of context, over the layers that attend to everything. */
  readonly decodeGlobalS: number;
  /** The same for the layers behind a sliding window. */
  readonly decodeWindowS: number;
  prefillS(batch: StepBatch): number;
}

function attentionLaw(input: RooflineInput): AttentionLaw {
  const { model, gpu, parallelism } = input;
  const heads = model.queryHeads / parallelism.tensor;
  const local = model.slidingWindow?.localLayers ?? 0;
  const global = model.layers - local;
  const kvReadS = (kvElementsPerRank(model, parallelism.tensor) * KV_BYTES[input.kvDtype]) / streamRate(input);
  const prefillRate = gpu.bf16FlopsPerS * COEFFICIENTS.prefillAttentionOfPeak;
  // MLA decodes in the latent space: each head scores and sums vectors of the latent's width.
  const decodeFlops =
    model.mla === undefined
      ? 4 * heads * model.headDim
      : 2 * heads * (2 * model.mla.kvLoraRank + model.mla.qkRopeHeadDim);
  const perLayerS = Math.max(kvReadS, decodeFlops / (gpu.bf16FlopsPerS * COEFFICIENTS.matmulOfPeak));
  const valueDim = model.mla?.vHeadDim ?? model.headDim;
  const pairS = (2 * heads * (model.headDim + valueDim)) / prefillRate;
  return {
    decodeGlobalS: global * perLayerS,
    decodeWindowS: local * perLayerS,
    prefillS: (batch) =>
      batch.prefillTokens === 0
        ? 0
        : Math.max(
            pairS * (global * batch.prefillPairs + local * batch.prefillWindowPairs),
            kvReadS * model.layers * batch.prefillContextTokens,
          ),
  };
}

/** Two all-reduces a layer over the tensor-parallel group, and the hand-over between pipeline stages. */
function collectiveLaw(input: RooflineInput): TokenLaw {
  const { model, gpu, parallelism } = input;
  const ranks = parallelism.tensor;
  const hops = parallelism.pipeline - 1;
  if (ranks === 1 && hops === 0) return () => 0;
  const nvlink = input.interconnect === 'nvlink' && gpu.nvlinkBytesPerS > 0;
  const linkBytesPerS = nvlink ? gpu.nvlinkBytesPerS : gpu.hostLinkBytesPerS;
  const busBytesPerS = linkBytesPerS * (nvlink ? COEFFICIENTS.nvlinkBusOfPeak : COEFFICIENTS.pcieBusOfHostLink);
  const latencyS = nvlink ? COEFFICIENTS.nvlinkLatencyS : COEFFICIENTS.pcieLatencyPerRankS * (1 + ranks);
  const bytesPerToken = model.hiddenSize * 2;
  const reducePerTokenS = (((2 * (ranks - 1)) / ranks) * bytesPerToken) / busBytesPerS;
  const reduces = ranks > 1 ? 2 * model.layers : 0;
  const hopPerTokenS = bytesPerToken / busBytesPerS;
  return (tokens) => reduces * (latencyS + reducePerTokenS * tokens) + hops * (latencyS + hopPerTokenS * tokens);
}

interface HostLaw {
  /** Each stage prepares its own inputs, s. */
  perStageS(seqs: number): number;
  /** All stages of a step, and kernel launches where there are no CUDA graphs, s. */
  perStepS(seqs: number, decodeOnly: boolean): number;
}

function hostLaw(input: RooflineInput): HostLaw {
  const fixedS =
    input.scheduler === 'v1' && input.asyncScheduling
      ? COEFFICIENTS.asyncHostPerStepS
      : COEFFICIENTS.hostPerStepS[input.scheduler];
  const perSequenceS = COEFFICIENTS.hostPerSequenceS[input.scheduler];
  const eagerS = input.enforceEager ? COEFFICIENTS.eagerLaunchPerLayerS * input.model.layers : 0;
  const stages = input.parallelism.pipeline;
  const perStageS = (seqs: number): number => fixedS + perSequenceS * seqs;
  return { perStageS, perStepS: (seqs, decodeOnly) => stages * perStageS(seqs) + (decodeOnly ? eagerS : 0) };
}

function streamRate(input: RooflineInput): number {
  return input.gpu.memoryBandwidthBytesPerS * COEFFICIENTS.streamOfPeak[input.gpu.memoryKind];
}
