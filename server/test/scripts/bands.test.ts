/** `npm run validate -- FILE --bands`: how measurements become bands, and that the committed ones are of this cost model. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  bandsFile,
  bandTable,
  heldOut,
  percentile,
  publishedSamples,
  type Sample,
} from '../../bench/validate/bands.ts';
import type { ValidationRow } from '../../bench/validate/row.ts';
import { widest } from '../../src/forecast/confidence.ts';
import committed from '../../src/forecast/errorBands.json';
import { hasShared, SHARED } from '../shared.ts';

const sample = (k: number, ratio: number, source = k % 2 === 0 ? 'a' : 'b'): Sample => ({
  id: `row ${k}`,
  source,
  deployment: `deployment ${k % 5}`,
  figure: 'tpot',
  ratio,
  cells: widest('published', 'light'),
});
const samples = (count: number, ratio = (k: number): number => k + 1): Sample[] =>
  Array.from({ length: count }, (_, k) => sample(k, ratio(k)));

describe('error bands', () => {
  it('need nine measurements and two sources', () => {
    assert.deepEqual(bandTable(samples(8)), {});
    assert.deepEqual(bandTable(samples(9).map((each) => ({ ...each, source: 'a' }))), {});
    assert.deepEqual(bandTable(samples(9)), { light: { tpot: [9, 2, 1, 5, 9] }, all: { tpot: [9, 2, 1, 5, 9] } });
  });

  it('count a measurement once, however often it is predicted', () => {
    assert.deepEqual(bandTable([...samples(5), ...samples(5)]), {});
    const twice = bandTable([...samples(9), ...samples(9)]);
    assert.deepEqual(twice['light']?.tpot?.slice(0, 2), [9, 2]);
  });

  it('hold eight of ten further values, drawn alike', () => {
    // Ranks of a new value among n are all as likely: the share below each percentile follows from counting them.
    fc.assert(
      fc.property(fc.integer({ min: 9, max: 200 }), (n) => {
        const ranks = Array.from({ length: n }, (_, k) => (k + 1) / (n + 1));
        assert.ok(Math.abs(percentile(ranks, 0.1) - 0.1) < 1e-12);
        assert.ok(Math.abs(percentile(ranks, 0.9) - 0.9) < 1e-12);
      }),
    );
    assert.equal(percentile([3], 0.1), 3);
  });

  it('are judged by what is left out of them', () => {
    const even = ['a', 'b', 'c'].flatMap((source) => samples(20).map((each) => ({ ...each, source })));
    const ids = even.map((each, k) => ({ ...each, id: `row ${k}` }));
    // Two sources tell of the third, whose values are the same: 3 to 18 of 1 to 20.
    assert.equal(heldOut(ids, 'published', 'tpot', 'source'), 0.8);
    // One that is far off lies outside of what the others say, and widens theirs: 3 to 20.
    const strange = Array.from({ length: 9 }, (_, k) => sample(100 + k, 1000, 'd'));
    assert.equal(heldOut([...ids, ...strange], 'published', 'tpot', 'source'), (3 * 18) / 69);
    assert.equal(heldOut(ids, 'published', 'ttft', 'source'), null);
    assert.equal(heldOut(ids, 'standIn', 'tpot', 'source'), null);
    assert.equal(heldOut(strange, 'published', 'tpot', 'source'), null);
  });

  it('are written alike whatever the order of the measurements', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(samples(12), { minLength: 12 }), (shuffled) => {
        assert.equal(bandsFile(shuffled), bandsFile(samples(12)));
      }),
    );
  });

  it('that are committed belong to this cost model (else: npm run validate -- FILE --bands)', function () {
    if (!hasShared()) this.skip();
    const lines = readFileSync(join(SHARED, 'data/validation/vllm.jsonl'), 'utf8').trim().split('\n');
    const rows = lines.map((line) => JSON.parse(line) as ValidationRow);
    const table = bandTable(publishedSamples(rows));
    const kept = Object.entries(committed.cells).filter(([name]) => !name.startsWith('calibrated'));
    assert.deepEqual(Object.fromEntries(kept), table);
  });
});
