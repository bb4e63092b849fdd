/**
 * vLLM's queue of free blocks (vllm/v1/core/kv_cache_utils.py, FreeKVCacheBlockQueue): allocation takes from the front,
 * what is given back goes to the end, and a cached block that is used again leaves from wherever it is.
 *
 * Only what free blocks still hold matters, not which block of memory it is. So the queue is a list of pieces: a single
 * block that others may find again, or a run of blocks that belong together and leave in one go.
 */
const NONE = -1;

export class FreeQueue {
  /** Blocks in the queue. */
  blocks = 0;
  /** Blocks of each piece; 0 when it is not in the queue. */
  private size = new Int32Array(64);
  private before = new Int32Array(64);
  private after = new Int32Array(64);
  private pieces = 0;
  private readonly spare: number[] = [];
  private first = NONE;
  private last = NONE;

  /** A new piece, outside the queue. Numbers are small and used again. */
  create(): number {
    const known = this.spare.pop();
    if (known !== undefined) return known;
    if (this.pieces === this.size.length) this.grow();
    return this.pieces++;
  }

  /** Forgets a piece that is outside the queue. */
  destroy(piece: number): void {
    this.spare.push(piece);
  }

  /** The piece whose blocks are next to be taken; NONE (−1) when the queue is empty. */
  front(): number {
    return this.first;
  }

  /** The piece that came last; −1 when the queue is empty. */
  back(): number {
    return this.last;
  }

  sizeOf(piece: number): number {
    return this.size[piece]!;
  }

  /** At the end of the queue. */
  append(piece: number, blocks: number): void {
    this.size[piece] = blocks;
    this.blocks += blocks;
    this.before[piece] = this.last;
    this.after[piece] = NONE;
    if (this.last === NONE) this.first = piece;
    else this.after[this.last] = piece;
    this.last = piece;
  }

  /** A piece in the queue grows by blocks that are given back right behind it. */
  extend(piece: number, blocks: number): void {
    this.size[piece]! += blocks;
    this.blocks += blocks;
  }

  /** Takes blocks of a piece out of the queue. @returns whether that was the last of it: it has left the queue. */
  take(piece: number, blocks: number): boolean {
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
    const larger = (column: Int32Array): Int32Array<ArrayBuffer> => {
      const copy = new Int32Array(column.length * 2);
      copy.set(column);
      return copy;
    };
    this.size = larger(this.size);
    this.before = larger(this.before);
    this.after = larger(this.after);
  }
}
