/**
 * vLLM's v1 scheduler, chunked (vllm/v1/core/sched/scheduler.py, v0.8 to main, `schedule`): one token budget a step.
 * Running requests come first, in order, each taking what it needs of the budget; then waiting ones while budget,
 * blocks and sequences last, unless somebody was preempted in this step. Growth preempts from the tail; a preempted
 * request starts over from the front of the queue. Admission never preempts; from 0.20 on it asks for room for the whole
 * sequence, though it takes only the first chunk's blocks and reserves nothing (PR #37307). With prefix
 * caching a waiting request starts behind the blocks it finds (`kv/prefixCache.ts`), on the GPU or through LMCache.
 *
 * Only the request admitted last can be half-prefilled: earlier ones got all they asked for, or it would not have been
 * admitted. So the running list is the decode batch and at most one partial prefill behind it.
 *
 * With asynchronous scheduling the next step is put together while one runs (vllm/v1/engine/core.py, `step_with_batch_queue`
 * with two batches): who comes meanwhile is in neither. What a step frees counts at once here, though vLLM knows it only
 * for the step after the next.
 *
 * In a pipeline as many batches as stages are under way (vllm/v1/engine/core.py, `step_with_batch_queue`): filling the
 * pipeline comes before results; when nothing more can be scheduled, the engine waits for the oldest batch and sees
 * nothing else meanwhile, not even arrivals. A request under way is not scheduled again, but for further chunks of its
 * prompt. So the batches take turns, each with the decodes that its own last step left (`Lane`); pool and queue are one.
 */
import { addPrefill, clearBatch } from '../cost/types.ts';
import { runDecode, streamLaw, takeGrowth } from './decodeRun.ts';
import type { HostLoads } from './hostLoads.ts';
import type { Lane } from './lane.ts';
import type { Replica } from './replica.ts';
import { makeRoomForDecode } from './room.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { land, startStep } from './step.ts';
import { nextTransferS, untie, waitForTransfer } from './transfers.ts';

const NONE = -1;

export class ChunkedScheduler {
  private readonly replica: Replica;
  /** The half-prefilled request at the tail, or NONE. */
  private partial = NONE;
  private doneTokens = 0;
  private totalTokens = 0;
  /** The partial prefill found no room for its layers in flight: nobody queues past it. */
  private stalled = false;
  /** Who could not be admitted may fit after one step, though nothing comes free. */
  private restless = false;
  private readonly preemptTail: () => void;

  constructor(replica: Replica) {
    this.replica = replica;
    this.preemptTail = () => {
      if (this.partial !== NONE) this.dropPartial();
      else if (!this.dropPrefilled()) replica.preemptTail();
    };
  }

  /** Runs steps that begin before the replica's `untilS`. */
  run(): void {
    const { replica } = this;
    const { flights, lanes } = replica;
    while (replica.clockS + SIMULTANEOUS_S < replica.untilS) {
      if (flights.length === lanes.length || !this.step()) {
        if (flights.length > 0) land(replica);
        else if (!waitForTransfer(replica) && !this.dropHalfDone()) return;
      }
    }
  }

  /**
   * Puts a batch together and starts it, or runs it on while nothing changes. @param single just one step.
   * @returns false when nothing could be scheduled.
   */
  private step(single = false): boolean {
    const { replica } = this;
    const { layerkv, loads, flights } = replica;
    if (replica.lanes.length > 1) replica.select(this.nextLane());
    const { chunks, decode } = replica;
    layerkv?.boundary(this.tokensInPrefill());
    loads?.complete();
    if (this.partial !== NONE) replica.freeLayerBlocks += replica.windows?.slide(this.partial, this.doneTokens) ?? 0;
    chunks.clear();
    this.stalled = false;
    this.restless = false;
    const preempted = this.scheduleRunning();
    if (!preempted && !this.stalled && (loads === null || this.scheduleLoaded(loads))) this.scheduleWaiting();
    const unseen = replica.unseen > 0;
    if (chunks.length > 0) this.mixedStep();
    else if (decode.count > 0)
      runDecode(replica, single || preempted || this.stalled || this.restless || unseen || !this.isAlone());
    else {
      // No step had been put together: whoever has come is seen at once.
      replica.underWay = false;
      replica.unseen = 0;
      return unseen || (preempted && flights.length === 0);
    }
    replica.unseen = 0;
    return true;
  }

  /** The batch whose result is just in, or else one that has nothing yet. */
  private nextLane(): Lane {
    const { lanes } = this.replica;
    return lanes.find((lane) => !lane.busy && lane.decode.count > 0) ?? lanes.find((lane) => !lane.busy)!;
  }

