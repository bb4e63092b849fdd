/**
 * The rules of the engine written down a second time, as plainly as possible: one iteration at a time, every request
 * touched in each, a flag for every layer of every request, blocks counted afresh whenever they are asked for. Slow on
 * purpose; the engine has to agree with it request by request.
 */
import { addPrefill, type CostModel, emptyBatch } from '../../src/engine/cost/types.ts';
import { minimumRetainedLayers, prefillEstimate, staysOnGpu } from '../../src/engine/kv/retention.ts';
import { memoryModel } from '../../src/engine/memory.ts';
import { costModel, layerKvCanAct, transferLaw } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { createRandom, type Random } from '../../src/engine/workload/random.ts';
import { drawWorkload } from '../../src/engine/workload/workload.ts';

const NS = 1e-9;

export interface ReferenceRequest {
  readonly id: number;
  arrivalS: number;
  readonly input: number;
  readonly output: number;
  produced: number;
  prefillStartS: number;
  firstTokenS: number;
  finishS: number;
  /** Tokens whose KV is somewhere. */
  kv: number;
  /** Tokens the GPU blocks are reserved for. */
  reserved: number;
  /** Per layer: on the GPU (true) or on the host. */
  onGpu: boolean[];
  hostReserved: number;
  predicted: number;
  reloadEndS: number;
}

export interface ReferenceRun {
  readonly requests: readonly ReferenceRequest[];
  readonly preemptions: number;
  readonly deviceToHostBytes: number;
  readonly hostToDeviceBytes: number;
  readonly refused: number;
}

export function referenceRun(input: EngineInput): ReferenceRun {
  return new ReferenceEngine(input).run();
}

class ReferenceEngine {
  private readonly input: EngineInput;
  private readonly cost: CostModel;
  private readonly layers: number;
  private readonly pool: number;
  private readonly watermark: number;
  private readonly acts: boolean;
  private readonly requests: ReferenceRequest[];
  private readonly closed: number | null;
  private clock = 0;
  private waiting: ReferenceRequest[] = [];
  private running: ReferenceRequest[] = [];
  private partial: ReferenceRequest | null = null;
  private parked: ReferenceRequest[] = [];
  private reloading: ReferenceRequest[] = [];
  private finishedLengths: number[] = [];
  private nextArrival = 0;
  private linkFree = 0;
  private lastDecode = 0;
  private preemptions = 0;
  private refused = 0;
  private out = 0;
  private back = 0;
  private readonly random: Random;
  private readonly estimate: (tokens: number) => number;
  private readonly transfer: ReturnType<typeof transferLaw>;

  constructor(input: EngineInput) {
    this.input = input;
    this.cost = costModel(input);
    this.layers = input.model.layers;
    const { gpuBlocks } = memoryModel(input);
    this.pool = input.scheduler === 'v0' ? gpuBlocks : gpuBlocks - 1;
    this.watermark = input.scheduler === 'v0' ? Math.floor(0.01 * gpuBlocks) : 0;
    this.acts = input.policy !== 'vllm' && layerKvCanAct(input);
    const workload = drawWorkload(input.workload, input.limits.maxModelLenTokens);
    this.closed = workload.closedConcurrency;
    this.requests = Array.from({ length: workload.count }, (_, id) => ({
      id,
      arrivalS: workload.arrivalS[id]!,
      input: workload.inputTokens[id]!,
      output: workload.outputTokens[id]!,
      produced: 0,
      prefillStartS: Number.NaN,
      firstTokenS: Number.NaN,
      finishS: Number.NaN,
      kv: 0,
      reserved: 0,
      onGpu: [],
      hostReserved: 0,
      predicted: 0,
      reloadEndS: 0,
    }));
    this.random = createRandom(input.workload.seed, 'predictor');
    this.estimate = prefillEstimate(input);
    this.transfer = transferLaw(input);
  }

