/** How long each parked request has to wait for its layers, as far as predicted lengths tell (`countReloadWait`). */
import type { LayerKv } from './layerkv.ts';
import type { Replica } from './replica.ts';

/**
 * Parked requests come back in order, each as soon as the blocks that free themselves cover it and those before it:
 * running requests end after their predicted remaining tokens at the current TPOT and give back what they hold now.
 * Behind that comes the link time of the reloads. What no predicted end covers waits for the last one.
 * @returns seconds by request, for the parked ones.
 */
export function predictReloadWaits(replica: Replica, layerkv: LayerKv): ReadonlyMap<number, number> {
  const { config, holdings, parking, predictedTokens } = layerkv;
  const { lastDecodeS } = replica;
  const releases: { readonly afterS: number; readonly layerBlocks: number }[] = [];
  for (const { decode } of replica.lanes) {
    for (let k = 0; k < decode.orderLength; k++) {
      const request = decode.order[k]!;
      if (request < 0) continue;
      const future = Math.max(1, predictedTokens[request]! - replica.producedTokens(request));
      const layerBlocks = config.layers * replica.blocksOf(decode.kvTokens(request));
      releases.push({ afterS: future * lastDecodeS, layerBlocks });
    }
  }
  releases.sort((a, b) => a.afterS - b.afterS);
  const waits = new Map<number, number>();
  let free = replica.freeLayerBlocks - layerkv.floor(0);
  let next = 0;
  let blocksS = 0;
  let linkS = 0;
  for (const request of parking.parked) {
    const kvTokens = holdings.kvTokens[request]!;
    const missing = config.layers - holdings.retained[request]!;
    free -= missing * replica.blocksOf(kvTokens);
    while (free < 0 && next < releases.length) {
      free += releases[next]!.layerBlocks;
      blocksS = releases[next]!.afterS;
      next += 1;
    }
    linkS += (missing * config.link.reloadLayerS(kvTokens)) / config.link.sideBySide;
    waits.set(request, blocksS + linkS);
  }
  return waits;
}
