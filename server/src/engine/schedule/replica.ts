/**
 * One engine (a data-parallel rank of a replica): its clock, its waiting queue, its KV pool and its decode batch, and
 * the moves that every scheduler shares. The schedulers (`vllmV0.ts`, `vllmV1.ts`) decide what each step holds; the
 * LayerKV policy (`layerkv.ts`) decides where KV lives and who may enter.
 */
import type { Pipeline } from '../cost/stages.ts';
import { type CostModel, type DecodeLaw, emptyBatch, type StepBatch } from '../cost/types.ts';
import type { EngineLimits } from '../types.ts';
import type { Chunks } from './chunks.ts';
import { DecodeBatch } from './decodeBatch.ts';
import { Lane } from './lane.ts';
import { LayerKv, type LayerKvConfig } from './layerkv.ts';
import type { LengthPredictor } from './predictor.ts';
import { RequestQueue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import type { Records } from './records.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';

export interface ReplicaConfig {
  readonly limits: EngineLimits;
  readonly layers: number;
  /** Usable blocks, each spanning all layers. */
  readonly poolBlocks: number;
  /** Blocks a prompt must leave free when it is admitted (v0's watermark). */
  readonly watermarkBlocks: number;
  readonly cost: CostModel;
  /** Where steps overlap, stage by stage; null where one follows the other. */
  readonly pipeline: Pipeline | null;
  /** Batches that take turns over this pool: as many as the pipeline has stages, 1 without one or where others share it. */
  readonly lanes: number;
}

/** A run of decode steps that last baseS, baseS + growthS, …; computing alone would take ownS, ownS + ownGrowthS, …. */
interface DecodeRun {
  readonly baseS: number;
  readonly growthS: number;
  readonly ownS: number;
  readonly ownGrowthS: number;
  /** Steps for which this is so. */
  readonly holdsSteps: number;
}

/** What turns a replica's baseline into LayerKV. */
export interface LayerKvSetup {
  readonly config: LayerKvConfig;
  readonly predictor: LengthPredictor;
}

export class Replica {
  clockS = 0;
  readonly config: ReplicaConfig;
  readonly records: Records;
  readonly waiting = new RequestQueue();
  readonly lanes: readonly Lane[];
  /** The batch being put together or looked at, and its decodes and prompts. */
  lane: Lane;
  decode: DecodeBatch;
  chunks: Chunks;
  /** Batches on their way through the pipeline, in order. */
  readonly flights: Lane[] = [];
  /** Steps under way that each preempted request still appears in: it is not scheduled before they have ended. */
  readonly inFlight: Uint8Array;
  /** Requests in the order in which they began to decode, whatever the lane. */
  private readonly joinOrder: Int32Array;
  private joins = 0;
  readonly layerkv: LayerKv | null;
  /** Free layer-blocks: a block of one layer. A whole block is `layers` of them. */
  freeLayerBlocks: number;
  readonly poolLayerBlocks: number;
  /** Duration of the last step that decoded, s. */
  lastDecodeS = 0;
  /** Called with each request that has finished; closed loops answer with the next one. */
  onFinish: () => void = () => {};
  /** Only where somebody wants to see how the run went. */
  recorder: Recorder | null = null;
  /** Requests whose prefill is under way between steps (v1). */
  inPrefill = 0;
  /** The step being put together: its sums for the cost model. */
  readonly batch: StepBatch = emptyBatch();

  private readonly laws: (DecodeLaw | undefined)[] = [];

  constructor(config: ReplicaConfig, records: Records, policy: LayerKvSetup | null) {
    this.config = config;
    this.records = records;
    this.poolLayerBlocks = config.poolBlocks * config.layers;
    this.freeLayerBlocks = this.poolLayerBlocks;
    const { limits, cost } = config;
    this.lanes = Array.from(
      { length: config.lanes },
      () => new Lane(new DecodeBatch(records.count, limits.blockSizeTokens, cost.windowTokens)),
    );
    this.lane = this.lanes[0]!;
    this.decode = this.lane.decode;
    this.chunks = this.lane.chunks;
    this.inFlight = new Uint8Array(records.count);
    this.joinOrder = new Int32Array(records.count);
    this.layerkv = policy === null ? null : new LayerKv(policy.config, this, policy.predictor);
  }

  /** A request arrives: it waits, or is refused as vLLM's front end refuses prompts that leave no room for a token. */
  enqueue(request: number): void {
    const { arrivalS, inputTokens } = this.records;
    const arrivedS = arrivalS[request]!;
    if (this.isIdle() && arrivedS > this.clockS + SIMULTANEOUS_S) this.clockS = arrivedS;
    if (inputTokens[request]! >= this.config.limits.maxModelLenTokens) this.refuse();
    else this.waiting.pushBack(request);
  }

  isIdle(): boolean {
    return this.load() === 0;
  }

  /** Requests the engine has in hand, for routing. */
  load(): number {
    return this.waiting.length + this.runningCount() + (this.layerkv?.parking.count ?? 0) + this.prefilling();
  }

  /** Requests in prefill: between two chunks, or with their last one on its way. */
  prefilling(): number {
    let count = this.inPrefill;
    for (const lane of this.flights) count += lane.prefilling(this.totalTokens);
    return count;
  }

  /** Decoding requests of all lanes. */
  runningCount(): number {
    let count = 0;
    for (const lane of this.lanes) count += lane.decode.count;
    return count;
  }

  /** Layer-blocks that all lanes take for each block of tokens. */
  growthLayers(): number {
    let layers = 0;
    for (const lane of this.lanes) layers += lane.decode.growthLayers;
    return layers;
  }

  /** The lane that a request decodes in. */
  laneOf(request: number): Lane | null {
    for (const lane of this.lanes) if (lane.decode.has(request)) return lane;
    return null;
  }

  forEachRunning(visit: (request: number) => void): void {
    for (const lane of this.lanes) lane.decode.forEach(visit);
  }

  /** Turns to a lane. */
  select(lane: Lane): void {
    this.lane = lane;
    this.decode = lane.decode;
    this.chunks = lane.chunks;
  }

  private readonly totalTokens = (request: number): number => this.prefillTokens(request);

  blocksOf(tokens: number): number {
    return Math.ceil(tokens / this.config.limits.blockSizeTokens);
  }

  freeBlocks(): number {
    return Math.floor(this.freeLayerBlocks / this.config.layers);
  }

  /** Tokens a (re)started prefill must compute: the prompt and what was produced before a preemption. */
  prefillTokens(request: number): number {
    return this.records.inputTokens[request]! + this.records.producedTokens[request]!;
  }

  /** Tokens produced so far, the first included. */
  producedTokens(request: number): number {
    const before = this.records.producedTokens[request]!;
    const lane = this.laneOf(request);
    return lane === null ? before : before + lane.decode.producedSinceJoin(request);
  }

  refuse(): void {
    this.records.refused += 1;
    this.onFinish();
  }

  /** The prefill starts now. */
  markStart(request: number): void {
    const { prefillStartS, arrivalS } = this.records;
    if (Number.isNaN(prefillStartS[request]!)) prefillStartS[request] = Math.max(this.clockS, arrivalS[request]!);
  }

  /**
   * The last chunk of a prefill is done: it has produced a token. The request finishes, joins the decode batch, or
   * parks because layers of it are on the host.
   */
  completePrefill(request: number, kvTokens: number): void {
    const records = this.records;
    records.producedTokens[request]! += 1;
    this.recorder?.prefilled(request);
    if (Number.isNaN(records.firstTokenS[request]!)) records.firstTokenS[request] = this.clockS;
    const remaining = records.outputTokens[request]! - records.producedTokens[request]!;
    if (remaining <= 0) this.finish(request, kvTokens);
    else if (this.layerkv?.isPartlyOnHost(request)) this.layerkv.afterPrefill(request, kvTokens);
    else this.joinDecode(request, kvTokens);
  }

  finish(request: number, kvTokens: number): void {
    const records = this.records;
    if (this.layerkv === null) this.freeLayerBlocks += this.blocksOf(kvTokens) * this.config.layers;
    else this.layerkv.release(request, kvTokens);
    records.finishS[request] = this.clockS;
    records.finished += 1;
    this.layerkv?.learn(request);
    this.onFinish();
  }

  /**
   * Recompute preemption: the request gives up its KV and goes back to the front of the queue. One whose step is under
   * way gives up the block it has taken for it too; the token of that step still counts.
   */
  preemptDecode(request: number, lane: Lane = this.lane): void {
    const kvTokens = this.leaveDecode(request, lane);
    if (lane.busy) this.orphan(request, lane, true);
    this.dropToQueue(request, kvTokens + (lane.busy ? 1 : 0));
  }

  /** Preempts the decoding request that was admitted last, in whichever lane. */
  preemptTail(): void {
    let tail = -1;
    let latest = this.lane;
    for (const lane of this.lanes) {
      const request = lane.decode.tail();
      if (request < 0 || (tail >= 0 && this.joinOrder[request]! < this.joinOrder[tail]!)) continue;
      tail = request;
      latest = lane;
    }
    this.preemptDecode(tail, latest);
  }

  private orphan(request: number, lane: Lane, getsToken: boolean): void {
    this.inFlight[request]! += 1;
    (getsToken ? lane.orphans : lane.tokenless).push(request);
  }

  /** A request whose prefill is under way is preempted; it holds `kvTokens`. */
  preemptPrefill(request: number, kvTokens: number): void {
    for (const lane of this.flights) {
      for (let k = 0; k < lane.chunks.length; k++) {
        if (lane.chunks.request[k] !== request) continue;
        this.orphan(request, lane, lane.isLastChunk(k, this.totalTokens));
        lane.chunks.request[k] = -1;
      }
    }
    this.dropToQueue(request, kvTokens);
  }

  /** A request decodes from the next step on: with all its KV on the GPU, or with layers that stream from the host. */
  joinDecode(request: number, kvTokens: number): void {
    const { outputTokens, producedTokens } = this.records;
    const gpuLayers = this.layerkv?.holdings.retained[request] ?? this.config.layers;
    const hostLayers = this.layerkv?.holdings.streamed[request] ?? 0;
    this.decode.join(request, kvTokens, outputTokens[request]! - producedTokens[request]!, gpuLayers, hostLayers);
    this.joinOrder[request] = this.joins++;
    this.recorder?.joined(request);
  }

  /** Takes a request out of the decode batch. @returns the KV tokens it holds. */
  leaveDecode(request: number, lane: Lane = this.lane): number {
    const kvTokens = lane.decode.kvTokens(request);
    this.recorder?.left(request, lane);
    this.records.producedTokens[request] = this.producedTokens(request);
    lane.decode.remove(request);
    return kvTokens;
  }

  dropToQueue(request: number, kvTokens: number): void {
    if (this.layerkv === null) this.freeLayerBlocks += this.blocksOf(kvTokens) * this.config.layers;
    else this.layerkv.release(request, kvTokens);
    this.records.preemptions += 1;
    this.waiting.pushFront(request);
  }

  /**
   * Preempts from the tail until every running request has its next block; where layers are on their way out, waits for
   * them first. @param preempt gives up whoever is last. @returns whether anyone was preempted.
   */
  makeRoomForDecode(preempt: () => void): boolean {
    let preempted = false;
    while (this.decode.count > 0 && this.isShortForDecode()) {
      if (this.layerkv?.parking.awaitLeaving() === true) continue;
      preempt();
      preempted = true;
    }
    return preempted;
  }

  private isShortForDecode(): boolean {
    const { decode, layerkv } = this;
    if (decode.gpuBlocksForNextStep() > this.freeLayerBlocks - (layerkv?.transientHeld ?? 0)) return true;
    return layerkv !== null && decode.hostBlocksForNextStep() > layerkv.holdings.hostFree;
  }

  /**
   * Decodes until something can change: a finish, a block shortage, a full window, an arrival (`untilS`) or transfer, the
   * SLO budget or the forecast of free blocks. The steps between are summed in closed form; in a pipeline the last of
   * them is left under way.
   * @param single just one step: the next boundary may differ for reasons of the scheduler's own.
   */
  runDecode(untilS: number, single: boolean): void {
    const { decode } = this;
    const run = this.decodeRun();
    const steps = this.steadySteps(run, untilS, single);
    if (this.config.pipeline === null) {
      this.decodeSteps(run, steps);
      this.finishDecoded();
      return;
    }
    if (steps > 1) this.decodeSteps(run, steps - 1);
    this.chunks.clear();
    const last = steps > 1 ? this.decodeRun() : run;
    this.takeGrowth(1, last.baseS - last.ownS);
    this.start(last.baseS, decode.count, decode.count);
  }

  private steadySteps({ baseS, growthS, holdsSteps }: DecodeRun, untilS: number, single: boolean): number {
    const { decode, layerkv } = this;
    const steps = Math.min(
      single ? 1 : holdsSteps,
      layerkv?.steadySteps(baseS) ?? Number.POSITIVE_INFINITY,
      decode.stepsToFinish(),
      decode.stepsToFill(),
      decode.stepsForGpuBlocks(this.freeLayerBlocks),
      layerkv === null ? Number.POSITIVE_INFINITY : decode.stepsForHostBlocks(layerkv.holdings.hostFree),
    );
    const horizonS = layerkv === null ? untilS : Math.min(untilS, layerkv.parking.nextEventS());
    const budgetS = horizonS - SIMULTANEOUS_S - this.clockS;
    return runS(baseS, growthS, steps) >= budgetS ? stepsUntil(baseS, growthS, budgetS, steps) : steps;
  }

  private decodeSteps({ baseS, growthS, ownS, ownGrowthS }: DecodeRun, steps: number): void {
    const durationS = runS(baseS, growthS, steps);
    this.takeGrowth(steps, durationS - runS(ownS, ownGrowthS, steps));
    this.recorder?.span(this.clockS, this.clockS + durationS);
    this.recorder?.decodes(this.clockS + baseS, baseS, growthS, steps);
    this.clockS += durationS;
    this.lastDecodeS = baseS + growthS * (steps - 1);
    this.decode.advance(steps);
  }

  /** The step put together in this lane, blocks taken, begins; in an empty pipeline it takes `stepS`. */
  start(stepS: number, decodeSeqs: number, sampledSeqs: number): void {
    const { lane, config, layerkv } = this;
    lane.decodes = decodeSeqs > 0;
    if (config.pipeline === null) {
      this.settle(this.clockS + stepS, stepS);
      return;
    }
    lane.startS = this.clockS;
    lane.endS = config.pipeline.enter(this.clockS, stepS, decodeSeqs + lane.chunks.length, sampledSeqs);
    lane.busy = true;
    layerkv?.rememberRound(lane);
    this.flights.push(lane);
  }

  /** Waits for the result of the oldest step under way. */
  land(): void {
    const lane = this.flights.shift()!;
    const endS = Math.max(this.clockS, lane.endS);
    this.select(lane);
    lane.busy = false;
    this.settle(endS, endS - lane.startS);
    for (const request of lane.orphans) this.completeOrphan(request);
    for (const request of lane.tokenless) this.inFlight[request]! -= 1;
    lane.orphans.length = 0;
    lane.tokenless.length = 0;
  }

  /** This lane's step has ended: its tokens are there. */
  private settle(endS: number, durationS: number): void {
    const { lane, decode, chunks } = this;
    this.recorder?.span(this.clockS, endS);
    if (lane.decodes) this.recorder?.decodes(endS, durationS, 0, 1);
    this.clockS = endS;
    if (lane.decodes) {
      this.lastDecodeS = durationS;
      decode.advance(1);
      this.finishDecoded();
    }
    for (let k = 0; k < chunks.length; k++) {
      if (!lane.isLastChunk(k, this.totalTokens)) continue;
      this.completePrefill(chunks.request[k]!, chunks.cached[k]! + chunks.tokens[k]!);
    }
  }

  /**
   * The token of a request that was preempted while its step was under way counts
   * (vllm/v1/core/sched/scheduler.py, `update_from_output`: stopped_preempted_reqs).
   */
  private completeOrphan(request: number): void {
    const { records } = this;
    this.inFlight[request]! -= 1;
    records.producedTokens[request]! += 1;
    this.recorder?.prefilled(request);
    this.recorder?.parked(request);
    if (Number.isNaN(records.firstTokenS[request]!)) records.firstTokenS[request] = this.clockS;
    if (records.producedTokens[request]! < records.outputTokens[request]!) return;
    this.waiting.remove(request);
    this.finish(request, 0);
  }

  /** Durations of the coming decode steps: the longer of computing and streaming, for as long as that one is. */
  private decodeRun(): DecodeRun {
    const { decode, layerkv } = this;
    const law = this.decodeLaw(decode.count);
    const ownS = this.decodeStepS() + (layerkv?.decodeWaitS() ?? 0);
    const ownGrowthS = law.perContextTokenS * decode.count + law.perWindowTokenS * decode.growingCount;
    const own = { baseS: ownS, growthS: ownGrowthS, ownS, ownGrowthS, holdsSteps: Number.POSITIVE_INFINITY };
    const stream = this.streamLaw();
    if (stream === null) return own;
    const [longer, shorter] = stream.baseS > ownS ? [stream, own] : [own, stream];
    const gain = shorter.growthS - longer.growthS;
    const holdsSteps = gain > 0 ? Math.floor((longer.baseS - shorter.baseS) / gain) + 1 : Number.POSITIVE_INFINITY;
    return { baseS: longer.baseS, growthS: longer.growthS, ownS, ownGrowthS, holdsSteps };
  }

  /** Time of the next decode step on the link, for layers that stream through it, and its growth; null without such. */
  streamLaw(): { readonly baseS: number; readonly growthS: number } | null {
    const { decode, layerkv } = this;
    if (layerkv === null || decode.streamLayers === 0) return null;
    const { link } = layerkv.config;
    const baseS = link.streamS(decode.streamTokens, decode.streamLayers) + link.sharedS(this.decodeCollectiveS());
    return { baseS, growthS: link.streamS(decode.streamLayers, 0) };
  }

  /** Blocks, and bytes over the link, of so many decode steps; streaming lengthened them by `exposedS`. */
  takeGrowth(steps: number, exposedS: number): void {
    const { decode, layerkv, records } = this;
    this.freeLayerBlocks -= decode.gpuBlocksForSteps(steps);
    if (layerkv === null || decode.streamLayers === 0) return;
    layerkv.holdings.hostFree -= decode.hostBlocksForSteps(steps);
    const { link } = layerkv.config;
    const fetched = steps * decode.streamTokens + (decode.streamLayers * steps * (steps - 1)) / 2;
    records.hostToDeviceBytes += fetched * link.bytesPerTokenLayer;
    records.deviceToHostBytes += steps * decode.streamLayers * link.bytesPerTokenLayer;
    records.transferS += link.streamS(fetched, steps * decode.streamLayers);
    records.exposedTransferS += Math.max(0, exposedS);
  }

  /** Requests whose last token came with the current step leave. */
  finishDecoded(): void {
    for (let request = this.decode.finishedRequest(); request >= 0; request = this.decode.finishedRequest()) {
      const kvTokens = this.decode.kvTokens(request);
      this.decode.remove(request);
      this.finish(request, kvTokens);
    }
  }

  /** How long the next decode step takes by itself, s; 0 when nobody decodes. */
  decodeStepS(): number {
    const { decode } = this;
    if (decode.count === 0) return 0;
    const law = this.decodeLaw(decode.count);
    return law.baseS + law.perContextTokenS * decode.contextTokens + law.perWindowTokenS * decode.windowTokens;
  }

  /** Collectives of the next decode step, s. */
  decodeCollectiveS(): number {
    return this.config.cost.collectives?.secondsS(this.decode.count) ?? 0;
  }

  /** Collectives of the step being put together, s. */
  collectiveS(): number {
    const { decodeSeqs, prefillTokens } = this.batch;
    return this.config.cost.collectives?.secondsS(decodeSeqs + prefillTokens) ?? 0;
  }

  private decodeLaw(seqs: number): DecodeLaw {
    const known = this.laws[seqs];
    if (known !== undefined) return known;
    const law = this.config.cost.decodeLaw(seqs);
    this.laws[seqs] = law;
    return law;
  }
}

/** Seconds of `steps` steps whose durations grow linearly. */
function runS(baseS: number, growthS: number, steps: number): number {
  return steps * (baseS + (growthS * (steps - 1)) / 2);
}

/** Fewest steps, at least 1 and at most `most`, that take `budgetS`. */
function stepsUntil(baseS: number, growthS: number, budgetS: number, most: number): number {
  const linear = baseS - growthS / 2;
  const root =
    growthS > 0
      ? (Math.sqrt(linear * linear + 2 * growthS * Math.max(0, budgetS)) - linear) / growthS
      : budgetS / baseS;
  let steps = Math.min(most, Math.max(1, Math.ceil(root)));
  while (steps > 1 && runS(baseS, growthS, steps - 1) >= budgetS) steps -= 1;
  while (steps < most && runS(baseS, growthS, steps) < budgetS) steps += 1;
  return steps;
}