  run(): ReferenceRun {
    for (;;) {
      this.takeArrivals();
      if (this.step()) continue;
      if (this.reloading.length === 0 && this.untie()) continue;
      // Nothing to do: on to whatever comes next.
      const arrival = this.closed === null ? this.requests[this.nextArrival]?.arrivalS : undefined;
      const reload = this.reloading[0]?.reloadEndS;
      const next = Math.min(arrival ?? Number.POSITIVE_INFINITY, reload ?? Number.POSITIVE_INFINITY);
      if (next === Number.POSITIVE_INFINITY) break;
      this.clock = Math.max(this.clock, next);
    }
    return {
      requests: this.requests,
      preemptions: this.preemptions,
      deviceToHostBytes: this.out,
      hostToDeviceBytes: this.back,
      refused: this.refused,
    };
  }

  private takeArrivals(): void {
    for (;;) {
      const next = this.requests[this.nextArrival];
      if (next === undefined) return;
      if (this.closed === null) {
        if (next.arrivalS > this.clock + NS) return;
      } else {
        const answered = this.refused + this.requests.filter((r) => !Number.isNaN(r.finishS)).length;
        if (this.nextArrival - answered >= this.closed) return;
        next.arrivalS = this.clock;
      }
      this.nextArrival += 1;
      if (next.input >= this.input.limits.maxModelLenTokens) this.refused += 1;
      else this.waiting.push(next);
    }
  }

  private blocks(tokens: number): number {
    return Math.ceil(tokens / this.input.limits.blockSizeTokens);
  }

  private free(): number {
    let used = 0;
    for (const r of this.requests) for (const gpu of r.onGpu) if (gpu) used += this.blocks(r.reserved);
    return this.pool * this.layers - used;
  }

  private hostFree(): number {
    const { hostPoolBytes } = this.input.layerkv;
    const block = this.transfer.bytesPerTokenLayer * this.input.limits.blockSizeTokens;
    let used = 0;
    for (const r of this.requests) used += r.hostReserved;
    return Math.floor(hostPoolBytes / this.input.parallelism.data / block) - used;
  }

  private growthOf(r: ReferenceRequest): number {
    return (this.blocks(r.kv + 1) - this.blocks(r.kv)) * this.layers;
  }

  private growth(): number {
    let needed = 0;
    for (const r of this.running) needed += this.growthOf(r);
    return needed;
  }

  private drop(r: ReferenceRequest): void {
    r.onGpu = [];
    r.hostReserved = 0;
    r.kv = 0;
    r.reserved = 0;
    this.preemptions += 1;
    this.waiting.unshift(r);
  }

  /** One iteration. False when nothing could be scheduled. */
  private step(): boolean {
    if (this.acts) this.transfersAtBoundary();
    return this.input.scheduler === 'v0' ? this.stepV0() : this.stepV1();
  }

  private stepV0(): boolean {
    const { maxNumBatchedTokens, maxNumSeqs } = this.input.limits;
    const batch: ReferenceRequest[] = [];
    let tokens = 0;
    const round = { claimed: 0, transient: 0 };
    while (this.waiting.length > 0) {
      const head = this.waiting[0]!;
      const need = head.input + head.produced;
      if (need > maxNumBatchedTokens || this.blocks(need) > this.pool - (this.acts ? 0 : this.watermark)) {
        this.waiting.shift();
        this.refused += 1;
        this.takeArrivals();
        continue;
      }
      if (tokens + need > maxNumBatchedTokens) break;
      if (this.running.length + this.reloading.length + batch.length >= maxNumSeqs) break;
      if (this.acts) {
        if (!this.admitLayerKv(head, need, round, 0)) break;
      } else {
        if (Math.floor(this.free() / this.layers) - this.blocks(need) < this.watermark) break;
        head.onGpu = new Array(this.layers).fill(true);
        head.reserved = need;
      }
      this.waiting.shift();
      batch.push(head);
      tokens += need;
    }
    if (batch.length > 0) {
      this.compute(
        [],
        batch.map((r) => ({ r, cached: 0, tokens: r.input + r.produced })),
      );
      return true;
    }
    while (this.running.length > 0 && this.growth() > this.free()) this.drop(this.running.pop()!);
    if (this.running.length === 0) return this.waiting.length > 0 && this.preemptedJustNow();
    this.compute(this.running.slice(), []);
    return true;
  }

