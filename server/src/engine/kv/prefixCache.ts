/**
 * vLLM v1's prefix cache over one replica's pool (vllm/v1/core/kv_cache_manager.py and block_pool.py, 0.8 to 0.2x).
 *
 * - A full block stays known by its content, in use or free, until its memory is handed out again. A waiting request
 *   finds its blocks from the head up to the first that is missing, but never its last token (`num_tokens − 1`).
 * - A block is known as soon as the step that fills it is scheduled. Who computes what is known already (the last block
 *   of a prompt that is known as a whole) keeps a second copy; the oldest copy is the one that is found.
 * - Free blocks are handed out in the order in which they became free; a request gives its blocks back tail first. A hit
 *   on a block in use costs nothing, on a free one a free block.
 *
 * Blocks that no other request can ask for go through the queue as one run: only their owner, preempted, comes back for
 * them. Allocation needs no word from anybody: whatever the queue holds beyond the replica's free blocks has been taken
 * from its front, and is forgotten before the next look.
 */
import type { PromptBlocks } from '../workload/promptBlocks.ts';
import { BlockQueue, doubled } from './blockQueue.ts';
import type { HostTier } from './hostTier.ts';

const NONE = -1;

export class PrefixCache {
  /** Of the last `match`: blocks found on the GPU, how many of them are free, and blocks behind them on the host. */
  hitBlocks = 0;
  hitFreeBlocks = 0;
  hostHitBlocks = 0;

  readonly host: HostTier | null;
  private readonly free: BlockQueue;
  private readonly prompts: PromptBlocks | null;
  private readonly poolBlocks: number;
  private readonly blockSize: number;
  /** By content: the oldest copy. By copy: the next one, and how many requests use it. */
  private readonly oldest: Int32Array;
  private younger = new Int32Array(64);
  private users = new Int32Array(64);
  /** By request: copies it uses, from the head of its prompt, and the full blocks of its own run in the queue. */
  private readonly used: (Int32Array | undefined)[] = [];
  private readonly usedCount: Int32Array;
  private readonly ownFull: Int32Array;
  private readonly forget = (copy: number): void => this.forgetCopy(copy);

  /** @param prompts what prompts have in common, null for nothing. */
  constructor(
    poolBlocks: number,
    blockSizeTokens: number,
    requests: number,
    prompts: PromptBlocks | null,
    host: HostTier | null,
  ) {
    this.prompts = prompts;
    this.host = host;
    this.poolBlocks = poolBlocks;
    this.blockSize = blockSizeTokens;
    this.oldest = new Int32Array(prompts?.contents ?? 0).fill(NONE);
    this.usedCount = new Int32Array(requests);
    this.ownFull = new Int32Array(requests);
    this.free = new BlockQueue(requests);
    this.free.appendRun(poolBlocks, NONE);
  }

  /**
   * Looks for the blocks of a waiting request of `tokens` tokens in all: sets the `hit…` fields.
   * @param freeBlocks of the replica, less what running requests take in this step.
   */
  match(request: number, tokens: number, freeBlocks: number): void {
    this.free.shrinkTo(freeBlocks, this.forget);
    const most = Math.floor((tokens - 1) / this.blockSize);
    const shared = this.sharedOf(request);
    const end = Math.min(most, shared);
    let hits = 0;
    let free = 0;
    for (; hits < end; hits++) {
      const copy = this.oldest[this.prompts!.contentOf(request, hits)]!;
      if (copy === NONE) break;
      if (this.users[copy] === 0) free += 1;
    }
    if (hits === shared) {
      // Its run is eaten from the tail, where a block that was not full may be.
      const own = Math.min(this.free.runBlocks(request), this.ownFull[request]!);
      hits += own;
      free += own;
    }
    this.hitBlocks = hits;
    this.hitFreeBlocks = free;
    this.hostHitBlocks = this.host === null ? 0 : this.matchHost(this.host, request, hits, end) - hits;
  }

