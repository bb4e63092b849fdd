/** `npm run validate`: the contract's JSON, like compared with like, errors as defined, and clear refusals. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type ComparedRow, compareRow } from '../../bench/validate/predict.ts';
import type { ValidationRow } from '../../bench/validate/row.ts';
import { readRows } from '../../bench/validate/rowFile.ts';
import { errorOf, FIGURES, groups, statsOf, summarize, worst } from '../../bench/validate/summary.ts';
import { costModel } from '../../src/engine/simulate.ts';
import { hasShared, SHARED } from '../shared.ts';
import { publishedRow } from './rows.ts';

const ROWS: readonly ValidationRow[] = [
  publishedRow({ id: 'mean' }),
  publishedRow({ id: 'median', quality: 'medium', measured: { ttftMs: { p50: 30, p99: 90 }, tpotMs: { p50: 8 } } }),
  publishedRow({ id: 'unsaid', measured: { ttftMs: { unspecified: 30 }, tpotMs: { unspecified: 8 } } }),
  publishedRow({
    id: 'burst',
    quality: 'low',
    load: { kind: 'burst', numRequests: 20 },
    measured: { outputTokS: 900, reqS: 14 },
  }),
  publishedRow({ id: 'refused', model: 'nobody/Knows-1B' }),
];

const validate = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['scripts/validate.mjs', ...args], { encoding: 'utf8' });

describe('npm run validate', () => {
  let folder = '';
  const write = (name: string, lines: readonly string[]): string => {
    const file = join(folder, name);
    writeFileSync(file, lines.join('\n'));
    return file;
  };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'layerkv-validate-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('prints the contract’s JSON and nothing else', function () {
    this.timeout(60_000);
    const file = write('rows.jsonl', [...ROWS.map((row) => JSON.stringify(row)), '']);
    const { status, stdout, stderr } = validate(file, '--json');
    assert.equal(status, 0, stderr);
    const report: { schema: string; rows: ComparedRow[]; summary: Record<string, unknown> } = JSON.parse(stdout);
    assert.deepEqual(Object.keys(report), ['schema', 'rows', 'summary']);
    assert.equal(report.schema, 'layerkv/validation/v1');
    assert.deepEqual(
      report.rows.map(({ id }) => id),
      ROWS.map(({ id }) => id),
    );
    const keys = 'covered gpu id load measured model predicted quality reason saturated source'.split(' ');
    for (const row of report.rows) {
      assert.deepEqual(Object.keys(row).sort(), keys);
      assert.equal(row.covered, row.id !== 'refused');
      assert.equal(row.reason === null, row.covered);
      assert.equal(row.predicted === null, !row.covered);
      assert.deepEqual(Object.keys(row.measured), ['ttftMs', 'tpotMs', 'outputTokS']);
      for (const figure of FIGURES) {
        const value = row.predicted?.[figure];
        if (row.predicted === null) continue;
        assert.equal(typeof value === 'number' && value > 0, row.measured[figure] !== null, `${row.id} ${figure}`);
      }
    }
    assert.deepEqual(
      report.rows.map(({ saturated }) => saturated),
      [false, false, false, true, false],
    );
    assert.deepEqual(report.rows[3]?.measured, { ttftMs: null, tpotMs: null, outputTokS: 900 });
    for (const key of ['all', 'highAndMedium', 'quality', 'source', 'gpu', 'model', 'load'])
      assert.ok(key in report.summary, key);
    // What the program says is what the rooms say.
    assert.deepEqual(report.rows, JSON.parse(JSON.stringify(ROWS.map((row) => compareRow(row)))));
    assert.deepEqual(report.summary['all'], JSON.parse(JSON.stringify(summarize(ROWS.map((row) => compareRow(row))))));
  });

  it('prints tables for people', function () {
    this.timeout(60_000);
    const { status, stdout } = validate(
      write(
        'rows.jsonl',
        ROWS.map((row) => JSON.stringify(row)),
      ),
    );
    assert.equal(status, 0);
    assert.match(stdout, /^high and medium quality +rows +covered +TPOT/);
    assert.match(stdout, /not covered: 1 of 5\n {2}refused .*model nobody\/Knows-1B is not in the catalogue/);
  });

  it('refuses with one line that says where', () => {
    const broken = write('broken.jsonl', [JSON.stringify(ROWS[0]), '{"id":']);
    for (const [args, message] of [
      [[], /^Name at least one file/],
      [[broken], /broken\.jsonl:2: this line is no JSON\n$/],
      [[join(folder, 'missing.jsonl')], /missing\.jsonl/],
    ] as const) {
      const { status, stdout, stderr } = validate(...args);
      assert.equal(status, 3);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    }
  });
});

describe('a row’s prediction', () => {
  const ttft = (measured: ValidationRow['measured'], unspecifiedTtft?: 'mean' | 'p50'): number => {
    // Many users at once: the first prompts come at once, so that mean and median of TTFT differ.
    const load = { kind: 'closed', concurrency: 16, numRequests: 64 } as const;
    const row = publishedRow({ load, input: { kind: 'fixed', tokens: 4000 }, measured });
    return compareRow(row, unspecifiedTtft === undefined ? {} : { unspecifiedTtft }).predicted?.ttftMs ?? Number.NaN;
  };

  it('is a mean for a mean, a median for a median', () => {
    const [mean, median] = [ttft({ ttftMs: { mean: 1, p50: 1 } }), ttft({ ttftMs: { p50: 1, p90: 1 } })];
    assert.ok(Math.abs(mean / median - 1) > 0.05, `${mean} and ${median}`);
  });

  it('is a mean for a figure of unsaid kind, or a median where a study asks for it', () => {
    const unsaid = { ttftMs: { unspecified: 1 } };
    assert.equal(ttft(unsaid), ttft({ ttftMs: { mean: 1 } }));
    assert.equal(ttft(unsaid, 'p50'), ttft({ ttftMs: { p50: 1 } }));
    assert.equal(ttft({ ttftMs: { mean: 1 } }, 'p50'), ttft({ ttftMs: { mean: 1 } }));
  });

  it('follows a study’s law of step times', () => {
    const linear = {
      prefillBaseMs: 50,
      prefillPerTokenMs: 0,
      decodeBaseMs: 7,
      decodePerSequenceMs: 0,
      decodePerContextTokenMs: 0,
    } as const;
    const { predicted } = compareRow(publishedRow({ load: { kind: 'serial', numRequests: 3 } }), {
      cost: (input) => costModel({ ...input, cost: { kind: 'linear', linear } }),
    });
    assert.ok(Math.abs((predicted?.ttftMs ?? 0) - 50) < 1e-6 && Math.abs((predicted?.tpotMs ?? 0) - 7) < 1e-6);
  });
});

describe('errors', () => {
  const compared = (
    measured: number | null,
    predicted: number | null,
    over: Partial<ComparedRow> = {},
  ): ComparedRow => ({
    ...compareRow(publishedRow({ model: 'nobody/Knows-1B' })),
    covered: true,
    measured: { ttftMs: measured, tpotMs: null, outputTokS: null },
    predicted:
      predicted === null ? null : { ttftMs: predicted, tpotMs: null, outputTokS: null, queueShare: 0, open: false },
    ...over,
  });

  it('are predicted over measured, less one', () => {
    assert.equal(errorOf(compared(10, 12), 'ttftMs'), 0.19999999999999996);
    assert.equal(errorOf(compared(10, 5), 'ttftMs'), -0.5);
    for (const row of [compared(null, 5), compared(0, 5), compared(10, null)])
      assert.equal(errorOf(row, 'ttftMs'), null);
  });

  it('are summed up by type 7 percentiles', () => {
    assert.equal(statsOf([]), null);
    assert.deepEqual(statsOf([-0.4, 0.1, 0.2, -0.3, 0]), {
      rows: 5,
      medianAbs: 0.2,
      meanAbs: 0.2,
      p90Abs: 0.36,
      bias: 0,
    });
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1, max: 9, noNaN: true }), { minLength: 1 }), (errors) => {
        const stats = statsOf(errors);
        assert.ok(stats);
        assert.ok(stats.medianAbs <= stats.p90Abs && Math.abs(stats.bias) <= Math.max(...errors.map(Math.abs)));
        assert.deepEqual(statsOf(errors.toReversed())?.p90Abs, stats.p90Abs);
      }),
    );
  });

  it('of TTFT are kept apart where the load is saturated', () => {
    const { ttft, ttftSaturated } = summarize([compared(10, 11), compared(10, 90, { saturated: true })]);
    assert.deepEqual([ttft?.rows, ttftSaturated?.rows], [1, 1]);
    assert.ok((ttft?.medianAbs ?? 1) < 0.2 && (ttftSaturated?.medianAbs ?? 0) > 7);
  });

  it('are grouped, and the worst named first', () => {
    const rows = [compared(10, 11, { id: 'a' }), compared(10, 30, { id: 'b' }), compared(10, 4, { id: 'c', gpu: 'X' })];
    assert.deepEqual(
      groups(rows, ({ gpu }) => gpu).map(([name, { rows: count }]) => `${name} ${count}`),
      ['H100 80GB SXM5 2', 'X 1'],
    );
    assert.deepEqual(
      worst(rows, 2).map(({ id }) => id),
      ['b', 'c'],
    );
  });
});

describe('the published measurements', () => {
  it('are covered, and met as the targets ask', function () {
    if (!hasShared()) return this.skip();
    this.timeout(120_000);
    const compared = readRows(join(SHARED, 'data/validation/vllm.jsonl')).map((row) => compareRow(row));
    const { covered, rows, tpot, ttft } = summarize(compared.filter(({ quality }) => quality !== 'low'));
    assert.ok(rows > 500 && covered >= 0.95 * rows, `${covered} of ${rows}`);
    assert.ok((tpot?.medianAbs ?? 1) <= 0.1 && (ttft?.medianAbs ?? 1) <= 0.2, JSON.stringify({ tpot, ttft }));
  });
});
