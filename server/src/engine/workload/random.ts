/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna, 2018) seeded by splitmix32. 32-bit integer arithmetic only,
 * so every JavaScript engine gives the same bytes.
 */

/** One independent stream a purpose, so that changing one distribution never shifts the draws of another. */
export const STREAMS = { arrivals: 3, input: 5, output: 7, predictor: 11, routing: 13, prefix: 17 } as const;

export type Stream = keyof typeof STREAMS;

/** Draws uniform doubles in [0, 1) with 53 random bits. */
export type Random = () => number;

/** @param seed any integer; the same seed and stream give the same sequence. */
export function createRandom(seed: number, stream: Stream): Random {
  let state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(STREAMS[stream], 0x85ebca6b)) >>> 0;
  const splitmix = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = splitmix();
  let b = splitmix();
  let c = splitmix();
  let d = splitmix() | 1;
  const next32 = (): number => {
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result >>> 0;
  };
  return () => ((next32() >>> 5) * 67108864 + (next32() >>> 6)) / 9007199254740992;
}

/** Standard normal by Marsaglia's polar method; one of each pair is kept, so a draw never depends on a hidden spare. */
export function drawNormal(random: Random): number {
  for (;;) {
    const u = 2 * random() - 1;
    const v = 2 * random() - 1;
    const s = u * u + v * v;
    if (s > 0 && s < 1) return u * Math.sqrt((-2 * Math.log(s)) / s);
  }
}

/** Exponential with mean 1. */
export function drawExponential(random: Random): number {
  return -Math.log(1 - random());
}

/** Gamma with the given shape and mean 1 (Marsaglia and Tsang, 2000; shapes below 1 by Stuart's boost). */
export function drawGamma(random: Random, shape: number): number {
  if (shape < 1) {
    const boosted = drawGamma(random, shape + 1) * (shape + 1);
    return (boosted * (1 - random()) ** (1 / shape)) / shape;
  }
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = drawNormal(random);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return (d * v) / shape;
  }
}
