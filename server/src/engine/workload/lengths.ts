/** Request lengths, tokens: how they are drawn and what they are on average. */
import type { LengthDistribution } from '../types.ts';
import { drawNormal, type Random } from './random.ts';

/** Beyond every context window. The tails of wide distributions reach further than whole numbers of 32 bits do. */
export const MOST_TOKENS = 100_000_000;

/** A sampler of whole token counts, from 1 to `MOST_TOKENS`. */
export function lengthSampler(distribution: LengthDistribution, random: Random): () => number {
  const whole = (tokens: number): number => Math.min(MOST_TOKENS, Math.max(1, Math.round(tokens)));
  switch (distribution.kind) {
    case 'fixed':
      return () => whole(distribution.tokens);
    case 'uniform': {
      const span = distribution.max - distribution.min + 1;
      return () => Math.max(1, distribution.min + Math.floor(random() * span));
    }
    case 'lognormal':
      return () => whole(distribution.median * Math.exp(distribution.sigma * drawNormal(random)));
    case 'percentiles': {
      const inverse = inverseOfPercentiles(distribution.points, distribution.mean);
      return () => whole(inverse(random()));
    }
  }
}

/** Expected length, tokens, before rounding. */
export function meanLength(distribution: LengthDistribution): number {
  switch (distribution.kind) {
    case 'fixed':
      return distribution.tokens;
    case 'uniform':
      return (distribution.min + distribution.max) / 2;
    case 'lognormal':
      return distribution.median * Math.exp(distribution.sigma ** 2 / 2);
    case 'percentiles': {
      const knots = withEnds(distribution.points);
      const bend = distribution.mean === null ? 1 : bendForMean(knots, distribution.mean);
      return meanOfKnots(knots, bend);
    }
  }
}

type Knots = readonly (readonly [number, number])[];

/** The distribution starts at one token and, where no maximum is stated, ends at its highest stated percentile. */
function withEnds(points: Knots): Knots {
  const last = points.at(-1);
  if (last === undefined)
    return [
      [0, 1],
      [1, 1],
    ];
  return [[0, 1], ...points, ...(last[0] < 1 ? ([[1, last[1]]] as const) : [])];
}

/**
 * Inverse distribution function through the stated percentiles. Between two of them it runs as a + (b − a)·t^bend;
 * one bend for all segments, chosen so that the mean is the stated one (1, a straight line, where none is stated or
 * no bend reaches it).
 */
function inverseOfPercentiles(points: Knots, mean: number | null): (u: number) => number {
  const knots = withEnds(points);
  const bend = mean === null ? 1 : bendForMean(knots, mean);
  return (u) => {
    for (let k = 1; k < knots.length; k++) {
      const [p1, v1] = knots[k]!;
      if (u > p1) continue;
      const [p0, v0] = knots[k - 1]!;
      return v0 + (v1 - v0) * ((u - p0) / (p1 - p0)) ** bend;
    }
    return knots.at(-1)![1];
  };
}

function meanOfKnots(knots: Knots, bend: number): number {
  let mean = 0;
  for (let k = 1; k < knots.length; k++) {
    const [p0, v0] = knots[k - 1]!;
    const [p1, v1] = knots[k]!;
    mean += (p1 - p0) * (v0 + (v1 - v0) / (bend + 1));
  }
  return mean;
}

function bendForMean(knots: Knots, mean: number): number {
  let low = 1 / 64;
  let high = 64;
  if (mean >= meanOfKnots(knots, low)) return low;
  if (mean <= meanOfKnots(knots, high)) return high;
  for (let i = 0; i < 60; i++) {
    const middle = Math.sqrt(low * high);
    if (meanOfKnots(knots, middle) > mean) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}
