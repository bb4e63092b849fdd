/** Decode steps in which nothing changes but the lengths of contexts, summed in closed form. */
import type { Replica } from './replica.ts';
import { type DecodeRun, runS, stepsUntil } from './runOfSteps.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { startStep } from './step.ts';
import { nextTransferS } from './transfers.ts';

/**
 * Decodes until something can change: a finish, a block shortage, a full window, an arrival (`replica.untilS`) or transfer, the
 * SLO budget or the forecast of free blocks. The steps between are summed in closed form; in a pipeline the last of
 * them is left under way.
 * @param single just one step: the next boundary may differ for reasons of the scheduler's own.
 */
export function runDecode(replica: Replica, single: boolean): void {
  const { decode } = replica;
  const run = decodeRun(replica);
  const steps = steadySteps(replica, run, single);
  if (replica.config.passage === null) {
    decodeSteps(replica, run, steps);
    replica.finishDecoded();
    return;
  }
  if (steps > 1) decodeSteps(replica, run, steps - 1);
  replica.chunks.clear();
  const last = steps > 1 ? decodeRun(replica) : run;
  takeGrowth(replica, 1, last.baseS - last.ownS);
  startStep(replica, last.baseS, decode.count, decode.count);
}

function steadySteps(replica: Replica, { baseS, growthS, holdsSteps }: DecodeRun, single: boolean): number {
  // Room for one step has been made, and nothing is looked at within one.
  if (single) return 1;
  const { decode, layerkv } = replica;
  let steps = Math.min(holdsSteps, decode.stepsToFinish(), decode.stepsToFill(), decode.stepsToSlide());
  if (replica.waiting.length > 0) steps = Math.min(steps, decode.stepsToRelief());
  steps = decode.stepsForGpuBlocks(replica.freeLayerBlocks, steps);
  if (layerkv !== null) {
    steps = layerkv.steadySteps(baseS, steps);
    if (decode.streamLayers > 0) steps = decode.stepsForHostBlocks(layerkv.holdings.hostFree, steps);
  }
  const horizonS = Math.min(replica.untilS, nextTransferS(replica));
  const budgetS = horizonS - SIMULTANEOUS_S - replica.clockS;
  return runS(baseS, growthS, steps) >= budgetS ? stepsUntil(baseS, growthS, budgetS, steps) : steps;
}

function decodeSteps(replica: Replica, { baseS, growthS, ownS, ownGrowthS }: DecodeRun, steps: number): void {
  const durationS = runS(baseS, growthS, steps);
  takeGrowth(replica, steps, replica.decode.streamLayers > 0 ? durationS - runS(ownS, ownGrowthS, steps) : 0);
  replica.recorder?.span(replica.clockS, replica.clockS + durationS);
  replica.recorder?.decodes(replica.clockS + baseS, baseS, growthS, steps);
  replica.clockS += durationS;
  replica.underWay = true;
  replica.lastDecodeS = baseS + growthS * (steps - 1);
  replica.decode.advance(steps);
}

/** Durations of the coming decode steps: the longer of computing and streaming, for as long as that one is. */
function decodeRun(replica: Replica): DecodeRun {
  const { decode, layerkv } = replica;
  const law = replica.decodeLaw(decode.count);
  const ownS = replica.lawStepS(law) + (layerkv?.decodeWaitS() ?? 0);
  const ownGrowthS = law.perContextTokenS * decode.count + law.perWindowTokenS * decode.growing;
  const own = { baseS: ownS, growthS: ownGrowthS, ownS, ownGrowthS, holdsSteps: Number.POSITIVE_INFINITY };
  const stream = streamLaw(replica);
  if (stream === null) return own;
  const [longer, shorter] = stream.baseS > ownS ? [stream, own] : [own, stream];
  const gain = shorter.growthS - longer.growthS;
  const holdsSteps = gain > 0 ? Math.floor((longer.baseS - shorter.baseS) / gain) + 1 : Number.POSITIVE_INFINITY;
  return { baseS: longer.baseS, growthS: longer.growthS, ownS, ownGrowthS, holdsSteps };
}

/** Time of the next decode step on the link, for layers that stream through it, and its growth; null without such. */
export function streamLaw(replica: Replica): { readonly baseS: number; readonly growthS: number } | null {
  const { decode, layerkv } = replica;
  if (layerkv === null || decode.streamLayers === 0) return null;
  const { link } = layerkv.config;
  const baseS = link.streamS(decode.streamTokens, decode.streamLayers) + link.sharedS(replica.decodeCollectiveS());
  return { baseS, growthS: link.streamS(decode.streamLayers, 0) };
}

/** Blocks, and bytes over the link, of so many decode steps; streaming lengthened them by `exposedS`. */
export function takeGrowth(replica: Replica, steps: number, exposedS: number): void {
  const { decode, layerkv, records } = replica;
  replica.freeLayerBlocks -= decode.gpuBlocksForSteps(steps);
  if (layerkv === null || decode.streamLayers === 0) return;
  layerkv.holdings.hostFree -= decode.hostBlocksForSteps(steps);
  const { link } = layerkv.config;
  const fetched = steps * decode.streamTokens + (decode.streamLayers * steps * (steps - 1)) / 2;
  records.hostToDeviceBytes += fetched * link.bytesPerTokenLayer;
  records.deviceToHostBytes += steps * decode.streamLayers * link.bytesPerTokenLayer;
  records.transferS += link.streamS(fetched, steps * decode.streamLayers);
  records.exposedTransferS += Math.max(0, exposedS);
}
