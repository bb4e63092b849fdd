/** docs/accuracy.md says what its figures say; and the studies behind it do what they claim, on made-up rows. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { CAUSE_UNKNOWN, causeOf } from '../../bench/accuracy/causes.ts';
import { poolCheck, traceChecks, unsaidTtft } from '../../bench/accuracy/checks.ts';
import { grouped, groupings } from '../../bench/accuracy/grouping.ts';
import { cuts, type Judged, leaveOut, stoodIn } from '../../bench/accuracy/leaveOut.ts';
import { accuracyPage } from '../../bench/accuracy/page.ts';
import { plotData } from '../../bench/accuracy/plotData.ts';
import { residualGroups } from '../../bench/accuracy/residuals.ts';
import { type TargetLine, targets, verdict } from '../../bench/accuracy/targets.ts';
import type { AccuracyData } from '../../bench/accuracy/types.ts';
import { hostPlanes } from '../../bench/fit/host.ts';
import { compareRow } from '../../bench/validate/predict.ts';
import type { ValidationRow } from '../../bench/validate/row.ts';
import { readRows } from '../../bench/validate/rowFile.ts';
import { allGpus } from '../../src/catalog/gpus.ts';
import { kernelsOf } from '../../src/engine/cost/kernelFamily.ts';
import kernelTable from '../../src/engine/cost/kernelTable.json';
import { hasShared, SHARED } from '../shared.ts';
import { publishedRow } from './rows.ts';

const text = (path: string): string => readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
const DATA = JSON.parse(text('docs/accuracy.json')) as AccuracyData;
const PAGE = accuracyPage(DATA);
const LARGEST_PLOT = 60_000;

describe('the page on accuracy', () => {
  for (const [path, made] of Object.entries(PAGE)) {
    it(`${path} is what its figures make it`, () =>
      assert.equal(text(path), made, 'run `npm run accuracy`, look at the page, and commit it'));
  }

  it('has small plots for both themes, without fonts or scripts from elsewhere', () => {
    const plots = Object.entries(PAGE).filter(([path]) => path.endsWith('.svg'));
    assert.equal(plots.length, 3);
    for (const [path, svg] of plots) {
      assert.ok(svg.length < LARGEST_PLOT, `${path}: ${svg.length}`);
      assert.match(svg, /prefers-color-scheme: dark/);
      assert.doesNotMatch(svg, /NaN|Infinity|undefined|<script|@import|url\(|href/);
      assert.ok(text('docs/accuracy.md').includes(`](${path.replace('docs/', '')})`), path);
    }
  });

  it('adds up: every judged row is in one group of each kind, and left out once', () => {
    const { judged, all } = DATA.rows;
    for (const { title, groups } of DATA.groupings) {
      const rows = groups.reduce((sum, [, group]) => sum + group.rows, 0);
      assert.equal(rows, title === 'quality' ? all : judged, title);
    }
    for (const { title, before, after, each } of DATA.leftOut) {
      assert.deepEqual([before.rows, after.rows], [judged, judged], title);
      assert.deepEqual(before, DATA.overall, title);
      assert.equal(
        each.reduce((sum, one) => sum + one.after.rows, 0),
        judged,
        title,
      );
      assert.equal(
        each.reduce((sum, one) => sum + one.samplesLeftOut, 0),
        DATA.hostSamples,
        `${title}: samples`,
      );
    }
    const plotted = Object.values(DATA.plots.points.tpotMs).reduce((sum, points) => sum + points.length, 0);
    assert.equal(plotted, DATA.overall.tpot?.rows);
  });

  it('is of the measurements that are there', function () {
    if (!hasShared()) return this.skip();
    const rows = readRows(join(SHARED, 'data/validation/vllm.jsonl'));
    assert.equal(DATA.rows.all, rows.length);
    assert.equal(DATA.rows.judged, rows.filter(({ quality }) => quality !== 'low').length);
  });

  it('names each target with its own verdict', () => {
    for (const line of targets(DATA)) {
      const printed = PAGE['docs/accuracy.md']?.split('\n').find((row) => row.startsWith(`| ${line.what} |`));
      assert.ok(printed?.endsWith(`| ${verdict(line)} |`), line.what);
    }
  });
});

describe('targets', () => {
  const line = (found: number | null, isLeast?: true): TargetLine => ({
    what: 'x',
    found,
    ...(isLeast ? { must: 0.95, aim: 1, isLeast } : { must: 0.1, aim: 0.05 }),
  });
  it('are met up to their limit, and missed beyond', () => {
    assert.deepEqual(
      [0.05, 0.0501, 0.1, 0.1001].map((found) => verdict(line(found))),
      ['aim met', 'met', 'met', '**missed**'],
    );
    assert.deepEqual(
      [1, 0.95, 0.94].map((found) => verdict(line(found, true))),
      ['aim met', 'met', '**missed**'],
    );
    assert.equal(verdict(line(null)), 'not measured');
  });
});

const judge = (over: Partial<ValidationRow>): Judged => {
  const row = publishedRow(over);
  return { row, compared: compareRow(row) };
};

describe('leaving rows out', () => {
  const judged = [
    judge({ id: 'a' }),
    judge({ id: 'b', source: 'another', load: { kind: 'serial', numRequests: 3 } }),
    judge({ id: 'c', source: 'another', model: 'Qwen/Qwen3-8B' }),
  ];
  const planes = hostPlanes(judged.map(({ row }) => row));
  const [model, source] = cuts('no folder is read for these');

  it('refits without the rows of each kind, and predicts just those', () => {
    assert.ok(model && source);
    const { study, rows } = leaveOut(judged, planes, source);
    assert.deepEqual(
      study.each.map(({ name, samplesLeftOut, after }) => [name, samplesLeftOut, after.rows]),
      [
        ['another', 4, 2],
        ['made-up', 2, 1],
      ],
    );
    assert.deepEqual(
      rows.map(({ id }) => id),
      ['a', 'b', 'c'],
    );
    assert.notEqual(rows[0]?.predicted?.ttftMs, judged[0]?.compared.predicted?.ttftMs);
    assert.deepEqual(
      leaveOut(judged, planes, model).study.each.map(({ name }) => name),
      ['Qwen/Qwen3-8B', 'meta-llama/Llama-3.1-8B-Instruct'],
    );
  });

  it('of a family puts the nearest in its place, and any other’s laws where that has none', () => {
    const table = kernelTable.families;
    const names = Object.keys(table) as (keyof typeof table)[];
    for (const gone of names) {
      const families = stoodIn(Object.fromEntries(Object.entries(table).filter(([name]) => name !== gone)));
      assert.deepEqual(Object.keys(families), names);
      for (const name of names) if (name !== gone) assert.equal<unknown>(families[name], table[name]);
      // Only one family has PCIe, and the study fits another in its place.
      if (gone !== 'blackwellGddr') for (const { facts } of allGpus()) assert.ok(kernelsOf(facts, families).nvlink);
    }
    const { hopper, ...withoutHopper } = table;
    const standIn = stoodIn(withoutHopper).hopper;
    assert.deepEqual(standIn.products, table.blackwellGddr.products);
    assert.equal(table.blackwellGddr.nvlink, null);
    assert.ok(standIn.nvlink !== null && hopper.nvlink !== null);
  });

  it('of a GPU puts the next family’s kernels in place of the family’s own', function () {
    if (!hasShared()) return this.skip();
    this.timeout(60_000);
    const gpu = cuts(join(SHARED, 'data/micro')).find(({ what }) => what === 'GPU');
    assert.ok(gpu);
    const boards = [
      judge({ gpu: 'A100 80GB SXM4' }),
      judge({ gpu: 'A800 80GB SXM4' }),
      judge({ gpu: 'H100 80GB SXM5' }),
    ];
    const each = leaveOut(boards, planes, gpu).study.each;
    assert.deepEqual(
      each.map(({ kernels }) => kernels),
      ['next family', '', 'H200 141GB SXM alone'],
    );
    const tpot = each.map(({ after }) => after.tpot?.bias);
    assert.notEqual(tpot[0], each[0]?.before.tpot?.bias);
    assert.ok(tpot.every((bias) => bias !== undefined && Math.abs(bias) < 1));
  });
});

describe('residuals', () => {
  it('rank groups by the error beyond the targets, and share it all out', () => {
    const measured = (tpot: number): ValidationRow['measured'] => ({ tpotMs: { mean: tpot } });
    const ours = judge({ measured: measured(1) }).compared.predicted?.tpotMs ?? 0;
    const judged = [
      judge({ measured: measured(ours * 1.05) }),
      judge({ gpu: 'H200 141GB SXM', measured: measured(0.5) }),
      judge({ model: 'Qwen/Qwen3-8B', measured: measured(2) }),
    ];
    const { residuals, share } = residualGroups(judged);
    assert.deepEqual(
      residuals.map(({ name }) => name.split(', ')[1]),
      ['H200 141GB SXM', 'H100 80GB SXM5', 'H100 80GB SXM5'],
    );
    assert.equal(residuals[2]?.share, 0, 'an error within the target is no residual');
    assert.ok(Math.abs(share - 1) < 1e-12);
    assert.ok(
      residuals.every(({ cause }) => cause === CAUSE_UNKNOWN),
      'nobody knows of made-up rows',
    );
  });

  it('know the cause of rows by what they are', () => {
    assert.equal(causeOf(publishedRow()), CAUSE_UNKNOWN);
    const h200 = { source: 'aic_silicon_aggregated', gpu: 'H200 141GB SXM' };
    assert.match(causeOf(publishedRow({ ...h200, weightDtype: 'fp8' })), /prefix cache/);
    assert.equal(causeOf(publishedRow({ ...h200, weightDtype: 'bf16' })), CAUSE_UNKNOWN);
  });
});

describe('groups and plots', () => {
  it('lose nothing and mix nothing up', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (numbers) => {
        const groups = grouped(numbers, (n) => String(n % 3));
        assert.deepEqual([...groups.values()].flat().sort(), numbers.toSorted());
        for (const [name, members] of groups) assert.ok(members.every((n) => String(n % 3) === name));
      }),
    );
  });

  it('name kinds of models and of loads', () => {
    const rows = [
      judge({}),
      judge({
        model: 'openai/gpt-oss-20b',
        weightDtype: 'mxfp4',
        load: { kind: 'closed', concurrency: 64, numRequests: 64 },
      }),
      judge({ model: 'deepseek-ai/DeepSeek-R1', quality: 'low' }),
    ];
    const names = (title: string) =>
      groupings(rows)
        .find((group) => group.title === title)
        ?.groups.map(([name]) => name);
    assert.deepEqual(names('kind of model'), ['dense', 'experts']);
    assert.deepEqual(names('load'), ['closed, 1 to 4 users', 'closed, more users']);
    assert.deepEqual(names('quality'), ['high', 'low']);
  });

  it('draw each row once, coloured by its family, and errors in order', () => {
    const rows = [judge({}), judge({ gpu: 'RTX 4090' }), judge({ gpu: 'V100S 32GB PCIe', maxModelLen: 4096 })];
    const compared = rows.map((each) => each.compared);
    const { points, curves } = plotData(rows, () => compared);
    assert.deepEqual(
      Object.values(points.tpotMs).map((each) => each.length),
      [0, 1, 0, 1, 1],
    );
    for (const curve of Object.values(curves.tpotMs)) {
      assert.equal(curve.length, 51);
      assert.deepEqual(
        curve,
        curve.toSorted((a, b) => a - b),
      );
    }
  });
});

describe('checks', () => {
  it('of pools meet the target on published start-up logs', () => {
    const { logs, medianAbs, p90Abs, pinned } = poolCheck([]);
    assert.ok(logs >= 20 && medianAbs <= 0.01 && p90Abs <= 0.03 && pinned.length === 0);
  });

  it('of traces compare request with request', () => {
    const arrivals = [0, 0.5, 1, 1.5];
    const base = publishedRow({ load: { kind: 'trace' }, input: { kind: 'mean' }, output: { kind: 'mean' } });
    const row: ValidationRow = {
      ...base,
      requests: arrivals.map((arrivalS) => [arrivalS, 200, 50, 100, 100 + 49 * 10]),
      measured: { ttftMs: { mean: 100 }, tpotMs: { mean: 10 }, outputTokS: 100 },
    };
    const compared = compareRow(row);
    const [trace] = traceChecks([{ row, compared }]);
    assert.ok(trace && compared.predicted);
    assert.equal(trace.requests, 4);
    assert.equal(trace.poolPinned, false);
    // All requests alike: each one's error is that of the mean.
    assert.ok(Math.abs(trace.eachTpot - Math.abs(trace.meanTpot)) < 0.01);
    assert.ok(Math.abs(trace.meanTtft - ((compared.predicted.ttftMs ?? 0) / 100 - 1)) < 1e-12);
  });

  it('of unsaid TTFTs see which of mean and median lies nearer', () => {
    const over = {
      load: { kind: 'closed', concurrency: 64, numRequests: 640 },
      input: { kind: 'fixed', tokens: 4000 },
    } as const;
    const of = (kind: 'mean' | 'p50'): number =>
      judge({ ...over, measured: { ttftMs: { [kind]: 1 } } }).compared.predicted?.ttftMs ?? 0;
    const [mean, median] = [of('mean'), of('p50')];
    // Long answers in the published figures, so that the row is not saturated.
    const unsaid = (ttft: number): Judged =>
      judge({ ...over, measured: { ttftMs: { unspecified: ttft }, tpotMs: { unspecified: 1000 } } });
    const { rows, apart, nearerToMean } = unsaidTtft([
      unsaid(mean),
      unsaid(mean),
      unsaid(mean),
      unsaid(median),
      judge({}),
    ]);
    assert.deepEqual([rows, apart, nearerToMean], [4, 4, 0.75]);
  });
});
