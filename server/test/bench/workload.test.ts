/** Loads and lengths as published, and when a load counts as saturated. */
import assert from 'node:assert/strict';
import { isSaturatedRow, publishedFigures } from '../../bench/validate/predict.ts';
import type { ValidationRow } from '../../bench/validate/row.ts';
import { rowWorkload } from '../../bench/validate/workload.ts';
import type { LengthDistribution, WorkloadSpec } from '../../src/engine/types.ts';
import { meanLength } from '../../src/engine/workload/lengths.ts';
import { publishedRow } from './rows.ts';

function workloadOf(over: Partial<ValidationRow>): WorkloadSpec {
  const workload = rowWorkload(publishedRow(over));
  assert.ok(typeof workload !== 'string', String(workload));
  return workload;
}

function synthetic(over: Partial<ValidationRow>) {
  const { source } = workloadOf(over);
  assert.ok(source.kind === 'synthetic');
  return source;
}

describe('the load of a published measurement', () => {
  it('arrives as published', () => {
    const arrivals = (load: ValidationRow['load']) => synthetic({ load }).arrivals;
    assert.deepEqual(arrivals({ kind: 'closed', concurrency: 7 }), { kind: 'closed', concurrency: 7 });
    assert.deepEqual(arrivals({ kind: 'poisson', rate: 2.5, numRequests: 9 }), { kind: 'poisson', ratePerS: 2.5 });
    assert.deepEqual(arrivals({ kind: 'burst', numRequests: 9 }), { kind: 'burst' });
    assert.deepEqual(arrivals({ kind: 'serial', numRequests: 9 }), { kind: 'serial' });
  });

  it('is as long as published; else ten requests a user', () => {
    assert.equal(workloadOf({ load: { kind: 'burst', numRequests: 9 } }).requests, 9);
    assert.equal(workloadOf({ load: { kind: 'closed', concurrency: 7 } }).requests, 70);
  });

  it('has fixed and uniform lengths as they stand', () => {
    const { input, output } = synthetic({
      input: { kind: 'uniform', min: 819, max: 1024 },
      output: { kind: 'fixed', tokens: 7 },
    });
    assert.deepEqual(input, { kind: 'uniform', min: 819, max: 1024 });
    assert.deepEqual(output, { kind: 'fixed', tokens: 7 });
  });

  const means: readonly [string, ValidationRow['input']][] = [
    ['with percentiles', { kind: 'mean', tokens: 236, p25: 106, p50: 198, p75: 355, p90: 456, p99: 578, max: 592 }],
    ['with a cap', { kind: 'mean', tokens: 350, max: 512 }],
    ['alone', { kind: 'mean', tokens: 217 }],
    ['alone and long', { kind: 'mean', tokens: 5000 }],
  ];
  for (const [name, lengths] of means) {
    it(`keeps a published mean ${name}`, () => {
      const { output } = synthetic({ output: lengths });
      assert.ok(Math.abs(meanLength(output) - (lengths.tokens ?? 0)) < 1e-9);
      const spread: LengthDistribution['kind'] = 'percentiles';
      assert.equal(output.kind, spread, 'a mean of many lengths has a spread');
    });
  }

  it('takes a mean at its cap for a fixed length', () => {
    assert.deepEqual(synthetic({ output: { kind: 'mean', tokens: 512, max: 512 } }).output, {
      kind: 'fixed',
      tokens: 512,
    });
  });

  it('lets no prompt take the room of its answer', () => {
    const over = { maxModelLen: 1000, output: { kind: 'fixed', tokens: 300 } } as const;
    const { input } = synthetic({ ...over, input: { kind: 'mean', tokens: 400 } });
    assert.ok(input.kind === 'percentiles');
    assert.equal(Math.max(...input.points.map(([, tokens]) => tokens)), 700);
  });

  it('replays a trace in the order of its arrivals', () => {
    const requests = [
      [2, 100, 10, 50, 400],
      [0, 200, 20, 60, 700],
    ];
    const { source, requests: count } = workloadOf({ load: { kind: 'trace' }, requests });
    assert.ok(source.kind === 'trace');
    assert.equal(count, 2);
    assert.deepEqual([...source.trace.arrivalS], [0, 2]);
    assert.deepEqual([...source.trace.inputTokens], [200, 100]);
    assert.deepEqual([...source.trace.outputTokens], [20, 10]);
  });
});

describe('saturation, by the published figures alone', () => {
  const times = (ttft: number, tpot: number) => ({ ttftMs: { mean: ttft }, tpotMs: { mean: tpot } });
  const closed = { kind: 'closed', concurrency: 8 } as const;
  const poisson = { kind: 'poisson', rate: 10, numRequests: 100 } as const;
  const cases: readonly [string, Partial<ValidationRow>, boolean][] = [
    ['every burst', { load: { kind: 'burst' }, measured: times(1, 1000) }, true],
    ['no serial load', { load: { kind: 'serial' }, measured: times(5000, 1) }, false],
    ['Poisson below 0.7 of its rate', { load: poisson, measured: { reqS: 6.9 } }, true],
    ['Poisson at 0.7 of its rate', { load: poisson, measured: { reqS: 7 } }, false],
    ['Poisson that does not say', { load: poisson, measured: times(9000, 1) }, false],
    // 64 tokens at 10 ms: 630 ms of decoding, a quarter of the whole with 210 ms before it.
    ['closed, more than a quarter of it waiting', { load: closed, measured: times(211, 10) }, true],
    ['closed, a quarter of it waiting', { load: closed, measured: times(210, 10) }, false],
    ['closed without TPOT', { load: closed, measured: { ttftMs: { mean: 9000 } } }, false],
    ['a trace above 2 s', { load: { kind: 'trace' }, requests: [], measured: times(2001, 10) }, true],
    ['a trace below', { load: { kind: 'trace' }, requests: [], measured: times(1999, 10) }, false],
  ];
  for (const [name, over, expected] of cases) {
    it(`${expected ? 'holds for' : 'does not hold for'} ${name}`, () =>
      assert.equal(isSaturatedRow(publishedRow(over)), expected));
  }
});

describe('published figures', () => {
  it('are the mean, else the median, else the figure of unsaid kind', () => {
    const figures = (ttftMs: NonNullable<ValidationRow['measured']['ttftMs']>) =>
      publishedFigures(publishedRow({ measured: { ttftMs } })).ttftMs;
    assert.equal(figures({ mean: 1, p50: 2, unspecified: 3 }), 1);
    assert.equal(figures({ p50: 2, unspecified: 3, p99: 9 }), 2);
    assert.equal(figures({ unspecified: 3, p90: 8 }), 3);
    assert.equal(figures({ p90: 8 }), null);
  });

  it('derive throughput from requests a second where only these are published', () => {
    const measured = { reqS: 3 };
    assert.equal(publishedFigures(publishedRow({ measured })).outputTokS, 192);
    assert.equal(publishedFigures(publishedRow({ measured: { reqS: 3, outputTokS: 100 } })).outputTokS, 100);
    const uniform = publishedRow({ measured, output: { kind: 'uniform', min: 10, max: 30 } });
    assert.equal(publishedFigures(uniform).outputTokS, 60);
  });
});
