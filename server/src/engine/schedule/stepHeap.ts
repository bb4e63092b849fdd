/** A binary min-heap of requests keyed by the decode step at which something happens to them. */
export class StepHeap {
  private keys = new Float64Array(64);
  private requests = new Int32Array(64);
  size = 0;

  /** Smallest key, Infinity when empty. */
  nextStep(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.keys[0]!;
  }

  nextRequest(): number {
    return this.requests[0]!;
  }

  push(step: number, request: number): void {
    if (this.size === this.keys.length) this.grow();
    let slot = this.size++;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!this.before(step, request, parent)) break;
      this.keys[slot] = this.keys[parent]!;
      this.requests[slot] = this.requests[parent]!;
      slot = parent;
    }
    this.keys[slot] = step;
    this.requests[slot] = request;
  }

  pop(): void {
    const last = --this.size;
    if (last <= 0) return;
    const step = this.keys[last]!;
    const request = this.requests[last]!;
    let slot = 0;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= last) break;
      if (child + 1 < last && this.before(this.keys[child + 1]!, this.requests[child + 1]!, child)) child += 1;
      if (this.before(step, request, child)) break;
      this.keys[slot] = this.keys[child]!;
      this.requests[slot] = this.requests[child]!;
      slot = child;
    }
    this.keys[slot] = step;
    this.requests[slot] = request;
  }

  /** Ties go to the lower request index, so that the order never depends on the heap's history. */
  private before(step: number, request: number, slot: number): boolean {
    const key = this.keys[slot]!;
    return step < key || (step === key && request < this.requests[slot]!);
  }

  private grow(): void {
    const keys = new Float64Array(this.keys.length * 2);
    keys.set(this.keys);
    this.keys = keys;
    const requests = new Int32Array(this.requests.length * 2);
    requests.set(this.requests);
    this.requests = requests;
  }
}
