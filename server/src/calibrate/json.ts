/** Reading other tools' JSON, in which any key may be missing. */
import { isRecord } from '../catalog/outcome.ts';
import type { LengthDistribution } from '../engine/types.ts';
import type { Measured } from './fit.ts';
import type { Reading } from './types.ts';

/** What cannot be used, and why. */
export function refuse(message: string): Reading<never> {
  return { ok: false, message };
}

export type Json = Readonly<Record<string, unknown>>;

/** The value at a path of keys; undefined where there is none. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((found, key) => (isRecord(found) ? found[key] : undefined), value);
}

export function recordAt(value: unknown, ...path: readonly string[]): Json | null {
  const found = at(value, ...path);
  return isRecord(found) ? found : null;
}

/** A finite number; null for anything else. */
export function numberAt(value: unknown, ...path: readonly string[]): number | null {
  const found = at(value, ...path);
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}

export function textAt(value: unknown, ...path: readonly string[]): string | null {
  const found = at(value, ...path);
  return typeof found === 'string' && found !== '' ? found : null;
}

/** A column of finite numbers that are not negative; null where there is none, or something else in it. */
export function columnAt(value: unknown, ...path: readonly string[]): readonly number[] | null {
  const found = at(value, ...path);
  return Array.isArray(found) && found.every((each) => Number.isFinite(each) && each >= 0) ? found : null;
}

/** The mean if it is there, else the median. Zero is what tools write for "not measured". */
export function meanOrMedian(mean: number | null, median: number | null): Measured | null {
  if (mean !== null && mean > 0) return { statistic: 'mean', value: mean };
  return median !== null && median > 0 ? { statistic: 'median', value: median } : null;
}

/** Just above 0: a distribution's points begin there. */
const LEAST = 1e-6;

/** Lengths from the points of a distribution that a tool tells. @param percentiles [p in percent, tokens]. */
export function lengthsOf(
  mean: number,
  min: number | null,
  max: number | null,
  percentiles: readonly (readonly [number, number | null])[],
): LengthDistribution {
  if (min === null || max === null || max - min < 1) return { kind: 'fixed', tokens: Math.max(1, Math.round(mean)) };
  const inner = percentiles
    .flatMap(([percent, tokens]) => (tokens === null ? [] : [[percent / 100, tokens] as const]))
    .filter(([p]) => p > LEAST && p < 1)
    .sort(([a], [b]) => a - b);
  return { kind: 'percentiles', points: [[LEAST, min], ...inner, [1, max]], mean };
}

/** Lengths as they were, one a request. */
export function lengthsOfColumn(values: readonly number[]): LengthDistribution {
  const sorted = values.toSorted((a, b) => a - b);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const steps = Array.from({ length: 19 }, (_, k) => 5 * (k + 1));
  const quantile = (percent: number): number => sorted[Math.round((percent / 100) * (sorted.length - 1))] ?? mean;
  return lengthsOf(
    mean,
    sorted[0] ?? null,
    sorted.at(-1) ?? null,
    steps.map((percent) => [percent, quantile(percent)] as const),
  );
}
