/**
 * vLLM v1 with prefix caching and a host tier or LMCache, as plain as `reference.ts` and apart from it: the scheduler's two loops in
 * vLLM's own order (vllm/v1/core/sched/scheduler.py, `schedule`), blocks as objects, tokens as texts.
 */

import { addPrefill, type CostModel, emptyBatch, type StepBatch } from '../../src/engine/cost/types.ts';
import { type LinkLaw, linkLaw } from '../../src/engine/kv/link.ts';
import { memoryModel } from '../../src/engine/memory.ts';
import { costModel, hostTierApplies, hostTierPieces } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { drawWorkload, type Workload } from '../../src/engine/workload/workload.ts';
import { ReferenceArrivals } from './referenceArrivals.ts';
import { type ReferenceBlock, ReferenceBlocks, ReferenceHost } from './referenceBlocks.ts';
import { type LmcacheScheduled, ReferenceLmcache } from './referenceLmcache.ts';
import { NS, type ReferenceRun } from './referenceState.ts';

export interface CachedRequest {
  readonly id: number;
  arrivalS: number;
  readonly input: number;
  readonly output: number;
  produced: number;
  computed: number;
  scheduled: number;
  /** In its prefill, or again in one, until all its tokens are computed. */
  prefilling: boolean;
  /** In running at the step's beginning, or since this step for the first time or again. */
  came: 'running' | 'fresh' | 'resumed';
  table: ReferenceBlock[];
  /** Contents of its full blocks. */
  full: string[];
  loadEndS: number;
  prefillStartS: number;
  firstTokenS: number;
  finishS: number;
}

export class CachedReference {
  protected readonly input: EngineInput;
  protected readonly cost: CostModel;
  private readonly workload: Workload;
  protected readonly requests: CachedRequest[];
  private readonly blocks: ReferenceBlocks;
  private readonly host: ReferenceHost | null;
  private readonly lmcache: ReferenceLmcache | null;
  private readonly link: LinkLaw;
  private readonly pool: number;
  protected clock = 0;
  protected waiting: CachedRequest[] = [];
  /** Whether the last step has just ended, and who came when the step after it was already put together. */
  protected underWay = false;
  protected unseen: CachedRequest[] = [];
  protected running: CachedRequest[] = [];
  protected loading: CachedRequest[] = [];
  protected ready: CachedRequest[] = [];
  private linkFreeS = 0;
  private loadedTokens = 0;
  private tokensOut = 0;
  private tokensBack = 0;
  private readonly arrivals: ReferenceArrivals<CachedRequest>;
  private preemptions = 0;
  protected refused = 0;
  private cachedTokens = 0;

  constructor(input: EngineInput) {
    this.input = input;
    this.cost = costModel(input);
    this.pool = memoryModel(input).gpuBlocks - 1;
    this.blocks = new ReferenceBlocks(this.pool);
    const { kvOffload } = input;
    const pieces = hostTierApplies(input) ? hostTierPieces(input) : 0;
    this.host = pieces > 0 && kvOffload?.connector !== 'lmcache' ? new ReferenceHost(pieces) : null;
    this.lmcache =
      pieces > 0 && kvOffload?.connector === 'lmcache' ? new ReferenceLmcache(kvOffload.chunkTokens, pieces) : null;
    this.link = linkLaw(input, null);
    this.workload = drawWorkload(input.workload, input.limits.maxModelLenTokens);
    const { arrivalS, inputTokens, outputTokens, count } = this.workload;
    this.requests = Array.from({ length: count }, (_, id) => ({
      id,
      arrivalS: arrivalS[id]!,
      input: inputTokens[id]!,
      output: outputTokens[id]!,
      produced: 0,
      computed: 0,
      scheduled: 0,
      prefilling: false,
      came: 'running',
      table: [],
      full: [],
      loadEndS: 0,
      prefillStartS: Number.NaN,
      firstTokenS: Number.NaN,
      finishS: Number.NaN,
    }));
    this.arrivals = new ReferenceArrivals(this.requests, this.workload.closedConcurrency, this.cost.frontEnd);
  }

  run(): ReferenceRun {
    for (;;) {
      this.takeArrivals();
      if (this.step()) continue;
      this.underWay = false;
      if (this.unseen.length > 0) {
        this.unseen = [];
        continue;
      }
      if (this.loading.length === 0 && this.ready.length > 0) {
        this.preempt(this.ready.pop()!);
        continue;
      }
      const next = Math.min(this.arrivals.nextS(), this.loading[0]?.loadEndS ?? Number.POSITIVE_INFINITY);
      if (next === Number.POSITIVE_INFINITY) break;
      this.clock = Math.max(this.clock, next);
    }
    this.arrivals.delay();
    return this.outcome();
  }

  outcome(): ReferenceRun {
    const { requests, preemptions, refused, cachedTokens, loadedTokens } = this;
    const { kvBytesPerToken } = memoryModel(this.input);
    return {
      requests,
      preemptions,
      refused,
      cachedTokens,
      loadedTokens,
      deviceToHostBytes:
        ((this.host?.stored ?? 0) * this.input.limits.blockSizeTokens + this.tokensOut) * kvBytesPerToken,
      hostToDeviceBytes: this.tokensBack * kvBytesPerToken,
    };
  }