  /** The request that `match` was last asked for starts with what was found; blocks from the host are on their way. */
  admit(request: number): void {
    const all = this.sharedOf(request);
    const shared = Math.min(this.hitBlocks, all);
    for (let block = 0; block < shared; block++) {
      const copy = this.oldest[this.prompts!.contentOf(request, block)]!;
      if (this.users[copy] === 0) this.free.take(copy);
      this.use(request, copy);
    }
    this.free.takeRun(request, this.hitBlocks - shared);
    if (this.host === null) return;
    const loaded = Math.min(this.hitBlocks + this.hostHitBlocks, all);
    for (let block = shared; block < loaded; block++) this.use(request, this.createCopy(request, block));
    this.host.start(request);
  }

  /** Blocks from the host have come: those behind the first `from` are known from now on. */
  loaded(request: number, from: number): void {
    const used = this.used[request];
    for (let block = from; block < this.usedCount[request]!; block++) this.enlist(used![block]!);
  }

  /** The first `tokens` tokens of a request are computed with the step being scheduled: its full blocks become known. */
  fill(request: number, tokens: number): void {
    const full = Math.min(Math.floor(tokens / this.blockSize), this.sharedOf(request));
    for (let block = this.usedCount[request]!; block < full; block++) {
      const copy = this.createCopy(request, block);
      this.enlist(copy);
      this.use(request, copy);
    }
  }

  /**
   * A request gives up its blocks, tail first. @param returns whether it will ask for them again.
   * @param freeBlocks of the replica before, less what running requests have taken in this step. @returns blocks that are free by it.
   */
  release(request: number, kvTokens: number, returns: boolean, freeBlocks: number): number {
    const { free, host } = this;
    free.shrinkTo(freeBlocks, this.forget);
    const shared = this.usedCount[request]!;
    const own = Math.ceil(kvTokens / this.blockSize) - shared;
    const ownFull = Math.max(0, Math.floor(kvTokens / this.blockSize) - this.sharedOf(request));
    let freed = own;
    free.appendRun(own, returns && ownFull > 0 ? request : NONE);
    host?.dropOwn(request, ownFull, returns);
    this.ownFull[request] = ownFull;
    const used = this.used[request];
    for (let block = shared - 1; block >= 0; block--) {
      const copy = used![block]!;
      host?.drop(free.contentOf(copy));
      this.users[copy]! -= 1;
      if (this.users[copy]! > 0) continue;
      free.append(copy);
      freed += 1;
    }
    this.used[request] = undefined;
    this.usedCount[request] = 0;
    host?.makeRoom(this.poolBlocks - freeBlocks - freed);
    return freed;
  }

  /** Blocks of a waiting request that are on one of both sides, from the head on; `hits` of them are on the GPU. */
  private matchHost(host: HostTier, request: number, hits: number, end: number): number {
    const shared = this.sharedOf(request);
    let found = hits;
    while (found < end && host.has(this.prompts!.contentOf(request, found))) found += 1;
    return found < shared ? found : Math.max(found, shared + host.ownBlocks(request));
  }

  private sharedOf(request: number): number {
    return this.prompts === null ? 0 : this.prompts.countOf(request);
  }

  private use(request: number, copy: number): void {
    const used = this.used[request] ?? new Int32Array(this.sharedOf(request));
    this.used[request] = used;
    used[this.usedCount[request]!++] = copy;
    this.users[copy]! += 1;
    this.host?.use(this.free.contentOf(copy));
  }

  private createCopy(request: number, block: number): number {
    const copy = this.free.create(this.prompts!.contentOf(request, block));
    while (copy >= this.users.length) {
      this.younger = doubled(this.younger);
      this.users = doubled(this.users);
    }
    this.younger[copy] = NONE;
    this.users[copy] = 0;
    return copy;
  }

  private enlist(copy: number): void {
    const content = this.free.contentOf(copy);
    let older = this.oldest[content]!;
    if (older === NONE) {
      this.oldest[content] = copy;
      return;
    }
    while (this.younger[older] !== NONE) older = this.younger[older]!;
    this.younger[older] = copy;
  }

  private forgetCopy(copy: number): void {
    const content = this.free.contentOf(copy);
    let older = this.oldest[content]!;
    if (older === copy) {
      this.oldest[content] = this.younger[copy]!;
      return;
    }
    while (this.younger[older] !== copy) older = this.younger[older]!;
    this.younger[older] = this.younger[copy]!;
  }
}
