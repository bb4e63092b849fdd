/**
 * The API server's process: it takes one request after the other, tokenises it and hands it to the scheduler, so that
 * requests that come together reach the scheduler one by one. What else a request's way takes delays it alone.
 */
import type { FrontEndLaw } from './cost/types.ts';
import type { Records } from './schedule/records.ts';

export class FrontEnd {
  private readonly law: FrontEndLaw;
  private readonly inputTokens: Int32Array;
  /** Requests that went past the queue: their service only delays them. */
  private readonly past: Uint8Array;

  constructor(law: FrontEndLaw, inputTokens: Int32Array) {
    this.law = law;
    this.inputTokens = inputTokens;
    this.past = new Uint8Array(inputTokens.length);
  }

  /**
   * When the scheduler gets requests that arrive at `arrivalS` (ascending), s; never out of order. Each of `servers`
   * replicas has a process of its own, which takes every `servers`-th request. @param from number of the first request.
   */
  readyTimes(arrivalS: Float64Array, servers: number, from = 0): Float64Array {
    const readyS = new Float64Array(arrivalS.length);
    const freeS = new Float64Array(servers);
    for (let k = 0; k < arrivalS.length; k++) {
      const server = k % servers;
      const doneS = Math.max(arrivalS[k]!, freeS[server]!) + this.law.serviceS(this.inputTokens[from + k]!);
      freeS[server] = doneS;
      readyS[k] = doneS;
    }
    return readyS;
  }

  /** A request meets no other one at the front end. */
  passes(request: number): void {
    this.past[request] = 1;
  }

  /** Puts on each request's times what delayed it alone. */
  answer(records: Records): void {
    const { prefillStartS, firstTokenS, finishS } = records;
    for (let k = 0; k < records.count; k++) {
      const serviceS = this.past[k] === 1 ? this.law.serviceS(this.inputTokens[k]!) : 0;
      const delayS = this.law.latencyS + serviceS;
      prefillStartS[k]! += serviceS;
      firstTokenS[k]! += delayS;
      finishS[k]! += delayS;
    }
  }
}
