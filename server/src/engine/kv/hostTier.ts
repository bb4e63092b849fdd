/**
 * Host memory behind the prefix cache: vLLM's OffloadingConnector (vllm/distributed/kv_transfer/kv_connector/v1/
 * offloading/scheduler.py and vllm/v1/kv_offload/cpu/manager.py, 0.14 and later).
 *
 * Every full block, of prompts and of outputs, is written through beside computing, so whatever is in use on the GPU is
 * also here, and takes its room here. What nobody uses any more stays until room runs short, the least recently used
 * first, a sequence's tail before its head. Blocks in use are never moved off the GPU.
 *
 * [D] A block's turn in that order comes when its last user lets go of it, and room is made then. vLLM orders by when
 * blocks were stored or last looked up. Writing out is free of charge beside its bytes: it has its own direction of the
 * link, and needs a small part of it.
 */
import { BlockQueue } from './blockQueue.ts';

const NONE = -1;

export class HostTier {
  /** Blocks written to the host so far. */
  storedBlocks = 0;

  private readonly hostBlocks: number;
  private readonly unused: BlockQueue;
  /** By content: who uses it on the GPU, and its place among the unused. */
  private readonly users: Int32Array;
  private readonly place: Int32Array;
  /** By request: own blocks that were here when it started. */
  private readonly ownAtStart: Int32Array;
  private readonly forget = (piece: number): void => {
    this.place[this.unused.contentOf(piece)] = NONE;
  };

  /** @param contents kinds of blocks that several prompts may have. */
  constructor(hostBlocks: number, requests: number, contents: number) {
    this.hostBlocks = hostBlocks;
    this.unused = new BlockQueue(requests);
    this.users = new Int32Array(contents);
    this.place = new Int32Array(contents).fill(NONE);
    this.ownAtStart = new Int32Array(requests);
  }

  has(content: number): boolean {
    return this.users[content]! > 0 || this.place[content] !== NONE;
  }

  /** Own blocks that a preempted request finds, behind those that other prompts may have too. */
  ownBlocks(request: number): number {
    return this.unused.runBlocks(request);
  }

  /** One more request uses this content on the GPU. */
  use(content: number): void {
    if (!this.has(content)) this.storedBlocks += 1;
    const place = this.place[content]!;
    if (place !== NONE) {
      this.unused.take(place);
      this.unused.destroy(place);
      this.place[content] = NONE;
    }
    this.users[content]! += 1;
  }

  /** A request starts: its own blocks are in use. */
  start(request: number): void {
    const own = this.unused.runBlocks(request);
    this.ownAtStart[request] = own;
    this.unused.takeRun(request, own);
  }

  /** A request lets go of its own full blocks; called before `drop`. @param returns whether it will ask for them again. */
  dropOwn(request: number, blocks: number, returns: boolean): void {
    this.storedBlocks += blocks - this.ownAtStart[request]!;
    this.ownAtStart[request] = 0;
    this.unused.appendRun(blocks, returns ? request : NONE);
  }

  /** One request fewer uses this content on the GPU. */
  drop(content: number): void {
    this.users[content]! -= 1;
    if (this.users[content]! > 0) return;
    const place = this.unused.create(content);
    this.place[content] = place;
    this.unused.append(place);
  }

  /** Gives up what there is no room for beside the copies of `usedBlocks` blocks in use on the GPU. */
  makeRoom(usedBlocks: number): void {
    this.unused.shrinkTo(Math.max(0, this.hostBlocks - usedBlocks), this.forget);
  }
}
