/**
 * The requests that produce one token in every step. They all advance together, so nothing here touches each request
 * in each step: sums, block residues and heaps are kept against one counter of decode steps.
 *
 * A request that joins with `kv` cached tokens when the counter stands at D attends to kv + 1 tokens in the next step;
 * its key kv + 1 − D stays constant: at any later counter it attends to key + D.
 */
import type { HybridGroups } from '../kv/hybrid.ts';
import { PeriodicNeed } from './periodicNeed.ts';
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
  /** Σ over requests of layers on the host × cached tokens: what the next step fetches. */
  streamTokens = 0;

  /** Requests in admission order, with holes (−1), in the first `orderLength` places. To be read only. */
  order = new Int32Array(64);
  orderLength = 0;
  /** The counter when each request joined: it has produced `stepsDone − joinStep` tokens since. To be read only. */
  readonly joinStep: Float64Array;

  /** Requests whose context is still below the window: they grow `windowTokens` in each step. */
  growing = 0;

  private readonly key: Float64Array;
  private readonly finishStep: Float64Array;
  private readonly position: Int32Array;
  private readonly isGrowing: Uint8Array;
  private readonly finishes = new StepHeap();
  private readonly fills = new StepHeap();
  /** Layers of each request on the GPU, and on the host. */
  private readonly onGpu: Int32Array;
  private readonly onHost: Int32Array;
  /** Layer-blocks needed on the GPU, and on the host. */
  private readonly gpuNeed: PeriodicNeed;
  private readonly hostNeed: PeriodicNeed;
  private readonly window: number;
  private readonly windowed: boolean;
  /** Where windowed layers give back what lies behind their window: from when on each request does, in every period. */
  private readonly hybrid: HybridGroups | null;
  private readonly slides: StepHeap | null;
  private readonly isSliding: Uint8Array;

  constructor(requests: number, blockSizeTokens: number, windowTokens: number, hybrid: HybridGroups | null = null) {
    this.hybrid = hybrid;
    this.slides = hybrid === null ? null : new StepHeap();
    this.isSliding = new Uint8Array(hybrid === null ? 0 : requests);
    this.window = windowTokens;
    this.windowed = Number.isFinite(windowTokens);
    this.key = new Float64Array(requests);
    this.finishStep = new Float64Array(requests);
    this.joinStep = new Float64Array(requests);
    this.position = new Int32Array(requests).fill(-1);
    this.isGrowing = new Uint8Array(requests);
    this.onGpu = new Int32Array(requests);
    this.onHost = new Int32Array(requests);
    this.gpuNeed = new PeriodicNeed(blockSizeTokens, hybrid !== null);
    this.hostNeed = new PeriodicNeed(blockSizeTokens, false);
  }

  /**
   * @param remaining tokens it still has to produce, at least 1.
   * @param gpuLayers layers for which it takes blocks on the GPU as it grows; @param hostLayers likewise on the host.
   */
  join(request: number, kvTokens: number, remaining: number, gpuLayers: number, hostLayers: number): void {
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
    this.onGpu[request] = gpuLayers;
    this.onHost[request] = hostLayers;
    // A block is needed when (key + counter − 1) ≡ 0: the token of that step opens it.
    this.gpuNeed.add(key - 1, gpuLayers);
    if (hostLayers > 0) this.hostNeed.add(key - 1, hostLayers);
    this.streamTokens += hostLayers * kvTokens;
    this.append(request);
    if (this.slides === null) return;
    this.slides.push(this.slideStep(request), request);
    this.startSliding(this.slides);
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
    const { finishes } = this;
    while (finishes.size > 0 && !this.isFinish(finishes.nextRequest(), finishes.nextStep)) finishes.pop();
    return finishes.nextStep - this.stepsDone;
  }

  /** Steps during which the number of contexts below the window stays the same. */
  stepsToFill(): number {
    if (this.growing === 0) return Number.POSITIVE_INFINITY;
    while (this.fills.size > 0 && !this.isFilling(this.fills.nextRequest(), this.fills.nextStep)) this.fills.pop();
    return this.fills.nextStep - this.stepsDone;
  }

  /** Steps during which no further request begins to give back blocks behind its window. */
  stepsToSlide(): number {
    const { slides } = this;
    if (slides === null) return Number.POSITIVE_INFINITY;
    while (slides.size > 0 && !this.isYetToSlide(slides.nextRequest(), slides.nextStep)) slides.pop();
    return slides.size === 0 ? Number.POSITIVE_INFINITY : slides.nextStep - this.stepsDone;
  }

  /** Steps until one gives back more blocks than it takes: who waits for room may find it then. */
  stepsToRelief(): number {
    return this.gpuNeed.stepsToRelief(this.stepsDone);
  }

  /** The request that finishes now, −1 when none does; remove it before asking again. */
  finishedRequest(): number {
    const { finishes, stepsDone } = this;
    while (finishes.nextStep <= stepsDone) {
      const request = finishes.nextRequest();
      if (this.isFinish(request, finishes.nextStep)) return request;
      finishes.pop();
    }
    return -1;
  }

  /** Layer-blocks that the batch takes for each block of tokens: Σ of the layers each request keeps on the GPU. */
  get growthLayers(): number {
    return this.gpuNeed.perPeriod;
  }

  /** Σ of the layers each request has on the host: they pass through in every step (`residency: stream`). */
  get streamLayers(): number {
    return this.hostNeed.perPeriod;
  }

  /** Layer-blocks the next step needs on the GPU; below 0 where more lie behind windows and are given back. */
  gpuBlocksForNextStep(): number {
    return this.gpuNeed.at(this.stepsDone);
  }

  /** And on the host. */
  hostBlocksForNextStep(): number {
    return this.hostNeed.at(this.stepsDone);
  }

  /** Layer-blocks that `steps` steps need on the GPU. */
  gpuBlocksForSteps(steps: number): number {
    return this.gpuNeed.ofSteps(this.stepsDone, steps);
  }

  /** And on the host. */
  hostBlocksForSteps(steps: number): number {
    return this.hostNeed.ofSteps(this.stepsDone, steps);
  }

  /** The most steps that so many free layer-blocks on the GPU allow, or `most` where they allow more. */
  stepsForGpuBlocks(layerBlocks: number, most: number): number {
    return this.gpuNeed.stepsFor(this.stepsDone, layerBlocks, most);
  }

  /** And on the host. */
  stepsForHostBlocks(layerBlocks: number, most: number): number {
    return this.hostNeed.stepsFor(this.stepsDone, layerBlocks, most);
  }

  /** Moves on by `steps` steps in which nobody finishes early and no window fills before the last one. */
  advance(steps: number): void {
    this.stepsDone += steps;
    this.contextTokens += steps * this.count;
    this.windowTokens += steps * this.growing;
    this.streamTokens += steps * this.streamLayers;
    if (this.growing > 0) {
      while (this.fills.nextStep <= this.stepsDone) {
        const request = this.fills.nextRequest();
        if (this.isFilling(request, this.fills.nextStep)) {
          this.growing -= 1;
          this.isGrowing[request] = 0;
        }
        this.fills.pop();
      }
    }
    if (this.slides !== null) this.startSliding(this.slides);
  }

  /** From the token after its window is full on, a request gives back a block of each windowed group in every period. */
  private slideStep(request: number): number {
    return (this.hybrid?.windowTokens ?? 0) + 1 - this.key[request]!;
  }

  private isYetToSlide(request: number, step: number): boolean {
    return this.has(request) && this.isSliding[request] === 0 && this.slideStep(request) === step;
  }

  private startSliding(slides: StepHeap): void {
    while (slides.size > 0 && slides.nextStep <= this.stepsDone) {
      const request = slides.nextRequest();
      if (this.isYetToSlide(request, slides.nextStep)) {
        this.isSliding[request] = 1;
        this.addSlide(request, 1);
      }
      slides.pop();
    }
  }

  private addSlide(request: number, sign: 1 | -1): void {
    if (this.hybrid === null) return;
    const { localGroups, windowTokens } = this.hybrid;
    this.gpuNeed.add(this.key[request]! - windowTokens, -sign * localGroups);
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
    const hostLayers = this.onHost[request]!;
    this.gpuNeed.add(key - 1, -this.onGpu[request]!);
    if (hostLayers > 0) this.hostNeed.add(key - 1, -hostLayers);
    this.streamTokens -= hostLayers * (context - 1);
    if (this.isSliding[request] === 1) {
      this.isSliding[request] = 0;
      this.addSlide(request, -1);
    }
    this.order[this.position[request]!] = -1;
    this.position[request] = -1;
    if (this.finishes.nextStep === this.finishStep[request] && this.finishes.nextRequest() === request)
      this.finishes.pop();
  }

  private isFilling(request: number, step: number): boolean {
    return this.isGrowing[request] === 1 && this.window - this.key[request]! === step;
  }

  /** Preempted requests leave their old heap entries behind; a rejoined one has a new step. */
  private isFinish(request: number, step: number): boolean {
    return this.position[request]! >= 0 && this.finishStep[request] === step;
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
