/**
 * Data-parallel ranks of a mixture of experts: each has a scheduler, a queue and a pool of its own, but their forward passes
 * are aligned, since expert layers work on the tokens of all ranks (vllm/v1/engine/core.py, `DPEngineCoreProc`). So steps
 * go in rounds that last as long as the longest of them; ranks without work run along empty, and who comes to one waits for
 * the round to end.
 */
import type { Passage } from '../cost/stages.ts';
import type { TogetherLaw } from '../cost/types.ts';
import { leastOf, rankScore } from './balancer.ts';
import type { Engine } from './engine.ts';
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

export class RanksInStep implements Engine {
  nowS = 0;
  private untilS = 0;
  readonly replicas: readonly Replica[];
  private readonly ranks: readonly Rank[];
  private readonly together: TogetherLaw | null;
  private answers = 0;
  private inRound = false;
  private answer: () => void = () => {};

  /** @param together what other ranks' tokens add to a step; null where they add nothing. */
  constructor(ranks: readonly Rank[], together: TogetherLaw | null) {
    this.ranks = ranks;
    this.together = together;
    this.replicas = ranks.map(({ replica }) => replica);
    for (const replica of this.replicas) replica.onFinish = () => this.answered();
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

  stopAt(atS: number): void {
    this.untilS = Math.min(this.untilS, atS);
  }

  enqueue(request: number, atS: number): void {
    if (this.load() === 0 && atS > this.nowS + SIMULTANEOUS_S) this.nowS = atS;
    leastOf(this.replicas, (replica) => rankScore(replica.load(), replica.waiting.length)).enqueue(request, atS);
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

  /** One step of every rank that has work. @returns false when nobody could do anything. */
  private round(): boolean {
    this.inRound = true;
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
    this.inRound = false;
    const answered = this.answers > 0;
    this.answered(0);
    return flying > 0 || answered;
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

  /** Answers of one round go out together, so that what they bring in meets all of them gone. */
  private answered(count = 1): void {
    this.answers += count;
    if (this.inRound) return;
    while (this.answers > 0) {
      this.answers -= 1;
      this.answer();
    }
  }
}

/** Tokens of a step under way. */
function tokensOf(lane: Lane): number {
  return lane.tokensInFlight() + decodesOf(lane);
}

function decodesOf(lane: Lane): number {
  return lane.decodes ? lane.decode.count : 0;
}
