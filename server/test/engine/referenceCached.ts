/**
 * vLLM v1 with prefix caching, written down as plainly as `reference.ts` and apart from it: the scheduler's two loops in
 * vLLM's own order (vllm/v1/core/sched/scheduler.py, `schedule`), blocks as objects, tokens as texts.
 */
import { addPrefill, type CostModel, emptyBatch } from '../../src/engine/cost/types.ts';
import { memoryModel } from '../../src/engine/memory.ts';
import { costModel } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { drawWorkload, type Workload } from '../../src/engine/workload/workload.ts';
import { type ReferenceBlock, ReferenceBlocks } from './referenceBlocks.ts';
import { NS, type ReferenceRun } from './referenceState.ts';

interface CachedRequest {
  readonly id: number;
  arrivalS: number;
  readonly input: number;
  readonly output: number;
  produced: number;
  computed: number;
  scheduled: number;
  /** In its prefill, or again in one, until all its tokens are computed. */
  prefilling: boolean;
  table: ReferenceBlock[];
  prefillStartS: number;
  firstTokenS: number;
  finishS: number;
}

export class CachedReference {
  private readonly input: EngineInput;
  private readonly cost: CostModel;
  private readonly workload: Workload;
  private readonly requests: CachedRequest[];
  private readonly blocks: ReferenceBlocks;
  private readonly pool: number;
  private clock = 0;
  private waiting: CachedRequest[] = [];
  private running: CachedRequest[] = [];
  private nextArrival = 0;
  private preemptions = 0;
  private refused = 0;
  private cachedTokens = 0;

  constructor(input: EngineInput) {
    this.input = input;
    this.cost = costModel(input);
    this.pool = memoryModel(input).gpuBlocks - 1;
    this.blocks = new ReferenceBlocks(this.pool);
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
      table: [],
      prefillStartS: Number.NaN,
      firstTokenS: Number.NaN,
      finishS: Number.NaN,
    }));
  }

  run(): ReferenceRun {
    for (;;) {
      this.takeArrivals();
      if (this.step()) continue;
      const arrival = this.workload.open ? this.requests[this.nextArrival]?.arrivalS : undefined;
      if (arrival === undefined) break;
      this.clock = Math.max(this.clock, arrival);
    }
    const { requests, preemptions, refused, cachedTokens } = this;
    return { requests, preemptions, refused, cachedTokens, deviceToHostBytes: 0, hostToDeviceBytes: 0 };
  }

  private takeArrivals(): void {
    const { closedConcurrency } = this.workload;
    for (;;) {
      const next = this.requests[this.nextArrival];
      if (next === undefined) return;
      if (closedConcurrency === null) {
        if (next.arrivalS > this.clock + NS) return;
      } else {
        const answered = this.refused + this.requests.filter((r) => !Number.isNaN(r.finishS)).length;
        if (this.nextArrival - answered >= closedConcurrency) return;
        next.arrivalS = this.clock;
      }
      this.nextArrival += 1;
      if (next.input >= this.input.limits.maxModelLenTokens) this.refused += 1;
      else this.waiting.push(next);
    }
  }

  /** One iteration. False when nothing could be scheduled. */
  private step(): boolean {
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
    while (!preempted && this.waiting.length > 0 && budget > 0) {
      if (this.running.length === this.input.limits.maxNumSeqs) break;
      const head = this.waiting[0]!;
      const total = head.input + head.produced;
      if (this.blocksOf(total) > this.pool) {
        this.waiting.shift();
        this.refused += 1;
        this.takeArrivals();
        continue;
      }
      const found = this.blocks.find(this.contents(head, total - 1));
      const cached = found.length * this.input.limits.blockSizeTokens;
      const tokens = Math.min(total - cached, budget);
      const room = this.input.limits.reserveFullSequence === true ? total : cached + tokens;
      const touched = found.filter((block) => block.users === 0).length;
      if (this.blocksOf(room) - found.length + touched > this.blocks.free.length) break;
      this.waiting.shift();
      for (const block of found) this.blocks.touch(block);
      head.table = found;
      head.computed = cached;
      head.prefilling = true;
      this.cachedTokens += cached;
      if (Number.isNaN(head.prefillStartS)) head.prefillStartS = Math.max(this.clock, head.arrivalS);
      this.schedule(head, tokens);
      this.running.push(head);
      scheduled.push(head);
      budget -= tokens;
    }
    if (scheduled.length === 0) return preempted;
    this.compute(scheduled);
    return true;
  }

  private missing(r: CachedRequest, tokens: number): number {
    return this.blocksOf(r.computed + tokens) - r.table.length;
  }

  private schedule(r: CachedRequest, tokens: number): void {
    for (let need = this.missing(r, tokens); need > 0; need--) r.table.push(this.blocks.take());
    r.scheduled = tokens;
    this.contents(r, r.computed + tokens).forEach((content, k) => {
      this.blocks.name(r.table[k]!, content);
    });
  }

  private preempt(r: CachedRequest): void {
    this.blocks.release(r.table);
    r.table = [];
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
    this.clock += this.cost.stepS(batch);
    for (const r of scheduled) {
      r.computed += r.scheduled;
      if (r.computed < r.input + r.produced) continue;
      r.prefilling = false;
      r.produced += 1;
      if (Number.isNaN(r.firstTokenS)) r.firstTokenS = this.clock;
      if (r.produced < r.output) continue;
      r.finishS = this.clock;
      this.running = this.running.filter((other) => other !== r);
      this.blocks.release(r.table);
    }
  }

  private blocksOf(tokens: number): number {
    return Math.ceil(tokens / this.input.limits.blockSizeTokens);
  }

  /** What the full blocks of the first `tokens` tokens hold. */
  private contents(r: CachedRequest, tokens: number): readonly string[] {
    const { blockSizeTokens } = this.input.limits;
    const text = Array.from({ length: tokens }, (_, k) => this.token(r, k));
    const full = Math.floor(tokens / blockSizeTokens);
    return Array.from({ length: full }, (_, k) => text.slice(0, (k + 1) * blockSizeTokens).join(' '));
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
