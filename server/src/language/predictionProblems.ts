/**
 * What memory and prediction say against a plan, as problems at the keys that decide it. Used by the editor's
 * diagnostics and by the terminal's `check` and `simulate`.
 */
import type { Assessment } from '../forecast/assess.ts';
import type { Prediction } from '../forecast/types.ts';
import type { Plan } from '../plan/types.ts';
import type { Problem } from '../text/types.ts';
import { memoryProblems } from './memoryProblems.ts';
import { sloProblems } from './sloProblems.ts';

/** The rules of this file and its helpers, each with a section in `docs/rules.md`. */
export const PREDICTION_RULES = [
  'does-not-fit',
  'no-room-for-one-sequence',
  'saturated',
  'slo-missed',
  'offload-not-hidden',
  'frequent-preemptions',
  'requests-not-served',
] as const;

export type PredictionRule = (typeof PREDICTION_RULES)[number];

/**
 * Problems of one plan, in the order of their weight. `predictions` are those of this plan: one per policy that was
 * asked for, or null while nothing is simulated yet; what memory alone says needs none.
 */
export function predictionProblems(
  plan: Plan,
  assessment: Assessment | null,
  predictions: readonly Prediction[] | null,
): Problem[] {
  const memory = assessment === null ? [] : memoryProblems(plan, assessment);
  const own = (predictions ?? []).filter((prediction) => prediction.document === plan.documentIndex);
  return [...memory, ...own.flatMap((prediction) => sloProblems(plan, prediction, own.length > 1))];
}
