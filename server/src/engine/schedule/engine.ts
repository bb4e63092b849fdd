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

/** An engine with several schedulers, which share GPUs or wait for each other. */
export abstract class ManyReplicas implements Engine {
  nowS = 0;
  protected untilS = 0;
  readonly replicas: readonly Replica[];
  private answers = 0;
  private holding = false;
  private answer: () => void = () => {};

  constructor(replicas: readonly Replica[]) {
    this.replicas = replicas;
    for (const replica of replicas) replica.onFinish = () => this.answered(1);
  }

  abstract run(untilS: number): void;
  abstract enqueue(request: number, atS: number): void;

  stopAt(atS: number): void {
    this.untilS = Math.min(this.untilS, atS);
  }

  load(): number {
    return this.replicas.reduce((sum, replica) => sum + replica.load(), 0);
  }

  waiting(): number {
    return this.replicas.reduce((sum, replica) => sum + replica.waiting.length, 0);
  }

  onAnswer(callback: () => void): void {
    this.answer = callback;
  }

  /** From now on answers wait, so that what they bring in meets all of them gone. */
  protected holdAnswers(): void {
    this.holding = true;
  }

  /** Held answers go out. @returns whether there were any. */
  protected giveAnswers(): boolean {
    const some = this.answers > 0;
    this.holding = false;
    this.answered(0);
    return some;
  }

  private answered(count: number): void {
    this.answers += count;
    if (this.holding) return;
    while (this.answers > 0) {
      this.answers -= 1;
      this.answer();
    }
  }
}
