/** What can be said of a plan without simulating it: memory, room for sequences, layers kept. Takes microseconds. */

import { layerKvCanAct } from '../engine/applies.ts';
import { addPrefill, type CostModel, emptyBatch } from '../engine/cost/types.ts';
import { linkLaw } from '../engine/kv/link.ts';
import { minimumRetainedLayers, prefillEstimate } from '../engine/kv/retention.ts';
import { type MemoryModel, memoryModel } from '../engine/memory.ts';
import { meanOf } from '../engine/metrics.ts';
import { costModel } from '../engine/simulate.ts';
import type { EngineInput } from '../engine/types.ts';
import { meanLength } from '../engine/workload/lengths.ts';
import type { Plan } from '../plan/types.ts';
import { engineInput } from './input.ts';
import type { MemoryReport } from './types.ts';

export interface Assessment {
  readonly memory: MemoryReport;
  /** Weights and activations leave room for at least one KV block on every GPU. */
  readonly fits: boolean;
  /** Bytes missing per GPU when `fits` is false, else 0. */
  readonly shortfallBytesPerGpu: number;
  /** What vLLM may use of one GPU: visible memory × utilisation. */
  readonly usableBytesPerGpu: number;
  /** CUDA context, graphs and collectives' buffers. */
  readonly overheadBytesPerGpu: number;
  /** The pool holds a sequence of max-model-len (vLLM refuses to start otherwise). */
  readonly oneSequenceFits: boolean;
  /** Mean prompt of the workload, tokens. */
  readonly meanPromptTokens: number;
  /** Step time of the mean prompt alone, and of one decode at that context, s. */
  readonly lonePrefillS: number;
  readonly loneDecodeS: number;
  readonly layerkv: {
    /** False where the link or the host pool is 0: the policy then is the baseline. */
    readonly canAct: boolean;
    readonly layers: number;
    /** Minimum x for the mean prompt. */
    readonly retainedLayers: number;
    /** Time to move the L − x layers of the mean prompt to the host, s. */
    readonly offloadS: number;
    /** Estimated prefill time it has to hide behind, s. */
    readonly prefillS: number;
  };
}

/** @returns the figures that hang on the plan alone. */
export function assess(plan: Plan): Assessment {
  return assessInput(engineInput(plan));
}

/** The same for an engine input. @param cost the law that it asks for. */
export function assessInput(input: EngineInput, cost: CostModel = costModel(input)): Assessment {
  const memory = memoryModel(input);
  const { layers } = input.model;
  const meanPromptTokens = Math.max(1, Math.round(meanPrompt(input)));
  const prefillS = prefillEstimate(input)(meanPromptTokens);
  const link = linkLaw(input, cost.collectives);
  const perLayerS = link.offloadTokenLayerS * meanPromptTokens;
  const canAct = layerKvCanAct(input);
  const retainedLayers = canAct ? minimumRetainedLayers(layers, perLayerS, prefillS) : layers;
  const lone = emptyBatch();
  addPrefill(lone, meanPromptTokens, 0, true, cost.windowTokens);
  const law = cost.decodeLaw(1);
  return {
    memory: memoryReport(input, memory),
    fits: memory.gpuBlocks > 0,
    shortfallBytesPerGpu: Math.max(0, -memory.kvBudgetBytesPerGpu),
    usableBytesPerGpu: memory.usableBytesPerGpu,
    overheadBytesPerGpu: memory.overheadBytesPerGpu,
    oneSequenceFits: largestSequenceTokens(input, memory) >= input.limits.maxModelLenTokens,
    meanPromptTokens,
    lonePrefillS: cost.stepS(lone),
    loneDecodeS:
      law.baseS +
      law.perContextTokenS * meanPromptTokens +
      law.perWindowTokenS * Math.min(meanPromptTokens, cost.windowTokens),
    layerkv: {
      canAct,
      layers,
      retainedLayers,
      offloadS: canAct ? (layers - retainedLayers) * link.offloadLayerS(meanPromptTokens) : 0,
      prefillS,
    },
  };
}

/** With groups of layers tokens are counted in sequences of max-model-len. v0's virtual engines share out the pool of a pipeline, and a sequence lives in one of them. */
function largestSequenceTokens(input: EngineInput, memory: MemoryModel): number {
  if (memory.hybrid !== null) return memory.kvTokens;
  const engines = input.scheduler === 'v0' ? input.parallelism.pipeline : 1;
  return Math.floor(memory.gpuBlocks / engines) * input.limits.blockSizeTokens;
}

function memoryReport(input: EngineInput, memory: MemoryModel): MemoryReport {
  return {
    weightsBytesPerGpu: Math.round(memory.weightsBytesPerGpu),
    activationBytesPerGpu: Math.round(memory.activationBytesPerGpu),
    kvBytesPerToken: memory.kvBytesPerToken,
    gpuBlocks: memory.gpuBlocks,
    kvTokens: memory.kvTokens,
    fullLengthSequences: memory.kvTokens / input.limits.maxModelLenTokens,
    hostPoolTokens: layerKvCanAct(input) ? memory.hostPoolTokens : null,
  };
}

function meanPrompt(input: EngineInput): number {
  const { source } = input.workload;
  return source.kind === 'trace' ? meanOf(Float64Array.from(source.trace.inputTokens)) : meanLength(source.input);
}
