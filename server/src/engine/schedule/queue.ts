/** A queue of request indices that also takes back at the front, as preempted requests return. */
export class RequestQueue {
  private ring = new Int32Array(16);
  private head = 0;
  length = 0;

  /** The request at the front; call only when `length` > 0. */
  first(): number {
    return this.ring[this.head]!;
  }

  pushBack(request: number): void {
    if (this.length === this.ring.length) this.grow();
    this.ring[(this.head + this.length) & (this.ring.length - 1)] = request;
    this.length += 1;
  }

  pushFront(request: number): void {
    if (this.length === this.ring.length) this.grow();
    this.head = (this.head - 1) & (this.ring.length - 1);
    this.ring[this.head] = request;
    this.length += 1;
  }

  popFront(): number {
    const request = this.ring[this.head]!;
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.length -= 1;
    return request;
  }

  /** Takes a request out, wherever it stands. */
  remove(request: number): void {
    const mask = this.ring.length - 1;
    let kept = 0;
    for (let k = 0; k < this.length; k++) {
      const other = this.ring[(this.head + k) & mask]!;
      if (other !== request) this.ring[(this.head + kept++) & mask] = other;
    }
    this.length = kept;
  }

  private grow(): void {
    const larger = new Int32Array(this.ring.length * 2);
    for (let k = 0; k < this.length; k++) larger[k] = this.ring[(this.head + k) & (this.ring.length - 1)]!;
    this.ring = larger;
    this.head = 0;
  }
}
