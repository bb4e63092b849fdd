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
import { FreeQueue } from './freeQueue.ts';

const NONE = -1;

export class PrefixCache {
  /** Of the last `match`: blocks found, and how many of them are free. */
  hitBlocks = 0;
  hitFreeBlocks = 0;

  private readonly queue = new FreeQueue();
  private readonly prompts: PromptBlocks | null;
  private readonly blockSize: number;
  /** By content: the oldest copy. By copy: the next one, what it holds, and how many requests use it. */
  private readonly oldest: Int32Array;
  private younger = new Int32Array(64);
  private content = new Int32Array(64);
  private users = new Int32Array(64);
  /** By run: the request that may come back for it. */
  private owner = new Int32Array(64);
  /** By request: copies it uses, from the head of its prompt; its run in the queue, and the full blocks of that. */
  private readonly used: (Int32Array | undefined)[] = [];
  private readonly usedCount: Int32Array;
  private readonly run: Int32Array;
  private readonly runFull: Int32Array;

  /** @param prompts what prompts have in common, null for nothing. */
  constructor(poolBlocks: number, blockSizeTokens: number, requests: number, prompts: PromptBlocks | null) {
    this.prompts = prompts;
    this.blockSize = blockSizeTokens;
    this.oldest = new Int32Array(prompts?.contents ?? 0).fill(NONE);
    this.usedCount = new Int32Array(requests);
    this.run = new Int32Array(requests).fill(NONE);
    this.runFull = new Int32Array(requests);
    this.giveBackRun(poolBlocks, NONE);
  }

  /**
   * Looks for the blocks of a waiting request of `tokens` tokens in all: sets `hitBlocks` and `hitFreeBlocks`.
   * @param freeBlocks of the replica, less what running requests take in this step.
   */
  match(request: number, tokens: number, freeBlocks: number): void {
    this.forgetTaken(freeBlocks);
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
      const own = this.ownHits(request);
      hits += own;
      free += own;
    }
    this.hitBlocks = hits;
    this.hitFreeBlocks = free;
  }

  /** The request that `match` was last asked for starts with what was found. */
  admit(request: number): void {
    const shared = Math.min(this.hitBlocks, this.sharedOf(request));
    for (let block = 0; block < shared; block++) {
      const copy = this.oldest[this.prompts!.contentOf(request, block)]!;
      if (this.users[copy] === 0) this.queue.take(copy, 1);
      this.use(request, copy);
    }
    const run = this.run[request]!;
    if (run === NONE) return;
    if (this.queue.take(run, this.hitBlocks - shared)) this.queue.destroy(run);
    else this.owner[run] = NONE;
    this.run[request] = NONE;
  }

  /** The first `tokens` tokens of a request are computed with the step being scheduled: its full blocks become known. */
  fill(request: number, tokens: number): void {
    const full = Math.min(Math.floor(tokens / this.blockSize), this.sharedOf(request));
    for (let block = this.usedCount[request]!; block < full; block++) {
      const content = this.prompts!.contentOf(request, block);
      const copy = this.createPiece();
      this.content[copy] = content;
      this.younger[copy] = NONE;
      this.users[copy] = 0;
      const oldest = this.oldest[content]!;
      if (oldest === NONE) this.oldest[content] = copy;
      else this.younger[this.youngestFrom(oldest)] = copy;
      this.use(request, copy);
    }
  }

  /**
   * A request gives up its blocks, tail first. @param returns whether it will ask for them again.
   * @param freeBlocks of the replica before. @returns blocks that are free by it.
   */
  release(request: number, kvTokens: number, returns: boolean, freeBlocks: number): number {
    this.forgetTaken(freeBlocks);
    const shared = this.usedCount[request]!;
    const own = Math.ceil(kvTokens / this.blockSize) - shared;
    const ownFull = Math.floor(kvTokens / this.blockSize) - this.sharedOf(request);
    let freed = own;
    if (own > 0) this.giveBackRun(own, returns && ownFull > 0 ? request : NONE);
    this.runFull[request] = ownFull;
    const used = this.used[request];
    for (let block = shared - 1; block >= 0; block--) {
      const copy = used![block]!;
      this.users[copy]! -= 1;
      if (this.users[copy]! > 0) continue;
      this.queue.append(copy, 1);
      freed += 1;
    }
    this.used[request] = undefined;
    this.usedCount[request] = 0;
    return freed;
  }

  /** Own full blocks that a preempted request finds again: its run is eaten from the tail, where a partial block may be. */
  private ownHits(request: number): number {
    const run = this.run[request]!;
    return run === NONE ? 0 : Math.min(this.queue.sizeOf(run), this.runFull[request]!);
  }

  private sharedOf(request: number): number {
    return this.prompts === null ? 0 : this.prompts.countOf(request);
  }

  private use(request: number, copy: number): void {
    const used = this.used[request] ?? new Int32Array(this.sharedOf(request));
    this.used[request] = used;
    used[this.usedCount[request]!++] = copy;
    this.users[copy]! += 1;
  }

  private giveBackRun(blocks: number, owner: number): void {
    const { queue } = this;
    const back = queue.back();
    if (owner === NONE && back !== NONE && this.content[back] === NONE && this.owner[back] === NONE) {
      queue.extend(back, blocks);
      return;
    }
    const run = this.createPiece();
    this.content[run] = NONE;
    this.owner[run] = owner;
    if (owner !== NONE) this.run[owner] = run;
    queue.append(run, blocks);
  }

  /** Blocks that were handed out since the last look hold something else now. */
  private forgetTaken(freeBlocks: number): void {
    const { queue } = this;
    while (queue.blocks > freeBlocks) {
      const piece = queue.front();
      if (!queue.take(piece, Math.min(queue.sizeOf(piece), queue.blocks - freeBlocks))) continue;
      if (this.content[piece] !== NONE) this.forgetCopy(piece);
      else if (this.owner[piece] !== NONE) this.run[this.owner[piece]!] = NONE;
      queue.destroy(piece);
    }
  }

  private forgetCopy(copy: number): void {
    const content = this.content[copy]!;
    let older = this.oldest[content]!;
    if (older === copy) {
      this.oldest[content] = this.younger[copy]!;
      return;
    }
    while (this.younger[older] !== copy) older = this.younger[older]!;
    this.younger[older] = this.younger[copy]!;
  }

  private youngestFrom(copy: number): number {
    let youngest = copy;
    while (this.younger[youngest] !== NONE) youngest = this.younger[youngest]!;
    return youngest;
  }

  private createPiece(): number {
    const piece = this.queue.create();
    if (piece === this.content.length) {
      this.younger = doubled(this.younger);
      this.content = doubled(this.content);
      this.users = doubled(this.users);
      this.owner = doubled(this.owner);
    }
    return piece;
  }
}

function doubled(column: Int32Array): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(column.length * 2);
  copy.set(column);
  return copy;
}
