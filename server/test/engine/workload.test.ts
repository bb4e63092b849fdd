import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ArrivalProcess, LengthDistribution } from '../../src/engine/types.ts';
import { lengthSampler, MOST_TOKENS, meanLength } from '../../src/engine/workload/lengths.ts';
import { createRandom, drawGamma, drawNormal } from '../../src/engine/workload/random.ts';
import { drawWorkload } from '../../src/engine/workload/workload.ts';

function moments(draw: () => number, count: number): { mean: number; variance: number } {
  let sum = 0;
  let squares = 0;
  for (let k = 0; k < count; k++) {
    const x = draw();
    sum += x;
    squares += x * x;
  }
  const mean = sum / count;
  return { mean, variance: squares / count - mean * mean };
}

function near(actual: number, expected: number, share: number, what: string): void {
  assert.ok(
    Math.abs(actual - expected) <= share * Math.abs(expected),
    `${what}: ${actual}, expected about ${expected}`,
  );
}

describe('random numbers', () => {
  it('keep the bytes they had when first written down', () => {
    const random = createRandom(1, 'arrivals');
    assert.deepEqual([random(), random(), random()], [0.2895357230278386, 0.4708078581053564, 0.12211124709039967]);
  });

  it('give streams of one seed that share nothing', () => {
    const a = createRandom(7, 'input');
    const b = createRandom(7, 'output');
    let product = 0;
    for (let k = 0; k < 20_000; k++) product += (a() - 0.5) * (b() - 0.5);
    assert.ok(Math.abs(product / 20_000) < 0.003);
  });

  it('are uniform: chi-square over 100 cells', () => {
    const random = createRandom(42, 'routing');
    const cells = new Array<number>(100).fill(0);
    for (let k = 0; k < 100_000; k++) cells[Math.floor(random() * 100)]! += 1;
    const chi = cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // 99 degrees of freedom: 0.1 % and 99.9 % points.
    assert.ok(chi > 61 && chi < 149, String(chi));
  });

  it('have the moments of their distributions', () => {
    const normal = createRandom(3, 'input');
    const standard = moments(() => drawNormal(normal), 200_000);
    assert.ok(Math.abs(standard.mean) < 0.01);
    near(standard.variance, 1, 0.02, 'variance of the normal');
    for (const shape of [0.25, 1, 4]) {
      const random = createRandom(5, 'arrivals');
      const gamma = moments(() => drawGamma(random, shape), 200_000);
      near(gamma.mean, 1, 0.02, `mean of gamma ${shape}`);
      near(gamma.variance, 1 / shape, 0.05, `variance of gamma ${shape}`);
    }
  });
});

describe('request lengths', () => {
  const cases: readonly LengthDistribution[] = [
    { kind: 'fixed', tokens: 512 },
    { kind: 'uniform', min: 100, max: 900 },
    { kind: 'lognormal', median: 300, sigma: 0.8 },
    {
      kind: 'percentiles',
      points: [
        [0.25, 120],
        [0.5, 300],
        [0.99, 2000],
        [1, 4000],
      ],
      mean: null,
    },
    {
      kind: 'percentiles',
      points: [
        [0.25, 120],
        [0.5, 300],
        [0.99, 2000],
        [1, 4000],
      ],
      mean: 450,
    },
  ];

  for (const distribution of cases) {
    it(`average to their expectation: ${JSON.stringify(distribution)}`, () => {
      const draw = lengthSampler(distribution, createRandom(11, 'input'));
      near(moments(draw, 200_000).mean, meanLength(distribution), 0.01, 'mean');
    });
  }

  it('hit the stated mean with percentiles, and the percentiles themselves', () => {
    const distribution: LengthDistribution = {
      kind: 'percentiles',
      points: [
        [0.25, 30],
        [0.5, 51],
        [0.75, 106],
        [0.9, 157],
        [0.99, 194],
        [1, 198],
      ],
      mean: 71.9,
    };
    near(meanLength(distribution), 71.9, 0.001, 'mean');
    const draw = lengthSampler(distribution, createRandom(2, 'input'));
    const drawn = Float64Array.from({ length: 100_000 }, draw).sort();
    near(drawn[50_000]!, 51, 0.03, 'median');
    near(drawn[90_000]!, 157, 0.02, 'p90');
  });

  it('are whole, at least one token, and never more than fits a record', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-7, max: 50, noNaN: true }),
        fc.double({ min: 0, max: 5, noNaN: true }),
        (median, sigma) => {
          const draw = lengthSampler({ kind: 'lognormal', median: median * 1e5, sigma }, createRandom(1, 'output'));
          for (let k = 0; k < 20; k++) {
            const tokens = draw();
            assert.ok(Number.isInteger(tokens) && tokens >= 1 && tokens <= MOST_TOKENS);
          }
        },
      ),
    );
  });
});

describe('arrivals', () => {
  const workload = (arrivals: ArrivalProcess, requests = 50_000) =>
    drawWorkload(
      {
        source: {
          kind: 'synthetic',
          arrivals,
          input: { kind: 'fixed', tokens: 10 },
          output: { kind: 'fixed', tokens: 10 },
        },
        requests,
        seed: 9,
      },
      4096,
    );

  for (const [arrivals, cv] of [
    [{ kind: 'constant', ratePerS: 4 }, 0],
    [{ kind: 'poisson', ratePerS: 4 }, 1],
    [{ kind: 'gamma', ratePerS: 4, cv: 2 }, 2],
  ] as const) {
    it(`have the stated rate and spread: ${arrivals.kind}`, () => {
      const { arrivalS } = workload(arrivals);
      let previous = 0;
      let sum = 0;
      let squares = 0;
      for (const time of arrivalS) {
        assert.ok(time >= previous);
        sum += time - previous;
        squares += (time - previous) ** 2;
        previous = time;
      }
      const mean = sum / arrivalS.length;
      near(mean, 0.25, 0.03, 'mean gap');
      const deviation = Math.sqrt(Math.max(0, squares / arrivalS.length - mean * mean));
      assert.ok(Math.abs(deviation / mean - cv) < 0.05 * Math.max(1, cv), `cv ${deviation / mean}`);
    });
  }

  it('cut outputs at max-model-len and leave refused prompts alone', () => {
    const columns = drawWorkload(
      {
        source: {
          kind: 'trace',
          trace: {
            arrivalS: Float64Array.of(0, 1, 2),
            inputTokens: Int32Array.of(90, 100, 10),
            outputTokens: Int32Array.of(50, 50, 50),
          },
        },
        requests: 2,
        seed: 1,
      },
      100,
    );
    assert.equal(columns.count, 2);
    assert.deepEqual([...columns.outputTokens], [10, 50]);
  });
});
