/** How sure the figures are, word for word. */
import assert from 'node:assert/strict';
import type { Band, Cell, Prediction } from '../../src/forecast/types.ts';
import { predictionCard } from '../../src/language/card.ts';
import { cellWords, costWords, likelyText, withinErrorText } from '../../src/language/confidence.ts';
import { sloProblems } from '../../src/language/sloProblems.ts';
import { distribution, FIGURE_1, planOf, prediction, ready, viewOf } from './views.ts';

const CELL: Cell = { basis: 'published', gpu: 'hopper', model: 'dense', load: 'light' };
const WIDE: Cell = { basis: 'published', gpu: null, model: null, load: 'light' };
const PROVENANCE = prediction().provenance;

const band = (low: number, high: number, measurements = 43, cell = CELL): Band => ({
  low,
  high,
  median: 1,
  measurements,
  sources: 3,
  cell,
});

function sure(ttft: Band | null, tpot: Band | null, throughput: Band | null = null): Partial<Prediction> {
  const confidence = { measuredPolicy: 'vllm', ttft, tpot, throughput } as const;
  return { ttftMs: distribution(1200, 2000), provenance: { ...PROVENANCE, confidence } };
}

describe('words of confidence', () => {
  it('name what the measurements have in common', () => {
    const cases: readonly (readonly [Cell, string])[] = [
      [CELL, 'Hopper GPUs, dense models, little queueing'],
      [{ ...CELL, model: null, load: 'backlogged' }, 'Hopper GPUs, mostly queueing, open arrivals'],
      [{ ...WIDE, load: 'crowded' }, 'all GPUs, mostly queueing'],
      [{ ...WIDE, load: null }, 'all GPUs'],
      [{ ...WIDE, basis: 'standIn', load: 'loaded' }, "GPUs predicted from other families' kernels, some queueing"],
      [{ ...WIDE, basis: 'calibrated' }, 'deployments calibrated under another load, little queueing'],
      [
        { ...CELL, gpu: 'ampereGddrEcc', model: 'mla' },
        'Ampere with GDDR and ECC GPUs, models with latent attention, little queueing',
      ],
    ];
    for (const [cell, words] of cases) assert.equal(cellWords(cell), words);
  });

  it('put ranges around the means, and say a shared basis once', () => {
    const same = prediction(sure(band(0.8, 1.25), band(0.9, 1.1, 40)));
    assert.equal(
      likelyText(same),
      '8 of 10 published measurements like this: mean TTFT 960 ms to 1.5 s, TPOT 59–73 ms ' +
        '(40 to 43 on Hopper GPUs, dense models, little queueing)',
    );
    const apart = prediction(sure(band(0.9, 1.25), band(0.9, 1.1, 99, WIDE), band(0.5, 1.5, 99, WIDE)));
    assert.equal(
      likelyText(apart),
      '8 of 10 published measurements like this: mean TTFT 1.1–1.5 s (43 on Hopper GPUs, dense models, little queueing); ' +
        'TPOT 59–73 ms, output 149–446 tokens/s (99 on all GPUs, little queueing)',
    );
    assert.equal(likelyText(prediction()), null);
    assert.equal(likelyText(prediction(sure(null, null))), null);
  });

  it('do not claim that LayerKV was measured', () => {
    const text = likelyText(prediction({ ...sure(band(0.8, 1.25), null), policy: 'layerkv' })) ?? '';
    assert.match(text, /little queueing\); they ran vLLM, of LayerKV there is only its paper$/);
  });

  it('tell where the times come from', () => {
    assert.equal(costWords({ ...PROVENANCE, cost: 'fitted' }), 'fitted to kernels timed on this GPU');
    assert.match(costWords(PROVENANCE), /^roofline: this GPU's datasheet/);
    assert.equal(costWords({ ...PROVENANCE, cost: 'linear' }), 'linear, as the plan states it');
    const calibrated = { ...PROVENANCE, cost: 'calibrated', calibration: 'chat.calibration.json' };
    assert.equal(costWords(calibrated), 'calibrated (chat.calibration.json)');
  });
});

describe('the SLO within the error', () => {
  const rate = (any: number, low: number, high: number): Prediction['violationRate'] => ({
    ttft: any,
    tpot: 0,
    any,
    interval: null,
    withinError: { ttft: [low, high], tpot: [0, 0], any: [low, high] },
  });
  const text = (verdict: Prediction['verdict'], any: number, low: number, high: number): string | null =>
    withinErrorText(prediction({ verdict, violationRate: rate(any, low, high) }), 0.99);

  it('is said where the verdict would be another one, and only there', () => {
    assert.equal(
      text('met', 0, 0, 0.12),
      "Within the model's error of the SLO: with times at the high end of such measurements 12 % of the requests miss it, not 0 % (TTFT).",
    );
    assert.equal(
      text('violated', 0.05, 0, 0.3),
      "Within the model's error of the SLO: with times at the low end of such measurements 0 % of the requests miss it, not 5 %.",
    );
    assert.equal(text('met', 0, 0, 0.01), null);
    assert.equal(text('violated', 0.05, 0.02, 0.3), null);
    assert.equal(text('saturated', 0.5, 0, 0.9), null);
    assert.equal(withinErrorText(prediction({ verdict: 'met' }), 0.99), null);
  });

  it('stands in the card and in the problem', async () => {
    const doubtful = {
      ...sure(band(0.8, 1.25), band(0.9, 1.1, 40)),
      verdict: 'violated',
      violationRate: rate(0.05, 0, 0.3),
    } as const;
    const [workload] = (await viewOf(FIGURE_1, ready(doubtful))).workloads;
    assert.ok(workload);
    const card = predictionCard(workload);
    assert.match(card, /mean TTFT 960 ms to 1\.5 s, TPOT 59–73 ms \(40 to 43 on Hopper GPUs/);
    assert.match(card, /\*\*Within the model's error of the SLO: .* not 5 %\.\*\*/);
    const problems = sloProblems(await planOf(FIGURE_1), prediction(doubtful), false);
    const missed = problems.find(({ rule }) => rule === 'slo-missed');
    assert.match(missed?.message ?? '', /Within the model's error of the SLO: .* not 5 %\.$/);
  });
});
