/**
 * LMCache's connector for vLLM v1, as plainly as its own source has it (lmcache/integration/vllm/vllm_v1_adapter.py:
 * get_num_new_matched_tokens, build_connector_meta, RequestTracker, ReqMeta.from_request_tracker, start_load_kv,
 * wait_for_save; lmcache/v1/storage_backend/local_cpu_backend.py). Chunks are texts in a list, the one used last at the end.
 */

/** A request that is in a step: all its tokens, where its KV ends after the step, and how many of them the step computes. */
export interface LmcacheScheduled {
  readonly id: number;
  readonly tokens: readonly string[];
  readonly end: number;
  readonly computed: number;
}

interface LoadSpec {
  readonly vllmCached: number;
  readonly lmcacheCached: number;
}

interface Tracker {
  savedTokens: number;
  decodePhase: boolean;
}

export class ReferenceLmcache {
  private readonly chunkTokens: number;
  private readonly room: number;
  private readonly chunks: string[] = [];
  /** Chunks looked up for requests that no step has begun yet. */
  private readonly pins = new Map<number, readonly string[]>();
  private readonly answers = new Map<number, number>();
  private readonly loadSpecs = new Map<number, LoadSpec>();
  private readonly trackers = new Map<number, Tracker>();

  constructor(chunkTokens: number, room: number) {
    this.chunkTokens = chunkTokens;
    this.room = room;
  }

  /** Tokens beyond the `vllmCached` ones that the host has for a waiting request. */
  newMatchedTokens(id: number, tokens: readonly string[], vllmCached: number): number {
    const known = this.answers.get(id);
    const hit = known ?? this.lookUp(id, tokens);
    this.answers.set(id, hit);
    this.loadSpecs.set(id, { vllmCached, lmcacheCached: hit });
    return Math.max(0, hit === tokens.length ? hit - vllmCached - 1 : hit - vllmCached);
  }

  /** vLLM has found blocks for a request and its matched tokens. */
  afterAllocation(id: number): void {
    this.answers.delete(id);
  }

  /** A step: chunks that are loaded before it, and chunks that are stored after it. */
  step(
    fresh: readonly LmcacheScheduled[],
    running: readonly LmcacheScheduled[],
    resumed: readonly LmcacheScheduled[],
  ): { readonly loaded: number; readonly stored: number } {
    let loaded = 0;
    let stored = 0;
    for (const r of fresh) {
      this.trackers.set(r.id, { savedTokens: this.loadSpecs.get(r.id)!.lmcacheCached, decodePhase: false });
    }
    for (const r of resumed) this.trackers.get(r.id)!.savedTokens = this.loadSpecs.get(r.id)!.lmcacheCached;
    for (const r of [...running, ...resumed]) if (r.computed === 1) this.trackers.get(r.id)!.decodePhase = true;
    for (const r of [...fresh, ...running, ...resumed]) {
      const spec = this.loadSpecs.get(r.id);
      this.loadSpecs.delete(r.id);
      if (spec === undefined) continue;
      const wanted = spec.lmcacheCached - spec.vllmCached - (spec.lmcacheCached === r.tokens.length ? 1 : 0);
      if (wanted <= 0) continue;
      const masked = Math.floor(spec.vllmCached / this.chunkTokens) * this.chunkTokens;
      loaded += (spec.lmcacheCached - masked) / this.chunkTokens;
    }
    for (const r of [...fresh, ...running, ...resumed]) {
      this.pins.delete(r.id);
      stored += this.save(r);
    }
    return { loaded, stored };
  }

  private lookUp(id: number, tokens: readonly string[]): number {
    const hits: string[] = [];
    for (const chunk of this.texts(tokens, tokens.length)) {
      if (!this.chunks.includes(chunk)) break;
      hits.push(chunk);
    }
    this.pins.set(id, hits);
    for (const chunk of hits.toReversed()) {
      this.chunks.splice(this.chunks.indexOf(chunk), 1);
      this.chunks.push(chunk);
    }
    return hits.length * this.chunkTokens;
  }

  private save(r: LmcacheScheduled): number {
    const tracker = this.trackers.get(r.id)!;
    const boundary = Math.ceil((tracker.savedTokens + 1) / this.chunkTokens) * this.chunkTokens;
    if (tracker.decodePhase || (tracker.savedTokens > 0 && r.end < boundary)) return 0;
    const texts = this.texts(r.tokens, r.end);
    const coming: string[] = [];
    for (const chunk of texts.slice(tracker.savedTokens / this.chunkTokens)) {
      if (!this.makeRoom(coming.length)) break;
      coming.push(chunk);
    }
    tracker.savedTokens = texts.length * this.chunkTokens;
    for (const chunk of coming) if (!this.chunks.includes(chunk)) this.chunks.push(chunk);
    return coming.length;
  }

  private makeRoom(coming: number): boolean {
    while (this.chunks.length + coming + 1 > this.room) {
      const pinned = new Set([...this.pins.values()].flat());
      const victim = this.chunks.findIndex((chunk) => !pinned.has(chunk));
      if (victim < 0) return false;
      this.chunks.splice(victim, 1);
    }
    return true;
  }

  /** Whole chunks of the first `end` tokens: all tokens up to each one's end. */
  private texts(tokens: readonly string[], end: number): string[] {
    const whole = Math.floor(end / this.chunkTokens);
    return Array.from({ length: whole }, (_, k) => tokens.slice(0, (k + 1) * this.chunkTokens).join(' '));
  }
}