  private lastPreemptions = 0;
  private preemptedJustNow(): boolean {
    const changed = this.preemptions !== this.lastPreemptions;
    this.lastPreemptions = this.preemptions;
    return changed;
  }

  private stepV1(): boolean {
    const { maxNumBatchedTokens, maxNumSeqs } = this.input.limits;
    let preempted = false;
    while (this.running.length > 0 && this.growth() > this.free()) {
      if (this.partial !== null) this.dropPartial();
      else this.drop(this.running.pop()!);
      preempted = true;
    }
    const decodes = this.running.slice();
    let budget = maxNumBatchedTokens - decodes.length;
    const chunks: { r: ReferenceRequest; cached: number; tokens: number }[] = [];
    const inFlight = this.partial === null ? 0 : this.partial.input + this.partial.produced - this.partial.kv;
    const round = { claimed: inFlight > 0 ? this.estimate(inFlight) : 0, transient: 0 };
    let stalled = false;
    const partial = this.partial;
    if (partial !== null && budget > 0) {
      const tokens = Math.min(partial.input + partial.produced - partial.kv, budget);
      const all = partial.kv + tokens;
      if (this.acts) {
        const leaving = partial.onGpu.filter((gpu) => !gpu).length;
        const needed = Math.min(this.input.layerkv.transientLayers, leaving) * this.blocks(all);
        if (needed > this.free() - this.growth()) stalled = true;
        else round.transient += needed;
      } else if ((this.blocks(all) - this.blocks(partial.kv)) * this.layers > this.free() - this.growth()) {
        this.dropPartial();
        preempted = true;
        stalled = true;
      } else partial.reserved = all;
      if (!stalled) {
        chunks.push({ r: partial, cached: partial.kv, tokens });
        budget -= tokens;
      }
    }
    while (!preempted && !stalled && this.waiting.length > 0 && budget > 0) {
      if (decodes.length + chunks.length + this.reloading.length >= maxNumSeqs) break;
      const head = this.waiting[0]!;
      const total = head.input + head.produced;
      if (this.blocks(total) > this.pool) {
        this.waiting.shift();
        this.refused += 1;
        this.takeArrivals();
        continue;
      }
      const tokens = Math.min(total, budget);
      if (this.acts) {
        if (!this.admitLayerKv(head, total, round, this.growth())) break;
      } else {
        if (this.blocks(tokens) * this.layers > this.free() - this.growth()) break;
        head.onGpu = new Array(this.layers).fill(true);
        head.reserved = tokens;
      }
      this.waiting.shift();
      chunks.push({ r: head, cached: 0, tokens });
      budget -= tokens;
    }
    if (decodes.length + chunks.length === 0) return preempted;
    this.compute(decodes, chunks);
    return true;
  }

  private dropPartial(): void {
    const r = this.partial!;
    this.partial = null;
    this.drop(r);
  }

