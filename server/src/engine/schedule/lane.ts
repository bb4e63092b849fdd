/** One of the batches that take turns in a pipeline: its decodes, and its step under way. Without a pipeline, the only one. */
import { Chunks } from './chunks.ts';
import type { DecodeBatch } from './decodeBatch.ts';

export class Lane {
  readonly decode: DecodeBatch;
  /** The prompts of the step being put together, or under way. A preempted one leaves a hole (−1). */
  readonly chunks = new Chunks();
  /** Its step is on its way through the pipeline. */
  busy = false;
  /** When that step was scheduled and when its result is there, s. */
  startS = 0;
  endS = 0;
  /** Whether that step decodes. */
  decodes = false;
  /** When the last step that decoded ended, s. */
  lastTokenS = 0;
  /** LayerKV: layer-blocks for that step's layers on their way out, and prompts that keep all their layers. */
  transient = 0;
  joining = 0;
  /** Preempted while that step was under way; those that still get a token of it, and those whose prompt is not done. */
  readonly orphans: number[] = [];
  readonly tokenless: number[] = [];

  constructor(decode: DecodeBatch) {
    this.decode = decode;
  }

  /** A request of the step under way is preempted. */
  orphan(request: number, getsToken: boolean): void {
    (getsToken ? this.orphans : this.tokenless).push(request);
  }

  /** Prompts whose last chunk is on its way. */
  prefilling(): number {
    let count = 0;
    if (this.busy) for (let k = 0; k < this.chunks.length; k++) if (this.endsPrompt(k)) count += 1;
    return count;
  }

  /** Whether the k-th chunk ends its prompt; not so where it was preempted. */
  endsPrompt(k: number): boolean {
    return this.chunks.last[k] === 1 && this.chunks.request[k]! >= 0;
  }

  /** Prompt tokens under way. */
  tokensInFlight(): number {
    let tokens = 0;
    if (this.busy) {
      for (let k = 0; k < this.chunks.length; k++) if (this.chunks.request[k]! >= 0) tokens += this.chunks.tokens[k]!;
    }
    return tokens;
  }
}
