/** vLLM v1's block pool, and the host tier: every block an object, free ones in a list, every content a text. */

export interface ReferenceBlock {
  /** All tokens from the sequence's beginning to this block's end; null while it is not full. */
  content: string | null;
  users: number;
}

export class ReferenceBlocks {
  readonly free: ReferenceBlock[];
  private readonly known = new Map<string, ReferenceBlock[]>();

  constructor(blocks: number) {
    this.free = Array.from({ length: blocks }, () => ({ content: null, users: 0 }));
  }

  /** The blocks of these contents from the first to the first that is not known. */
  find(contents: readonly string[]): ReferenceBlock[] {
    const found: ReferenceBlock[] = [];
    for (const content of contents) {
      const block = this.known.get(content)?.[0];
      if (block === undefined) break;
      found.push(block);
    }
    return found;
  }

  touch(block: ReferenceBlock): void {
    if (block.users === 0) this.free.splice(this.free.indexOf(block), 1);
    block.users += 1;
  }

  /** The block that has been free for longest; what it held is gone. */
  take(): ReferenceBlock {
    const block = this.free.shift();
    if (block === undefined) throw new Error('the reference ran out of blocks');
    if (block.content !== null) {
      const copies = this.known.get(block.content)!.filter((other) => other !== block);
      if (copies.length === 0) this.known.delete(block.content);
      else this.known.set(block.content, copies);
    }
    block.content = null;
    block.users = 1;
    return block;
  }

  /** A block is full. */
  name(block: ReferenceBlock, content: string): void {
    if (block.content !== null) return;
    block.content = content;
    this.known.set(content, [...(this.known.get(content) ?? []), block]);
  }

  /** Tail first, to the end of the list. */
  release(table: readonly ReferenceBlock[]): void {
    for (const block of table.toReversed()) {
      block.users -= 1;
      if (block.users === 0) this.free.push(block);
    }
  }
}

/** The host tier: what it holds of contents that nobody uses, the oldest first, and how many use the others. */
export class ReferenceHost {
  stored = 0;
  private unused: string[] = [];
  private readonly users = new Map<string, number>();
  private readonly blocks: number;

  constructor(blocks: number) {
    this.blocks = blocks;
  }

  has(content: string): boolean {
    return (this.users.get(content) ?? 0) > 0 || this.unused.includes(content);
  }

  use(content: string): void {
    if (!this.has(content)) this.stored += 1;
    this.unused = this.unused.filter((other) => other !== content);
    this.users.set(content, (this.users.get(content) ?? 0) + 1);
  }

  /** Tail first; then there has to be room beside copies of what is in use on the GPU. */
  drop(contents: readonly string[], blocksInUse: number): void {
    for (const content of contents.toReversed()) {
      const users = this.users.get(content)! - 1;
      this.users.set(content, users);
      if (users === 0) this.unused.push(content);
    }
    while (this.unused.length > Math.max(0, this.blocks - blocksInUse)) this.unused.shift();
  }
}
