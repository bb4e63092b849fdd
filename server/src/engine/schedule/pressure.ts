/**
 * LayerKV's answer to a pool that runs short: free blocks are forecast, and layers leave before decode would block,
 * instead of preempting and computing again.
 */
import type { LayerKv } from './layerkv.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { allowanceS } from './sloGate.ts';

const NONE = -1;

/**
 * The forecast looks one block of growth ahead: in that many decode steps every running request takes one block per
 * layer, and those that are predicted to end give theirs back. Where it falls below the threshold, layers of the parked
 * leave first: they wait anyway. Then the running requests with the most slack: with all their layers, since a request
 * that waits for one layer needs its blocks for the others no more than one that waits for all.
 */
export class PressureWatch {
  private readonly replica: Replica;
  private readonly layerkv: LayerKv;
  /** Decode steps for which the last look holds. */
  private holdsSteps = 1;
  private forecast = 0;
  private soonestEnd = 0;

  constructor(replica: Replica, layerkv: LayerKv) {
    this.replica = replica;
    this.layerkv = layerkv;
  }

  /** Sends layers away until the forecast is above the threshold, nobody else can go, or one request runs alone. */
  relieve(): void {
    const { replica, layerkv } = this;
    const { decode, config } = replica;
    this.holdsSteps = 1;
    if (!this.isNear()) return;
    this.look();
    while (this.forecast < layerkv.threshold) {
      const freed = layerkv.parking.emptyLast(0);
      this.forecast += freed;
      if (freed > 0) continue;
      if (replica.running === 1) return;
      const request = this.mostSlack();
      if (request === NONE) return;
      const blocks = replica.blocksOf(decode.kvTokens(request));
      if (config.layers * blocks > layerkv.holdings.hostFree) return;
      layerkv.parking.sendAway(request);
      this.forecast += config.layers * (1 + blocks);
    }
    // Growth lowers the forecast; so does a request that outlives its prediction.
    const spare = this.forecast - layerkv.threshold;
    this.holdsSteps = Math.max(1, 1 + decode.stepsForGpuBlocks(spare, this.soonestEnd - 1));
  }

  /** Decode steps, at most `most`, after which the forecast has to be looked at again. */
  steadySteps(most: number): number {
    const { decode, freeLayerBlocks } = this.replica;
    if (decode.count === 0) return most;
    if (this.isNear()) return Math.min(most, this.holdsSteps);
    return 1 + decode.stepsForGpuBlocks(freeLayerBlocks - this.layerkv.threshold - decode.growthLayers, most - 1);
  }

  /** Whether the forecast could fall below the threshold if nobody were predicted to end. */
  private isNear(): boolean {
    const { replica } = this;
    return replica.running > 0 && replica.freeLayerBlocks - replica.growthLayers() < this.layerkv.threshold;
  }

  private look(): void {
    const { replica, layerkv } = this;
    const { config } = replica;
    const { retained, kvTokens } = layerkv.holdings;
    let forecast = replica.freeLayerBlocks - replica.growthLayers();
    for (const request of layerkv.parking.leaving) {
      forecast += retained[request]! * replica.blocksOf(kvTokens[request]!);
    }
    this.soonestEnd = Number.POSITIVE_INFINITY;
    const { producedTokens } = replica.records;
    const { predictedTokens } = layerkv;
    const soon = config.limits.blockSizeTokens;
    for (let lane = 0; lane < replica.lanes.length; lane++) {
      const { decode } = replica.lanes[lane]!;
      const { order, orderLength, joinStep, stepsDone } = decode;
      for (let k = 0; k < orderLength; k++) {
        const request = order[k]!;
        if (request < 0) continue;
        const future = predictedTokens[request]! - (producedTokens[request]! + stepsDone - joinStep[request]!);
        if (!endsSoon(future, soon)) continue;
        forecast += config.layers * replica.blocksOf(decode.kvTokens(request));
        if (future < this.soonestEnd) this.soonestEnd = future;
      }
    }
    this.forecast = forecast;
  }

  /** The running request that can best afford to wait; the last admitted of equals (within 1 ns), and where no SLO is stated. */
  private mostSlack(): number {
    const { replica, layerkv } = this;
    const { tpotS } = layerkv.config;
    const { predictedTokens } = layerkv;
    const { clockS, lastDecodeS } = replica;
    const { producedTokens, firstTokenS } = replica.records;
    const { order, orderLength, joinStep, stepsDone } = replica.decode;
    const soon = replica.config.limits.blockSizeTokens;
    let best = NONE;
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < orderLength; k++) {
      const request = order[k]!;
      if (request < 0) continue;
      const past = producedTokens[request]! + stepsDone - joinStep[request]!;
      if (endsSoon(predictedTokens[request]! - past, soon)) continue;
      const sinceFirstS = clockS - firstTokenS[request]!;
      const slackS = tpotS === null ? 0 : allowanceS(tpotS, past, predictedTokens[request]!, sinceFirstS, lastDecodeS);
      if (slackS < most - SIMULTANEOUS_S) continue;
      if (slackS > most) most = slackS;
      best = request;
    }
    return best;
  }
}

/** Whether a request with so many tokens to come is predicted to end within `soon` tokens; one that outlived it is not. */
function endsSoon(futureTokens: number, soon: number): boolean {
  return futureTokens > 0 && futureTokens <= soon;
}
