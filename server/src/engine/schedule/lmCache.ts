/**
 * LMCache in vLLM's process (lmcache/integration/vllm/vllm_v1_adapter.py, its defaults): a second tier that steps wait for.
 *
 * - Look-up: how many tokens, in whole chunks, are on the host from the sequence's head on. Asked once for each stay in
 *   the queue; what was found is pinned until the step that admits the request, and so is the answer.
 * - Load: the admitting step first fetches the chunks from the one on in which the GPU's own hit ends, then computes
 *   the tokens behind them, at least the last one. The request has a seat, and everybody in the step waits.
 * - Store: at the end of a step each of its prompts is written out as far as its chunks are full, from where its look-up
 *   ended, whoever has stored the same meanwhile; everybody waits again. First those that are scheduled for the first
 *   time, then the half-prefilled, then the resumed.
 * - Once a request has been scheduled for a single token after its first step (LMCache's sign of decoding) nothing of it
 *   is stored any more, not even when it is computed again after a preemption.
 */
import type { ChunkStore } from '../kv/chunkStore.ts';
import type { LinkLaw } from '../kv/link.ts';
import type { SequenceChunks } from '../workload/promptBlocks.ts';
import type { Replica } from './replica.ts';

const NONE = -1;

/** What LMCache needs beside the replica. */
export interface LmCacheSetup {
  readonly connector: 'lmcache';
  readonly chunkTokens: number;
  readonly store: ChunkStore;
  readonly contents: SequenceChunks;
  readonly link: LinkLaw;
}

export class LmCache {
  /** Of the last `lookUp`: tokens that come from the host if the request is admitted. */
  loadTokens = 0;

  private readonly replica: Replica;
  private readonly setup: LmCacheSetup;
  /** By request: chunks found while it waits, NONE before a look-up, and those that are pinned for it. */
  private readonly found: Int32Array;
  private readonly pinned: Int32Array;
  /** By request: chunks that it need not store, tokens it has been scheduled for, and whether it has decoded. */
  private readonly storedChunks: Int32Array;
  private readonly seenTokens: Int32Array;
  private readonly decoded: Uint8Array;
  /** The step being put together: chunks to fetch, and who is in it. */
  private loadChunks = 0;
  private stepLoads = 0;
  private readonly fresh: number[] = [];
  private readonly known: number[] = [];

  constructor(replica: Replica, setup: LmCacheSetup) {
    const { count } = replica.records;
    this.replica = replica;
    this.setup = setup;
    this.found = new Int32Array(count).fill(NONE);
    this.pinned = new Int32Array(count);
    this.storedChunks = new Int32Array(count);
    this.seenTokens = new Int32Array(count);
    this.decoded = new Uint8Array(count);
  }

  /** Looks for the chunks of a waiting request of `total` tokens, `cached` of which it finds on the GPU: sets `loadTokens`. */
  lookUp(request: number, total: number, cached: number): void {
    const { chunkTokens } = this.setup;
    if (this.found[request] === NONE) this.found[request] = this.find(request, total);
    const tokens = this.found[request]! * chunkTokens;
    this.loadTokens = Math.max(0, tokens - cached - (tokens === total ? 1 : 0));
    this.loadChunks = this.loadTokens > 0 ? this.found[request]! - Math.floor(cached / chunkTokens) : 0;
  }

  /** The request that was last looked up is admitted to the step being put together. */
  admit(request: number): void {
    this.replica.records.loadedTokens += this.loadTokens;
    this.stepLoads += this.loadChunks;
    this.storedChunks[request] = this.found[request]!;
    this.found[request] = NONE;
  }

  /** The step being put together computes `tokens` tokens of a prompt, up to its first `end`. */
  schedule(request: number, tokens: number, end: number): void {
    const fresh = this.seenTokens[request] === 0;
    (fresh ? this.fresh : this.known).push(request);
    if (!fresh && tokens === 1) this.decoded[request] = 1;
    this.seenTokens[request] = end;
  }

  /** A request gives its blocks back; it holds `kvTokens`. @param returns whether it will be computed again. */
  release(request: number, kvTokens: number, returns: boolean): void {
    if (returns && kvTokens > this.seenTokens[request]!) this.decoded[request] = 1;
  }

  /** The step that was put together loads, computes for `computeS`, and stores. @returns how long it takes in all, s. */
  stepS(computeS: number): number {
    const { replica, fresh, known } = this;
    const { records, recorder, clockS } = replica;
    let stores = 0;
    for (const request of fresh) stores += this.store(request);
    for (const request of known) stores += this.store(request);
    fresh.length = 0;
    known.length = 0;
    const loadS = this.moveS(this.stepLoads);
    const storeS = this.moveS(stores);
    records.hostToDeviceBytes += this.bytes(this.stepLoads);
    records.deviceToHostBytes += this.bytes(stores);
    records.transferS += loadS + storeS;
    records.exposedTransferS += loadS + storeS;
    recorder?.transfer(clockS, clockS + loadS, 1);
    recorder?.transfer(clockS + loadS + computeS, clockS + loadS + computeS + storeS, 1);
    this.stepLoads = 0;
    return loadS + computeS + storeS;
  }

  private bytes(chunks: number): number {
    const { link, chunkTokens } = this.setup;
    return chunks * chunkTokens * this.replica.config.layers * link.bytesPerTokenLayer;
  }

  /** Each rank copies what it holds, chunk by chunk, one copy for all layers. */
  private moveS(chunks: number): number {
    const { link, chunkTokens } = this.setup;
    return link.streamS(chunks * chunkTokens * this.replica.config.layers, chunks);
  }

  /** Whole chunks at the head of a sequence that are on the host; pinned, the head the most recently used. */
  private find(request: number, total: number): number {
    const { store, contents, chunkTokens } = this.setup;
    const most = Math.floor(total / chunkTokens);
    let found = 0;
    while (found < most && store.has(contents.contentOf(request, found))) found += 1;
    for (let chunk = found - 1; chunk >= 0; chunk--) store.pin(contents.contentOf(request, chunk));
    this.pinned[request] = found;
    return found;
  }

  /** @returns chunks written out for a request of the step. */
  private store(request: number): number {
    const { store, contents, chunkTokens } = this.setup;
    for (let chunk = 0; chunk < this.pinned[request]!; chunk++) store.unpin(contents.contentOf(request, chunk));
    this.pinned[request] = 0;
    if (this.decoded[request] === 1) return 0;
    const from = this.storedChunks[request]!;
    const to = Math.floor(this.seenTokens[request]! / chunkTokens);
    this.storedChunks[request] = to;
    return store.store(to - from, (chunk) => contents.contentOf(request, from + chunk));
  }
}
