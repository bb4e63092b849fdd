/** Which measurements a prediction is held against, and what follows for its SLO. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { findGpu } from '../../src/catalog/gpus.ts';
import { findModel } from '../../src/catalog/models.ts';
import { simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import {
  type BandTable,
  bandOf,
  cellName,
  cellsOf,
  confidenceOf,
  type ErrorFigure,
  loadKind,
  modelKind,
  type ServedLoad,
  violationsWithin,
} from '../../src/forecast/confidence.ts';
import committed from '../../src/forecast/errorBands.json';
import { forecast } from '../../src/forecast/forecast.ts';
import type { Band, Confidence } from '../../src/forecast/types.ts';
import { analyse } from '../../src/plan/analyse.ts';
import { figureOneInput } from '../engine/inputs.ts';

const LIGHT: ServedLoad = { queueShare: 0.1, open: true };

function deployment(gpuName: string, modelName = 'meta-llama/Llama-2-7b-hf'): EngineInput {
  const gpu = findGpu(gpuName);
  const model = findModel(modelName);
  assert.ok(gpu && model);
  return figureOneInput(2048, { gpu: gpu.facts, model: model.shape });
}

const names = (input: EngineInput, load = LIGHT, figure: ErrorFigure = 'ttft'): readonly string[] =>
  cellsOf(input, load, figure).map(cellName);

const LINEAR: EngineInput['cost'] = {
  kind: 'linear',
  linear: {
    prefillBaseMs: 1,
    prefillPerTokenMs: 0.1,
    decodeBaseMs: 10,
    decodePerSequenceMs: 0.1,
    decodePerContextTokenMs: 0,
  },
};

describe('cells of a prediction', () => {
  it('take the load from what queues, and from whether arrivals wait for answers', () => {
    const cases = [
      [0, 'light', 'light'],
      [0.33, 'light', 'light'],
      [0.34, 'loaded', 'loaded'],
      [0.66, 'loaded', 'loaded'],
      [0.67, 'backlogged', 'crowded'],
      [1, 'backlogged', 'crowded'],
    ] as const;
    for (const [queueShare, open, closed] of cases) {
      assert.equal(loadKind({ queueShare, open: true }), open, `open, ${queueShare}`);
      assert.equal(loadKind({ queueShare, open: false }), closed, `closed, ${queueShare}`);
    }
  });

  it('know models by what their steps are made of', () => {
    const cases = [
      ['meta-llama/Llama-3.1-8B-Instruct', 'dense'],
      ['openai/gpt-oss-120b', 'moe'],
      ['Qwen/Qwen3-30B-A3B', 'moe'],
      ['deepseek-ai/DeepSeek-V3', 'mla'],
    ] as const;
    for (const [model, kind] of cases) assert.equal(modelKind(deployment('H100', model).model), kind, model);
  });

  it('go from the family and the kind of model to everything', () => {
    assert.deepEqual(names(deployment('H100')), ['hopper dense light', 'hopper light', 'light', 'all']);
    const crowded = { queueShare: 0.9, open: false };
    assert.deepEqual(names(deployment('B200', 'deepseek-ai/DeepSeek-V3'), crowded), [
      'blackwell mla crowded',
      'blackwell crowded',
      'crowded',
      'all',
    ]);
  });

  it('are of predictions with stand-in kernels where no kernel of the family was timed', () => {
    assert.deepEqual(names(deployment('RTX 3090')), [
      'ampereGddr dense light',
      'ampereGddr light',
      'standIn light',
      'standIn',
    ]);
    // All that has no family of its own: what was seen of a V100 is no evidence for an MI300X.
    assert.deepEqual(names(deployment('MI300X')), ['standIn light', 'standIn']);
    // An inline GPU has no family at all.
    const plain = figureOneInput(2048);
    const { kernels: _none, ...inline } = plain.gpu;
    assert.deepEqual(names({ ...plain, gpu: inline }), ['standIn light', 'standIn']);
  });

  it('are those of calibrated deployments once calibrated', () => {
    const input = { ...deployment('H100'), costScale: { prefill: 1.1, decode: 1.1, overhead: 1 } };
    assert.deepEqual(names(input), ['calibrated light', 'calibrated']);
  });

  it('are none for times that the plan states, and for a throughput that is the arrival rate', () => {
    assert.deepEqual(names({ ...deployment('H100'), cost: LINEAR }), []);
    assert.equal(confidenceOf({ ...deployment('H100'), cost: LINEAR }, LIGHT), null);
    const input = deployment('H100');
    assert.deepEqual(names(input, LIGHT, 'throughput'), []);
    assert.equal(names(input, { queueShare: 0.1, open: false }, 'throughput').length, 4);
    assert.equal(names(input, { queueShare: 0.9, open: true }, 'throughput').length, 4);
  });

  it('give the band of the narrowest that was measured often enough, figure by figure', () => {
    const table: BandTable = {
      'hopper light': { ttft: [20, 3, 0.8, 1, 1.3] },
      light: { ttft: [200, 5, 0.5, 1, 2], tpot: [100, 4, 0.9, 1, 1.2] },
    };
    const cells = cellsOf(deployment('H100'), LIGHT, 'ttft');
    const ttft = bandOf(cells, 'ttft', table);
    assert.deepEqual(ttft, {
      low: 0.8,
      median: 1,
      high: 1.3,
      measurements: 20,
      sources: 3,
      cell: { basis: 'published', gpu: 'hopper', model: null, load: 'light' },
    });
    assert.deepEqual(bandOf(cells, 'tpot', table)?.cell, { basis: 'published', gpu: null, model: null, load: 'light' });
    assert.equal(bandOf(cells, 'throughput', table), null);
  });

  it('end, for each load and basis, in one that the committed bands have', () => {
    const inputs = [deployment('H100'), deployment('RTX 3090'), deployment('MI300X'), deployment('L40S')];
    const calibrated = { ...deployment('H100'), costScale: { prefill: 1, decode: 1, overhead: 1 } };
    for (const input of [...inputs, calibrated]) {
      for (const queueShare of [0, 0.5, 1]) {
        for (const open of [true, false]) {
          const confidence = confidenceOf(input, { queueShare, open });
          assert.ok(confidence?.ttft && confidence.tpot);
          assert.equal(confidence.throughput === null, open && queueShare < 1);
        }
      }
    }
  });

  it('hold bands in order, of nine measurements and two sources at least', () => {
    for (const [name, figures] of Object.entries<Partial<Record<string, number[]>>>(committed.cells)) {
      for (const [measurements = 0, sources = 0, low = 0, median = 0, high = 0] of Object.values(figures).flatMap(
        (row) => (row === undefined ? [] : [row]),
      )) {
        assert.ok(measurements >= 9 && sources >= 2, name);
        assert.ok(0 < low && low <= median && median <= high, name);
      }
    }
  });
});

const band = (low: number, high: number): Band => ({
  low,
  high,
  median: 1,
  measurements: 9,
  sources: 2,
  cell: { basis: 'published', gpu: null, model: null, load: null },
});

const bands = (ttft: Band | null, tpot: Band | null): Confidence => ({
  measuredPolicy: 'vllm',
  ttft,
  tpot,
  throughput: null,
});

describe('the SLO within the error', () => {
  const input = { ...figureOneInput(2048), slo: { ttftS: 3, tpotS: 0.1, attainment: 0.99 } };
  const { records } = simulate({ ...input, workload: { ...input.workload, requests: 40 } });

  it('counts the requests whose times, stretched, pass it', () => {
    const factor = fc.double({ min: 0.05, max: 20, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(factor, factor), fc.tuple(factor, factor), (ttft, tpot) => {
        const sorted = (pair: readonly [number, number]): Band => band(Math.min(...pair), Math.max(...pair));
        const [first, second] = [sorted(ttft), sorted(tpot)];
        const span = violationsWithin(records, input.slo, bands(first, second));
        assert.ok(span);
        for (const [end, index] of [['low', 0] as const, ['high', 1] as const]) {
          let [late, slow, any] = [0, 0, 0];
          for (let k = 0; k < records.count; k++) {
            const ttftS = records.firstTokenS[k]! - records.arrivalS[k]!;
            const tpotS = (records.finishS[k]! - records.firstTokenS[k]!) / (records.outputTokens[k]! - 1);
            const isLate = ttftS > 3 / first[end];
            const isSlow = tpotS > 0.1 / second[end];
            if (isLate) late += 1;
            if (isSlow) slow += 1;
            if (isLate || isSlow) any += 1;
          }
          assert.equal(span.ttft[index], late / records.count);
          assert.equal(span.tpot[index], slow / records.count);
          assert.equal(span.any[index], any / records.count);
        }
        assert.ok(span.any[0] <= span.any[1]);
      }),
    );
  });

  it('says nothing without an SLO or a band', () => {
    assert.equal(violationsWithin(records, input.slo, bands(null, band(0.9, 1.1))), null);
    const none = { ttftS: null, tpotS: null, attainment: 1 };
    assert.equal(violationsWithin(records, none, bands(band(0.9, 1.1), band(0.9, 1.1))), null);
  });

  it('stands in the prediction, with the law that the times follow', async () => {
    const predictionOf = async (gpu: string, more = '') => {
      const text = `apiVersion: layerkv/v1
kind: ServingPlan
metadata: {name: test}
spec:
  model: {id: meta-llama/Llama-3.1-8B-Instruct}
  hardware: {gpu: ${gpu}}
  engine: {version: "0.10.0", maxModelLen: 8192}
  workload: {arrivals: {process: poisson, rate: 2}, input: {tokens: 1000}, output: {tokens: 100}, requests: 50}
  slo: {ttft: 1s, tpot: 50ms}
${more}`;
      const { plans } = await analyse(text, { fileName: 't.layerkv.yaml', files: { readText: async () => null } });
      assert.ok(plans[0]);
      const [prediction] = forecast(plans[0], { interval: false, perRequest: false });
      assert.ok(prediction);
      return prediction;
    };
    const h100 = await predictionOf('H100');
    assert.equal(h100.provenance.cost, 'fitted');
    assert.equal(h100.provenance.engineDefaultsRow, '0.10.0 until 0.11.0, GPUs from 70 GiB but A100');
    assert.equal(h100.provenance.confidence?.ttft?.cell.load, 'light');
    const { withinError, ttft } = h100.violationRate ?? {};
    assert.ok(withinError && ttft !== undefined);
    assert.ok(withinError.ttft[0] <= ttft && ttft <= withinError.ttft[1]);
    assert.equal((await predictionOf('L20')).provenance.cost, 'roofline');
    const stated = await predictionOf(
      'H100',
      '  cost: {linear: {prefillBaseMs: 5, prefillPerTokenMs: 0.05, decodeBaseMs: 8, decodePerSequenceMs: 0.1, decodePerContextTokenMs: 0}}',
    );
    assert.equal(stated.provenance.cost, 'linear');
    assert.equal(stated.provenance.confidence, undefined);
    assert.equal(stated.violationRate?.withinError, undefined);
  });
});
