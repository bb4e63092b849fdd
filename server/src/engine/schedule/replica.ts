/**
 * One engine (a data-parallel rank of a replica): its clock, its waiting queue, its KV pool and its decode batch, and
 * the moves that every scheduler shares. The schedulers (`vllmV0.ts`, `vllmV1.ts`) decide what each step holds; the
 * LayerKV policy (`layerkv.ts`) decides where KV lives and who may enter.
 */
import { type CostModel, type DecodeLaw, emptyBatch, type StepBatch } from '../cost/types.ts';
import type { LinkLaw } from '../kv/link.ts';
import type { PrefixCache } from '../kv/prefixCache.ts';
import type { EngineLimits } from '../types.ts';
import { Chunks } from './chunks.ts';
import { DecodeBatch } from './decodeBatch.ts';
import { HostLoads } from './hostLoads.ts';
import { LayerKv, type LayerKvConfig } from './layerkv.ts';
import type { LengthPredictor } from './predictor.ts';
import { RequestQueue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import type { Records } from './records.ts';
import { type DecodeRun, runS, stepsUntil } from './runOfSteps.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';

export interface ReplicaConfig {
  readonly limits: EngineLimits;
  readonly layers: number;
  /** Usable blocks, each spanning all layers. */
  readonly poolBlocks: number;
  /** Blocks a prompt must leave free when it is admitted (v0's watermark). */
  readonly watermarkBlocks: number;
  readonly cost: CostModel;
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
  readonly decode: DecodeBatch;
  readonly layerkv: LayerKv | null;
  /** What free and used blocks hold, where the engine looks for it (v1), and what comes from the host behind it. */
  readonly prefix: PrefixCache | null;
  readonly loads: HostLoads | null;
  /** Free layer-blocks: a block of one layer. A whole block is `layers` of them. */
  freeLayerBlocks: number;
  readonly poolLayerBlocks: number;
  /** Duration of the last step that decoded, s. */
  lastDecodeS = 0;
  /** Called with each request that has finished; closed loops answer with the next one. */
  onFinish: (request: number) => void = () => {};
  /** Only where somebody wants to see how the run went. */
  recorder: Recorder | null = null;
  /** Requests whose prefill is under way between steps (v1). */
  inPrefill = 0;
  /** The step being put together: its prompts, and its sums for the cost model. */
  readonly chunks = new Chunks();
  readonly batch: StepBatch = emptyBatch();

  private readonly laws: (DecodeLaw | undefined)[] = [];

  /** @param hostLink over which the prefix cache's host tier loads, where it has one. */
  constructor(
    config: ReplicaConfig,
    records: Records,
    policy: LayerKvSetup | null,
    prefix: PrefixCache | null = null,
    hostLink: LinkLaw | null = null,
  ) {
    this.config = config;
    this.records = records;
    this.poolLayerBlocks = config.poolBlocks * config.layers;
    this.freeLayerBlocks = this.poolLayerBlocks;
    this.decode = new DecodeBatch(records.count, config.limits.blockSizeTokens, config.cost.windowTokens);
    this.layerkv = policy === null ? null : new LayerKv(policy.config, this, policy.predictor);
    this.prefix = prefix;
    this.loads = prefix === null || hostLink === null ? null : new HostLoads(this, prefix, hostLink);
  }

  /** A request arrives: it waits, or is refused as vLLM's front end refuses prompts that leave no room for a token. */
  enqueue(request: number): void {
    const { arrivalS, inputTokens } = this.records;
    const arrivedS = arrivalS[request]!;
    if (this.isIdle() && arrivedS > this.clockS + SIMULTANEOUS_S) this.clockS = arrivedS;
    if (inputTokens[request]! >= this.config.limits.maxModelLenTokens) this.refuse(request);
    else this.waiting.pushBack(request);
  }

  isIdle(): boolean {
    return this.load() === 0;
  }

  /** Requests the engine has in hand, for routing. */
  load(): number {
    const aside = (this.layerkv?.parking.count ?? 0) + (this.loads?.count ?? 0);
    return this.waiting.length + this.decode.count + this.inPrefill + aside;
  }

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
    return this.decode.has(request) ? before + this.decode.producedSinceJoin(request) : before;
  }

  refuse(request: number): void {
    this.records.refused += 1;
    this.onFinish(request);
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
    this.giveUpKv(request, kvTokens, false);
    records.finishS[request] = this.clockS;
    records.finished += 1;
    this.layerkv?.learn(request);
    this.onFinish(request);
  }

  /** Recompute preemption: the request gives up its KV and goes back to the front of the queue. */
  preemptDecode(request: number): void {
    this.dropToQueue(request, this.leaveDecode(request));
  }

  /** A request decodes from the next step on: with all its KV on the GPU, or with layers that stream from the host. */
  joinDecode(request: number, kvTokens: number): void {
    const { outputTokens, producedTokens } = this.records;
    const gpuLayers = this.layerkv?.holdings.retained[request] ?? this.config.layers;
    const hostLayers = this.layerkv?.holdings.streamed[request] ?? 0;
    this.decode.join(request, kvTokens, outputTokens[request]! - producedTokens[request]!, gpuLayers, hostLayers);
    this.recorder?.joined(request);
  }

  /** Takes a request out of the decode batch. @returns the KV tokens it holds. */
  leaveDecode(request: number): number {
    const kvTokens = this.decode.kvTokens(request);
    this.recorder?.left(request);
    this.records.producedTokens[request] = this.producedTokens(request);
    this.decode.remove(request);
    return kvTokens;
  }

  dropToQueue(request: number, kvTokens: number): void {
    this.giveUpKv(request, kvTokens, true);
    this.records.preemptions += 1;
    this.waiting.pushFront(request);
  }

  /** @param returns whether the request will be computed again: it is preempted after others have grown in this step. */
  private giveUpKv(request: number, kvTokens: number, returns: boolean): void {
    const { layerkv, prefix, decode, config } = this;
    if (layerkv !== null) {
      layerkv.release(request, kvTokens);
      return;
    }
    const grown = returns ? Math.min(decode.gpuBlocksForNextStep(), this.freeLayerBlocks) : 0;
    const free = (this.freeLayerBlocks - grown) / config.layers;
    const blocks = prefix?.release(request, kvTokens, returns, free) ?? this.blocksOf(kvTokens);
    this.freeLayerBlocks += blocks * config.layers;
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
    if (decode.gpuBlocksForNextStep() > this.freeLayerBlocks) return true;
    return layerkv !== null && decode.hostBlocksForNextStep() > layerkv.holdings.hostFree;
  }

  /**
   * Decodes until something can change: a finish, a block shortage, a full window, an arrival (`untilS`) or transfer, the
   * SLO budget or the forecast of free blocks. The steps between are summed in closed form.
   * @param single just one step: the next boundary may differ for reasons of the scheduler's own.
   */
  runDecode(untilS: number, single: boolean): void {
    const { decode, layerkv } = this;
    const { baseS, growthS, ownS, ownGrowthS, holdsSteps } = this.decodeRun();
    let steps = Math.min(
      single ? 1 : holdsSteps,
      layerkv?.steadySteps(baseS) ?? Number.POSITIVE_INFINITY,
      decode.stepsToFinish(),
      decode.stepsToFill(),
      decode.stepsForGpuBlocks(this.freeLayerBlocks),
      layerkv === null ? Number.POSITIVE_INFINITY : decode.stepsForHostBlocks(layerkv.holdings.hostFree),
    );
    const transferS = layerkv?.parking.nextEventS() ?? this.loads?.nextEventS() ?? Number.POSITIVE_INFINITY;
    const horizonS = Math.min(untilS, transferS);
    const budgetS = horizonS - SIMULTANEOUS_S - this.clockS;
    if (runS(baseS, growthS, steps) >= budgetS) steps = stepsUntil(baseS, growthS, budgetS, steps);
    const durationS = runS(baseS, growthS, steps);
    this.takeGrowth(steps, durationS - runS(ownS, ownGrowthS, steps));
    this.recorder?.span(this.clockS, this.clockS + durationS);
    this.recorder?.decodes(this.clockS + baseS, baseS, growthS, steps);
    this.clockS += durationS;
    this.lastDecodeS = baseS + growthS * (steps - 1);
    decode.advance(steps);
    this.finishDecoded();
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
