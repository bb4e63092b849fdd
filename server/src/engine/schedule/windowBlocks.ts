/** Blocks that the groups of windowed layers have given back, by request, while it is outside the decode batch. */
import { blocksBehind, type HybridGroups, sequenceBlocks } from '../kv/hybrid.ts';
import type { EngineLimits } from '../types.ts';

export class WindowBlocks {
  readonly groups: HybridGroups;
  private readonly limits: EngineLimits;
  private readonly behind: Int32Array;

  constructor(requests: number, groups: HybridGroups, limits: EngineLimits) {
    this.groups = groups;
    this.limits = limits;
    this.behind = new Int32Array(requests);
  }

  /** Blocks of all groups that a sequence of so many tokens has to find free. */
  sequenceBlocks(tokens: number): number {
    return sequenceBlocks(this.groups, this.limits, tokens);
  }

  /** The request is about to go on after so many tokens. @returns blocks that come free. */
  slide(request: number, computed: number): number {
    const before = this.behind[request]!;
    this.note(request, computed);
    return (this.behind[request]! - before) * this.groups.localGroups;
  }

  /** The same where the decode batch has accounted for the blocks. */
  note(request: number, computed: number): void {
    this.behind[request] = blocksBehind(this.groups, this.limits.blockSizeTokens, computed);
  }

  /** The request gives up all its KV. @returns blocks that it had given back before. */
  forget(request: number): number {
    const given = this.behind[request]! * this.groups.localGroups;
    this.behind[request] = 0;
    return given;
  }
}
