/** LayerKV's SLO budget: how long decoding may be held up by prefills before somebody's TPOT breaks. */
import type { DecodeBatch } from './decodeBatch.ts';
import type { LayerKv } from './layerkv.ts';
import { predictReloadWaits } from './reloadWait.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';

const NONE = -1;

/**
 * Prompts may start while their summed prefill estimates stay within the smallest T_allow of the requests that have
 * their first token and are not done (decoding, parked, or on their way between the two); without such requests, or
 * without an SLO, there is no bound. A negative T_allow blocks, unless `lostRequests: ignore` leaves it out; with
 * `countReloadWait`, a parked request's predicted wait for its layers comes off its T_allow.
 */
export class SloGate {
  private readonly replica: Replica;
  private readonly layerkv: LayerKv;
  private readonly tpotS: number | null;
  private readonly ignoreLost: boolean;
  private readonly countReloadWait: boolean;
  private claimedS = 0;
  private budgetS = Number.NaN;
  /** Who kept the queue's head out last; as long as it still does, nobody else needs to be asked. */
  private witness = NONE;
  private shut = false;

  constructor(replica: Replica, layerkv: LayerKv) {
    this.replica = replica;
    this.layerkv = layerkv;
    this.tpotS = layerkv.config.tpotS;
    this.ignoreLost = layerkv.config.options.lostRequests === 'ignore';
    this.countReloadWait = layerkv.config.options.countReloadWait;
  }

  /** A new round of admissions. @param claimedS what prefills under way still claim. */
  open(claimedS: number): void {
    this.claimedS = claimedS;
    this.budgetS = Number.NaN;
    this.shut = false;
  }

  /** Whether a prefill of `estimateS` fits the budget; it is claimed if so. */
  claim(estimateS: number): boolean {
    if (this.tpotS === null) return true;
    const wantedS = this.claimedS + estimateS - SIMULTANEOUS_S;
    this.shut = this.stillBlocks(wantedS) || wantedS > this.budget();
    if (!this.shut) this.claimedS += estimateS;
    return !this.shut;
  }

  /**
   * Decode steps that can pass before a shut gate may open, at least 1; Infinity when it is not the gate that waits.
   * While steps grow, T_allow of a parked request falls, and so does that of a decoding one until its predicted end.
   * @param nextStepS how long the first of these steps takes, s.
   */
  steadySteps(nextStepS: number): number {
    if (!this.shut) return Number.POSITIVE_INFINITY;
    const { replica, layerkv, witness } = this;
    // A faster step than the last lifts everybody's allowance; whoever is lost leaves the budget; waits shrink.
    if (nextStepS < replica.lastDecodeS || this.ignoreLost || this.countReloadWait) return 1;
    const { decode, records } = replica;
    if (!decode.has(witness)) return Number.POSITIVE_INFINITY;
    const past = records.producedTokens[witness]! + decode.producedSinceJoin(witness);
    return Math.max(1, layerkv.predictedTokens[witness]! - past - 1);
  }

  private stillBlocks(wantedS: number): boolean {
    const { replica, layerkv, witness } = this;
    if (witness === NONE || this.countReloadWait) return false;
    const lane = replica.laneOf(witness);
    if (lane === null && !layerkv.parking.holds(witness)) return false;
    const past = replica.records.producedTokens[witness]! + (lane?.decode.producedSinceJoin(witness) ?? 0);
    const sinceFirstS = replica.clockS - replica.records.firstTokenS[witness]!;
    const allowedS = allowanceS(this.tpotS!, past, layerkv.predictedTokens[witness]!, sinceFirstS, replica.lastDecodeS);
    return wantedS > allowedS && !this.isLost(allowedS);
  }

  /** At the current pace its SLO is lost already: holding prefills back no longer helps it. */
  private isLost(allowedS: number): boolean {
    return this.ignoreLost && allowedS < -SIMULTANEOUS_S;
  }

  private budget(): number {
    if (!Number.isNaN(this.budgetS)) return this.budgetS;
    const { replica, layerkv } = this;
    const { lanes } = replica;
    this.budgetS = Number.POSITIVE_INFINITY;
    for (let k = 0; k < lanes.length; k++) {
      const { decode } = lanes[k]!;
      this.considerAll(decode.order, decode.orderLength, decode, null);
    }
    const waits = this.countReloadWait ? predictReloadWaits(replica, layerkv) : null;
    const { reloading, parked, leaving } = layerkv.parking;
    this.considerAll(reloading, reloading.length, null, waits);
    this.considerAll(parked, parked.length, null, waits);
    this.considerAll(leaving, leaving.length, null, waits);
    return this.budgetS;
  }

  /** The smallest T_allow of these requests, which all decode in `decode` or none of them does; −1 is a hole. */
  private considerAll(
    requests: ArrayLike<number>,
    length: number,
    decode: DecodeBatch | null,
    waits: ReadonlyMap<number, number> | null,
  ): void {
    const { replica, layerkv, tpotS } = this;
    const { clockS, lastDecodeS } = replica;
    const { producedTokens, firstTokenS } = replica.records;
    const { predictedTokens } = layerkv;
    for (let k = 0; k < length; k++) {
      const request = requests[k]!;
      if (request < 0) continue;
      const before = producedTokens[request]!;
      const past = decode === null ? before : before + decode.stepsDone - decode.joinStep[request]!;
      const ownS = allowanceS(tpotS!, past, predictedTokens[request]!, clockS - firstTokenS[request]!, lastDecodeS);
      const allowedS = waits === null ? ownS : ownS - (waits.get(request) ?? 0);
      if (allowedS >= this.budgetS || this.isLost(allowedS)) continue;
      this.budgetS = allowedS;
      this.witness = request;
    }
  }
}

/**
 * T_allow = SLO_tpot · (N_past + N_future) − (T_past + N_future · current TPOT), s.
 *
 * N_past counts the tokens produced, the first included; T_past runs from the first token, parking counted; N_future is
 * what the predicted length leaves, at least 1; current TPOT is the last decode step (0 before there was one).
 * @param past N_past; @param predicted the predicted length, tokens; @param sinceFirstS T_past; @param lastDecodeS current TPOT.
 */
export function allowanceS(
  tpotS: number,
  past: number,
  predicted: number,
  sinceFirstS: number,
  lastDecodeS: number,
): number {
  const future = predicted > past ? predicted - past : 1;
  return tpotS * (past + future) - (sinceFirstS + future * lastDecodeS);
}
