/**
 * Data-parallel ranks of a mixture of experts, plainly: in each round every rank puts a step together by the rules of
 * `reference.ts`, all wait for the longest, and everything is looked for afresh.
 */

import { prefixCachingApplies } from '../../src/engine/applies.ts';
import type { StepBatch } from '../../src/engine/cost/types.ts';
import { costModel } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { drawWorkload } from '../../src/engine/workload/workload.ts';
import { ReferenceEngine } from './reference.ts';
import { ReferenceArrivals } from './referenceArrivals.ts';
import { CachedReference } from './referenceCached.ts';
import { NS, type ReferenceFlight, type ReferenceRequest, type ReferenceRun } from './referenceState.ts';

interface Step {
  readonly endS: number;
  readonly batch: StepBatch;
  readonly settle: () => void;
}

type Sent = Pick<ReferenceRequest, 'id' | 'arrivalS' | 'input' | 'prefillStartS' | 'firstTokenS' | 'finishS'>;

/** What a round wants to know of a rank, whatever it remembers of earlier prompts. */
interface Rank {
  under: Step | null;
  inHand(): number;
  queue(): number;
  nextTransferS(): number;
  take(sent: Sent): void;
  /** Puts a step together. False when there is none. */
  act(nowS: number): boolean;
  land(endS: number): void;
  answered(): number;
  all(): readonly Sent[];
  outcome(): ReferenceRun;
}

class PlainRank extends ReferenceEngine implements Rank {
  under: Step | null = null;

  /** Who is refused is answered when the round has ended. */
  protected override takeArrivals(): void {}

  protected override launch(
    duration: number,
    batch: StepBatch,
    _requests: readonly ReferenceRequest[],
    { settle }: Pick<ReferenceFlight, 'settle'>,
  ): void {
    this.under = { endS: this.clock + duration, batch, settle };
    this.unseen = [];
  }

  inHand(): number {
    const outside = this.parked.length + this.reloading.length + this.leaving.length;
    return this.waiting.length + this.running.length + outside + (this.partial === null ? 0 : 1);
  }

  queue(): number {
    return this.waiting.length;
  }

  nextTransferS(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.reloading, ...this.leaving].map((r) => r.reloadEndS));
  }

  take({ id, arrivalS }: Sent): void {
    const r = this.requests[id]!;
    r.arrivalS = arrivalS;
    this.enqueue(r);
  }

  act(nowS: number): boolean {
    this.clock = nowS;
    this.under = null;
    if (this.inHand() === 0) this.underWay = false;
    else {
      while (this.under === null) {
        if (this.step()) continue;
        this.underWay = false;
        if (this.seeAll()) continue;
        if (this.reloading.length + this.leaving.length > 0 || !this.untie()) return false;
      }
    }
    return this.under !== null;
  }

  land(endS: number): void {
    this.clock = endS;
    this.underWay = true;
    this.under!.settle();
  }
}

class CachedRank extends CachedReference implements Rank {
  under: Step | null = null;

  protected override takeArrivals(): void {}

  protected override launch(duration: number, batch: StepBatch, settle: () => void): void {
    this.under = { endS: this.clock + duration, batch, settle };
    this.unseen = [];
  }

  inHand(): number {
    return this.waiting.length + this.running.length + this.loading.length + this.ready.length;
  }

  queue(): number {
    return this.waiting.length;
  }

  nextTransferS(): number {
    return this.loading[0]?.loadEndS ?? Number.POSITIVE_INFINITY;
  }

  take({ id, arrivalS }: Sent): void {
    const r = this.requests[id]!;
    r.arrivalS = arrivalS;
    this.enqueue(r);
  }

  act(nowS: number): boolean {
    this.clock = nowS;
    this.under = null;
    if (this.inHand() === 0) this.underWay = false;
    else {
      while (this.under === null) {
        if (this.step()) continue;
        this.underWay = false;
        if (this.unseen.length > 0) this.unseen = [];
        else if (this.loading.length > 0 || this.ready.length === 0) return false;
        else this.preempt(this.ready.pop()!);
      }
    }
    return this.under !== null;
  }

