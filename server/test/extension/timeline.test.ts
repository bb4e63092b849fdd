import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type PolicyReport, type ReportModel, reportModel } from '../../../extension/src/report/model.ts';
import {
  readAloud,
  roundTicks,
  timelineOf,
  timelineSummary,
  timelineTable,
  valueAt,
} from '../../../extension/src/report/timeline.ts';
import { samplePlan } from '../../bench/samples.ts';
import { forecast } from '../../src/forecast/forecast.ts';
import type { Series } from '../../src/forecast/types.ts';
import { simulateDocument } from '../../src/language/simulate.ts';
import type { Plan } from '../../src/plan/types.ts';

/** The report of a plan as the editor gets it: through the language service, both policies. */
async function reportOf(plan: Plan): Promise<ReportModel> {
  const analysis = { relevant: true, problems: [], plans: [plan], workloads: [] };
  const view = { uri: 'file:///a.yaml', version: 1, text: '', analysis, workloads: [] };
  const { result } = simulateDocument(
    { textDocument: { uri: view.uri }, policy: 'compare', interval: false },
    Promise.resolve(view),
    {
      run: (job) => ({
        outcome: Promise.resolve({ kind: 'done', predictions: forecast(job.plan, job.options) }),
        cancel: () => {},
      }),
      dispose: () => {},
    },
    () => {},
  );
  const found = await result;
  assert.ok(found?.ok);
  return reportModel(found, 'a.yaml');
}

const flat = (value: number): Series => ({
  stepS: 2,
  queue: [value, value, 2 * value],
  decoding: [1, 1, 1],
  parked: [0, 0, 0],
  gpuKvShare: [0.5, 1, 0.25],
  hostKvShare: [0, 0, 0],
  linkBusy: [0, 0, 0],
});

describe('the report: the run over time', () => {
  let figureOne: ReportModel;
  before(async () => {
    figureOne = await reportOf(await samplePlan('llama-2-7b-l20-figure-1'));
  });

  /** Figure 1's report with another course of events; vLLM's run ends at 5 s, LayerKV's at 6 s. */
  const madeUp = (change: (report: PolicyReport, index: number) => Partial<PolicyReport>): ReportModel => ({
    ...figureOne,
    policies: figureOne.policies.map((report, index) => ({
      ...report,
      endS: 5 + index,
      arrivalsEndS: 4,
      series: flat(index + 1),
      ...change(report, index),
    })),
  });

  it("shows figure 1's queue under vLLM and the parked requests under LayerKV, on one scale each", () => {
    const timeline = timelineOf(figureOne);
    assert.ok(timeline);
    const most = (title: string): readonly number[] => {
      const panel = timeline.panels.find((each) => each.title.includes(title));
      assert.ok(panel, title);
      for (const { values } of panel.courses) assert.ok(Math.max(...values) <= (panel.ticks.at(-1) ?? 0));
      return panel.courses.map(({ values }) => Math.max(...values));
    };
    const [vllmQueue = 0, layerKvQueue = 0] = most('waiting');
    assert.ok(vllmQueue > 20 && layerKvQueue < 5);
    const [vllmParked, layerKvParked = 0] = most('parked');
    assert.ok(vllmParked === 0 && layerKvParked > 40);
    for (const value of [...most('GPUs'), ...most('host'), ...most('links')]) assert.ok(value >= 0 && value <= 1);
    assert.ok(timeline.arrivalsEndS !== null && timeline.arrivalsEndS < timeline.endS);
  });

  it('is small on the wire and in the state that the page keeps', () => {
    for (const { series } of figureOne.policies) assert.ok(JSON.stringify(series).length < 12_000);
    for (const { prediction } of figureOne.policies) assert.ok(!('series' in prediction), 'kept once');
  });

  it('leaves out what is zero throughout, and everything where nothing ran', () => {
    const titles = timelineOf(madeUp(() => ({})))?.panels.map(({ noun }) => noun);
    assert.deepEqual(titles, ['waiting', 'decoding', 'of the KV cache']);
    assert.equal(timelineOf(madeUp(() => ({ series: null }))), null);
    const one = timelineOf(madeUp((_, index) => (index === 0 ? { series: null } : {})));
    assert.deepEqual(
      one?.panels.map(({ courses }) => courses.map(({ policy }) => policy)),
      [[1], [1], [1]],
    );
  });

  it('marks the last arrival where both policies have the same', () => {
    assert.equal(timelineOf(madeUp(() => ({})))?.arrivalsEndS, 4);
    assert.equal(timelineOf(madeUp((_, index) => ({ arrivalsEndS: index })))?.arrivalsEndS, null);
  });

  it('says it in words, in a table and aloud', () => {
    const model = madeUp(() => ({}));
    const timeline = timelineOf(model);
    assert.ok(timeline);
    assert.deepEqual(timelineSummary(model, timeline), [
      'vLLM: at most 2 waiting, 1 decoding, 100 % of the KV cache.',
      'LayerKV: at most 4 waiting, 1 decoding, 100 % of the KV cache.',
      'Averages over 2.0 s at a time.',
    ]);
    assert.equal(
      readAloud(model, timeline, 5.5),
      'At 5.5 s. Requests waiting for their prefill: vLLM – · LayerKV 4; Requests decoding: vLLM – · LayerKV 1; ' +
        'KV cache in use on the GPUs: vLLM – · LayerKV 25 %.',
    );
    const { columns, groups } = timelineTable(model, timeline);
    assert.deepEqual(columns, ['', 'mean', 'most', 'at', 'at the last arrival']);
    // 2 s at 1, 2 s at 1, and the last span is 1 s long: 6 / 5.
    assert.deepEqual(
      groups[0]?.rows.map(({ head, cells }) => [head, ...cells]),
      [
        ['vLLM', '1.2', '2', '4.0 s', '2'],
        ['LayerKV', '2.67', '4', '4.0 s', '4'],
      ],
    );
  });

  it('reads a course at a time, and nothing behind its end', () => {
    const course = { policy: 0, stepS: 2, endS: 5, values: [10, 20, 30] };
    const at = [0, 1.9, 2, 4, 5].map((timeS) => valueAt(course, timeS));
    assert.deepEqual(at, [10, 10, 20, 30, 30]);
    assert.equal(valueAt(course, 5.1), null);
  });

  it('has round ticks that reach the largest value and are not too many', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e7, noNaN: true }), fc.integer({ min: 1, max: 10 }), (most, steps) => {
        const ticks = roundTicks(most, steps);
        assert.equal(ticks[0], 0);
        assert.ok((ticks.at(-1) ?? 0) >= most * (1 - 1e-5), `${ticks.at(-1)} reaches ${most}`);
        assert.ok(ticks.length >= 2 && ticks.length <= steps + 1, `${ticks.length} ticks for ${steps} steps`);
        assert.match(String(Number((ticks[1] ?? 0).toExponential().split('e')[0])), /^[125]$/);
      }),
    );
    assert.deepEqual(roundTicks(0, 4), [0, 1]);
    assert.deepEqual(roundTicks(37, 2), [0, 20, 40]);
  });
});