  /** Whether this batch goes through the pipeline by itself until something changes. */
  private isAlone(): boolean {
    const { replica } = this;
    const { passage } = replica.config;
    if (passage === null) return true;
    return (
      replica.flights.length === 0 &&
      replica.waiting.length === 0 &&
      this.partial === NONE &&
      replica.running === replica.decode.count &&
      passage.isEmpty(replica.clockS)
    );
  }

  /** Prompt tokens of prefills that have begun and are not done. */
  private tokensInPrefill(): number {
    let tokens = this.partial === NONE ? 0 : this.totalTokens - this.doneTokens;
    for (const lane of this.replica.flights) tokens += lane.tokensInFlight();
    return tokens;
  }

  /** Blocks for the decode batch's growth, preempting from the tail, and the partial prefill's next chunk. */
  private scheduleRunning(): boolean {
    const { replica } = this;
    const { decode, layerkv, config } = replica;
    const preempted = makeRoomForDecode(replica, this.preemptTail);
    if (this.partial === NONE) return preempted;
    const budget = config.limits.maxNumBatchedTokens - decode.count;
    const tokens = Math.min(this.totalTokens - this.doneTokens, budget);
    if (tokens <= 0) return preempted;
    if (layerkv !== null) {
      this.stalled = !layerkv.chunkFits(this.partial, this.doneTokens + tokens, this.decodeGrowth());
      if (!this.stalled) this.take(this.partial, this.doneTokens, tokens, this.totalTokens);
      return preempted;
    }
    const blocks = replica.blocksOf(this.doneTokens + tokens) - replica.blocksOf(this.doneTokens);
    if (blocks * config.layers > replica.freeLayerBlocks - this.decodeGrowth()) {
      this.dropPartial();
      return true;
    }
    replica.freeLayerBlocks -= blocks * config.layers;
    this.take(this.partial, this.doneTokens, tokens, this.totalTokens);
    return preempted;
  }

  /** Requests whose blocks have come from the host are first in line. @returns false when one finds no room. */
  private scheduleLoaded(loads: HostLoads): boolean {
    const { replica } = this;
    while (loads.ready.length > 0 && this.tokensLeft() > 0 && this.seatsLeft() > 0) {
      const request = loads.ready[0]!;
      const total = replica.prefillTokens(request);
      const held = loads.tokensOf(request);
      const tokens = Math.min(total - held, this.tokensLeft());
      if (!this.takeBlocks(replica.blocksOf(held), held + tokens, total)) return false;
      loads.ready.shift();
      this.take(request, held, tokens, total);
    }
    return true;
  }

  private scheduleWaiting(): void {
    const { replica } = this;
    const { waiting, config, layerkv, prefix, loads, lmCache, records } = replica;
    while (waiting.length > replica.unseen && this.tokensLeft() > 0 && this.seatsLeft() > 0) {
      const request = waiting.first();
      if (replica.inFlight[request]! > 0) return;
      const total = replica.prefillTokens(request);
      if (this.sequenceBlocks(total) > replica.poolLayerBlocks) {
        waiting.popFront();
        replica.refuse();
        continue;
      }
      prefix?.match(request, total, (replica.freeLayerBlocks - this.decodeGrowth()) / config.layers);
      const onGpu = (prefix?.hitBlocks ?? 0) * config.limits.blockSizeTokens;
      lmCache?.lookUp(request, total, onGpu);
      const cached = onGpu + (lmCache?.loadTokens ?? 0);
      const loaded = (prefix?.hostHitBlocks ?? 0) * config.limits.blockSizeTokens;
      const tokens = loaded > 0 ? loaded : Math.min(total - cached, this.tokensLeft());
      if (layerkv !== null) {
        if (!layerkv.admit(request, total, this.decodeGrowth(), replica.decode.hostBlocksForNextStep())) return;
      } else {
        // Blocks that are found in use cost nothing; free ones are taken out of the free blocks.
        const inUse = prefix === null ? 0 : prefix.hitBlocks - prefix.hitFreeBlocks;
        if (!this.takeBlocks(inUse, cached + tokens, total)) {
          // Once free blocks it has found are handed out, it loads them, and asks for less at once than to compute.
          this.restless = loads !== null && prefix !== null && prefix.hitFreeBlocks > 0;
          return;
        }
        prefix?.admit(request);
        lmCache?.admit(request);
      }
      waiting.popFront();
      replica.markStart(request);
      records.admittedTokens += total;
      records.cachedTokens += onGpu;
      if (loaded > 0) loads?.begin(request, prefix!.hitBlocks, prefix!.hostHitBlocks);
      else this.take(request, cached, tokens, total);
    }
  }

