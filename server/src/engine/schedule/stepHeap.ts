/**
 * A binary min-heap of requests keyed by the decode step at which something happens to them. Ties go to the lower request
 * index, so that the order never depends on the heap's history.
 */
export class StepHeap {
  private keys = new Float64Array(64);
  private requests = new Int32Array(64);
  size = 0;
  /** Smallest key, Infinity when empty: a field, since it is asked for in every step. */
  nextStep = Number.POSITIVE_INFINITY;

  nextRequest(): number {
    return this.requests[0]!;
  }

  push(step: number, request: number): void {
    if (this.size === this.keys.length) this.grow();
    const { keys, requests } = this;
    let slot = this.size++;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!(step < keys[parent]! || (step === keys[parent]! && request < requests[parent]!))) break;
      keys[slot] = keys[parent]!;
      requests[slot] = requests[parent]!;
      slot = parent;
    }
    keys[slot] = step;
    requests[slot] = request;
    this.nextStep = keys[0]!;
  }

  pop(): void {
    const { keys, requests } = this;
    const last = --this.size;
    if (last <= 0) {
      this.nextStep = Number.POSITIVE_INFINITY;
      return;
    }
    const step = keys[last]!;
    const request = requests[last]!;
    let slot = 0;
    for (let child = 1; child < last; child = 2 * slot + 1) {
      const other = child + 1;
      if (other < last) {
        const ahead = keys[other]! - keys[child]!;
        if (ahead < 0 || (ahead === 0 && requests[other]! < requests[child]!)) child = other;
      }
      if (step < keys[child]! || (step === keys[child]! && request < requests[child]!)) break;
      keys[slot] = keys[child]!;
      requests[slot] = requests[child]!;
      slot = child;
    }
    keys[slot] = step;
    requests[slot] = request;
    this.nextStep = keys[0]!;
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
