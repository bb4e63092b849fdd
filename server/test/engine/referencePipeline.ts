/**
 * Pipelines, plainly: batches pass the stages one behind the other, and every event is looked for afresh among all that
 * could come next. The schedulers are those of `reference.ts`.
 */

import { prefixCachingApplies, ranksStepTogether } from '../../src/engine/applies.ts';
import type { StepBatch } from '../../src/engine/cost/types.ts';
import { costModel } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { drawWorkload } from '../../src/engine/workload/workload.ts';
import { ReferenceEngine } from './reference.ts';
import { ReferenceArrivals } from './referenceArrivals.ts';
import { CachedReference } from './referenceCached.ts';
import { mergedRun, ranksRun } from './referenceRanks.ts';
import { NS, type ReferenceFlight, type ReferenceRequest, type ReferenceRun } from './referenceState.ts';

/** The same plan, the plain way. */
export function referenceRun(input: EngineInput): ReferenceRun {
  if (ranksStepTogether(input)) return ranksRun(input);
  if (prefixCachingApplies(input)) return new CachedReference(input).run();
  if (input.parallelism.pipeline === 1) return new ReferenceEngine(input).run();
  return input.scheduler === 'v0' ? virtualEnginesRun(input) : batchQueueRun(input);
}

/** When each stage of one pipeline is free, s. */
class ReferenceStages {
  readonly freeS: number[];
  private readonly split: (stepS: number, seqs: number, sampledSeqs: number) => Float64Array;

  constructor(input: EngineInput) {
    const { stages } = costModel(input);
    this.freeS = new Array(stages!.count).fill(0);
    this.split = (stepS, seqs, sampledSeqs) => {
      const times = new Float64Array(stages!.count);
      stages!.splitS(stepS, seqs, sampledSeqs, times);
      return times;
    };
  }

  enter(nowS: number, stepS: number, batch: StepBatch): number {
    const times = this.split(stepS, batch.decodeSeqs + batch.prefillSeqs, batch.sampledSeqs);
    let leftS = nowS;
    for (let stage = 0; stage < times.length; stage++) {
      const entersS = Math.max(leftS, this.freeS[stage]!);
      leftS = entersS + times[stage]!;
      this.freeS[stage] = leftS;
    }
    return leftS;
  }
}

type Launched = Pick<ReferenceFlight, 'prefills' | 'transient' | 'joining' | 'settle'>;

/** An engine whose steps stay under way. */
class PipelinedEngine extends ReferenceEngine {
  protected override readonly pipelined = true;
  protected readonly stages: ReferenceStages;

  constructor(input: EngineInput, stages: ReferenceStages, part: number, parts: number) {
    super(input, part, parts);
    this.stages = stages;
  }

  protected override launch(
    duration: number,
    batch: StepBatch,
    requests: readonly ReferenceRequest[],
    { settle, ...launched }: Launched,
  ): void {
    for (const r of requests) r.flights += 1;
    this.flights.push({
      ...launched,
      startS: this.clock,
      endS: this.stages.enter(this.clock, duration, batch),
      settle: () => {
        for (const r of requests) r.flights -= 1;
        settle();
      },
    });
  }

  land(): void {
    const flight = this.flights.shift()!;
    this.clock = Math.max(this.clock, flight.endS);
    flight.settle();
  }
}

/** v1: one scheduler; batches are put together until none is left or the pipeline is full, then the oldest is awaited. */
class BatchQueueEngine extends PipelinedEngine {
  override run(): ReferenceRun {
    for (;;) {
      this.takeArrivals();
      if (this.flights.length < this.stages.freeS.length && this.step()) continue;
      if (this.flights.length > 0) {
        this.land();
        continue;
      }
      if (this.reloading.length + this.leaving.length === 0 && this.untie()) continue;
      const next = Math.min(
        this.arrivals.nextS(),
        this.reloading[0]?.reloadEndS ?? Number.POSITIVE_INFINITY,
        this.leaving[0]?.reloadEndS ?? Number.POSITIVE_INFINITY,
      );
      if (next === Number.POSITIVE_INFINITY) {
        this.arrivals.delay();
        return this.outcome();
      }
      this.clock = Math.max(this.clock, next);
    }
  }
}

