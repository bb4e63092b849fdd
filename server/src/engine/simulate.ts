/** One run of one policy: requests go in, what happened to each comes out. Pure and deterministic. */
import { layerKvCanAct, prefixCachingApplies, ranksStepTogether } from './applies.ts';
import { calibratedCost } from './cost/calibrated.ts';
import { linearCost } from './cost/linear.ts';
import { type Passage, Pipeline } from './cost/stages.ts';
import { stepCost } from './cost/stepCost.ts';
import type { CostModel } from './cost/types.ts';
import { runClosed, runOpen } from './drive.ts';
import { FrontEnd } from './frontEnd.ts';
import { ChunkStore } from './kv/chunkStore.ts';
import { HostTier } from './kv/hostTier.ts';
import { hybridGroups } from './kv/hybrid.ts';
import { linkLaw } from './kv/link.ts';
import { PrefixCache } from './kv/prefixCache.ts';
import { prefillEstimate } from './kv/retention.ts';
import { memoryModel } from './memory.ts';
import { type Engine, SingleEngine } from './schedule/engine.ts';
import { LengthPredictor } from './schedule/predictor.ts';
import { RanksInStep, ROUND } from './schedule/ranksInStep.ts';
import { createRecording, Recorder, type Recording } from './schedule/recorder.ts';
import { Records } from './schedule/records.ts';
import { Replica } from './schedule/replica.ts';
import type { HostSetup, LayerKvSetup, ReplicaConfig } from './schedule/replicaConfig.ts';
import { VirtualEngines } from './schedule/virtualEngines.ts';
import { PrefillFirstScheduler } from './schedule/vllmV0.ts';
import { ChunkedScheduler } from './schedule/vllmV1.ts';
import type { EngineInput } from './types.ts';
import { PromptBlocks, SequenceChunks } from './workload/promptBlocks.ts';
import { createRandom } from './workload/random.ts';
import { arrivalWindow, drawWorkload, type Workload } from './workload/workload.ts';

/** vLLM v0 keeps this share of blocks free when it admits (vllm/core/block_manager_v1.py: watermark=0.01). */
const WATERMARK = 0.01;

/** A finished run. `records` are in request order: of arrival, and in closed loops of each engine’s users by itself. */
export interface Run {
  readonly workload: Workload;
  readonly records: Records;
  /** From the first arrival to the last finish, s. */
  readonly makespanS: number;
  /** Only if it was asked for. */
  readonly recording: Recording | null;
}

export interface SimulateOptions {
  /** Also keep the gaps between tokens, or these and how the run went over time; costs a little, or some more. */
  readonly record?: 'gaps' | 'all';
  /** The law that the input asks for, where it is at hand; or another in its place, for studies. */
  readonly cost?: CostModel;
}

/**
 * Simulates the workload. The pool must hold a sequence of max-model-len (vLLM refuses to start otherwise; check with
 * `memoryModel` first).
 */
export function simulate(input: EngineInput, options: SimulateOptions = {}): Run {
  const workload = drawWorkload(input.workload, input.limits.maxModelLenTokens);
  const records = new Records(
    workload.arrivalS.slice(),
    workload.inputTokens,
    workload.outputTokens,
    arrivalWindow(workload),
  );
  const cost = options.cost ?? costModel(input);
  const { data } = input.parallelism;
  const replicas = Array.from({ length: Math.max(1, input.replicas) }, (_, replica) =>
    createRanks(input, cost, records, workload, replica * data),
  );
  const engines = replicas.flat();
  const recording = options.record === undefined ? null : createRecording(options.record === 'all');
  if (recording !== null) {
    for (const replica of engines.flatMap((engine) => engine.replicas))
      replica.recorder = new Recorder(recording, replica);
  }
  const frontEnd = cost.frontEnd === null ? null : new FrontEnd(cost.frontEnd, records.inputTokens);
  if (workload.closedConcurrency === null) runOpen(replicas, records, input.routing, frontEnd);
  else runClosed(engines, records, workload.closedConcurrency, frontEnd);
  if (frontEnd !== null) frontEnd.answer(records);
  const blockBytes = memoryModel(input).kvBytesPerToken * input.limits.blockSizeTokens;
  for (const replica of engines.flatMap((engine) => engine.replicas)) {
    records.deviceToHostBytes += (replica.prefix?.host?.storedBlocks ?? 0) * blockBytes;
  }
  const lost = records.count - records.finished - records.refused;
  if (lost !== 0) throw new Error(`the engine lost ${lost} requests`);
  return { workload, records, makespanS: makespan(records), recording };
}

