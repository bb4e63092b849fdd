/** Fits a law's coefficients to measured times: robust least squares over the logarithm, so that all sizes count alike. */

export interface Sample {
  readonly measuredS: number;
}

/** A coefficient's name, where the search begins, and what it may be at all. */
export interface Unknown {
  readonly start: number;
  readonly least: number;
  readonly most: number;
}

export interface Fit<Name extends string> {
  readonly values: Readonly<Record<Name, number>>;
  readonly samples: number;
  /** Median and 90th percentile of |fitted/measured − 1|. */
  readonly medianError: number;
  readonly p90Error: number;
}

/** Errors beyond this count by their distance, no longer by its square (soft L1): cache hits, an untuned shape. */
const OUTLIER = 0.1;

/** @param lawS seconds of a sample under some coefficients. Coefficients are searched on a logarithmic scale. */
export function fitLaw<Name extends string, S extends Sample>(
  samples: readonly S[],
  unknowns: Readonly<Record<Name, Unknown>>,
  lawS: (sample: S, values: Readonly<Record<Name, number>>) => number,
): Fit<Name> {
  const names = Object.keys(unknowns) as Name[];
  const named = (logs: readonly number[]): Readonly<Record<Name, number>> =>
    Object.fromEntries(names.map((name, index) => [name, Math.exp(logs[index] ?? 0)])) as Record<Name, number>;
  const logOf = (pick: (unknown: Unknown) => number): number[] => names.map((name) => Math.log(pick(unknowns[name])));
  const residuals = (logs: readonly number[]): Float64Array => {
    const values = named(logs);
    return Float64Array.from(samples, (sample) => Math.log(lawS(sample, values) / sample.measuredS));
  };
  const bounds = { least: logOf(({ least }) => least), most: logOf(({ most }) => most) };
  // Plain squares first: they see the outliers from everywhere, so that the start does not decide who is one.
  const plain = search(
    residuals,
    logOf(({ start }) => start),
    bounds,
    1e6,
  );
  const best = search(residuals, plain, bounds, OUTLIER);
  const errors = residuals(best)
    .map((residual) => Math.abs(Math.expm1(residual)))
    .sort();
  return {
    values: named(best),
    samples: samples.length,
    medianError: errors[Math.floor((errors.length - 1) * 0.5)] ?? 0,
    p90Error: errors[Math.floor((errors.length - 1) * 0.9)] ?? 0,
  };
}

interface Bounds {
  readonly least: readonly number[];
  readonly most: readonly number[];
}

const MOST_STEPS = 300;
const MOST_DAMPING = 1e10;
/** A step that gains less than this share of the cost ends the search. */
const LEAST_GAIN = 1e-9;

/**
 * Levenberg and Marquardt's search for the least Σ 2·s²·(√(1 + (r/s)²) − 1), by squares weighted anew in each step; a step
 * that gains nothing is taken back. @param scale s: where squares turn into distances.
 */
function search(
  residuals: (at: readonly number[]) => Float64Array,
  start: readonly number[],
  { least, most }: Bounds,
  scale: number,
): readonly number[] {
  const costOf = (of: Float64Array): number =>
    of.reduce((sum, r) => sum + 2 * scale * (Math.hypot(scale, r) - scale), 0);
  let at = start.map((value, k) => clamp(value, least[k], most[k]));
  let here = residuals(at);
  let cost = costOf(here);
  let damping = 1e-3;
  for (let step = 0; step < MOST_STEPS; step++) {
    const { gradient, curvature } = normalEquations(residuals, at, here, scale);
    let gain = 0;
    while (gain <= 0 && damping < MOST_DAMPING) {
      // At a bound, what would go beyond it stays.
      const free = at.map((value, k) => {
        const slope = gradient[k] ?? 0;
        return !(value <= (least[k] ?? value) && slope > 0) && !(value >= (most[k] ?? value) && slope < 0);
      });
      const move = solve(curvature, gradient, free, damping);
      const next = at.map((value, k) => clamp(value - (move[k] ?? 0), least[k], most[k]));
      const there = residuals(next);
      const nextCost = costOf(there);
      gain = cost - nextCost;
      if (gain > 0) {
        [at, here, cost] = [next, there, nextCost];
        damping = Math.max(damping / 10, 1e-12);
      } else damping *= 10;
    }
    if (!(gain > LEAST_GAIN * cost)) break;
  }
  return at;
}

/** Slopes by central differences over so much of a logarithm. */
const DIFFERENCE = 1e-4;

function normalEquations(
  residuals: (at: readonly number[]) => Float64Array,
  at: readonly number[],
  here: Float64Array,
  scale: number,
): { readonly gradient: readonly number[]; readonly curvature: readonly (readonly number[])[] } {
  const weights = here.map((r) => scale / Math.hypot(scale, r));
  const slopes = at.map((_, k) => {
    const shifted = (by: number): Float64Array => residuals(at.map((value, j) => (j === k ? value + by : value)));
    const [up, down] = [shifted(DIFFERENCE), shifted(-DIFFERENCE)];
    return up.map((value, i) => (value - (down[i] ?? 0)) / (2 * DIFFERENCE));
  });
  const weighted = (a: Float64Array, b: Float64Array): number =>
    a.reduce((sum, value, i) => sum + value * (b[i] ?? 0) * (weights[i] ?? 0), 0);
  return {
    gradient: slopes.map((slope) => weighted(slope, here)),
    curvature: slopes.map((a) => slopes.map((b) => weighted(a, b))),
  };
}

/**
 * (curvature + damping · its diagonal) · x = gradient, by Gauss' elimination; 0 for unknowns that are not free. The matrix is
 * symmetric and positive definite, so no rows need to be exchanged.
 */
function solve(
  curvature: readonly (readonly number[])[],
  gradient: readonly number[],
  free: readonly boolean[],
  damping: number,
): readonly number[] {
  const n = gradient.length;
  const rows = gradient.map((value, i) => {
    const row = Float64Array.from(gradient, (_, j) => (free[i] && free[j] ? (curvature[i]?.[j] ?? 0) : 0));
    // What no sample depends on has no curvature at all, and stays.
    row[i] = free[i] ? (row[i] ?? 0) * (1 + damping) + 1e-12 : 1;
    return Float64Array.of(...row, free[i] ? value : 0);
  });
  rows.forEach((from, k) => {
    for (const row of rows.slice(k + 1)) {
      const factor = (row[k] ?? 0) / (from[k] ?? 1);
      for (let j = k; j <= n; j++) row[j] = (row[j] ?? 0) - factor * (from[j] ?? 0);
    }
  });
  const found = new Float64Array(n);
  for (const [k, row] of [...rows.entries()].reverse()) {
    const known = found.reduce((sum, value, j) => (j > k ? sum + value * (row[j] ?? 0) : sum), 0);
    found[k] = ((row[n] ?? 0) - known) / (row[k] ?? 1);
  }
  return [...found];
}

function clamp(value: number, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY): number {
  return Math.min(most, Math.max(least, value));
}
