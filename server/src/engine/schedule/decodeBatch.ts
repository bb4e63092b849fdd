/**
 * The requests that produce one token in every step. They all advance together, so nothing here touches each request
 * in each step: sums, block residues and heaps are kept against one counter of decode steps.
 *
 * A request that joins with `kv` cached tokens when the counter stands at D attends to kv + 1 tokens in the next step;
 * its key kv + 1 − D stays constant: at any later counter it attends to key + D.
 */
import { StepHeap } from './stepHeap.ts';

export class DecodeBatch {
  /** Requests in the batch. */
  count = 0;
  /** Decode steps done since the start. */
  stepsDone = 0;
  /** Σ tokens attended to in the next step. */
  contextTokens = 0;
  /** The same with each context capped at the window; stays 0 for models without one. */
  windowTokens = 0;
  /** Requests whose context is still below the window. */
  private growing = 0;

  private readonly key: Float64Array;
  private readonly finishStep: Float64Array;
  private readonly joinStep: Float64Array;
  private readonly position: Int32Array;
  private readonly isGrowing: Uint8Array;
  private readonly finishes = new StepHeap();
  private readonly fills = new StepHeap();
  /** How many requests need a block when the counter is ≡ −index (mod block size). */
  private readonly residues: Int32Array;
  private readonly blockSize: number;
  private readonly window: number;
  private readonly windowed: boolean;
  /** Admission order with holes (−1). */
  private order = new Int32Array(64);
  private orderLength = 0;

  constructor(requests: number, blockSizeTokens: number, windowTokens: number) {
    this.blockSize = blockSizeTokens;
    this.window = windowTokens;
    this.windowed = Number.isFinite(windowTokens);
    this.key = new Float64Array(requests);
    this.finishStep = new Float64Array(requests);
    this.joinStep = new Float64Array(requests);
    this.position = new Int32Array(requests).fill(-1);
    this.isGrowing = new Uint8Array(requests);
    this.residues = new Int32Array(blockSizeTokens);
  }

  /** @param remaining tokens it still has to produce, at least 1. */
  join(request: number, kvTokens: number, remaining: number): void {
    const key = kvTokens + 1 - this.stepsDone;
    this.key[request] = key;
    this.joinStep[request] = this.stepsDone;
    this.finishStep[request] = this.stepsDone + remaining;
    this.finishes.push(this.stepsDone + remaining, request);
    this.count += 1;
    this.contextTokens += kvTokens + 1;
    if (this.windowed) {
      this.windowTokens += Math.min(kvTokens + 1, this.window);
      if (kvTokens + 1 < this.window) {
        this.growing += 1;
        this.isGrowing[request] = 1;
        this.fills.push(this.window - key, request);
      }
    }
    this.residues[this.residueOf(key)]! += 1;
    this.append(request);
  }

  /** Tokens produced in the batch since the request joined. */
  producedSinceJoin(request: number): number {
    return this.stepsDone - this.joinStep[request]!;
  }

  /** KV tokens the request holds now. */
  kvTokens(request: number): number {
    return this.key[request]! + this.stepsDone - 1;
  }

  has(request: number): boolean {
    return this.position[request]! >= 0;
  }

  /** Steps until the first request has produced its last token. */
  stepsToFinish(): number {
    this.dropStale(this.finishes, this.finishStep);
    return this.finishes.nextStep() - this.stepsDone;
  }

  /** Steps during which the number of contexts below the window stays the same. */
  stepsToFill(): number {
    if (this.growing === 0) return Number.POSITIVE_INFINITY;
    while (this.fills.size > 0 && !this.isFilling(this.fills.nextRequest(), this.fills.nextStep())) this.fills.pop();
    return this.fills.nextStep() - this.stepsDone;
  }

  /** The request that finishes now, −1 when none does; remove it before asking again. */
  finishedRequest(): number {
    this.dropStale(this.finishes, this.finishStep);
    return this.finishes.nextStep() === this.stepsDone ? this.finishes.nextRequest() : -1;
  }

  /** Blocks the next step needs. */
  blocksForNextStep(): number {
    return this.residues[this.phase(0)]!;
  }

