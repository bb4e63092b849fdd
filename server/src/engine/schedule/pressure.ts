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
 * layer, and those that are predicted to end give theirs back. Where it falls below the threshold, the requests with
 * the most slack leave: with all their layers, since a request that waits for one layer needs its blocks for the others
 * no more than one that waits for all.
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

  /** Sends requests away until the forecast is above the threshold, nobody else can go, or one is left. */
  relieve(): void {
    const { replica, layerkv } = this;
    const { decode, config } = replica;
    this.holdsSteps = 1;
    if (!this.isNear()) return;
    this.look();
    while (this.forecast < layerkv.threshold && replica.runningCount() > 1) {
      const request = this.mostSlack();
      if (request === NONE) return;
      const blocks = replica.blocksOf(decode.kvTokens(request));
      if (config.layers * blocks > layerkv.holdings.hostFree) return;
      layerkv.parking.sendAway(request);
      this.forecast += config.layers * (1 + blocks);
    }
    // Growth lowers the forecast; so does a request that outlives its prediction.
    const spare = this.forecast - layerkv.threshold;
    this.holdsSteps = Math.max(1, Math.min(1 + decode.stepsForGpuBlocks(spare), this.soonestEnd));
  }

  /** Decode steps after which the forecast has to be looked at again. */
  steadySteps(): number {
    const { decode, freeLayerBlocks } = this.replica;
    if (decode.count < 2) return Number.POSITIVE_INFINITY;
    if (this.isNear()) return this.holdsSteps;
    return 1 + decode.stepsForGpuBlocks(freeLayerBlocks - this.layerkv.threshold - decode.growthLayers);
  }

  /** Whether the forecast could fall below the threshold if nobody were predicted to end. */
  private isNear(): boolean {
    const { replica } = this;
    return replica.runningCount() > 1 && replica.freeLayerBlocks - replica.growthLayers() < this.layerkv.threshold;
  }

  private look(): void {
    const { replica, layerkv } = this;
    const { config } = replica;
    let forecast = replica.freeLayerBlocks - replica.growthLayers();
    for (const request of layerkv.parking.leaving) {
      forecast += config.layers * replica.blocksOf(layerkv.holdings.kvTokens[request]!);
    }
    this.soonestEnd = Number.POSITIVE_INFINITY;
    replica.forEachRunning((request, lane) => {
      if (!this.endsSoon(request)) return;
      forecast += config.layers * replica.blocksOf(lane.decode.kvTokens(request));
      this.soonestEnd = Math.min(this.soonestEnd, layerkv.predictedTokens[request]! - replica.producedTokens(request));
    });
    this.forecast = forecast;
  }

  private endsSoon(request: number): boolean {
    const future = this.layerkv.predictedTokens[request]! - this.replica.producedTokens(request);
    return future > 0 && future <= this.replica.config.limits.blockSizeTokens;
  }

  /** The running request that can best afford to wait; the last admitted of equals (within 1 ns), and where no SLO is stated. */
  private mostSlack(): number {
    const { replica, layerkv } = this;
    const { tpotS } = layerkv.config;
    let best = NONE;
    let most = Number.NEGATIVE_INFINITY;
    replica.decode.forEach((request) => {
      if (this.endsSoon(request)) return;
      const slackS = tpotS === null ? 0 : allowanceS(replica, layerkv, request, tpotS);
      if (slackS < most - SIMULTANEOUS_S) return;
      most = Math.max(most, slackS);
      best = request;
    });
    return best;
  }
}
