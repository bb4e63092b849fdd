/**
 * Requests whose first blocks come from the host tier (vLLM: WAITING_FOR_REMOTE_KVS). They hold blocks for what they load
 * but no seat; steps go on beside them. Loads follow one another on the link; once loaded, requests are first in line.
 */
import type { LinkLaw } from '../kv/link.ts';
import type { PrefixCache } from '../kv/prefixCache.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';

export class HostLoads {
  /** Loaded, and waiting for budget, blocks and a seat, in the order of their loads. */
  readonly ready: number[] = [];
  private readonly loading: number[] = [];
  private readonly replica: Replica;
  private readonly prefix: PrefixCache;
  private readonly link: LinkLaw;
  private readonly endS: Float64Array;
  private readonly foundBlocks: Int32Array;
  private readonly heldTokens: Int32Array;
  private linkFreeS = 0;

  constructor(replica: Replica, prefix: PrefixCache, link: LinkLaw) {
    this.replica = replica;
    this.prefix = prefix;
    this.link = link;
    this.endS = new Float64Array(replica.records.count);
    this.foundBlocks = new Int32Array(replica.records.count);
    this.heldTokens = new Int32Array(replica.records.count);
  }

  get count(): number {
    return this.ready.length + this.loading.length;
  }

  /** When the next load ends, s; Infinity when none is under way. */
  nextEventS(): number {
    return this.loading.length === 0 ? Number.POSITIVE_INFINITY : this.endS[this.loading[0]!]!;
  }

  /** Tokens a loaded request starts behind. */
  tokensOf(request: number): number {
    return this.heldTokens[request]!;
  }

  /** A request starts with `found` blocks of its own pool and `loaded` ones behind them from the host. */
  begin(request: number, found: number, loaded: number): void {
    const { replica, link } = this;
    const { records, config } = replica;
    const tokens = loaded * config.limits.blockSizeTokens;
    // All layers of a block lie together on both sides and move in one copy (vLLM PR #27743).
    const movedS = link.streamS(tokens * config.layers, loaded);
    this.linkFreeS = Math.max(this.linkFreeS, replica.clockS) + movedS;
    replica.recorder?.transfer(this.linkFreeS - movedS, this.linkFreeS, 1);
    records.transferS += movedS;
    records.loadedTokens += tokens;
    records.hostToDeviceBytes += tokens * config.layers * link.bytesPerTokenLayer;
    this.endS[request] = this.linkFreeS;
    this.foundBlocks[request] = found;
    this.heldTokens[request] = (found + loaded) * config.limits.blockSizeTokens;
    this.loading.push(request);
  }

  /** Loads that have ended by now: their blocks are known on the GPU. */
  complete(): void {
    while (this.nextEventS() <= this.replica.clockS + SIMULTANEOUS_S) {
      const request = this.loading.shift()!;
      this.prefix.loaded(request, this.foundBlocks[request]!);
      this.ready.push(request);
    }
  }

  /**
   * Nothing runs and nothing is loaded: loaded requests hold each other's blocks. The last gives its own back [D: vLLM has
   * no rule for this]. @returns false when there is none.
   */
  untie(): boolean {
    const { replica } = this;
    const last = this.ready.pop();
    if (last === undefined) return false;
    replica.dropToQueue(last, this.heldTokens[last]!);
    return true;
  }
}
