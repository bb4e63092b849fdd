/** A step of one lane: it starts, it may be under way beside others, and its tokens come in. */
import type { Lane } from './lane.ts';
import type { Replica } from './replica.ts';

/** The step put together in this lane, blocks taken, begins; in an empty pipeline it takes `stepS`. */
export function startStep(replica: Replica, stepS: number, decodeSeqs: number, sampledSeqs: number): void {
  const { lane, config, layerkv } = replica;
  lane.decodes = decodeSeqs > 0;
  if (config.passage === null) {
    settle(replica, replica.clockS + stepS, stepS);
    return;
  }
  lane.startS = replica.clockS;
  lane.endS = config.passage.enter(replica.clockS, stepS, decodeSeqs + lane.chunks.length, sampledSeqs);
  lane.busy = true;
  layerkv?.rememberRound(lane);
  replica.flights.push(lane);
}

/** Waits for the result of the oldest step under way. */
export function land(replica: Replica): void {
  const lane = replica.flights.shift()!;
  const endS = Math.max(replica.clockS, lane.endS);
  replica.select(lane);
  lane.busy = false;
  settle(replica, endS, endS - lane.startS);
  if (lane.orphans.length + lane.tokenless.length > 0) landOrphans(replica, lane);
}

function landOrphans(replica: Replica, lane: Lane): void {
  for (const request of lane.orphans) completeOrphan(replica, request);
  for (const request of lane.tokenless) replica.inFlight[request]! -= 1;
  lane.orphans.length = 0;
  lane.tokenless.length = 0;
}

/** This lane's step has ended: its tokens are there. */
function settle(replica: Replica, endS: number, durationS: number): void {
  const { lane, decode, chunks } = replica;
  replica.underWay = true;
  replica.recorder?.span(replica.clockS, endS);
  if (lane.decodes) replica.recorder?.decodes(endS, durationS, 0, 1);
  replica.clockS = endS;
  if (lane.decodes) {
    replica.lastDecodeS = durationS;
    decode.advance(1);
    replica.finishDecoded();
  }
  for (let k = 0; k < chunks.length; k++) {
    if (lane.endsPrompt(k)) replica.completePrefill(chunks.request[k]!, chunks.cached[k]! + chunks.tokens[k]!);
  }
}

/**
 * The token of a request that was preempted while its step was under way counts
 * (vllm/v1/core/sched/scheduler.py, `update_from_output`: stopped_preempted_reqs).
 */
function completeOrphan(replica: Replica, request: number): void {
  const { records } = replica;
  replica.inFlight[request]! -= 1;
  records.producedTokens[request]! += 1;
  replica.recorder?.prefilled(request);
  replica.recorder?.parked(request);
  if (Number.isNaN(records.firstTokenS[request]!)) records.firstTokenS[request] = replica.clockS;
  if (records.producedTokens[request]! < records.outputTokens[request]!) return;
  replica.waiting.remove(request);
  replica.finish(request, 0);
}
