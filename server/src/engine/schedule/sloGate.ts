/** LayerKV's SLO budget: how long decoding may be held up by prefills before somebody's TPOT breaks. */
import type { LayerKv } from './layerkv.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';

/**
 * Smallest T_allow over the requests that have their first token and are not done (decoding, parked, or on their way
 * between the two), s; Infinity when there are none or no SLO is stated. With `lostRequests: ignore`, requests that
 * would miss their SLO even if all remaining tokens came at once do not count.
 */
export function admissionBudgetS(replica: Replica, layerkv: LayerKv): number {
  const { tpotS, options } = layerkv.config;
  if (tpotS === null) return Number.POSITIVE_INFINITY;
  let budgetS = Number.POSITIVE_INFINITY;
  const consider = (request: number): void => {
    const allowedS = allowanceS(replica, layerkv, request, tpotS);
    if (allowedS >= budgetS) return;
    if (options.lostRequests === 'ignore' && isLost(replica, layerkv, request, tpotS)) return;
    budgetS = allowedS;
  };
  replica.decode.forEach(consider);
  layerkv.parking.forEach(consider);
  return budgetS;
}

/**
 * T_allow = SLO_tpot · (N_past + N_future) − (T_past + N_future · current TPOT), s.
 *
 * N_past counts the tokens produced, the first included; T_past runs from the first token, parking counted; N_future is
 * what the predicted length leaves, at least 1; current TPOT is the last decode step (0 before there was one).
 */
export function allowanceS(replica: Replica, layerkv: LayerKv, request: number, tpotS: number): number {
  const past = replica.producedTokens(request);
  const future = Math.max(1, layerkv.predictedTokens[request]! - past);
  const sinceFirstS = replica.clockS - replica.records.firstTokenS[request]!;
  return tpotS * (past + future) - (sinceFirstS + future * replica.lastDecodeS);
}

function isLost(replica: Replica, layerkv: LayerKv, request: number, tpotS: number): boolean {
  const past = replica.producedTokens(request);
  const future = Math.max(1, layerkv.predictedTokens[request]! - past);
  return replica.clockS - replica.records.firstTokenS[request]! > tpotS * (past + future) + SIMULTANEOUS_S;
}
