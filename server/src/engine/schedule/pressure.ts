/**
 * LayerKV's answer to a pool that runs short: free blocks are forecast, and layers leave before decode would block,
 * instead of preempting and computing again.
 */
import type { LayerKv } from './layerkv.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { allowanceS } from './sloGate.ts';

/**
 * The forecast looks one block of growth ahead: in that many decode steps every running request takes one block per
 * layer, and those that are predicted to end give theirs back. Where it falls below the threshold, the requests with
 * the most slack leave: with all their layers, since a request that waits for one layer needs its blocks for the others
 * no more than one that waits for all.
 */
export function relievePressure(replica: Replica, layerkv: LayerKv): void {
  if (!isWatched(replica, layerkv)) return;
  const { decode, config } = replica;
  const { parking, holdings, threshold } = layerkv;
  const endsSoon = (request: number): boolean => {
    const future = layerkv.predictedTokens[request]! - replica.producedTokens(request);
    return future > 0 && future <= config.limits.blockSizeTokens;
  };
  let forecast = replica.freeLayerBlocks - decode.count * config.layers;
  for (const request of parking.leaving) forecast += config.layers * replica.blocksOf(holdings.kvTokens[request]!);
  decode.forEach((request) => {
    if (endsSoon(request)) forecast += config.layers * replica.blocksOf(decode.kvTokens(request));
  });
  while (forecast < threshold && decode.count > 1) {
    const request = mostSlack(replica, layerkv, endsSoon);
    if (request < 0) return;
    const blocks = replica.blocksOf(decode.kvTokens(request));
    if (config.layers * blocks > holdings.hostFree) return;
    parking.sendAway(request);
    forecast += config.layers * (1 + blocks);
  }
}

/** Whether the forecast could fall below the threshold if nobody were predicted to end. */
function isWatched(replica: Replica, layerkv: LayerKv): boolean {
  const { decode, freeLayerBlocks, config } = replica;
  return decode.count > 1 && freeLayerBlocks - decode.count * config.layers < layerkv.threshold;
}

/** Decode steps after which the forecast, or who may reload, has to be looked at again. */
export function stepsUnwatched(replica: Replica, layerkv: LayerKv): number {
  const { decode, freeLayerBlocks, config } = replica;
  if (layerkv.parking.stirred) return 1;
  if (decode.count < 2) return Number.POSITIVE_INFINITY;
  if (isWatched(replica, layerkv)) return 1;
  return 1 + decode.stepsForBlocks(Math.floor((freeLayerBlocks - layerkv.threshold) / config.layers) - decode.count);
}

/** The running request that can best afford to wait; the last admitted of equals (within 1 ns), and where no SLO is stated. */
function mostSlack(replica: Replica, layerkv: LayerKv, except: (request: number) => boolean): number {
  const { tpotS } = layerkv.config;
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  replica.decode.forEach((request) => {
    if (except(request)) return;
    const slackS = tpotS === null ? 0 : allowanceS(replica, layerkv, request, tpotS);
    if (slackS < most - SIMULTANEOUS_S) return;
    most = Math.max(most, slackS);
    best = request;
  });
  return best;
}
