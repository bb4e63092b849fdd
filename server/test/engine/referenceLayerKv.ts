/** LayerKV's rules for the naive reference: a flag for every layer, everything counted afresh whenever it is asked for. */
import { minimumRetainedLayers, staysOnGpu } from '../../src/engine/kv/retention.ts';
import { NS, type ReferenceRequest, ReferenceState, type Round } from './referenceState.ts';

export class ReferenceLayerKv extends ReferenceState {
  /** Layer-blocks to leave free when one more request is let in. */
  protected floor(joining: number): number {
    const { growthReserve } = this.input.layerkv;
    const others = this.running.length + this.reloading.length + joining;
    if (others === 0) return 0;
    const reserve = Math.ceil(growthReserve * (this.pool * this.layers) - 1e-9);
    return Math.max(reserve, this.threshold() + (others + 1) * this.layers);
  }

  protected threshold(): number {
    return Math.ceil(this.input.layerkv.offloadThreshold * (this.pool * this.layers) - 1e-9);
  }

  protected forecast(): number {
    let blocks = this.free() - this.running.length * this.layers;
    for (const r of this.leaving) blocks += r.leavingLayers * this.blocks(r.kv);
    for (const r of this.running) if (this.endsSoon(r)) blocks += this.layers * this.blocks(r.kv);
    return blocks;
  }

  protected endsSoon(r: ReferenceRequest): boolean {
    const future = r.predicted - r.produced;
    return future > 0 && future <= this.input.limits.blockSizeTokens;
  }

  protected relievePressure(): void {
    while (this.running.length > 0 && this.forecast() < this.threshold()) {
      if (this.emptyLast(this.parked)) continue;
      if (this.running.length === 1) return;
      const slo = this.input.policy === 'layerkv' ? this.input.slo.tpotS : null;
      let victim: ReferenceRequest | null = null;
      let most = Number.NEGATIVE_INFINITY;
      for (const r of this.ready()) {
        if (this.endsSoon(r)) continue;
        const slack = slo === null ? 0 : this.allowance(r, slo);
        if (slack < most - NS) continue;
        most = Math.max(most, slack);
        victim = r;
      }
      if (victim === null) return;
      const blocks = this.blocks(victim.kv);
      const layers = this.layers;
      if (layers * blocks > this.hostFree()) return;
      const leaver = victim;
      this.running = this.running.filter((r) => r !== leaver);
      victim.parkedSinceS = this.clock;
      this.leave(victim);
    }
  }

  /** The last of these parked requests that has layers on the GPU, and room for them on the host, sends them there. */
  protected emptyLast(parked: readonly ReferenceRequest[]): boolean {
    const last = parked.findLast((r) => {
      const blocks = this.gpuLayers(r) * this.blocks(r.kv);
      return blocks > 0 && blocks <= this.hostFree();
    });
    if (last === undefined) return false;
    this.parked = this.parked.filter((r) => r !== last);
    this.leave(last);
    return true;
  }

  protected gpuLayers(r: ReferenceRequest): number {
    return r.onGpu.filter((gpu) => gpu).length;
  }

  /** The layers that a request has on the GPU start on their way to the host. */
  private leave(r: ReferenceRequest): void {
    const layers = this.gpuLayers(r);
    this.linkOutFree =
      Math.max(this.linkOutFree, this.clock) +
      (layers / this.transfer.sideBySide) * this.transfer.offloadLayerS(r.kv) * this.stretch();
    r.reloadEndS = this.linkOutFree;
    r.leavingLayers = layers;
    r.hostReserved += layers * this.blocks(r.kv);
    this.out += layers * r.kv * this.transfer.bytesPerTokenLayer;
    this.leaving.push(r);
  }

  protected completeLeaving(): void {
    const r = this.leaving.shift()!;
    r.onGpu = r.onGpu.map(() => false);
    r.leavingLayers = 0;
    this.park(r);
  }

  /** Transfers give way to the collectives of a decode step of whoever runs now. */
  protected stretch(): number {
    return this.transfer.stretch(this.collectiveS(this.ready().length), this.decodeS(this.ready()));
  }

  /** In the order of first tokens; of equals, behind those that are parked already. */
  protected park(r: ReferenceRequest): void {
    if (Number.isNaN(r.parkedSinceS)) r.parkedSinceS = this.clock;
    const later = this.parked.findIndex((other) => other.firstTokenS > r.firstTokenS);
    this.parked.splice(later < 0 ? this.parked.length : later, 0, r);
  }

  protected endStay(r: ReferenceRequest): void {
    this.stays.push({ fromS: r.parkedSinceS, toS: this.clock });
    r.parkedSinceS = Number.NaN;
  }

  protected waitForLeaving(): void {
    this.clock = Math.max(this.clock, this.leaving[0]!.reloadEndS);
    this.completeLeaving();
  }

  protected transfersAtBoundary(): void {
    while (this.leaving.length > 0 && this.leaving[0]!.reloadEndS <= this.clock + NS) this.completeLeaving();
    this.reloadAtBoundary();
    if (this.input.layerkv.residency === 'reload') this.relievePressure();
    this.joining = this.flights.reduce((sum, flight) => sum + flight.joining, 0);
  }

