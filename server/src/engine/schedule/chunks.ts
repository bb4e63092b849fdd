/** The prompts, or parts of prompts, of one step. Columns that are reused from step to step. */
export class Chunks {
  length = 0;
  request = new Int32Array(16);
  /** Prompt tokens computed before this step. */
  cached = new Int32Array(16);
  /** Prompt tokens computed in it. */
  tokens = new Int32Array(16);
  /** 1 where the chunk ends its prompt. */
  last = new Uint8Array(16);

  clear(): void {
    this.length = 0;
  }

  add(request: number, cached: number, tokens: number, last: boolean): void {
    if (this.length === this.request.length) this.grow();
    const k = this.length++;
    this.request[k] = request;
    this.cached[k] = cached;
    this.tokens[k] = tokens;
    this.last[k] = last ? 1 : 0;
  }

  private grow(): void {
    const larger = (column: Int32Array): Int32Array<ArrayBuffer> => {
      const copy = new Int32Array(column.length * 2);
      copy.set(column);
      return copy;
    };
    this.request = larger(this.request);
    this.cached = larger(this.cached);
    this.tokens = larger(this.tokens);
    const last = new Uint8Array(this.last.length * 2);
    last.set(this.last);
    this.last = last;
  }
}
