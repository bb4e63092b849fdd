/**
 * Who comes to the scheduler when, written down plainly: requests that arrive by themselves pass the front end one after
 * the other; in a closed loop those are the users' first ones, and each answer brings one more at once.
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
  private taken = 0;
  private followUps = 0;

  constructor(requests: readonly R[], closed: number | null, frontEnd: FrontEndLaw | null) {
    this.requests = requests;
    this.frontEnd = frontEnd;
    this.scheduled = closed === null ? requests.length : Math.min(closed, requests.length);
    let freeS = 0;
    for (const { arrivalS, input } of requests.slice(0, this.scheduled)) {
      freeS = frontEnd === null ? arrivalS : Math.max(freeS, arrivalS) + frontEnd.serviceS(input);
      this.readyS.push(freeS);
    }
  }

  /** When the next request comes by itself; Infinity: none does. */
  nextS(): number {
    return this.taken < this.scheduled ? this.readyS[this.taken]! : Number.POSITIVE_INFINITY;
  }

  /** The next request that comes by itself. */
  take(): R {
    return this.requests[this.taken++]!;
  }

  /** The request that follows an answer, sent at `clockS`; null where all answers have been followed up. */
  followUp(answered: number, clockS: number): R | null {
    const next = this.requests[this.scheduled + this.followUps];
    if (next === undefined || this.followUps >= answered) return null;
    this.followUps += 1;
    next.arrivalS = clockS;
    return next;
  }

  /** What delays each request alone, put on its times at the end. */
  delay(): void {
    if (this.frontEnd === null) return;
    const { latencyS, serviceS } = this.frontEnd;
    this.requests.forEach((r, index) => {
      const ownS = index < this.scheduled ? 0 : serviceS(r.input);
      r.prefillStartS += ownS;
      r.firstTokenS += latencyS + ownS;
      r.finishS += latencyS + ownS;
    });
  }
}
