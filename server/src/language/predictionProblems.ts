/**
 * What memory and prediction say against a plan, as problems at the keys that decide it. Used by the editor's
 * diagnostics and by the terminal's `check` and `simulate`.
 */
import type { Assessment } from '../forecast/assess.ts';
import type { Prediction } from '../forecast/types.ts';
import { withoutSuppressed } from '../plan/suppress.ts';
import type { Analysis, Plan } from '../plan/types.ts';
import type { LineIndex } from '../text/lines.ts';
import type { Problem } from '../text/types.ts';
import { memoryProblems } from './memoryProblems.ts';
import { sloProblems } from './sloProblems.ts';

/** A plan with what is known of it so far. */
export interface JudgedPlan {
  readonly plan: Plan;
  readonly assessment: Assessment | null;
  readonly predictions: readonly Prediction[] | null;
}

/** Everything that is to be said of a text: its own problems, then those of its plans that no comment silences. */
export function allProblems(
  analysis: Analysis,
  text: string | LineIndex,
  judged: readonly JudgedPlan[],
): readonly Problem[] {
  const predicted = judged.flatMap(({ plan, assessment, predictions }) =>
    predictionProblems(plan, assessment, predictions),
  );
  return [...analysis.problems, ...withoutSuppressed(predicted, text)];
}

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
