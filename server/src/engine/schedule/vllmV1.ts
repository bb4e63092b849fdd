/**
 * vLLM's v1 scheduler, chunked (vllm/v1/core/sched/scheduler.py, v0.8 to main, `schedule`): one token budget a step.
 * Running requests come first, in order, each taking what it needs of the budget; then waiting ones while budget,
 * blocks and sequences last, unless somebody was preempted in this step. Growth preempts from the tail; a preempted
 * request starts over from the front of the queue. Admission never preempts.
 *
 * Only the request admitted last can be half-prefilled: earlier ones got all they asked for, or it would not have been
 * admitted. So the running list is the decode batch and at most one partial prefill behind it.
 */
import { addPrefill } from '../cost/types.ts';
import type { Chunk } from './layerkv.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { clear } from './vllmV0.ts';

/** The half-prefilled request at the tail, if any. */
export interface PartialPrefill {
  request: number;
  doneTokens: number;
  totalTokens: number;
}

export class ChunkedScheduler {
  private readonly replica: Replica;
  private partial: PartialPrefill | null = null;
  private readonly chunks: Chunk[] = [];
  private stalled = false;

  constructor(replica: Replica) {
    this.replica = replica;
  }

  /** Runs steps that begin before `untilS`. */
  run(untilS: number): void {
    const { replica } = this;
    while (replica.clockS + SIMULTANEOUS_S < untilS) {
      const inFlight = this.partial === null ? 0 : this.partial.totalTokens - this.partial.doneTokens;
      replica.layerkv?.boundary(inFlight);
      this.chunks.length = 0;
      this.stalled = false;
      clear(replica.batch);
      const preempted = this.scheduleRunning();
      if (!preempted && !this.stalled) this.scheduleWaiting();
      if (this.chunks.length > 0) {
        this.mixedStep();
      } else if (replica.decode.count > 0) {
        const oneStep = preempted || this.stalled || (replica.layerkv?.gated ?? false);
        const horizonS = Math.min(untilS, replica.layerkv?.parking.nextEventS() ?? untilS);
        replica.runDecode(horizonS, oneStep ? 1 : Number.POSITIVE_INFINITY);
      } else if (!preempted && !this.wait(untilS)) {
        return;
      }
    }
  }

  /** Blocks for the decode batch's growth, preempting from the tail, and the partial prefill's next chunk. */
  private scheduleRunning(): boolean {
    const { replica } = this;
    const { decode } = replica;
    const preempted = replica.makeRoomForDecode(() => {
      if (this.partial !== null) this.dropPartial();
      else replica.preemptDecode(decode.tail());
    });
    const partial = this.partial;
    if (partial === null) return preempted;
    const budget = replica.config.limits.maxNumBatchedTokens - decode.count;
    const tokens = Math.min(partial.totalTokens - partial.doneTokens, budget);
    if (tokens <= 0) return preempted;
    if (replica.layerkv !== null) {
      this.stalled = !this.withDecodeGrowth(() =>
        replica.layerkv!.chunkFits(partial.request, partial.doneTokens + tokens),
      );
      if (!this.stalled) this.take(partial.request, partial.doneTokens, tokens, partial.totalTokens);
      return preempted;
    }
    const blocks = replica.blocksOf(partial.doneTokens + tokens) - replica.blocksOf(partial.doneTokens);
    if (blocks > replica.freeBlocks() - decode.blocksForNextStep()) {
      this.dropPartial();
      return true;
    }
    replica.freeLayerBlocks -= blocks * replica.config.layers;
    this.take(partial.request, partial.doneTokens, tokens, partial.totalTokens);
    return preempted;
  }

  private scheduleWaiting(): void {
    const { replica } = this;
    const { waiting, decode, config, layerkv } = replica;
    const { maxNumBatchedTokens, maxNumSeqs } = config.limits;
    let budget = maxNumBatchedTokens - decode.count - replica.batch.prefillTokens;
    let running = decode.count + this.chunks.length + (layerkv?.parking.reloading.length ?? 0);
    while (waiting.length > 0 && budget > 0 && running < maxNumSeqs) {
      const request = waiting.first();
      const total = replica.prefillTokens(request);
      if (replica.blocksOf(total) > config.poolBlocks) {
        waiting.popFront();
        replica.refuse(request);
        continue;
      }
      const tokens = Math.min(total, budget);
      if (layerkv !== null) {
        if (!this.withDecodeGrowth(() => layerkv.admit(request, total))) return;
      } else {
        const blocks = replica.blocksOf(tokens);
        if (blocks > replica.freeBlocks() - decode.blocksForNextStep()) return;
        replica.freeLayerBlocks -= blocks * config.layers;
      }
      waiting.popFront();
      replica.markStart(request);
      this.take(request, 0, tokens, total);
      budget -= tokens;
      running += 1;
    }
  }

  /** The step's decodes get their blocks before anybody else: sets those aside while `attempt` looks at what is free. */
  private withDecodeGrowth(attempt: () => boolean): boolean {
    const { replica } = this;
    const growth = replica.decode.blocksForNextStep() * replica.config.layers;
    replica.freeLayerBlocks -= growth;
    const granted = attempt();
    replica.freeLayerBlocks += growth;
    return granted;
  }

  private take(request: number, cached: number, tokens: number, total: number): void {
    const last = cached + tokens === total;
    addPrefill(this.replica.batch, tokens, cached, last, this.replica.config.cost.windowTokens);
    this.chunks.push({ request, cached, tokens });
    this.partial = last ? null : { request, doneTokens: cached + tokens, totalTokens: total };
    this.replica.inPrefill = last ? 0 : 1;
  }

  /** One step of prompt chunks beside one token for each decoding request. */
  private mixedStep(): void {
    const { replica } = this;
    const { decode, batch, config } = replica;
    batch.decodeSeqs = decode.count;
    batch.decodeContextTokens = decode.contextTokens;
    batch.decodeWindowTokens = decode.windowTokens;
    batch.sampledSeqs += decode.count;
    const computeS = config.cost.stepS(batch);
    const stepS = replica.layerkv?.prefillStepS(computeS, this.chunks) ?? computeS;
    replica.freeLayerBlocks -= decode.blocksForNextStep() * config.layers;
    replica.clockS += stepS;
    if (decode.count > 0) {
      replica.lastDecodeS = stepS;
      decode.advance(1);
      replica.finishDecoded();
    }
    for (const { request, cached, tokens } of this.chunks) {
      if (this.partial?.request !== request) replica.completePrefill(request, cached + tokens);
    }
  }

  private dropPartial(): void {
    const partial = this.partial!;
    this.partial = null;
    this.replica.inPrefill = 0;
    // LayerKV took the whole prompt's retained layers at admission; plain vLLM holds the chunks done so far.
    const held = this.replica.layerkv === null ? partial.doneTokens : partial.totalTokens;
    this.replica.dropToQueue(partial.request, held);
  }

  /** Nothing is scheduled and nothing decodes: wait for transfers, or break a knot by dropping the partial prefill. */
  private wait(untilS: number): boolean {
    if (this.replica.layerkv?.waitForTransfer(untilS) === true) return true;
    if (this.partial === null) return false;
    this.dropPartial();
    return true;
  }
}
