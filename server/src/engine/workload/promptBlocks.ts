/** Which KV blocks of which prompts hold the same tokens. */
import type { PromptIds, WorkloadSpec } from '../types.ts';
import { createRandom } from './random.ts';

/**
 * A shared prefix as prompt ids: one id as long as the prefix, for those who have it. Null where nothing is shared.
 * Who has it is drawn from a stream of its own, so that arrivals and lengths stay as they are.
 */
export function drawPromptIds(spec: Pick<WorkloadSpec, 'sharedPrefix' | 'seed'>, count: number): PromptIds | null {
  const { tokens, share } = spec.sharedPrefix ?? { tokens: 0, share: 0 };
  if (tokens <= 0 || share <= 0) return null;
  const random = createRandom(spec.seed, 'prefix');
  const starts = new Int32Array(count + 1);
  for (let k = 0; k < count; k++) starts[k + 1] = starts[k]! + (random() < share ? 1 : 0);
  return { tokensPerId: tokens, starts, ids: new Int32Array(starts[count]!) };
}

/**
 * The blocks of prompts that others may have too, each kind of content under a number of its own. A block belongs to
 * the id that its last token lies under: equal ids mean equal tokens up to there. What a prompt's ids do not cover to the
 * block's end is its own, and so is every block that holds output.
 */
export class PromptBlocks {
  /** Numbers of contents are below this. */
  readonly contents: number;
  private readonly source: PromptIds;
  private readonly inputTokens: Int32Array;
  private readonly blockSize: number;
  /** Most blocks that end under one id. */
  private readonly perId: number;

  constructor(source: PromptIds, inputTokens: Int32Array, blockSizeTokens: number) {
    this.source = source;
    this.inputTokens = inputTokens;
    this.blockSize = blockSizeTokens;
    let longest = 0;
    for (const tokens of inputTokens) longest = Math.max(longest, tokens);
    this.perId = Math.ceil(Math.min(source.tokensPerId, longest) / blockSizeTokens);
    let ids = 0;
    for (const id of source.ids) ids = Math.max(ids, id + 1);
    this.contents = ids * this.perId;
  }

  /** Full blocks at the head of this request's prompt that other prompts may have too. */
  countOf(request: number): number {
    const { starts, tokensPerId } = this.source;
    const covered = (starts[request + 1]! - starts[request]!) * tokensPerId;
    return Math.floor(Math.min(covered, this.inputTokens[request]!) / this.blockSize);
  }

  /** What is in block `block` of the prompt; `block` is below `countOf(request)`. */
  contentOf(request: number, block: number): number {
    const { ids, starts, tokensPerId } = this.source;
    const place = Math.floor(((block + 1) * this.blockSize - 1) / tokensPerId);
    const firstUnderId = Math.floor((place * tokensPerId) / this.blockSize);
    return ids[starts[request]! + place]! * this.perId + block - firstUnderId;
  }
}

/**
 * Chunks of whole sequences, each kind of content under a number of its own: those at the head of a prompt that others may
 * have too as `PromptBlocks` numbers them, all others, with output in them or not, for this request alone.
 */
export class SequenceChunks {
  /** Numbers of contents are below this. */
  readonly contents: number;
  private readonly shared: PromptBlocks | null;
  /** By request: the number of its first own chunk. */
  private readonly ownFrom: Int32Array;

  /** @param shared blocks as long as a chunk; null where prompts have nothing in common. */
  constructor(
    shared: PromptBlocks | null,
    { inputTokens, outputTokens }: { readonly inputTokens: Int32Array; readonly outputTokens: Int32Array },
    chunkTokens: number,
  ) {
    this.shared = shared;
    this.ownFrom = new Int32Array(inputTokens.length);
    let next = shared?.contents ?? 0;
    for (let request = 0; request < inputTokens.length; request++) {
      this.ownFrom[request] = next;
      next += Math.floor((inputTokens[request]! + outputTokens[request]!) / chunkTokens);
    }
    this.contents = next;
  }

  contentOf(request: number, chunk: number): number {
    const shared = this.shared?.countOf(request) ?? 0;
    if (this.shared !== null && chunk < shared) return this.shared.contentOf(request, chunk);
    return this.ownFrom[request]! + chunk - shared;
  }
}