  protected takeArrivals(): void {
    for (;;) {
      let next = this.arrivals.followUp(this.answered(), this.clock);
      if (next === null && this.arrivals.nextS() <= this.clock + NS) next = this.arrivals.take();
      if (next === null) return;
      this.enqueue(next);
    }
  }

  /** A request comes to the scheduler, unless it is refused at the door. */
  protected enqueue(r: CachedRequest): void {
    if (r.input >= this.input.limits.maxModelLenTokens) {
      this.refused += 1;
      return;
    }
    this.waiting.push(r);
    if (this.underWay && this.cost.stepsAhead) this.unseen.push(r);
  }

  answered(): number {
    return this.refused + this.requests.filter((r) => !Number.isNaN(r.finishS)).length;
  }

  all(): readonly CachedRequest[] {
    return this.requests;
  }

  /** One iteration. False when nothing could be scheduled. */
  protected step(): boolean {
    this.completeLoads();
    let budget = this.input.limits.maxNumBatchedTokens;
    let preempted = false;
    const scheduled: CachedRequest[] = [];
    for (let k = 0; k < this.running.length && budget > 0; k++) {
      const r = this.running[k]!;
      const tokens = Math.min(r.input + r.produced - r.computed, budget);
      while (this.running.includes(r) && this.missing(r, tokens) > this.blocks.free.length) {
        this.preempt(this.running.pop()!);
        preempted = true;
      }
      if (!this.running.includes(r)) break;
      this.schedule(r, tokens);
      scheduled.push(r);
      budget -= tokens;
    }
    let full = preempted;
    while (!full && this.ready.length > 0 && budget > 0 && this.running.length < this.input.limits.maxNumSeqs) {
      const head = this.ready[0]!;
      const total = head.input + head.produced;
      const tokens = Math.min(total - head.computed, budget);
      full = !this.fits(head.computed + tokens, total, head.table.length);
      if (full) break;
      this.ready.shift();
      this.schedule(head, tokens);
      this.running.push(head);
      scheduled.push(head);
      budget -= tokens;
    }
    while (!full && this.waiting.length > 0 && budget > 0) {
      if (this.running.length === this.input.limits.maxNumSeqs) break;
      const head = this.waiting[0]!;
      if (this.unseen.includes(head)) break;
      const total = head.input + head.produced;
      if (this.blocksOf(total) > this.pool) {
        this.waiting.shift();
        this.refused += 1;
        this.takeArrivals();
        continue;
      }
      const contents = this.contents(head, total - 1);
      const found = this.blocks.find(contents);
      const onGpu = found.length * this.input.limits.blockSizeTokens;
      const matched = this.lmcache?.newMatchedTokens(head.id, this.tokens(head, total), onGpu) ?? 0;
      const cached = onGpu + matched;
      let known = found.length;
      while (known < contents.length && this.host?.has(contents[known]!) === true) known += 1;
      const loaded = known * this.input.limits.blockSizeTokens - onGpu;
      const tokens = loaded > 0 ? loaded : Math.min(total - cached, budget);
      const touched = found.filter((block) => block.users === 0).length;
      if (!this.fits(cached + tokens, total, found.length - touched)) break;
      this.lmcache?.afterAllocation(head.id);
      this.waiting.shift();
      for (const block of found) this.blocks.touch(block);
      head.table = found;
      head.computed = cached;
      head.prefilling = true;
      this.cachedTokens += onGpu;
      this.loadedTokens += matched;
      head.came = Number.isNaN(head.prefillStartS) ? 'fresh' : 'resumed';
      if (Number.isNaN(head.prefillStartS)) head.prefillStartS = Math.max(this.clock, head.arrivalS);
      if (loaded > 0) {
        this.load(head, loaded);
        continue;
      }
      this.schedule(head, tokens);
      this.running.push(head);
      scheduled.push(head);
      budget -= tokens;
    }
    if (scheduled.length === 0) return preempted;
    this.compute(scheduled);
    return true;
  }

  /** Whether a waiting sequence's first `tokens` tokens find blocks, `held` of them free of charge. */
  private fits(tokens: number, total: number, held: number): boolean {
    const room = this.input.limits.reserveFullSequence === true ? total : tokens;
    return this.blocksOf(room) - held <= this.blocks.free.length;
  }

  private completeLoads(): void {
    while (this.loading.length > 0 && this.loading[0]!.loadEndS <= this.clock + NS) {
      const r = this.loading.shift()!;
      r.full.forEach((content, k) => {
        this.blocks.name(r.table[k]!, content);
      });
      this.ready.push(r);
    }
  }

  private load(r: CachedRequest, tokens: number): void {
    const blocks = this.missing(r, tokens);
    for (let k = 0; k < blocks; k++) r.table.push(this.blocks.take());
    r.computed += tokens;
    this.fill(r, r.computed);
    this.loadedTokens += tokens;
    this.tokensBack += tokens;
    this.linkFreeS = Math.max(this.linkFreeS, this.clock) + this.link.streamS(tokens * this.input.model.layers, blocks);
    r.loadEndS = this.linkFreeS;
    this.loading.push(r);
  }