  private compute(
    decodes: ReferenceRequest[],
    chunks: { r: ReferenceRequest; cached: number; tokens: number }[],
  ): void {
    const batch = emptyBatch();
    const window = this.cost.windowTokens;
    for (const r of decodes) {
      batch.decodeSeqs += 1;
      batch.sampledSeqs += 1;
      batch.decodeContextTokens += r.kv + 1;
      if (Number.isFinite(window)) batch.decodeWindowTokens += Math.min(r.kv + 1, window);
    }
    for (const { r, cached, tokens } of chunks) {
      if (Number.isNaN(r.prefillStartS)) r.prefillStartS = Math.max(this.clock, r.arrivalS);
      addPrefill(batch, tokens, cached, cached + tokens === r.input + r.produced, window);
    }
    const duration = this.withTransfers(this.cost.stepS(batch), chunks);
    this.clock += duration;
    if (decodes.length > 0) this.lastDecode = duration;
    for (const r of decodes) {
      r.kv += 1;
      r.reserved = r.kv;
      r.produced += 1;
      if (r.produced === r.output) this.finish(r);
    }
    for (const { r, cached, tokens } of chunks) {
      if (this.partial === r) this.partial = null;
      r.kv = cached + tokens;
      if (r.kv < r.input + r.produced) {
        this.partial = r;
        continue;
      }
      r.produced += 1;
      if (Number.isNaN(r.firstTokenS)) r.firstTokenS = this.clock;
      if (r.produced >= r.output) this.finish(r);
      else if (r.onGpu.every((gpu) => gpu)) this.running.push(r);
      else this.parked.push(r);
    }
  }

  private withTransfers(computeS: number, chunks: { r: ReferenceRequest; cached: number; tokens: number }[]): number {
    if (!this.acts || chunks.every(({ r }) => r.onGpu.every((gpu) => gpu))) return computeS;
    const ends: number[] = [];
    let now = 0;
    let linkIn = 0;
    let linkOut = 0;
    for (let layer = 0; layer < this.layers; layer++) {
      const moving = chunks.filter(({ r }) => !r.onGpu[layer]!);
      if (moving.length > 0) {
        const slots = Math.max(1, this.input.layerkv.transientLayers);
        const slotFree = ends.length >= slots ? ends[ends.length - slots]! : 0;
        let fetch = 0;
        let offload = 0;
        for (const { cached, tokens } of moving) {
          fetch += cached * this.transfer.reloadTokenLayerS;
          offload += tokens * this.transfer.offloadTokenLayerS;
          this.back += cached * this.transfer.bytesPerTokenLayer;
          this.out += tokens * this.transfer.bytesPerTokenLayer;
        }
        if (fetch > 0) {
          linkIn = Math.max(linkIn, slotFree) + fetch;
          now = Math.max(now, linkIn);
        }
        now = Math.max(now, slotFree) + computeS / this.layers;
        linkOut = Math.max(linkOut, now) + offload;
        ends.push(linkOut);
      } else now += computeS / this.layers;
    }
    return Math.max(now, linkOut);
  }

  private finish(r: ReferenceRequest): void {
    r.finishS = this.clock;
    r.onGpu = [];
    r.hostReserved = 0;
    r.reserved = 0;
    this.running = this.running.filter((other) => other !== r);
    this.finishedLengths.push(r.output);
  }

  private reserve(): number {
    const { growthReserve } = this.input.layerkv;
    return this.running.length + this.reloading.length > 0
      ? Math.ceil(growthReserve * (this.pool * this.layers) - 1e-9)
      : 0;
  }

  private transfersAtBoundary(): void {
    while (this.reloading.length > 0 && this.reloading[0]!.reloadEndS <= this.clock + NS) {
      const r = this.reloading.shift()!;
      r.hostReserved = 0;
      this.running.push(r);
    }
    while (this.parked.length > 0) {
      const r = this.parked[0]!;
      const missing = r.onGpu.filter((gpu) => !gpu).length;
      if (this.running.length + this.reloading.length >= this.input.limits.maxNumSeqs) return;
      if (this.free() - missing * this.blocks(r.kv) < this.reserve()) return;
      this.parked.shift();
      r.onGpu = r.onGpu.map(() => true);
      this.linkFree = Math.max(this.linkFree, this.clock) + missing * r.kv * this.transfer.reloadTokenLayerS;
      r.reloadEndS = this.linkFree;
      this.back += missing * r.kv * this.transfer.bytesPerTokenLayer;
      this.reloading.push(r);
    }
  }

