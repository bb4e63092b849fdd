/**
 * vLLM's v0 scheduler, prefill first (vllm/core/scheduler.py, v0.5.5, `_schedule_default`): while the queue's head fits
 * into free blocks above the watermark and into the token and sequence budgets it joins a prefill step, which runs
 * alone; otherwise all running requests decode. A prompt above the token budget is ignored, as vLLM ignores it.
 * With LayerKV, layers' blocks and the SLO budget take the place of the whole-prompt block test.
 */
import { addPrefill, clearBatch } from '../cost/types.ts';
import { runDecode } from './decodeRun.ts';
import type { Replica } from './replica.ts';
import { makeRoomForDecode } from './room.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { startStep } from './step.ts';
import { waitForTransfer } from './transfers.ts';

export class PrefillFirstScheduler {
  private readonly replica: Replica;
  private readonly preemptTail: () => void;

  constructor(replica: Replica) {
    this.replica = replica;
    this.preemptTail = () => replica.preemptTail();
  }

  /** Runs steps that begin before the replica's `untilS`. */
  run(): void {
    const { replica } = this;
    while (replica.clockS + SIMULTANEOUS_S < replica.untilS) {
      if (!this.step(false) && !waitForTransfer(replica)) return;
    }
  }

  /**
   * One step, or a run of decode steps. @param single just one step.
   * @returns false when nothing could be scheduled.
   */
  step(single: boolean): boolean {
    const { replica } = this;
    const { layerkv, decode, config } = replica;
    const fromS = replica.clockS;
    layerkv?.boundary(0);
    this.admit();
    if (replica.chunks.length > 0) {
      this.prefill();
      return true;
    }
    if (decode.count === 0) return false;
    const preempted = makeRoomForDecode(replica, this.preemptTail);
    // Who had to wait for a transfer looks again: in the meantime other engines have used the stages.
    if (config.passage !== null && replica.clockS > fromS) return true;
    // What was preempted may fit again after one step.
    if (decode.count > 0) runDecode(replica, preempted || single);
    return true;
  }

  private admit(): void {
    const { waiting, batch, chunks, config, layerkv, decode } = this.replica;
    const { maxNumBatchedTokens, maxNumSeqs } = config.limits;
    chunks.clear();
    if (waiting.length === 0) return;
    clearBatch(batch);
    const largest = config.poolBlocks - (layerkv === null ? config.watermarkBlocks : 0);
    const occupied = decode.count + (layerkv?.parking.reloading.length ?? 0);
    while (waiting.length > 0) {
      const request = waiting.first();
      const tokens = this.replica.prefillTokens(request);
      const blocks = this.replica.blocksOf(tokens);
      if (tokens > maxNumBatchedTokens || blocks > largest) {
        waiting.popFront();
        this.replica.refuse();
        continue;
      }
      if (batch.prefillTokens + tokens > maxNumBatchedTokens || occupied + chunks.length >= maxNumSeqs) return;
      if (layerkv !== null) {
        if (!layerkv.admit(request, tokens, 0, 0)) return;
      } else {
        if (this.replica.freeBlocks() - blocks < config.watermarkBlocks) return;
        this.replica.freeLayerBlocks -= blocks * config.layers;
      }
      waiting.popFront();
      chunks.add(request, 0, tokens, true);
      addPrefill(batch, tokens, 0, true, config.cost.windowTokens);
    }
  }

  private prefill(): void {
    const { replica } = this;
    const { chunks } = replica;
    for (let k = 0; k < chunks.length; k++) replica.markStart(chunks.request[k]!);
    const computeS = replica.config.cost.stepS(replica.batch);
    const stepS = replica.layerkv?.prefillStepS(computeS, chunks) ?? computeS;
    startStep(replica, stepS, 0, chunks.length);
  }
}