  protected reloadAtBoundary(): void {
    while (this.reloading.length > 0 && this.reloading[0]!.reloadEndS <= this.clock + NS) {
      const r = this.reloading.shift()!;
      r.hostReserved = 0;
      this.endStay(r);
      this.running.push(r);
    }
    while (this.parked.length > 0) {
      const r = this.parked[0]!;
      const missing = r.onGpu.filter((gpu) => !gpu).length;
      if (this.running.length + this.reloading.length >= this.input.limits.maxNumSeqs) return;
      if (this.free() - this.transientInFlight() - missing * this.blocks(r.kv) < this.floor(0)) return;
      this.parked.shift();
      r.onGpu = r.onGpu.map(() => true);
      this.linkFree =
        Math.max(this.linkFree, this.clock) +
        (missing / this.transfer.sideBySide) * this.transfer.reloadLayerS(r.kv) * this.stretch();
      r.reloadEndS = this.linkFree;
      this.back += missing * r.kv * this.transfer.bytesPerTokenLayer;
      this.reloading.push(r);
    }
  }

  protected admitLayerKv(r: ReferenceRequest, tokens: number, round: Round, decodes: boolean): boolean {
    const blocks = this.blocks(tokens);
    const available = this.free() - (decodes ? this.growth() : 0) - round.transient;
    const kept = this.keep(tokens, blocks, available, this.hostFree() - (decodes ? this.hostGrowth() : 0));
    if (kept < 0) return false;
    const estimate = this.estimate(tokens);
    round.budget ??= this.budget();
    if (round.claimed + estimate > round.budget + NS) return false;
    round.claimed += estimate;
    if (kept === this.layers) this.joining += 1;
    round.transient += Math.min(this.input.layerkv.transientLayers, this.layers - kept) * blocks;
    r.onGpu = Array.from({ length: this.layers }, (_, layer) => staysOnGpu(layer, kept, this.layers));
    r.reserved = tokens;
    r.hostReserved = (this.layers - kept) * blocks;
    if (r.predicted === 0) r.predicted = this.predict(r.output);
    return true;
  }

  protected keep(tokens: number, blocks: number, available: number, host: number): number {
    const { layers } = this;
    if (this.parked.length === 0 && available - layers * blocks >= this.floor(this.joining)) return layers;
    const minimum = minimumRetainedLayers(layers, tokens * this.transfer.offloadTokenLayerS, this.estimate(tokens));
    let best = -1;
    for (let kept = minimum; kept < layers; kept++) {
      if ((layers - kept) * blocks > host) continue;
      if ((kept + Math.min(this.input.layerkv.transientLayers, layers - kept)) * blocks > available) continue;
      const extra = best >= 0;
      if (extra && (this.parked.length > 0 || kept * blocks > available - this.floor(this.joining))) break;
      best = kept;
    }
    const transient = Math.min(this.input.layerkv.transientLayers, layers - best);
    return this.input.layerkv.residency === 'stream' && best >= 0 && best + transient === layers ? layers : best;
  }

  protected budget(): number {
    const slo = this.input.policy === 'layerkv' ? this.input.slo.tpotS : null;
    if (slo === null) return Number.POSITIVE_INFINITY;
    let least = Number.POSITIVE_INFINITY;
    const waits = this.input.layerkv.countReloadWait ? this.reloadWaits() : [];
    for (const r of [...this.running, ...this.reloading, ...this.parked, ...this.leaving]) {
      const allowed = this.allowance(r, slo) - (waits[this.parked.indexOf(r)] ?? 0);
      if (allowed < -NS && this.input.layerkv.lostRequests === 'ignore') continue;
      least = Math.min(least, allowed);
    }
    return least;
  }

  /** For each parked request in order: when predicted ends have freed enough for it and those before it, then the link. */
  protected reloadWaits(): number[] {
    const ends = this.running.map((r) => ({
      after: Math.max(1, r.predicted - r.produced) * this.lastDecode,
      blocks: this.layers * this.blocks(r.kv),
    }));
    ends.sort((a, b) => a.after - b.after);
    let needed = 0;
    let link = 0;
    return this.parked.map((r) => {
      const missing = r.onGpu.filter((gpu) => !gpu).length;
      needed += missing * this.blocks(r.kv);
      link += (missing / this.transfer.sideBySide) * this.transfer.reloadLayerS(r.kv);
      let free = this.free() - this.floor(0);
      let wait = 0;
      for (const end of ends) {
        if (free >= needed) break;
        free += end.blocks;
        wait = end.after;
      }
      return wait + link;
    });
  }

  protected allowance(r: ReferenceRequest, slo: number): number {
    const future = Math.max(1, r.predicted - r.produced);
    return slo * (r.produced + future) - (this.clock - r.firstTokenS + future * this.lastDecode);
  }

  protected predict(output: number): number {
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
}
