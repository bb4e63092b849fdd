/**
 * Data-parallel ranks of a mixture of experts: each has a scheduler, a queue and a pool of its own, but their forward passes
 * are aligned, since expert layers work on the tokens of all ranks (vllm/v1/engine/core.py, `DPEngineCoreProc`). So steps
 * go in rounds that last as long as the longest of them; ranks without work run along empty, and who comes to one waits for
 * the round to end.
 */
import type { Passage } from '../cost/stages.ts';
import type { TogetherLaw } from '../cost/types.ts';
import { leastOf, rankScore } from './balancer.ts';
import { ManyReplicas } from './engine.ts';
import type { Lane } from './lane.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { land } from './step.ts';
import { nextTransferS } from './transfers.ts';
import type { ChunkedScheduler } from './vllmV1.ts';

interface Rank {
  readonly replica: Replica;
  readonly scheduler: ChunkedScheduler;
}

/** What lets a rank's step stay under way until the round has ended. */
export const ROUND: Passage = {
  depth: 1,
  enter: (nowS, stepS) => nowS + stepS,
  isEmpty: () => true,
};

export class RanksInStep extends ManyReplicas {
  private readonly ranks: readonly Rank[];
  private readonly together: TogetherLaw | null;

  /** @param together what other ranks' tokens add to a step; null where they add nothing. */
  constructor(ranks: readonly Rank[], together: TogetherLaw | null) {
    super(ranks.map(({ replica }) => replica));
    this.ranks = ranks;
    this.together = together;
  }

  run(untilS: number): void {
    this.untilS = untilS;
    while (this.nowS + SIMULTANEOUS_S < this.untilS) {
      if (this.round()) continue;
      let nextS = Number.POSITIVE_INFINITY;
      for (const replica of this.replicas) nextS = Math.min(nextS, nextTransferS(replica));
      if (nextS === Number.POSITIVE_INFINITY) return;
      this.nowS = Math.max(this.nowS, Math.min(nextS, this.untilS));
    }
  }

  enqueue(request: number, atS: number): void {
    if (this.load() === 0 && atS > this.nowS + SIMULTANEOUS_S) this.nowS = atS;
    leastOf(this.replicas, (replica) => rankScore(replica.load(), replica.waiting.length)).enqueue(request, atS);
  }

  /** One step of every rank that has work. @returns false when nobody could do anything. */
  private round(): boolean {
    this.holdAnswers();
    let busy = 0;
    for (const replica of this.replicas) if (!replica.isIdle()) busy += 1;
    let flying = 0;
    for (const { replica, scheduler } of this.ranks) {
      replica.clockS = this.nowS;
      replica.untilS = this.untilS;
      if (replica.isIdle()) replica.underWay = false;
      else if (scheduler.launch(busy > 1)) flying += 1;
    }
    if (flying > 0) this.land();
    return this.giveAnswers() || flying > 0;
  }

  private land(): void {
    const endS = this.endOfRoundS();
    for (const replica of this.replicas) {
      const lane = replica.flights[0];
      if (lane === undefined) continue;
      lane.endS = endS;
      land(replica);
    }
    this.nowS = endS;
  }

  /** The longest step, with the tokens of all ranks in its experts. */
  private endOfRoundS(): number {
    const { replicas, together } = this;
    let [all, most, prompts, endS] = [0, 0, false, 0];
    for (const { flights } of replicas) {
      if (flights.length === 0) continue;
      const tokens = tokensOf(flights[0]!);
      all += tokens;
      most = Math.max(most, tokens);
      if (flights[0]!.chunks.length > 0) prompts = true;
    }
    for (const { flights } of replicas) {
      if (flights.length === 0) continue;
      const lane = flights[0]!;
      const own = { tokens: tokensOf(lane), seqs: decodesOf(lane) + lane.chunks.length, prompts };
      endS = Math.max(endS, lane.endS + (together?.moreS(all, most, own) ?? 0));
    }
    return endS;
  }
}

/** Tokens of a step under way. */
function tokensOf(lane: Lane): number {
  return lane.tokensInFlight() + decodesOf(lane);
}

function decodesOf(lane: Lane): number {
  return lane.decodes ? lane.decode.count : 0;
}
