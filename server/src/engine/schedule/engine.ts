/** One engine as the driver sees it: requests go in, time passes, answers come out. */
import type { Replica } from './replica.ts';

export interface Engine {
  /** Where its time stands, s. */
  readonly nowS: number;
  /** Its schedulers' states, to be watched. */
  readonly replicas: readonly Replica[];
  /** Runs what begins before `untilS`. */
  run(untilS: number): void;
  /** While it runs: it shall stop at `atS`, if not before. */
  stopAt(atS: number): void;
  /** The scheduler gets a request, at `atS`. */
  enqueue(request: number, atS: number): void;
  /** Requests in hand: waiting, in prefill, decoding or parked. */
  load(): number;
  /** Those of them that wait for their prefill to start. */
  waiting(): number;
  /** Calls back for each request that has finished or is refused; closed loops answer with the next one. */
  onAnswer(callback: () => void): void;
}

/** What moves a replica on. */
interface Runner {
  run(): void;
}

/** An engine with one scheduler. */
export class SingleEngine implements Engine {
  readonly replicas: readonly [Replica];
  private readonly scheduler: Runner;

  constructor(replica: Replica, scheduler: Runner) {
    this.replicas = [replica];
    this.scheduler = scheduler;
  }

  get nowS(): number {
    return this.replicas[0].clockS;
  }

  run(untilS: number): void {
    this.replicas[0].untilS = untilS;
    this.scheduler.run();
  }

  stopAt(atS: number): void {
    const [replica] = this.replicas;
    replica.untilS = Math.min(replica.untilS, atS);
  }

  enqueue(request: number, atS: number): void {
    this.replicas[0].enqueue(request, atS);
  }

  load(): number {
    return this.replicas[0].load();
  }

  waiting(): number {
    return this.replicas[0].waiting.length;
  }

  onAnswer(callback: () => void): void {
    this.replicas[0].onFinish = callback;
  }
}
