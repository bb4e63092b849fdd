/** One run of one policy: requests go in, what happened to each comes out. Pure and deterministic. */
import { linearCost } from './cost/linear.ts';
import { rooflineCost } from './cost/roofline.ts';
import type { CostModel } from './cost/types.ts';
import { HostTier } from './kv/hostTier.ts';
import { linkLaw } from './kv/link.ts';
import { PrefixCache } from './kv/prefixCache.ts';
import { prefillEstimate } from './kv/retention.ts';
import { memoryModel } from './memory.ts';
import { LengthPredictor } from './schedule/predictor.ts';
import { createRecording, Recorder, type Recording } from './schedule/recorder.ts';
import { Records } from './schedule/records.ts';
import { type LayerKvSetup, Replica, type ReplicaConfig } from './schedule/replica.ts';
import { PrefillFirstScheduler } from './schedule/vllmV0.ts';
import { ChunkedScheduler } from './schedule/vllmV1.ts';
import type { EngineInput } from './types.ts';
import { PromptBlocks } from './workload/promptBlocks.ts';
import { createRandom } from './workload/random.ts';
import { drawWorkload, type Workload } from './workload/workload.ts';

/** vLLM v0 keeps this share of blocks free when it admits (vllm/core/block_manager_v1.py: watermark=0.01). */
const WATERMARK = 0.01;

/** A finished run. `records` are in request order, which is arrival order. */
export interface Run {
  readonly workload: Workload;
  readonly records: Records;
  /** From the first arrival to the last finish, s. */
  readonly makespanS: number;
  /** Only if it was asked for. */
  readonly recording: Recording | null;
}

export interface SimulateOptions {
  /** Also keep the gaps between tokens and how the run went over time; costs a little. */
  readonly record?: boolean;
}

/** An engine under the driver's hand. */
interface Engine {
  readonly replica: Replica;
  run(untilS: number): void;
}

/**
 * Simulates the workload. The pool must hold a sequence of max-model-len (vLLM refuses to start otherwise; check with
 * `memoryModel` first).
 */
export function simulate(input: EngineInput, options: SimulateOptions = {}): Run {
  const workload = drawWorkload(input.workload, input.limits.maxModelLenTokens);
  const records = new Records(workload.arrivalS.slice(), workload.inputTokens, workload.outputTokens);
  const cost = costModel(input);
  const engines = Array.from({ length: Math.max(1, input.replicas * input.parallelism.data) }, (_, index) =>
    createEngine(input, cost, records, workload, index),
  );
  const recording = options.record === true ? createRecording() : null;
  if (recording !== null) for (const { replica } of engines) replica.recorder = new Recorder(recording, replica);
  if (workload.closedConcurrency === null) runOpen(engines, records, input.routing);
  else runClosed(engines, records, workload.closedConcurrency);
  const blockBytes = memoryModel(input).kvBytesPerToken * input.limits.blockSizeTokens;
  for (const { replica } of engines)
    records.deviceToHostBytes += (replica.prefix?.host?.storedBlocks ?? 0) * blockBytes;
  const lost = records.count - records.finished - records.refused;
  if (lost !== 0) throw new Error(`the engine lost ${lost} requests`);
  return { workload, records, makespanS: makespan(records), recording };
}

/** The law that the input asks for. */
export function costModel(input: EngineInput): CostModel {
  return input.cost.kind === 'linear' ? linearCost(input.cost.linear) : rooflineCost(input);
}

/** Whether LayerKV can do anything: without a link or a host pool the whole policy is the baseline. */
export function layerKvCanAct(input: Pick<EngineInput, 'hostLinkBytesPerS' | 'layerkv'>): boolean {
  return input.hostLinkBytesPerS > 0 && input.layerkv.hostPoolBytes > 0;
}

/**
 * Whether prefix caching has an effect: v1 without LayerKV. v0 is simulated without it, as it was off by default there.
 * Nothing is published on LayerKV with shared blocks, and one would need a rule for a prefix that some of its users
 * have on the host, so LayerKV runs without it [D].
 */
export function prefixCachingApplies(
  input: Pick<EngineInput, 'hostLinkBytesPerS' | 'layerkv' | 'prefixCaching' | 'scheduler' | 'policy'>,
): boolean {
  const layerKv = input.policy !== 'vllm' && layerKvCanAct(input);
  return input.prefixCaching === true && input.scheduler === 'v1' && !layerKv;
}

/** Whether a host tier stands behind the prefix cache. */
export function hostTierApplies(input: EngineInput): boolean {
  return prefixCachingApplies(input) && input.hostLinkBytesPerS > 0 && hostTierBlocks(input) > 0;
}

