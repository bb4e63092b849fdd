/**
 * Blocks that nobody uses, in the order in which they will be given up: vLLM's queue of free blocks (vllm/v1/core/
 * kv_cache_utils.py, FreeKVCacheBlockQueue) and the host tier's LRU list. Blocks come in at the end and are given up at
 * the front; one that is used again leaves from wherever it is.
 *
 * Only what blocks hold matters, not where they lie. So the queue is a list of pieces: a single block that others may
 * ask for, or a run of blocks that only one request, or nobody, will ask for.
 */
const NONE = -1;

export class BlockQueue {
  /** Blocks in the queue. */
  blocks = 0;
  private size = new Int32Array(64);
  private before = new Int32Array(64);
  private after = new Int32Array(64);
  /** What a single block holds; NONE for runs. */
  private content = new Int32Array(64);
  /** Who may ask for a run again. */
  private owner = new Int32Array(64);
  private pieces = 0;
  private readonly spare: number[] = [];
  private first = NONE;
  private last = NONE;
  /** By request: its run in the queue. */
  private readonly run: Int32Array;

  constructor(requests: number) {
    this.run = new Int32Array(requests).fill(NONE);
  }

  /** A piece of one block, not in the queue yet. Numbers are small and used again after `destroy`. */
  create(content: number): number {
    const piece = this.spare.pop() ?? this.pieces++;
    if (piece === this.size.length) this.grow();
    this.content[piece] = content;
    return piece;
  }

  /** Forgets a piece that is not in the queue. */
  destroy(piece: number): void {
    this.spare.push(piece);
  }

  contentOf(piece: number): number {
    return this.content[piece]!;
  }

  append(piece: number): void {
    this.link(piece, 1);
  }

  /** A single block leaves the queue. */
  take(piece: number): void {
    this.shorten(piece, 1);
  }

  /** @param owner who may come back for these blocks; −1: nobody. */
  appendRun(blocks: number, owner: number): void {
    if (blocks <= 0) return;
    const { last } = this;
    if (owner === NONE && last !== NONE && this.content[last] === NONE && this.owner[last] === NONE) {
      this.size[last]! += blocks;
      this.blocks += blocks;
      return;
    }
    const run = this.create(NONE);
    this.owner[run] = owner;
    if (owner !== NONE) this.run[owner] = run;
    this.link(run, blocks);
  }

  /** Blocks left of the run that this request may come back for. */
  runBlocks(request: number): number {
    const run = this.run[request]!;
    return run === NONE ? 0 : this.size[run]!;
  }

  /** The request takes `blocks` of its run; nobody will ask for the others. */
  takeRun(request: number, blocks: number): void {
    const run = this.run[request]!;
    if (run === NONE) return;
    this.run[request] = NONE;
    if (this.shorten(run, blocks)) this.destroy(run);
    else this.owner[run] = NONE;
  }

  /** Gives up blocks at the front until no more than `blocks` are left. @param forget called for each single block. */
  shrinkTo(blocks: number, forget: (piece: number) => void): void {
    while (this.blocks > blocks && this.first !== NONE) {
      const piece = this.first;
      if (!this.shorten(piece, Math.min(this.size[piece]!, this.blocks - blocks))) continue;
      if (this.content[piece] !== NONE) forget(piece);
      else if (this.owner[piece] !== NONE) this.run[this.owner[piece]!] = NONE;
      this.destroy(piece);
    }
  }

  private link(piece: number, blocks: number): void {
    this.size[piece] = blocks;
    this.blocks += blocks;
    this.before[piece] = this.last;
    this.after[piece] = NONE;
    if (this.last === NONE) this.first = piece;
    else this.after[this.last] = piece;
    this.last = piece;
  }

  /** @returns whether these were the piece's last blocks: it has left the queue. */
  private shorten(piece: number, blocks: number): boolean {
    this.size[piece]! -= blocks;
    this.blocks -= blocks;
    if (this.size[piece]! > 0) return false;
    const before = this.before[piece]!;
    const after = this.after[piece]!;
    if (before === NONE) this.first = after;
    else this.after[before] = after;
    if (after === NONE) this.last = before;
    else this.before[after] = before;
    return true;
  }

  private grow(): void {
    this.size = doubled(this.size);
    this.before = doubled(this.before);
    this.after = doubled(this.after);
    this.content = doubled(this.content);
    this.owner = doubled(this.owner);
  }
}

/** The same column with room for twice as much. */
export function doubled(column: Int32Array): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(column.length * 2);
  copy.set(column);
  return copy;
}