  land(endS: number): void {
    this.clock = endS;
    this.underWay = true;
    this.under!.settle();
  }
}

/** The same plan, the plain way. */
export function ranksRun(input: EngineInput): ReferenceRun {
  const ranks = Array.from(
    { length: input.parallelism.data },
    (_, rank): Rank => (prefixCachingApplies(input) ? new CachedRank(input) : new PlainRank(input, rank, 1)),
  );
  const first = ranks[0]!;
  const { closedConcurrency } = drawWorkload(input.workload, input.limits.maxModelLenTokens);
  const { frontEnd, together } = costModel(input);
  const arrivals = new ReferenceArrivals(first.all(), closedConcurrency, frontEnd);
  const home = new Map<number, Rank>();
  let nowS = 0;
  const arrive = (sent: Sent): void => {
    const scores = ranks.map((rank) => rank.inHand() + 3 * rank.queue());
    const rank = ranks[scores.indexOf(Math.min(...scores))]!;
    home.set(sent.id, rank);
    rank.take(sent);
  };
  const answer = (): boolean => {
    let some = false;
    for (;;) {
      const next = arrivals.followUp(
        ranks.reduce((sum, rank) => sum + rank.answered(), 0),
        nowS,
      );
      if (next === null) return some;
      arrive(next);
      some = true;
    }
  };
  for (;;) {
    while (arrivals.nextS() <= nowS + NS) {
      arrive(arrivals.take());
      answer();
    }
    const steps = ranks.filter((rank) => rank.act(nowS));
    if (steps.length > 0) {
      const tokens = steps.map(({ under }) => under!.batch.decodeSeqs + under!.batch.prefillTokens);
      const prompts = steps.some(({ under }) => under!.batch.prefillSeqs > 0);
      const all = tokens.reduce((sum, each) => sum + each, 0);
      const endS = Math.max(
        ...steps.map(({ under }, k) => {
          const { decodeSeqs, prefillSeqs } = under!.batch;
          const own = { tokens: tokens[k]!, seqs: decodeSeqs + prefillSeqs, prompts };
          return under!.endS + (together?.moreS(all, Math.max(...tokens), own) ?? 0);
        }),
      );
      for (const rank of steps) rank.land(endS);
      nowS = endS;
      answer();
      continue;
    }
    if (answer()) continue;
    const nextS = Math.min(arrivals.nextS(), ...ranks.map((rank) => rank.nextTransferS()));
    if (nextS === Number.POSITIVE_INFINITY) break;
    nowS = Math.max(nowS, nextS);
  }
  const requests = first.all().map((r) => home.get(r.id)?.all()[r.id] ?? r);
  new ReferenceArrivals(requests, closedConcurrency, frontEnd).delay();
  return mergedRun(requests, ranks);
}

/** What several engines have done together. */
export function mergedRun(
  requests: ReferenceRun['requests'],
  engines: readonly { outcome(): ReferenceRun }[],
): ReferenceRun {
  const runs = engines.map((engine) => engine.outcome());
  const sum = (of: (run: ReferenceRun) => number): number => runs.reduce((total, run) => total + of(run), 0);
  return {
    requests,
    preemptions: sum((run) => run.preemptions),
    refused: sum((run) => run.refused),
    ...(runs[0]!.cachedTokens === undefined
      ? {}
      : { cachedTokens: sum((run) => run.cachedTokens!), loadedTokens: sum((run) => run.loadedTokens!) }),
    stays: runs.flatMap((run) => run.stays ?? []),
    deviceToHostBytes: sum((run) => run.deviceToHostBytes),
    hostToDeviceBytes: sum((run) => run.hostToDeviceBytes),
  };
}