  private admitLayerKv(
    r: ReferenceRequest,
    tokens: number,
    round: { claimed: number; transient: number },
    growth: number,
  ): boolean {
    const blocks = this.blocks(tokens);
    const available = this.free() - growth - round.transient;
    const kept = this.keep(tokens, blocks, available);
    if (kept < 0) return false;
    const estimate = this.estimate(tokens);
    if (round.claimed + estimate > this.budget()) return false;
    round.claimed += estimate;
    round.transient += Math.min(this.input.layerkv.transientLayers, this.layers - kept) * blocks;
    r.onGpu = Array.from({ length: this.layers }, (_, layer) => staysOnGpu(layer, kept, this.layers));
    r.reserved = tokens;
    r.hostReserved = (this.layers - kept) * blocks;
    if (r.predicted === 0) r.predicted = this.predict(r.output);
    return true;
  }

  private keep(tokens: number, blocks: number, available: number): number {
    const { layers } = this;
    if (this.parked.length === 0 && available - layers * blocks >= this.reserve()) return layers;
    const minimum = minimumRetainedLayers(layers, tokens * this.transfer.offloadTokenLayerS, this.estimate(tokens));
    let best = -1;
    for (let kept = minimum; kept < layers; kept++) {
      if ((layers - kept) * blocks > this.hostFree()) continue;
      if ((kept + Math.min(this.input.layerkv.transientLayers, layers - kept)) * blocks > available) continue;
      const extra = best >= 0;
      if (extra && (this.parked.length > 0 || kept * blocks > available - this.reserve())) break;
      best = kept;
    }
    return best;
  }

  private budget(): number {
    const slo = this.input.policy === 'layerkv' ? this.input.slo.tpotS : null;
    if (slo === null) return Number.POSITIVE_INFINITY;
    let least = Number.POSITIVE_INFINITY;
    for (const r of [...this.running, ...this.reloading, ...this.parked]) {
      const future = Math.max(1, r.predicted - r.produced);
      const whole = slo * (r.produced + future) - (this.clock - r.firstTokenS);
      if (whole < 0 && this.input.layerkv.lostRequests === 'ignore') continue;
      least = Math.min(least, whole - future * this.lastDecode);
    }
    return least;
  }

  private predict(output: number): number {
    const { buckets, accuracy } = this.input.layerkv.predictor;
    const known = this.finishedLengths.length > 0 ? this.finishedLengths : this.requests.map((r) => r.output);
    const sorted = known.slice().sort((a, b) => a - b);
    const edges = Array.from({ length: buckets }, (_, b) => sorted[Math.floor((b * sorted.length) / buckets)]!);
    let right = 0;
    for (let b = 1; b < buckets && edges[b]! <= output; b++) right = b;
    if (this.random() < accuracy || buckets === 1) return edges[right]!;
    const others = edges.filter((_, b) => b !== right);
    return others[Math.floor(this.random() * others.length)]!;
  }

  /** Nothing runs, nothing moves: parked requests hold each other's blocks, or a half-done prefill does. */
  private untie(): boolean {
    for (let k = this.parked.length - 1; k > 0; k--) {
      const r = this.parked[k]!;
      const layers = r.onGpu.filter((gpu) => gpu).length;
      if (layers === 0) continue;
      if (layers * this.blocks(r.kv) > this.hostFree()) {
        this.parked.splice(k, 1);
        this.drop(r);
        return true;
      }
      this.clock += layers * r.kv * this.transfer.offloadTokenLayerS;
      this.out += layers * r.kv * this.transfer.bytesPerTokenLayer;
      r.hostReserved += layers * this.blocks(r.kv);
      r.onGpu = r.onGpu.map(() => false);
      return true;
    }
    if (this.partial === null) return false;
    this.dropPartial();
    return true;
  }
}
