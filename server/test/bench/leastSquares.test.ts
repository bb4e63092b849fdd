/** The fit finds the coefficients that made the data, noise and outliers or not. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fitLaw, type Unknown } from '../../bench/fit/leastSquares.ts';

const UNKNOWNS: Readonly<Record<'fixedS' | 'eachS' | 'squareS', Unknown>> = {
  fixedS: { start: 1e-4, least: 1e-7, most: 1e-1 },
  eachS: { start: 1e-5, least: 1e-9, most: 1e-2 },
  squareS: { start: 1e-7, least: 1e-12, most: 1e-4 },
};
type Values = Readonly<Record<keyof typeof UNKNOWNS, number>>;

const law = ({ size }: { readonly size: number }, { fixedS, eachS, squareS }: Values): number =>
  fixedS + eachS * size + squareS * size * size;
const SIZES = Array.from({ length: 60 }, (_, k) => 1.25 ** k % 4000);
const samplesOf = (truth: Values, factor: (k: number) => number = () => 1) =>
  SIZES.map((size, k) => ({ size, measuredS: law({ size }, truth) * factor(k) }));
const within = (share: number, found: Values, truth: Values): void => {
  for (const name of Object.keys(UNKNOWNS) as (keyof Values)[])
    assert.ok(Math.abs(found[name] / truth[name] - 1) <= share, `${name}: ${found[name]} for ${truth[name]}`);
};

/** Each part of the law shows somewhere in the sizes. */
const truths = fc.record({
  fixedS: fc.double({ min: 1e-4, max: 1e-2, noNaN: true }),
  eachS: fc.double({ min: 2e-5, max: 2e-4, noNaN: true }),
  squareS: fc.double({ min: 2e-8, max: 5e-7, noNaN: true }),
});

describe('least squares over logarithms', () => {
  it('recovers the coefficients of exact data', () => {
    fc.assert(
      fc.property(truths, (truth) => {
        const { values, medianError, p90Error, samples } = fitLaw(samplesOf(truth), UNKNOWNS, law);
        within(1e-3, values, truth);
        assert.ok(medianError <= p90Error && p90Error < 1e-4);
        assert.equal(samples, SIZES.length);
      }),
      { numRuns: 40 },
    );
  });

  it('is hardly moved by outliers: a fifth of the data at three times the truth', () => {
    fc.assert(
      fc.property(truths, (truth) => {
        const { values } = fitLaw(
          samplesOf(truth, (k) => (k % 5 === 0 ? 3 : 1)),
          UNKNOWNS,
          law,
        );
        // Plain squares would put every time a quarter too high.
        for (const size of SIZES) {
          const error = law({ size }, values) / law({ size }, truth) - 1;
          assert.ok(Math.abs(error) < 0.1, `${size}: ${error}`);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('goes by the majority where two values contradict each other', () => {
    const samples = Array.from({ length: 100 }, (_, k) => ({ measuredS: k < 80 ? 1 : 3 }));
    const { values } = fitLaw(samples, { onlyS: { start: 2, least: 0.1, most: 10 } }, (_, { onlyS }) => onlyS);
    assert.ok(values.onlyS > 1 && values.onlyS < 1.05, String(values.onlyS));
  });

  it('reports the errors of what it found', () => {
    const samples = [1, 1, 1, 1, 1, 1, 1, 1, 1, 2].map((measuredS) => ({ measuredS }));
    const { values, medianError, p90Error } = fitLaw(
      samples,
      { onlyS: { start: 1, least: 0.1, most: 10 } },
      (_, { onlyS }) => onlyS,
    );
    assert.ok(Math.abs(medianError - Math.abs(values.onlyS - 1)) < 1e-12);
    assert.ok(p90Error >= medianError);
  });

  it('keeps to the bounds, and still fits the rest', () => {
    const truth = { fixedS: 1e-3, eachS: 1e-4, squareS: 1e-7 };
    const bounded = { ...UNKNOWNS, fixedS: { start: 2e-3, least: 2e-3, most: 1e-1 } };
    const { values } = fitLaw(samplesOf(truth), bounded, law);
    assert.ok(Math.abs(values.fixedS - 2e-3) < 1e-12);
    const free = fitLaw(
      samplesOf(truth),
      { eachS: UNKNOWNS.eachS, squareS: UNKNOWNS.squareS },
      (sample, { eachS, squareS }) => law(sample, { fixedS: 2e-3, eachS, squareS }),
    );
    within(1e-3, values, { fixedS: 2e-3, ...free.values });
  });

  it('leaves alone what no sample depends on', () => {
    const unknowns = { ...UNKNOWNS, idleS: { start: 7, least: 1, most: 9 } };
    const truth = { fixedS: 1e-3, eachS: 1e-4, squareS: 1e-7 };
    const { values } = fitLaw(samplesOf(truth), unknowns, (sample, of) => law(sample, of));
    assert.ok(Math.abs(values.idleS - 7) < 1e-6);
    within(1e-3, values, truth);
  });
});