  /** Blocks that `steps` steps need. */
  blocksForSteps(steps: number): number {
    const periods = Math.floor(steps / this.blockSize);
    let blocks = periods * this.count;
    for (let step = periods * this.blockSize; step < steps; step++) blocks += this.residues[this.phase(step)]!;
    return blocks;
  }

  /** The most steps that `blocks` free blocks allow. */
  stepsForBlocks(blocks: number): number {
    if (this.count === 0) return Number.POSITIVE_INFINITY;
    const periods = Math.floor(blocks / this.count);
    let left = blocks - periods * this.count;
    let steps = periods * this.blockSize;
    for (let k = 0; k < this.blockSize; k++) {
      left -= this.residues[this.phase(k)]!;
      if (left < 0) break;
      steps += 1;
    }
    return steps;
  }

  /** Moves on by `steps` steps in which nobody finishes early and no window fills before the last one. */
  advance(steps: number): void {
    this.stepsDone += steps;
    this.contextTokens += steps * this.count;
    this.windowTokens += steps * this.growing;
    if (this.growing > 0) {
      while (this.fills.size > 0 && this.fills.nextStep() <= this.stepsDone) {
        const request = this.fills.nextRequest();
        if (this.isFilling(request, this.fills.nextStep())) {
          this.growing -= 1;
          this.isGrowing[request] = 0;
        }
        this.fills.pop();
      }
    }
  }

  /** Sequences whose contexts are below the window: they grow `windowTokens` in each step. */
  get growingCount(): number {
    return this.growing;
  }

  /** The most recently admitted request, −1 when empty. */
  tail(): number {
    while (this.orderLength > 0 && this.order[this.orderLength - 1] === -1) this.orderLength -= 1;
    return this.orderLength === 0 ? -1 : this.order[this.orderLength - 1]!;
  }

  remove(request: number): void {
    const key = this.key[request]!;
    const context = key + this.stepsDone;
    this.count -= 1;
    this.contextTokens -= context;
    if (this.windowed) {
      this.windowTokens -= Math.min(context, this.window);
      this.growing -= this.isGrowing[request]!;
      this.isGrowing[request] = 0;
    }
    this.residues[this.residueOf(key)]! -= 1;
    this.order[this.position[request]!] = -1;
    this.position[request] = -1;
    if (this.finishes.nextRequest() === request && this.finishes.nextStep() === this.finishStep[request])
      this.finishes.pop();
  }

  /** Visits the batch in admission order. */
  forEach(visit: (request: number) => void): void {
    for (let k = 0; k < this.orderLength; k++) {
      const request = this.order[k]!;
      if (request >= 0) visit(request);
    }
  }

  private phase(stepsAhead: number): number {
    const counter = (this.stepsDone + stepsAhead) % this.blockSize;
    return counter === 0 ? 0 : this.blockSize - counter;
  }

  /** A block is needed when (key + counter − 1) ≡ 0: the token of that step opens it. */
  private residueOf(key: number): number {
    const residue = (key - 1) % this.blockSize;
    return residue < 0 ? residue + this.blockSize : residue;
  }

  private isFilling(request: number, step: number): boolean {
    return this.isGrowing[request] === 1 && this.window - this.key[request]! === step;
  }

  /** Preempted requests leave their old heap entries behind; a rejoined one has a new step. */
  private dropStale(heap: StepHeap, current: Float64Array): void {
    while (heap.size > 0) {
      const request = heap.nextRequest();
      if (this.has(request) && current[request] === heap.nextStep()) return;
      heap.pop();
    }
  }

  private append(request: number): void {
    if (this.orderLength === this.order.length) this.compact();
    this.position[request] = this.orderLength;
    this.order[this.orderLength++] = request;
  }

  private compact(): void {
    const target = this.count * 2 > this.order.length ? new Int32Array(this.order.length * 2) : this.order;
    let length = 0;
    for (let k = 0; k < this.orderLength; k++) {
      const request = this.order[k]!;
      if (request < 0) continue;
      target[length] = request;
      this.position[request] = length;
      length += 1;
    }
    this.order = target;
    this.orderLength = length;
  }
}
