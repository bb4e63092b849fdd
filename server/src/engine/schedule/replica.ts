/**
 * One engine (a data-parallel rank of a replica): its clock, its waiting queue, its KV pool and its decode batch, and
 * the moves that every scheduler shares. The schedulers (`vllmV0.ts`, `vllmV1.ts`) decide what each step holds; the
 * LayerKV policy (`layerkv.ts`) decides where KV lives and who may enter.
 */
import { type DecodeLaw, emptyBatch, type StepBatch } from '../cost/types.ts';
import type { PrefixCache } from '../kv/prefixCache.ts';
import type { Chunks } from './chunks.ts';
import { DecodeBatch } from './decodeBatch.ts';
import { HostLoads } from './hostLoads.ts';
import { Lane } from './lane.ts';
import { LayerKv } from './layerkv.ts';
import { LmCache } from './lmCache.ts';
import { RequestQueue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import type { Records } from './records.ts';
import type { HostSetup, LayerKvSetup, ReplicaConfig } from './replicaConfig.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { WindowBlocks } from './windowBlocks.ts';

export class Replica {
  clockS = 0;
  /** What begins before this time is to be run, s. */
  untilS = 0;
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
  /** What free and used blocks hold, where the engine looks for it (v1), and what brings more from the host: one or none. */
  readonly prefix: PrefixCache | null;
  readonly loads: HostLoads | null;
  readonly lmCache: LmCache | null;
  /** What lies behind sliding windows, where it is given back. */
  readonly windows: WindowBlocks | null;
  /** Free layer-blocks: a block of one layer. A whole block is `layers` of them. */
  freeLayerBlocks: number;
  readonly poolLayerBlocks: number;
  /** Duration of the last step that decoded, s. */
  lastDecodeS = 0;
  /** Called with each request that has finished; closed loops answer with the next one. */
  onFinish: () => void = () => {};
  /** Only where somebody wants to see how the run went. */
  recorder: Recorder | null = null;
  /** Decoding requests of all lanes. */
  running = 0;
  /** Requests whose prefill is under way between steps (v1). */
  inPrefill = 0;
  /** Steps follow each other without a rest. */
  underWay = false;
  /** The last so many waiting requests came after the next step was put together, where that is done a step ahead. */
  unseen = 0;
  /** The step being put together: its sums for the cost model. */
  readonly batch: StepBatch = emptyBatch();

  private readonly laws: (DecodeLaw | undefined)[] = [];

  /** @param host what brings KV back from the host to the prefix cache. */
  constructor(
    config: ReplicaConfig,
    records: Records,
    policy: LayerKvSetup | null,
    prefix: PrefixCache | null,
    host: HostSetup | null,
  ) {
    this.config = config;
    this.records = records;
    const { limits, cost, hybrid } = config;
    this.poolLayerBlocks = hybrid === null ? config.poolBlocks * config.layers : config.poolBlocks;
    this.freeLayerBlocks = this.poolLayerBlocks;
    this.windows = hybrid === null ? null : new WindowBlocks(records.count, hybrid, limits);
    this.lanes = Array.from(
      { length: config.lanes },
      () => new Lane(new DecodeBatch(records.count, limits.blockSizeTokens, cost.windowTokens, hybrid)),
    );
    this.lane = this.lanes[0]!;
    this.decode = this.lane.decode;
    this.chunks = this.lane.chunks;
    this.inFlight = new Uint8Array(records.count);
    this.joinOrder = new Int32Array(records.count);
    this.layerkv = policy === null ? null : new LayerKv(policy.config, this, policy.predictor);
    this.prefix = prefix;
    this.loads = prefix !== null && host?.connector === 'offloading' ? new HostLoads(this, prefix, host.link) : null;
    this.lmCache = host?.connector === 'lmcache' ? new LmCache(this, host) : null;
  }

  /** A request arrives: it waits, or is refused as vLLM's front end refuses prompts that leave no room for a token. */
  enqueue(request: number, atS: number): void {
    if (this.isIdle() && atS > this.clockS + SIMULTANEOUS_S) this.clockS = atS;
    if (this.records.inputTokens[request]! >= this.config.limits.maxModelLenTokens) this.refuse();
    else {
      this.waiting.pushBack(request);
      if (this.underWay && this.config.cost.stepsAhead) this.unseen += 1;
    }
  }

  isIdle(): boolean {
    return this.load() === 0;
  }

  /** Requests the engine has in hand, for routing. */
  load(): number {
    const aside = (this.layerkv?.parking.count ?? 0) + (this.loads?.count ?? 0);
    return this.waiting.length + this.running + this.prefilling() + aside;
  }

  /** Requests in prefill: between two chunks, or with their last one on its way. */
  prefilling(): number {
    let count = this.inPrefill;
    for (const lane of this.flights) count += lane.prefilling();
    return count;
  }

  /** Layer-blocks that all lanes take for each block of tokens. */
  growthLayers(): number {
    let layers = 0;
    for (let k = 0; k < this.lanes.length; k++) layers += this.lanes[k]!.decode.growthLayers;
    return layers;
  }

  /** The lane that a request decodes in. */
  laneOf(request: number): Lane | null {
    for (let k = 0; k < this.lanes.length; k++) if (this.lanes[k]!.decode.has(request)) return this.lanes[k]!;
    return null;
  }

  /** Turns to a lane. */
  select(lane: Lane): void {
    this.lane = lane;
    this.decode = lane.decode;
    this.chunks = lane.chunks;
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
    this.giveUpKv(request, kvTokens, false);
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
    if (lane.busy) {
      this.inFlight[request]! += 1;
      lane.orphan(request, true);
    }
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

  /** A request whose prefill is under way is preempted; it holds `kvTokens`. */
  preemptPrefill(request: number, kvTokens: number): void {
    for (const lane of this.flights) {
      for (let k = 0; k < lane.chunks.length; k++) {
        if (lane.chunks.request[k] !== request) continue;
        this.inFlight[request]! += 1;
        lane.orphan(request, lane.endsPrompt(k));
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
    this.freeLayerBlocks += this.windows?.slide(request, kvTokens - 1) ?? 0;
    this.decode.join(request, kvTokens, outputTokens[request]! - producedTokens[request]!, gpuLayers, hostLayers);
    this.running += 1;
    this.joinOrder[request] = this.joins++;
    this.recorder?.joined(request);
  }

  /** Takes a request out of the decode batch. @returns the KV tokens it holds. */
  leaveDecode(request: number, lane: Lane = this.lane): number {
    const kvTokens = lane.decode.kvTokens(request);
    this.recorder?.left(request, lane);
    this.records.producedTokens[request] = this.producedTokens(request);
    this.windows?.note(request, kvTokens - 1);
    lane.decode.remove(request);
    this.running -= 1;
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
    this.lmCache?.release(request, kvTokens, returns);
    const grown = returns ? Math.min(decode.gpuBlocksForNextStep(), this.freeLayerBlocks) : 0;
    const free = (this.freeLayerBlocks - grown) / config.layers;
    const blocks = prefix?.release(request, kvTokens, returns, free) ?? this.blocksOf(kvTokens);
    this.freeLayerBlocks += blocks * config.layers - (this.windows?.forget(request) ?? 0);
  }

  /** Requests whose last token came with the current step leave. */
  finishDecoded(): void {
    for (let request = this.decode.finishedRequest(); request >= 0; request = this.decode.finishedRequest()) {
      const kvTokens = this.decode.kvTokens(request);
      this.windows?.note(request, kvTokens - 1);
      this.decode.remove(request);
      this.running -= 1;
      this.finish(request, kvTokens);
    }
  }

  /** How long the next decode step takes by itself, s; 0 when nobody decodes. */
  decodeStepS(): number {
    return this.decode.count === 0 ? 0 : this.lawStepS(this.decodeLaw(this.decode.count));
  }

  /** The same by the law of as many sequences as decode. */
  lawStepS(law: DecodeLaw): number {
    const { decode } = this;
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

  /** The step law for so many sequences. */
  decodeLaw(seqs: number): DecodeLaw {
    const known = this.laws[seqs];
    if (known !== undefined) return known;
    const law = this.config.cost.decodeLaw(seqs);
    this.laws[seqs] = law;
    return law;
  }
}
