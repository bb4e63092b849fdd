/**
 * Pipeline parallelism as vLLM's v0 does it: as many virtual engines as stages, each with a scheduler, a queue and a part
 * of the blocks of its own (vllm/core/scheduler.py: `num_gpu_blocks //= pipeline_parallel_size`). A request goes for life
 * to the one with the fewest unfinished, the first of equals (vllm/engine/llm_engine.py, `_add_processed_request`). Each
 * has one batch under way and schedules the next when its result is there; they meet in the stages only.
 */
import type { Pipeline } from '../cost/stages.ts';
import { ManyReplicas } from './engine.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { land } from './step.ts';
import { nextTransferS, untie } from './transfers.ts';
import type { PrefillFirstScheduler } from './vllmV0.ts';

interface VirtualEngine {
  readonly replica: Replica;
  readonly scheduler: PrefillFirstScheduler;
  /** It has nothing to schedule before, s. */
  wakeS: number;
}

export class VirtualEngines extends ManyReplicas {
  private readonly engines: readonly VirtualEngine[];
  private readonly pipeline: Pipeline;

  constructor(
    pipeline: Pipeline,
    engines: readonly { readonly replica: Replica; readonly scheduler: PrefillFirstScheduler }[],
  ) {
    super(engines.map(({ replica }) => replica));
    this.pipeline = pipeline;
    this.engines = engines.map((engine) => ({ ...engine, wakeS: 0 }));
  }

  run(untilS: number): void {
    this.untilS = untilS;
    for (;;) {
      let next: VirtualEngine | null = null;
      let nextS = Number.POSITIVE_INFINITY;
      for (const engine of this.engines) {
        // Of those that come at once, the first.
        const eventS = nextEventS(engine);
        if (eventS >= nextS - SIMULTANEOUS_S) continue;
        next = engine;
        nextS = eventS;
      }
      if (next === null) return;
      const results = next.replica.flights.length > 0;
      // A result that comes with the arrival is there before it; a batch is put together after it.
      if (results ? nextS > this.untilS + SIMULTANEOUS_S : nextS + SIMULTANEOUS_S >= this.untilS) return;
      this.nowS = nextS;
      if (results) this.land(next.replica);
      else this.schedule(next);
    }
  }

  enqueue(request: number, atS: number): void {
    let least = this.engines[0]!;
    for (const engine of this.engines) if (engine.replica.load() < least.replica.load()) least = engine;
    this.nowS = Math.max(this.nowS, atS);
    least.wakeS = Math.min(least.wakeS, atS);
    least.replica.enqueue(request, atS);
  }

  private land(replica: Replica): void {
    this.holdAnswers();
    land(replica);
    this.giveAnswers();
  }

  private schedule(engine: VirtualEngine): void {
    const { replica, scheduler } = engine;
    replica.clockS = this.nowS;
    replica.untilS = this.untilS;
    engine.wakeS = 0;
    if (scheduler.step(!this.isAlone(replica))) return;
    const transferS = nextTransferS(replica);
    if (transferS === Number.POSITIVE_INFINITY && untie(replica)) return;
    engine.wakeS = transferS;
  }

  /** Whether a batch goes through the pipeline by itself until something arrives. */
  private isAlone(replica: Replica): boolean {
    return this.pipeline.isEmpty(replica.clockS) && this.replicas.every((other) => other === replica || other.isIdle());
  }
}

/** When a virtual engine gets its next result or puts its next batch together, s. */
function nextEventS({ replica, wakeS }: VirtualEngine): number {
  if (replica.flights.length > 0) return replica.flights[0]!.endS;
  return replica.isIdle() ? Number.POSITIVE_INFINITY : Math.max(wakeS, replica.clockS);
}
