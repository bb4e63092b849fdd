/**
 * The rules of the engine written down a second time, as plainly as possible: one iteration at a time, every request
 * touched in each, a flag for every layer of every request, blocks counted afresh whenever they are asked for. Slow on
 * purpose; the engine has to agree with it request by request.
 */
import { addPrefill, emptyBatch, type StepBatch } from '../../src/engine/cost/types.ts';
import { ReferenceLayerKv } from './referenceLayerKv.ts';
import { NS, type ReferenceFlight, type ReferenceRequest, type ReferenceRun, type Round } from './referenceState.ts';

export class ReferenceEngine extends ReferenceLayerKv {
  run(): ReferenceRun {
    for (;;) {
      this.takeArrivals();
      if (this.step()) continue;
      this.underWay = false;
      if (this.seeAll()) continue;
      if (this.reloading.length + this.leaving.length === 0 && this.untie()) continue;
      // Nothing to do: on to whatever comes next.
      const next = Math.min(
        this.arrivals.nextS(),
        this.reloading[0]?.reloadEndS ?? Number.POSITIVE_INFINITY,
        this.leaving[0]?.reloadEndS ?? Number.POSITIVE_INFINITY,
      );
      if (next === Number.POSITIVE_INFINITY) break;
      this.clock = Math.max(this.clock, next);
    }
    this.arrivals.delay();
    return this.outcome();
  }