/** The law that the input asks for. */
export function costModel(input: EngineInput): CostModel {
  const law =
    input.cost.kind === 'roofline'
      ? stepCost(input)
      : linearCost(input.cost.linear, input.model.layers, input.parallelism.pipeline);
  return input.costScale === undefined ? law : calibratedCost(law, input.costScale);
}

/** Whether a host tier stands behind the prefix cache. */
export function hostTierApplies(input: EngineInput): boolean {
  return prefixCachingApplies(input) && input.hostLinkBytesPerS > 0 && hostTierPieces(input) > 0;
}

/** Blocks, or LMCache's chunks, that one data-parallel rank's host tier holds, each spanning all layers. */
export function hostTierPieces(input: EngineInput): number {
  const { kvOffload, limits, parallelism } = input;
  if (kvOffload === undefined) return 0;
  const pieceTokens = kvOffload.connector === 'lmcache' ? kvOffload.chunkTokens : limits.blockSizeTokens;
  return Math.floor(kvOffload.hostPoolBytes / parallelism.data / (memoryModel(input).kvBytesPerToken * pieceTokens));
}

/** The data-parallel ranks of a replica, each an engine; those of a mixture of experts are one. */
function createRanks(
  input: EngineInput,
  cost: CostModel,
  records: Records,
  workload: Workload,
  firstIndex: number,
): readonly Engine[] {
  const ranks = Array.from({ length: Math.max(1, input.parallelism.data) }, (_, rank) => firstIndex + rank);
  if (!ranksStepTogether(input)) return ranks.map((index) => createEngine(input, cost, records, workload, index));
  const inStep = ranks.map((index) => createV1(input, cost, ROUND, records, workload, index));
  return [new RanksInStep(inStep, cost.together)];
}

function createV1(
  input: EngineInput,
  cost: CostModel,
  passage: Passage | null,
  records: Records,
  workload: Workload,
  index: number,
): { readonly replica: Replica; readonly scheduler: ChunkedScheduler } {
  // One block is set aside as the null block (vllm/v1/core/block_pool.py).
  const poolBlocks = memoryModel(input).gpuBlocks - 1;
  const lanes = passage?.depth ?? 1;
  const state = { poolBlocks, watermarkBlocks: 0, lanes, hybrid: hybridGroups(input), cost, passage };
  const replica = createReplica(input, state, records, workload, index, 1);
  return { replica, scheduler: new ChunkedScheduler(replica) };
}

/** One data-parallel rank: a scheduler over its pool, or v0's virtual engines, which share out its blocks and host memory. */
function createEngine(
  input: EngineInput,
  cost: CostModel,
  records: Records,
  workload: Workload,
  index: number,
): Engine {
  const pipeline = cost.stages === null ? null : new Pipeline(cost.stages);
  if (input.scheduler === 'v1') {
    const { replica, scheduler } = createV1(input, cost, pipeline, records, workload, index);
    return new SingleEngine(replica, scheduler);
  }
  const depth = pipeline?.depth ?? 1;
  const poolBlocks = Math.floor(memoryModel(input).gpuBlocks / depth);
  const watermarkBlocks = Math.floor(WATERMARK * poolBlocks);
  const state = { poolBlocks, watermarkBlocks, lanes: 1, hybrid: null, cost, passage: pipeline };
  const engines = Array.from({ length: depth }, (_, part) => {
    const replica = createReplica(input, state, records, workload, index * depth + part, depth);
    return { replica, scheduler: new PrefillFirstScheduler(replica) };
  });
  if (pipeline !== null) return new VirtualEngines(pipeline, engines);
  return new SingleEngine(engines[0]!.replica, engines[0]!.scheduler);
}