  /** Takes blocks for a sequence's first `tokens` tokens, `held` of them free of charge, if what has to fit does. */
  private takeBlocks(held: number, tokens: number, total: number): boolean {
    const { replica } = this;
    const { limits, layers } = replica.config;
    const blocks = replica.blocksOf(tokens) - held;
    const fitting = limits.reserveFullSequence === true ? this.sequenceBlocks(total) - held * layers : blocks * layers;
    if (fitting > replica.freeLayerBlocks - this.decodeGrowth()) return false;
    replica.freeLayerBlocks -= blocks * layers;
    return true;
  }

  /** Layer-blocks of a whole sequence, as admission reckons with it. */
  private sequenceBlocks(tokens: number): number {
    const { replica } = this;
    return replica.windows?.sequenceBlocks(tokens) ?? replica.blocksOf(tokens) * replica.config.layers;
  }

  /** Token budget that the step has left. */
  private tokensLeft(): number {
    const { config, decode, chunks, batch } = this.replica;
    return config.limits.maxNumBatchedTokens - decode.count - (chunks.length > 0 ? batch.prefillTokens : 0);
  }

  /** Sequences that may still join the step. */
  private seatsLeft(): number {
    const { replica } = this;
    const { config, chunks, layerkv, flights } = replica;
    let running = replica.running + chunks.length + (layerkv?.parking.reloading.length ?? 0);
    for (const lane of flights) running += lane.prefilling();
    return config.limits.maxNumSeqs - running;
  }

  /** Layer-blocks that the step's decodes take before anybody else. */
  private decodeGrowth(): number {
    return this.replica.decode.gpuBlocksForNextStep();
  }

  private take(request: number, cached: number, tokens: number, total: number): void {
    const { batch, chunks, config } = this.replica;
    const last = cached + tokens === total;
    if (chunks.length === 0) clearBatch(batch);
    addPrefill(batch, tokens, cached, last, config.cost.windowTokens);
    chunks.add(request, cached, tokens, last);
    this.replica.prefix?.fill(request, cached + tokens);
    this.replica.lmCache?.schedule(request, tokens, cached + tokens);
    this.partial = last ? NONE : request;
    this.doneTokens = cached + tokens;
    this.totalTokens = total;
    this.replica.inPrefill = last ? 0 : 1;
  }

  /** One step of prompt chunks beside one token for each decoding request. */
  private mixedStep(): void {
    const { replica } = this;
    const { decode, batch, chunks, config } = replica;
    batch.decodeSeqs = decode.count;
    batch.decodeContextTokens = decode.contextTokens;
    batch.decodeWindowTokens = decode.windowTokens;
    batch.sampledSeqs += decode.count;
    const computeS = config.cost.stepS(batch);
    const alongS = replica.layerkv?.prefillStepS(computeS, chunks) ?? computeS;
    const stepS = Math.max(alongS, streamLaw(replica)?.baseS ?? 0);
    takeGrowth(replica, 1, stepS - alongS);
    startStep(replica, replica.lmCache?.stepS(stepS) ?? stepS, decode.count, batch.sampledSeqs);
  }

  private dropPartial(): void {
    const request = this.partial;
    this.partial = NONE;
    this.replica.inPrefill = 0;
    // LayerKV took the whole prompt's retained layers at admission; plain vLLM holds the chunks done so far.
    this.replica.preemptPrefill(request, this.replica.layerkv === null ? this.doneTokens : this.totalTokens);
  }

  /** Preempts the request admitted last whose prompt is done but for the step under way. @returns false without such. */
  private dropPrefilled(): boolean {
    const { replica } = this;
    for (let flight = replica.flights.length - 1; flight >= 0; flight--) {
      const { request } = replica.flights[flight]!.chunks;
      for (let k = replica.flights[flight]!.chunks.length - 1; k >= 0; k--) {
        if (request[k]! < 0) continue;
        replica.preemptPrefill(request[k]!, replica.prefillTokens(request[k]!));
        return true;
      }
    }
    return false;
  }

  /** Nothing is scheduled, decodes or moves: a half-done prefill holds up others, or itself. @returns false without one. */
  private dropHalfDone(): boolean {
    if (this.partial === NONE) return false;
    this.dropPartial();
    return true;
  }

  /**
   * One batch, for ranks that step together: put together now, under way until they all end. @param single just one step.
   * @returns false when nothing could be scheduled.
   */
  launch(single: boolean): boolean {
    const { replica } = this;
    while (replica.flights.length === 0) {
      if (this.step(single)) continue;
      if (nextTransferS(replica) < Number.POSITIVE_INFINITY) return false;
      if (!untie(replica) && !this.dropHalfDone()) return false;
    }
    return true;
  }
}