  outcome(): ReferenceRun {
    return {
      requests: this.requests,
      preemptions: this.preemptions,
      stays: this.stays,
      deviceToHostBytes: this.out,
      hostToDeviceBytes: this.back,
      refused: this.refused,
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
  protected enqueue(r: ReferenceRequest): void {
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

  all(): readonly ReferenceRequest[] {
    return this.requests;
  }

  /** No step had been put together: whoever has come is seen at once. False when that is nobody. */
  protected seeAll(): boolean {
    const some = this.unseen.length > 0;
    this.unseen = [];
    return some;
  }

  /** One iteration. False when nothing could be scheduled. */
  protected step(): boolean {
    if (this.acts) this.transfersAtBoundary();
    return this.input.scheduler === 'v0' ? this.stepV0() : this.stepV1();
  }

  private stepV0(): boolean {
    const { maxNumBatchedTokens, maxNumSeqs } = this.input.limits;
    const batch: ReferenceRequest[] = [];
    let tokens = 0;
    const round: Round = { claimed: 0, transient: 0, budget: null };
    const from = this.clock;
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
        if (!this.admitLayerKv(head, need, round, false)) break;
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
        round.transient,
        0,
      );
      return true;
    }
    while (this.running.length > 0 && this.isShort()) {
      if (this.leaving.length > 0) this.waitForLeaving();
      else this.drop(this.running.pop()!);
    }
    // In a pipeline, who had to wait for a transfer looks again.
    if (this.pipelined && this.clock > from) return true;
    if (this.running.length === 0) return this.waiting.length > 0 && this.preemptedJustNow();
    this.compute(this.running.slice(), [], 0, 0);
    return true;
  }

  protected readonly pipelined: boolean = false;
  private lastPreemptions = 0;
  private preemptedJustNow(): boolean {
    const changed = this.preemptions !== this.lastPreemptions;
    this.lastPreemptions = this.preemptions;
    return changed;
  }

  private stepV1(): boolean {
    const { maxNumBatchedTokens, maxNumSeqs } = this.input.limits;
    let preempted = false;
    const partialAtStart = this.partial;
    // What lies behind windows comes free before anybody takes a block.
    for (const r of this.ready()) r.looked = r.kv;
    if (partialAtStart !== null) partialAtStart.looked = partialAtStart.kv;
    const tokensUnderWay = this.flights.flatMap(({ prefills }) =>
      prefills.filter(({ r, dropped }) => r.dropped === dropped).map(({ tokens }) => tokens),
    );
    while (this.ready().length > 0 && this.isShort()) {
      if (this.leaving.length > 0) {
        this.waitForLeaving();
        continue;
      }
      if (this.partial !== null) this.dropPartial();
      else if (this.prefilling.length > 0) this.drop(this.prefilling.at(-1)!);
      else this.drop(this.running.pop()!);
      preempted = true;
    }
    const decodes = this.ready();
    let budget = maxNumBatchedTokens - decodes.length;
    const chunks: { r: ReferenceRequest; cached: number; tokens: number }[] = [];
    let inFlight = partialAtStart === null ? 0 : partialAtStart.input + partialAtStart.produced - partialAtStart.kv;
    for (const tokens of tokensUnderWay) inFlight += tokens;
    const under = this.transientInFlight();
    const round: Round = { claimed: inFlight > 0 ? this.estimate(inFlight) : 0, transient: under, budget: null };
    const joiningBefore = this.joining;
    let stalled = false;
    const partial = this.partial;
    if (partial !== null && budget > 0) {
      const tokens = Math.min(partial.input + partial.produced - partial.kv, budget);
      const all = partial.kv + tokens;
      if (this.acts) {
        const leaving = partial.onGpu.filter((gpu) => !gpu).length;
        const needed = Math.min(this.input.layerkv.transientLayers, leaving) * this.blocks(all);
        if (round.transient + needed > this.free() - this.growth()) stalled = true;
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
      if (this.unseen.includes(this.waiting[0]!)) break;
      const seats = this.running.length + this.prefilling.length + chunks.length + this.reloading.length;
      if (seats >= maxNumSeqs) break;
      const head = this.waiting[0]!;
      if (head.flights > 0) break;
      const total = head.input + head.produced;
      if (this.sequenceBlocks(total) > this.poolBlocks()) {
        this.waiting.shift();
        this.refused += 1;
        this.takeArrivals();
        continue;
      }
      const tokens = Math.min(total, budget);
      if (this.acts) {
        if (!this.admitLayerKv(head, total, round, true)) break;
      } else {
        const whole = this.input.limits.reserveFullSequence === true;
        const room = whole ? this.sequenceBlocks(total) : this.blocks(tokens) * this.layers;
        if (room > this.free() - this.growth()) break;
        head.onGpu = new Array(this.layers).fill(true);
        head.reserved = tokens;
      }
      this.waiting.shift();
      chunks.push({ r: head, cached: 0, tokens });
      budget -= tokens;
    }
    if (decodes.length + chunks.length === 0) return preempted && this.flights.length === 0;
    this.compute(decodes, chunks, round.transient - under, this.joining - joiningBefore);
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
    transient: number,
    joining: number,
  ): void {
    const batch = emptyBatch();
    const window = this.cost.windowTokens;
    for (const r of decodes) this.addDecode(batch, r);
    for (const { r, cached, tokens } of chunks) {
      if (Number.isNaN(r.prefillStartS)) r.prefillStartS = Math.max(this.clock, r.arrivalS);
      addPrefill(batch, tokens, cached, cached + tokens === r.input + r.produced, window);
    }
    const collectiveS = this.collectiveS(batch.decodeSeqs + batch.prefillTokens);
    const along = this.withTransfers(this.cost.stepS(batch), collectiveS, chunks);
    const duration = Math.max(along, this.streamS(decodes));
    for (const r of decodes) {
      r.reserved = r.kv + 1;
      if (r.streamed > 0) r.hostReserved = r.streamed * this.blocks(r.kv + 1);
    }
    for (const { r, cached, tokens } of chunks) {
      r.kv = cached + tokens;
      const last = r.kv === r.input + r.produced;
      if (last) this.prefilling.push(r);
      this.partial = last ? null : r;
    }
    const start = this.clock;
    const tokensOf = [
      ...decodes.map((r) => ({ r, decodes: true, last: true, dropped: r.dropped })),
      ...chunks.map(({ r }) => ({ r, decodes: false, last: r !== this.partial, dropped: r.dropped })),
    ];
    const settle = (): void => {
      if (decodes.length > 0) this.lastDecode = this.clock - start;
      for (const { r, decodes: decoded, last, dropped } of tokensOf) {
        if (!last) continue;
        if (r.dropped !== dropped) this.lateToken(r);
        else if (decoded) {
          r.kv += 1;
          r.produced += 1;
          if (r.produced === r.output) this.finish(r);
        } else this.prefilled(r);
      }
    };
    this.launch(duration, batch, [...decodes, ...chunks.map(({ r }) => r)], {
      prefills: chunks.map(({ r, tokens }) => ({ r, tokens, dropped: r.dropped })),
      transient,
      joining,
      settle,
    });
  }

  /** The step runs; without a pipeline nothing happens until it has ended. */
  protected launch(
    duration: number,
    _batch: StepBatch,
    _requests: readonly ReferenceRequest[],
    { settle }: Pick<ReferenceFlight, 'prefills' | 'transient' | 'joining' | 'settle'>,
  ): void {
    this.clock += duration;
    this.underWay = true;
    this.unseen = [];
    settle();
  }

  private prefilled(r: ReferenceRequest): void {
    this.prefilling = this.prefilling.filter((other) => other !== r);
    r.produced += 1;
    if (Number.isNaN(r.firstTokenS)) r.firstTokenS = this.clock;
    if (r.produced >= r.output) this.finish(r);
    else if (r.onGpu.every((gpu) => gpu)) this.running.push(r);
    else if (this.input.layerkv.residency === 'reload') this.park(r);
    else {
      r.streamed = r.onGpu.filter((gpu) => !gpu).length;
      r.slots = Math.min(this.input.layerkv.transientLayers, r.streamed);
      this.running.push(r);
    }
  }

  /** The token of a request that was preempted while its step was under way counts. */
  private lateToken(r: ReferenceRequest): void {
    r.produced += 1;
    if (Number.isNaN(r.firstTokenS)) r.firstTokenS = this.clock;
    if (r.produced < r.output) return;
    this.waiting = this.waiting.filter((other) => other !== r);
    this.finish(r);
  }

  private withTransfers(
    alone: number,
    collectiveS: number,
    chunks: { r: ReferenceRequest; cached: number; tokens: number }[],
  ): number {
    if (!this.acts) return alone;
    const moving = this.reloading.length + this.leaving.length > 0 || this.ready().some((r) => r.streamed > 0);
    if (chunks.every(({ r }) => r.onGpu.every((gpu) => gpu))) {
      return alone + (moving ? this.transfer.collectiveWaitS(1) : 0);
    }
    const stretch = this.transfer.stretch(collectiveS, alone);
    let total = 0;
    for (const { r, cached, tokens } of chunks) {
      for (const gpu of r.onGpu) {
        if (!gpu) total += stretch * (this.transfer.offloadLayerS(tokens) + this.transfer.reloadLayerS(cached));
      }
    }
    const computeS = alone + this.transfer.collectiveWaitS(moving ? 1 : total / alone);
    const ends: number[] = [];
    let now = 0;
    let linkIn = 0;
    let linkOut = Math.max(0, this.linkOutFree - this.clock);
    for (let layer = 0; layer < this.layers; layer++) {
      const leavers = chunks.filter(({ r }) => !r.onGpu[layer]!);
      if (leavers.length > 0) {
        const slots = Math.max(1, this.input.layerkv.transientLayers);
        const slotFree = ends.length >= slots ? ends[ends.length - slots]! : 0;
        let fetch = 0;
        let offload = 0;
        for (const { cached, tokens } of leavers) {
          fetch += stretch * this.transfer.reloadLayerS(cached);
          offload += stretch * this.transfer.offloadLayerS(tokens);
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
    if (!this.pipelined) this.linkOutFree = this.clock + linkOut;
    return Math.max(now, linkOut);
  }

  /** One decode step's layers through the link, for requests that stream; 0 without such. */
  private streamS(decodes: readonly ReferenceRequest[]): number {
    let tokens = 0;
    let copies = 0;
    for (const r of decodes) {
      tokens += r.streamed * r.kv;
      copies += r.streamed;
    }
    if (copies === 0) return 0;
    this.back += tokens * this.transfer.bytesPerTokenLayer;
    this.out += copies * this.transfer.bytesPerTokenLayer;
    return this.transfer.streamS(tokens, copies) + this.transfer.sharedS(this.collectiveS(decodes.length));
  }

  /** Nothing runs, nothing moves: parked requests hold each other's blocks, or a half-done prefill does. */
  protected untie(): boolean {
    if (this.emptyLast(this.parked.slice(1))) return true;
    const holder = this.parked.slice(1).findLast((r) => this.gpuLayers(r) > 0);
    if (holder !== undefined) {
      this.parked = this.parked.filter((r) => r !== holder);
      this.endStay(holder);
      this.drop(holder);
      return true;
    }
    if (this.partial === null) return false;
    this.dropPartial();
    return true;
  }
}
