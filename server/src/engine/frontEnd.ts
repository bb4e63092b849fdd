/**
 * The API server's process: it takes one request after the other, tokenises it and hands it to the scheduler, so that
 * requests that come together reach the scheduler one by one. What else a request's way takes delays it alone.
 */
import type { FrontEndLaw } from './cost/types.ts';
import type { Records } from './schedule/records.ts';

export class FrontEnd {
  readonly latencyS: number;
  private readonly law: FrontEndLaw;
  private readonly inputTokens: Int32Array;

  constructor(law: FrontEndLaw, inputTokens: Int32Array) {
    this.law = law;
    this.latencyS = law.latencyS;
    this.inputTokens = inputTokens;
  }

  /** The process of one replica: requests pass in the order in which they come. */
  door(): Door {
    return new Door(this.law, this.inputTokens);
  }

  /**
   * When the scheduler gets requests that arrive at `arrivalS` (ascending), s; never out of order. Each of `servers`
   * replicas has a process of its own, which takes every `servers`-th request.
   */
  readyTimes(arrivalS: Float64Array, servers: number): Float64Array {
    const doors = Array.from({ length: servers }, () => this.door());
    return arrivalS.map((atS, request) => doors[request % servers]!.pass(request, atS));
  }

  /** Puts on each request's times what delays it alone. */
  answer({ firstTokenS, finishS, count }: Records): void {
    for (let k = 0; k < count; k++) {
      firstTokenS[k]! += this.latencyS;
      finishS[k]! += this.latencyS;
    }
  }
}

export class Door {
  private readonly law: FrontEndLaw;
  private readonly inputTokens: Int32Array;
  private freeS = 0;

  constructor(law: FrontEndLaw, inputTokens: Int32Array) {
    this.law = law;
    this.inputTokens = inputTokens;
  }

  /** @returns when the scheduler gets a request that arrives at `arrivalS`. */
  pass(request: number, arrivalS: number): number {
    this.freeS = Math.max(arrivalS, this.freeS) + this.law.serviceS(this.inputTokens[request]!);
    return this.freeS;
  }
}