/** Blocks of one data-parallel rank's host tier, each spanning all layers. */
export function hostTierBlocks(input: EngineInput): number {
  const bytes = (input.kvOffload?.hostPoolBytes ?? 0) / input.parallelism.data;
  return Math.floor(bytes / (memoryModel(input).kvBytesPerToken * input.limits.blockSizeTokens));
}

function createEngine(
  input: EngineInput,
  cost: CostModel,
  records: Records,
  workload: Workload,
  index: number,
): Engine {
  const { gpuBlocks } = memoryModel(input);
  const v0 = input.scheduler === 'v0';
  const config: ReplicaConfig = {
    limits: input.limits,
    layers: input.model.layers,
    // v1 sets one block aside as the null block (vllm/v1/core/block_pool.py).
    poolBlocks: v0 ? gpuBlocks : gpuBlocks - 1,
    watermarkBlocks: v0 ? Math.floor(WATERMARK * gpuBlocks) : 0,
    cost,
  };
  const acts = input.policy !== 'vllm' && layerKvCanAct(input);
  const replica = new Replica(
    config,
    records,
    acts ? layerKvSetup(input, config, records, index) : null,
    prefixCachingApplies(input) ? prefixCache(input, config, workload) : null,
    hostTierApplies(input) ? linkLaw(input, null) : null,
  );
  const scheduler = v0 ? new PrefillFirstScheduler(replica) : new ChunkedScheduler(replica);
  return { replica, run: (untilS) => scheduler.run(untilS) };
}

function prefixCache(input: EngineInput, { limits, poolBlocks }: ReplicaConfig, workload: Workload): PrefixCache {
  const { promptIds, inputTokens, count } = workload;
  const { blockSizeTokens } = limits;
  const prompts = promptIds === null ? null : new PromptBlocks(promptIds, inputTokens, blockSizeTokens);
  const host = hostTierApplies(input) ? new HostTier(hostTierBlocks(input), count, prompts?.contents ?? 0) : null;
  return new PrefixCache(poolBlocks, blockSizeTokens, count, prompts, host);
}

function layerKvSetup(input: EngineInput, config: ReplicaConfig, records: Records, index: number): LayerKvSetup {
  const { predictor, hostPoolBytes } = input.layerkv;
  const random = createRandom(input.workload.seed + 7919 * index, 'predictor');
  const link = linkLaw(input, config.cost.collectives);
  const hostShareBytes = hostPoolBytes / input.parallelism.data;
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

function runOpen(engines: readonly Engine[], records: Records, routing: EngineInput['routing']): void {
  for (let request = 0; request < records.count; request++) {
    const arrivalS = records.arrivalS[request]!;
    const engine = routing === 'leastLoad' ? leastLoaded(engines, arrivalS) : engines[request % engines.length]!;
    engine.run(arrivalS);
    engine.replica.enqueue(request);
  }
  for (const engine of engines) engine.run(Number.POSITIVE_INFINITY);
}

/** The engine with the fewest requests waiting, parked or running when the request arrives; the first of equals. */
function leastLoaded(engines: readonly Engine[], arrivalS: number): Engine {
  let best = engines[0]!;
  let least = Number.POSITIVE_INFINITY;
  for (const engine of engines) {
    engine.run(arrivalS);
    const load = engine.replica.load();
    if (load < least) {
      least = load;
      best = engine;
    }
  }
  return best;
}

/**
 * Users send their next request the moment the last one has finished. Each user stays with one engine, as sessions do;
 * requests are numbered in the order the engines take them.
 */
function runClosed(engines: readonly Engine[], records: Records, concurrency: number): void {
  const share = Math.ceil(records.count / engines.length);
  engines.forEach(({ replica, run }, index) => {
    let next = Math.min(records.count, index * share);
    const end = Math.min(records.count, next + share);
    let due = Math.min(end - next, usersOf(concurrency, engines.length, index));
    let issuing = false;
    const issue = (): void => {
      // Refused requests answer at once: a loop, not a recursion.
      if (issuing) return;
      issuing = true;
      while (due > 0) {
        due -= 1;
        records.arrivalS[next] = replica.clockS;
        replica.enqueue(next++);
      }
      issuing = false;
    };
    replica.onFinish = () => {
      if (next + due < end) due += 1;
      issue();
    };
    issue();
    run(Number.POSITIVE_INFINITY);
  });
}

function usersOf(concurrency: number, engines: number, index: number): number {
  return Math.max(1, Math.floor(concurrency / engines) + (index < concurrency % engines ? 1 : 0));
}

function makespan(records: Records): number {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < records.count; k++) {
    first = Math.min(first, records.arrivalS[k]!);
    if (records.finishS[k]! > last) last = records.finishS[k]!;
  }
  return last > first ? last - first : 0;
}
