/** LayerKV's SLO budget: how long decoding may be held up by prefills before somebody's TPOT breaks. */
import type { LayerKv } from './layerkv.ts';
import type { Replica } from './replica.ts';

/**
 * Smallest T_allow over decoding, reloading and parked requests, s; Infinity when there are none or no SLO is stated.
 *
 *     T_allow = SLO_tpot · (N_past + N_future) − (T_past + N_future · current TPOT)
 *
 * N_past counts the tokens produced, the first included; T_past runs from the first token, parking counted; N_future is
 * what the predicted length leaves, at least 1; current TPOT is the last decode step (0 before there was one). With
 * `lostRequests: ignore`, requests that would miss their SLO even if all remaining tokens came at once do not count.
 */
export function admissionBudgetS(replica: Replica, layerkv: LayerKv): number {
  const { tpotS, options } = layerkv.config;
  if (tpotS === null) return Number.POSITIVE_INFINITY;
  const { records, decode, clockS, lastDecodeS } = replica;
  let budgetS = Number.POSITIVE_INFINITY;
  const consider = (request: number, past: number): void => {
    const future = Math.max(1, layerkv.predictedTokens[request]! - past);
    const sinceFirstS = clockS - records.firstTokenS[request]!;
    const allowedS = tpotS * (past + future) - sinceFirstS;
    if (options.lostRequests === 'ignore' && allowedS < 0) return;
    budgetS = Math.min(budgetS, allowedS - future * lastDecodeS);
  };
  decode.forEach((request) => {
    consider(request, records.producedTokens[request]! + decode.producedSinceJoin(request));
  });
  for (const request of layerkv.reloading) consider(request, records.producedTokens[request]!);
  for (const request of layerkv.parked) consider(request, records.producedTokens[request]!);
  return budgetS;
}
