/**
 * vLLM's v0 scheduler, prefill first (vllm/core/scheduler.py, v0.5.5, `_schedule_default`): while the queue's head fits
 * into free blocks above the watermark and into the token and sequence budgets it joins a prefill step, which runs
 * alone; otherwise all running requests decode. A prompt above the token budget is ignored, as vLLM ignores it.
 * With LayerKV, layers' blocks and the SLO budget take the place of the whole-prompt block test.
 */
import { addPrefill, type StepBatch } from '../cost/types.ts';
import type { Chunk } from './layerkv.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';

/** Runs steps that begin before `untilS`. */
export function runV0(replica: Replica, untilS: number): void {
  const admitted: Chunk[] = [];
  while (replica.clockS + SIMULTANEOUS_S < untilS) {
    replica.layerkv?.boundary();
    admitted.length = 0;
    admit(replica, admitted);
    if (admitted.length > 0) {
      prefill(replica, admitted);
    } else if (replica.decode.count > 0) {
      const preempted = replica.makeRoomForDecode(() => replica.preemptDecode(replica.decode.tail()));
      // What was preempted may fit again after one step, and the SLO budget changes with each step.
      const oneStep = preempted || (replica.layerkv?.gated ?? false);
      const horizonS = Math.min(untilS, replica.layerkv?.parking.nextEventS() ?? untilS);
      if (replica.decode.count > 0) replica.runDecode(horizonS, oneStep ? 1 : Number.POSITIVE_INFINITY);
    } else if (replica.layerkv === null || !replica.layerkv.waitForTransfer(untilS)) {
      return;
    }
  }
}

function admit(replica: Replica, admitted: Chunk[]): void {
  const { waiting, batch, config, layerkv } = replica;
  const { maxNumBatchedTokens, maxNumSeqs } = config.limits;
  clear(batch);
  const occupied = replica.decode.count + (layerkv?.parking.reloading.length ?? 0);
  while (waiting.length > 0) {
    const request = waiting.first();
    const tokens = replica.prefillTokens(request);
    const blocks = replica.blocksOf(tokens);
    if (tokens > maxNumBatchedTokens || blocks > config.poolBlocks - (layerkv === null ? config.watermarkBlocks : 0)) {
      waiting.popFront();
      replica.refuse(request);
      continue;
    }
    if (batch.prefillTokens + tokens > maxNumBatchedTokens || occupied + admitted.length >= maxNumSeqs) return;
    if (layerkv !== null) {
      if (!layerkv.admit(request, tokens)) return;
    } else {
      if (replica.freeBlocks() - blocks < config.watermarkBlocks) return;
      replica.freeLayerBlocks -= blocks * config.layers;
    }
    waiting.popFront();
    admitted.push({ request, cached: 0, tokens });
    addPrefill(batch, tokens, 0, true, config.cost.windowTokens);
  }
}

function prefill(replica: Replica, admitted: readonly Chunk[]): void {
  for (const { request } of admitted) replica.markStart(request);
  const computeS = replica.config.cost.stepS(replica.batch);
  replica.clockS += replica.layerkv?.prefillStepS(computeS, admitted) ?? computeS;
  for (const { request, tokens } of admitted) replica.completePrefill(request, tokens);
}

/** Empties the reused batch. */
export function clear(batch: StepBatch): void {
  batch.decodeSeqs = 0;
  batch.decodeContextTokens = 0;
  batch.decodeWindowTokens = 0;
  batch.prefillSeqs = 0;
  batch.prefillTokens = 0;
  batch.prefillPairs = 0;
  batch.prefillWindowPairs = 0;
  batch.prefillContextTokens = 0;
  batch.sampledSeqs = 0;
}
