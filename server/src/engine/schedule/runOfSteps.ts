/** Runs of steps whose durations grow linearly, summed in closed form. */

/** A run of decode steps that last baseS, baseS + growthS, …; computing alone would take ownS, ownS + ownGrowthS, …. */
export interface DecodeRun {
  readonly baseS: number;
  readonly growthS: number;
  readonly ownS: number;
  readonly ownGrowthS: number;
  /** Steps for which this is so. */
  readonly holdsSteps: number;
}

/** Seconds of `steps` steps whose durations grow linearly. */
export function runS(baseS: number, growthS: number, steps: number): number {
  return steps * (baseS + (growthS * (steps - 1)) / 2);
}

/** Fewest steps, at least 1 and at most `most`, that take `budgetS`. */
export function stepsUntil(baseS: number, growthS: number, budgetS: number, most: number): number {
  const linear = baseS - growthS / 2;
  const root =
    growthS > 0
      ? (Math.sqrt(linear * linear + 2 * growthS * Math.max(0, budgetS)) - linear) / growthS
      : budgetS / baseS;
  let steps = Math.min(most, Math.max(1, Math.ceil(root)));
  while (steps > 1 && runS(baseS, growthS, steps - 1) >= budgetS) steps -= 1;
  while (steps < most && runS(baseS, growthS, steps) < budgetS) steps += 1;
  return steps;
}