function batchQueueRun(input: EngineInput): ReferenceRun {
  return new BatchQueueEngine(input, new ReferenceStages(input), 0, 1).run();
}

/** v0: one of several schedulers. */
class VirtualEngine extends PipelinedEngine {
  wakeS = 0;
  followUp: () => void = () => {};

  protected override takeArrivals(): void {
    this.followUp();
  }

  inHand(): number {
    const prefills = this.flights.reduce((sum, flight) => sum + flight.prefills.length, 0);
    const outside = this.parked.length + this.reloading.length + this.leaving.length;
    return this.waiting.length + this.running.length + outside + prefills;
  }

  nextS(): number {
    if (this.flights.length > 0) return this.flights[0]!.endS;
    return this.inHand() === 0 ? Number.POSITIVE_INFINITY : Math.max(this.wakeS, this.clock);
  }

  /** Gets a request at `atS`. @param sent what its own record of it says. */
  take(sent: ReferenceRequest, atS: number): void {
    const r = this.requests[sent.id]!;
    if (this.inHand() === 0) this.clock = Math.max(this.clock, atS);
    this.wakeS = Math.min(this.wakeS, atS);
    r.arrivalS = sent.arrivalS;
    this.enqueue(r);
  }

  /** Puts a batch together, or finds out when to look again. */
  act(nowS: number): void {
    this.clock = nowS;
    this.wakeS = 0;
    if (this.step()) return;
    const moving = [...this.reloading.slice(0, 1), ...this.leaving.slice(0, 1)].map((r) => r.reloadEndS);
    if (moving.length === 0 && this.untie()) return;
    this.wakeS = Math.min(Number.POSITIVE_INFINITY, ...moving);
  }
}

function virtualEnginesRun(input: EngineInput): ReferenceRun {
  const stages = new ReferenceStages(input);
  const parts = input.parallelism.pipeline;
  const engines = Array.from({ length: parts }, (_, part) => new VirtualEngine(input, stages, part, parts));
  const first = engines[0]!;
  const { closedConcurrency } = drawWorkload(input.workload, input.limits.maxModelLenTokens);
  const { frontEnd } = costModel(input);
  const arrivals = new ReferenceArrivals(first.all(), closedConcurrency, frontEnd);
  const home = new Map<number, VirtualEngine>();
  let nowS = 0;
  const arrive = (sent: ReferenceRequest, atS: number): void => {
    const least = Math.min(...engines.map((engine) => engine.inHand()));
    const engine = engines.find((other) => other.inHand() === least)!;
    nowS = Math.max(nowS, atS);
    home.set(sent.id, engine);
    engine.take(sent, atS);
  };
  const answer = (): void => {
    for (;;) {
      const next = arrivals.followUp(
        engines.reduce((sum, engine) => sum + engine.answered(), 0),
        nowS,
      );
      if (next === null) return;
      arrive(next, nowS);
    }
  };
  for (const engine of engines) engine.followUp = answer;
  for (;;) {
    let engine = first;
    for (const other of engines) if (other.nextS() < engine.nextS() - NS) engine = other;
    const soonest = engine.nextS();
    const arrivalS = arrivals.nextS();
    if (soonest === Number.POSITIVE_INFINITY && arrivalS === Number.POSITIVE_INFINITY) break;
    const lands = engine.flights.length > 0;
    if (lands ? soonest > arrivalS + NS : soonest + NS >= arrivalS) {
      arrive(arrivals.take(), arrivalS);
      answer();
      continue;
    }
    nowS = soonest;
    if (lands) engine.land();
    else engine.act(nowS);
    answer();
  }
  const requests = first.all().map((r) => home.get(r.id)?.all()[r.id] ?? r);
  new ReferenceArrivals(requests, closedConcurrency, frontEnd).delay();
  return mergedRun(requests, engines);
}
