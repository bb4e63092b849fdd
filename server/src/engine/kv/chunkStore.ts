/**
 * LMCache's host memory (lmcache/v1/storage_backend/local_cpu_backend.py, cache_policy/lru.py): chunks of KV under the
 * content of all tokens up to their end. The chunk that was stored, or found, least recently goes first; what a waiting
 * request has found is pinned, and stays.
 */
const ABSENT = -1;

export class ChunkStore {
  private readonly room: number;
  private chunks = 0;
  /** A ring in the order of use: the entry behind the last content is neither the oldest nor the newest chunk, but ends both. */
  private readonly end: number;
  private readonly newer: Int32Array;
  private readonly older: Int32Array;
  private readonly pins: Int32Array;

  /** @param room chunks that fit. @param contents kinds of chunks: numbers from 0. */
  constructor(room: number, contents: number) {
    this.room = room;
    this.end = contents;
    this.newer = new Int32Array(contents + 1).fill(ABSENT);
    this.older = new Int32Array(contents + 1).fill(ABSENT);
    this.pins = new Int32Array(contents);
    this.newer[contents] = contents;
    this.older[contents] = contents;
  }

  has(content: number): boolean {
    return this.newer[content] !== ABSENT;
  }

  /** Found by a waiting request: it is the most recently used from now on, and stays until `unpin`. */
  pin(content: number): void {
    this.remove(content);
    this.append(content);
    this.pins[content]! += 1;
  }

  unpin(content: number): void {
    this.pins[content]! -= 1;
  }

  /**
   * Stores `count` chunks. Room is made for all of them first, also for those that are here already: LMCache looks only
   * when it puts them in. Where nothing more can go, the rest is left out.
   * @returns how many were copied.
   */
  store(count: number, contentOf: (chunk: number) => number): number {
    let copied = 0;
    while (copied < count && this.makeRoom(copied)) copied += 1;
    for (let chunk = 0; chunk < copied; chunk++) {
      const content = contentOf(chunk);
      if (!this.has(content)) this.append(content);
    }
    return copied;
  }

  /** Room for one more beside `coming` chunks that are not in yet. */
  private makeRoom(coming: number): boolean {
    while (this.chunks + coming >= this.room) {
      let oldest = this.newer[this.end]!;
      while (oldest !== this.end && this.pins[oldest]! > 0) oldest = this.newer[oldest]!;
      if (oldest === this.end) return false;
      this.remove(oldest);
    }
    return true;
  }

  private append(content: number): void {
    const { end, newer, older } = this;
    const last = older[end]!;
    newer[last] = content;
    older[content] = last;
    newer[content] = end;
    older[end] = content;
    this.chunks += 1;
  }

  private remove(content: number): void {
    const { newer, older } = this;
    newer[older[content]!] = newer[content]!;
    older[newer[content]!] = older[content]!;
    newer[content] = ABSENT;
    older[content] = ABSENT;
    this.chunks -= 1;
  }
}
