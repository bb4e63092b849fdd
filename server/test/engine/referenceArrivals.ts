/**
 * Who comes to the scheduler when, written down plainly: requests pass the front end one after the other; in a closed
 * loop those are the users' first ones, and each answer brings one more. Without a front end it comes at once.
 */
import type { FrontEndLaw } from '../../src/engine/cost/types.ts';

interface Timed {
  readonly id: number;
  arrivalS: number;
  readonly input: number;
  prefillStartS: number;
  firstTokenS: number;
  finishS: number;
}

export class ReferenceArrivals<R extends Timed> {
  private readonly requests: readonly R[];
  private readonly frontEnd: FrontEndLaw | null;
  /** Requests that arrive by themselves come before this one. */
  private readonly scheduled: number;
  private readonly readyS: number[] = [];
  private freeS = 0;
  private taken = 0;
  private followUps = 0;

  constructor(requests: readonly R[], closed: number | null, frontEnd: FrontEndLaw | null) {
    this.requests = requests;
    this.frontEnd = frontEnd;
    this.scheduled = closed === null ? requests.length : Math.min(closed, requests.length);
    for (const r of requests.slice(0, this.scheduled)) this.pass(r);
  }

  private pass({ arrivalS, input }: R): void {
    this.freeS = this.frontEnd === null ? arrivalS : Math.max(this.freeS, arrivalS) + this.frontEnd.serviceS(input);
    this.readyS.push(this.freeS);
  }

  /** When the next request comes; Infinity: none is on its way. */
  nextS(): number {
    return this.readyS[this.taken] ?? Number.POSITIVE_INFINITY;
  }

  /** The next request that is on its way. */
  take(): R {
    return this.requests[this.taken++]!;
  }

  /** The request that follows an answer at `clockS`, where it comes at once; null where all answers have been followed up. */
  followUp(answered: number, clockS: number): R | null {
    for (;;) {
      const next = this.requests[this.scheduled + this.followUps];
      if (next === undefined || this.followUps >= answered) return null;
      this.followUps += 1;
      next.arrivalS = clockS + (this.frontEnd?.latencyS ?? 0);
      if (this.frontEnd === null) return next;
      this.pass(next);
    }
  }

  /** What delays each request alone, put on its times at the end. */
  delay(): void {
    for (const r of this.requests) {
      r.firstTokenS += this.frontEnd?.latencyS ?? 0;
      r.finishS += this.frontEnd?.latencyS ?? 0;
    }
  }
}
