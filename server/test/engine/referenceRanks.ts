/**
 * Data-parallel ranks of a mixture of experts, plainly: in each round every rank puts a step together by the rules of
 * `reference.ts`, all wait for the longest, and everything is looked for afresh.
 */

import type { StepBatch } from '../../src/engine/cost/types.ts';
import { costModel } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { drawWorkload } from '../../src/engine/workload/workload.ts';
import { ReferenceEngine } from './reference.ts';
import { ReferenceArrivals } from './referenceArrivals.ts';
import { NS, type ReferenceFlight, type ReferenceRequest, type ReferenceRun } from './referenceState.ts';

interface Step {
  readonly endS: number;
  readonly decodes: number;
  readonly promptTokens: number;
  readonly settle: () => void;
}

class RankEngine extends ReferenceEngine {
  under: Step | null = null;

  /** Who is refused is answered when the round has ended. */
  protected override takeArrivals(): void {}

  protected override launch(
    duration: number,
    batch: StepBatch,
    _requests: readonly ReferenceRequest[],
    { settle }: Pick<ReferenceFlight, 'settle'>,
  ): void {
    const { decodeSeqs: decodes, prefillTokens: promptTokens } = batch;
    this.under = { endS: this.clock + duration, decodes, promptTokens, settle };
    this.unseen = [];
  }

  inHand(): number {
    const outside = this.parked.length + this.reloading.length + this.leaving.length;
    return this.waiting.length + this.running.length + outside + (this.partial === null ? 0 : 1);
  }

  score(): number {
    return this.inHand() + 3 * this.waiting.length;
  }

  nextTransferS(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.reloading, ...this.leaving].map((r) => r.reloadEndS));
  }

  take(sent: ReferenceRequest): void {
    const r = this.requests[sent.id]!;
    r.arrivalS = sent.arrivalS;
    if (r.input >= this.input.limits.maxModelLenTokens) {
      this.refused += 1;
      return;
    }
    this.waiting.push(r);
    if (this.underWay && this.cost.stepsAhead) this.unseen.push(r);
  }

  /** Puts a step together. False when there is none. */
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

  answered(): number {
    return this.refused + this.requests.filter((r) => !Number.isNaN(r.finishS)).length;
  }

  all(): readonly ReferenceRequest[] {
    return this.requests;
  }
}

/** The same plan, the plain way. */
export function ranksRun(input: EngineInput): ReferenceRun {
  const ranks = Array.from({ length: input.parallelism.data }, (_, rank) => new RankEngine(input, rank, 1));
  const first = ranks[0]!;
  const { closedConcurrency } = drawWorkload(input.workload, input.limits.maxModelLenTokens);
  const { frontEnd, together } = costModel(input);
  const arrivals = new ReferenceArrivals(first.all(), closedConcurrency, frontEnd);
  const home = new Map<number, RankEngine>();
  let nowS = 0;
  const arrive = (sent: ReferenceRequest): void => {
    const least = Math.min(...ranks.map((rank) => rank.score()));
    const rank = ranks.find((other) => other.score() === least)!;
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
      const tokens = steps.map(({ under }) => under!.decodes + under!.promptTokens);
      const decodeOnly = steps.every(({ under }) => under!.promptTokens === 0);
      const all = tokens.reduce((sum, each) => sum + each, 0);
      const seen = decodeOnly && together?.pads ? ranks.length * Math.max(...tokens) : all;
      const endS = Math.max(
        ...steps.map(({ under }, k) => {
          if (together === null) return under!.endS;
          const counted = together.counted(tokens[k]!, under!.promptTokens === 0);
          return under!.endS + together.secondsS(seen) - together.secondsS(counted);
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
    stays: runs.flatMap((run) => run.stays ?? []),
    deviceToHostBytes: sum((run) => run.deviceToHostBytes),
    hostToDeviceBytes: sum((run) => run.hostToDeviceBytes),
  };
}