  /** Its first `tokens` tokens have their KV on the GPU, or will have it by the end of what is under way. */
  private fill(r: CachedRequest, tokens: number): void {
    for (const content of this.contents(r, tokens).slice(r.full.length)) {
      r.full.push(content);
      this.host?.use(content);
    }
  }

  private letGo(r: CachedRequest): void {
    this.blocks.release(r.table);
    this.host?.drop(r.full, this.pool - this.blocks.free.length);
    r.table = [];
    r.full = [];
  }

  private missing(r: CachedRequest, tokens: number): number {
    return this.blocksOf(r.computed + tokens) - r.table.length;
  }

  private schedule(r: CachedRequest, tokens: number): void {
    for (let need = this.missing(r, tokens); need > 0; need--) r.table.push(this.blocks.take());
    r.scheduled = tokens;
    this.fill(r, r.computed + tokens);
    r.full.forEach((content, k) => {
      this.blocks.name(r.table[k]!, content);
    });
  }

  protected preempt(r: CachedRequest): void {
    this.letGo(r);
    r.computed = 0;
    this.preemptions += 1;
    this.waiting.unshift(r);
  }

  private compute(scheduled: readonly CachedRequest[]): void {
    const window = this.cost.windowTokens;
    const batch = emptyBatch();
    for (const r of scheduled) {
      if (r.prefilling) {
        addPrefill(batch, r.scheduled, r.computed, r.computed + r.scheduled === r.input + r.produced, window);
        continue;
      }
      batch.decodeSeqs += 1;
      batch.sampledSeqs += 1;
      batch.decodeContextTokens += r.computed + 1;
      if (Number.isFinite(window)) batch.decodeWindowTokens += Math.min(r.computed + 1, window);
    }
    this.launch(this.cost.stepS(batch) + this.transferS(scheduled), batch, () => this.settle(scheduled));
  }

  /** The step runs; by itself nothing happens until it has ended. */
  protected launch(duration: number, _batch: StepBatch, settle: () => void): void {
    this.underWay = true;
    this.unseen = [];
    this.clock += duration;
    settle();
  }

  private settle(scheduled: readonly CachedRequest[]): void {
    // Requests that decode and are done leave in the order in which they came.
    const decodes = scheduled.filter((r) => !r.prefilling).sort((a, b) => a.id - b.id);
    for (const r of [...decodes, ...scheduled.filter((other) => other.prefilling)]) {
      r.computed += r.scheduled;
      if (r.computed < r.input + r.produced) continue;
      r.prefilling = false;
      r.produced += 1;
      if (Number.isNaN(r.firstTokenS)) r.firstTokenS = this.clock;
      if (r.produced < r.output) continue;
      r.finishS = this.clock;
      this.running = this.running.filter((other) => other !== r);
      this.letGo(r);
    }
  }

  /** What LMCache moves before and after the forward pass, while everybody waits. */
  private transferS(scheduled: readonly CachedRequest[]): number {
    const { lmcache } = this;
    const { kvOffload, model } = this.input;
    if (lmcache === null || kvOffload?.connector !== 'lmcache') return 0;
    const those = (came: CachedRequest['came']): LmcacheScheduled[] =>
      scheduled
        .filter((r) => r.came === came)
        .map((r) => {
          const end = r.computed + r.scheduled;
          return { id: r.id, tokens: this.tokens(r, r.input + r.produced), end, computed: r.scheduled };
        });
    const { loaded, stored } = lmcache.step(those('fresh'), those('running'), those('resumed'));
    for (const r of scheduled) r.came = 'running';
    this.tokensBack += loaded * kvOffload.chunkTokens;
    this.tokensOut += stored * kvOffload.chunkTokens;
    const seconds = (chunks: number): number =>
      this.link.streamS(chunks * kvOffload.chunkTokens * model.layers, chunks);
    return seconds(loaded) + seconds(stored);
  }

  private blocksOf(tokens: number): number {
    return Math.ceil(tokens / this.input.limits.blockSizeTokens);
  }

  /** What the full blocks of the first `tokens` tokens hold. */
  private contents(r: CachedRequest, tokens: number): readonly string[] {
    const { blockSizeTokens } = this.input.limits;
    const text = this.tokens(r, tokens);
    const full = Math.floor(tokens / blockSizeTokens);
    return Array.from({ length: full }, (_, k) => text.slice(0, (k + 1) * blockSizeTokens).join(' '));
  }

  private tokens(r: CachedRequest, tokens: number): readonly string[] {
    return Array.from({ length: tokens }, (_, k) => this.token(r, k));
  }

  private token(r: CachedRequest, place: number): string {
    const { promptIds } = this.workload;
    if (promptIds !== null && place < r.input) {
      const { tokensPerId, starts, ids } = promptIds;
      const at = starts[r.id]! + Math.floor(place / tokensPerId);
      if (at < starts[r.id + 1]!) return `${ids[at]}+${place % tokensPerId}`;
    }
    return `own${r.id}:${place}`;
  }
}