function createReplica(
  input: EngineInput,
  state: Omit<ReplicaConfig, 'limits' | 'layers'>,
  records: Records,
  workload: Workload,
  index: number,
  parts: number,
): Replica {
  const { hybrid, poolBlocks, watermarkBlocks, cost, passage, lanes } = state;
  const layers = hybrid === null ? input.model.layers : hybrid.globalGroups + hybrid.localGroups;
  // No spread: V8 ends up giving each spread object a hidden class of its own, and compiled schedulers start anew.
  const config = { limits: input.limits, layers, poolBlocks, hybrid, watermarkBlocks, cost, passage, lanes };
  const acts = input.policy !== 'vllm' && layerKvCanAct(input);
  return new Replica(
    config,
    records,
    acts ? layerKvSetup(input, config, records, index, parts) : null,
    prefixCachingApplies(input) ? prefixCache(input, config, workload) : null,
    hostTierApplies(input) ? hostSetup(input, workload) : null,
  );
}

function prefixCache(input: EngineInput, { limits, poolBlocks }: ReplicaConfig, workload: Workload): PrefixCache {
  const { blockSizeTokens } = limits;
  const { count } = workload;
  const prompts = promptBlocks(workload, blockSizeTokens);
  const tier = hostTierApplies(input) && input.kvOffload?.connector !== 'lmcache';
  const host = tier ? new HostTier(hostTierPieces(input), count, prompts?.contents ?? 0) : null;
  return new PrefixCache(poolBlocks, blockSizeTokens, count, prompts, host);
}

function hostSetup(input: EngineInput, workload: Workload): HostSetup {
  const link = linkLaw(input, null);
  const { kvOffload } = input;
  if (kvOffload?.connector !== 'lmcache') return { connector: 'offloading', link };
  const { chunkTokens } = kvOffload;
  const contents = new SequenceChunks(promptBlocks(workload, chunkTokens), workload, chunkTokens);
  const store = new ChunkStore(hostTierPieces(input), contents.contents);
  return { connector: 'lmcache', chunkTokens, store, contents, link };
}

function promptBlocks({ promptIds, inputTokens }: Workload, blockTokens: number): PromptBlocks | null {
  return promptIds === null ? null : new PromptBlocks(promptIds, inputTokens, blockTokens);
}

/** @param parts engines that share the rank's host memory. */
function layerKvSetup(
  input: EngineInput,
  config: ReplicaConfig,
  records: Records,
  index: number,
  parts: number,
): LayerKvSetup {
  const { predictor, hostPoolBytes } = input.layerkv;
  const random = createRandom(input.workload.seed + 7919 * index, 'predictor');
  const link = linkLaw(input, config.cost.collectives);
  const hostShareBytes = hostPoolBytes / input.parallelism.data / parts;
  const layerKvConfig = {
    options: input.layerkv,
    layers: config.layers,
    poolLayerBlocks: config.poolBlocks * config.layers,
    hostLayerBlocks: Math.floor(hostShareBytes / (link.bytesPerTokenLayer * config.limits.blockSizeTokens)),
    link,
    prefillEstimateS: prefillEstimate(input),
    tpotS: input.policy === 'layerkv' ? input.slo.tpotS : null,
  };
  return {
    config: layerKvConfig,
    predictor: new LengthPredictor(predictor.buckets, predictor.accuracy, records.outputTokens, random),
  };
}

function makespan(records: Records): number {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  const { arrivalS, finishS, count } = records;
  for (let k = 0; k < count; k++) {
    if (arrivalS[k]! < first) first = arrivalS[k]!;
    if (finishS[k]! > last) last = finishS[k]!;
  }
  return last > first ? last - first : 0;
}
