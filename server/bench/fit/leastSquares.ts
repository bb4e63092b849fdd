/** Fits a law's coefficients to measured times: least squares over the logarithm, so that all sizes count alike. */
import { levenbergMarquardt } from 'ml-levenberg-marquardt';

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
  const measured = samples.map(({ measuredS }) => Math.log(measuredS));
  const predict = (logs: readonly number[]) => {
    const values = named(logs);
    return (index: number): number => Math.log(lawS(samples[index]!, values));
  };
  const data = { x: samples.map((_, index) => index), y: measured };
  const search = (weights: readonly number[], initialValues: number[]): number[] =>
    levenbergMarquardt(data, predict, {
      initialValues,
      weights: [...weights],
      minValues: logOf(({ least }) => least),
      maxValues: logOf(({ most }) => most),
      gradientDifference: 1e-4,
      centralDifference: true,
      maxIterations: 60,
      errorTolerance: 1e-6,
      improvementThreshold: 1e-6,
    }).parameterValues;
  // Outliers (cache hits, an untuned shape) are counted by their distance only from 10 % on: iterated soft-L1 weights.
  let best = search(samples.map(() => 1), logOf(({ start }) => start));
  for (let round = 0; round < 40; round++) {
    const at = predict(best);
    best = search(
      measured.map((value, index) => Math.sqrt(1 + ((at(index) - value) / 0.1) ** 2) ** 0.5),
      best,
    );
  }
  const at = predict(best);
  const errors = measured.map((value, index) => Math.abs(Math.expm1(at(index) - value))).sort((a, b) => a - b);
  return {
    values: named(best),
    samples: samples.length,
    medianError: errors[Math.floor((errors.length - 1) * 0.5)] ?? 0,
    p90Error: errors[Math.floor((errors.length - 1) * 0.9)] ?? 0,
  };
}
