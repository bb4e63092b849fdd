/** How the requests of a benchmark arrived, from what its tool was told. */
import type { ArrivalProcess } from '../engine/types.ts';
import { refuse } from './json.ts';
import type { Reading } from './types.ts';

export interface Pacing {
  /** Requests a second; null or infinite: as fast as the cap lets them. */
  readonly ratePerS: number | null;
  readonly pattern: 'constant' | 'poisson' | 'gamma';
  /** Shape of gamma gaps: vLLM calls it burstiness, AIPerf smoothness. */
  readonly shape: number;
  /** Most requests under way; null: no limit. */
  readonly cap: number | null;
  readonly requests: number;
  /** As achieved; null where the result does not say. */
  readonly requestsPerS: number | null;
}

/** A cap below the achieved share of the rate was what paced the requests: they came when others were done. */
const HELD_BACK = 0.85;

/** A rate and a cap together are one or the other here: whichever was felt. */
export function pacedArrivals(pacing: Pacing): Reading<ArrivalProcess> {
  const { ratePerS, pattern, shape, cap } = pacing;
  if (ratePerS !== null && ratePerS <= 0) {
    return refuse(`Its request rate is ${ratePerS} a second; a load has one above 0.`);
  }
  if (cap !== null && !(Number.isSafeInteger(cap) && cap >= 1)) {
    return refuse(`Its concurrency is ${cap}; it must be a whole number from 1 on.`);
  }
  if (pattern === 'gamma' && shape <= 0) {
    return refuse(`The shape of its gamma arrivals (burstiness, smoothness) is ${shape}; it must be above 0.`);
  }
  return { ok: true, value: arrivalsOf(pacing) };
}

function arrivalsOf({ ratePerS, pattern, shape, cap, requests, requestsPerS }: Pacing): ArrivalProcess {
  const free = ratePerS === null || !Number.isFinite(ratePerS);
  const held = !free && cap !== null && requestsPerS !== null && requestsPerS < HELD_BACK * ratePerS;
  if (free || held) {
    if (cap === null || cap >= requests) return { kind: 'burst' };
    return cap === 1 ? { kind: 'serial' } : { kind: 'closed', concurrency: cap };
  }
  if (pattern === 'constant') return { kind: 'constant', ratePerS };
  if (pattern === 'poisson' || shape === 1) return { kind: 'poisson', ratePerS };
  return { kind: 'gamma', ratePerS, cv: Math.min(100, Math.max(0.01, 1 / Math.sqrt(shape))) };
}
