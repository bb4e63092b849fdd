import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { assess } from '../../src/forecast/assess.ts';
import { forecast } from '../../src/forecast/forecast.ts';
import type { Prediction } from '../../src/forecast/types.ts';
import { analyse } from '../../src/plan/analyse.ts';
import { annotate } from '../../src/terminal/annotate.ts';
import { describeComparison, times, timesAsLong } from '../../src/terminal/comparison.ts';
import type { SimulatedPlan } from '../../src/terminal/figures.ts';
import type { Layout } from '../../src/terminal/problems.ts';
import { painter } from '../../src/terminal/style.ts';
import { explain } from '../../src/terminal/why.ts';
import { indexLines } from '../../src/text/lines.ts';

const layout: Layout = { paint: painter(false), columns: 80 };
const fileName = 'samples/llama-2-7b-l20-figure-1.layerkv.yaml';
const text = readFileSync(fileName, 'utf8');

/** Figure 1's plan with the predictions of both policies, changed at will. */
async function simulated(...edits: ((prediction: Prediction) => Prediction)[]): Promise<SimulatedPlan> {
  const { plans } = await analyse(text, { fileName, files: { readText: async () => null } });
  const [plan] = plans;
  assert.ok(plan);
  const made = forecast(plan, { policy: 'compare', interval: false, perRequest: false });
  const predictions = made.map((prediction, index) => edits[index]?.(prediction) ?? prediction);
  return { plan, assessment: assess(plan), predictions };
}

async function why(...edits: ((prediction: Prediction) => Prediction)[]): Promise<string> {
  return explain(await simulated(...edits)).join('\n');
}

const same = (prediction: Prediction): Prediction => prediction;

describe('terminal: why', () => {
  it('blames the KV pool where a full one makes prompts wait', async () => {
    const sentences = await why();
    assert.match(
      sentences,
      /^vLLM: 9\d % of the mean TTFT is queueing: a prompt needs KV blocks for all 32 layers at once/,
    );
    assert.match(sentences, /the pool of [\d.]+k tokens holds \d+ requests of 2560 tokens/);
    assert.match(sentences, /LayerKV keeps 0 of 32 layers .* sends the other 32 to the host/);
    assert.match(sentences, /Mean TTFT falls from [\d.]+ s to \d+ ms, \d+× shorter/);
    assert.match(sentences, /The price is TPOT: \d+ ms → \d+ ms on average/);
  });

  it('says that a short queue hides a backlog, where it does', async () => {
    assert.match(
      await why(),
      /LayerKV does not keep up: \d+ requests were waiting when the last one arrived .* It carries about 0\.5\d* requests\/s/,
    );
    assert.doesNotMatch(await why(same, ({ backlog: _, ...prediction }) => prediction), /keep up/);
  });

  it('blames the computation where the pool has room', async () => {
    const roomy = (prediction: Prediction): Prediction => ({
      ...prediction,
      preemptions: 0,
      memory: { ...prediction.memory, kvTokens: 10_000_000 },
    });
    assert.match(await why(roomy), /not for want of memory: prompts wait for the GPU's time/);
  });

  it('says that there is nothing to gain without a queue', async () => {
    const quiet = (prediction: Prediction): Prediction => ({ ...prediction, queueShare: 0.1 });
    const { predictions } = await simulated();
    const before = predictions[0];
    assert.ok(before?.ttftMs);
    const { ttftMs } = before;
    const sentences = await why(quiet, (after) => ({ ...after, ttftMs, tpotMs: before.tpotMs }));
    assert.match(sentences, /10 % of the mean TTFT is queueing; the rest is the prefill itself/);
    assert.match(sentences, /stays about the same .*little queueing for LayerKV to remove/);
    assert.doesNotMatch(sentences, /price/);
  });

  it('says that nothing was moved', async () => {
    const unmoved = (prediction: Prediction): Prediction => ({
      ...prediction,
      offload: prediction.offload && { ...prediction.offload, deviceToHostBytes: 0 },
    });
    assert.match(await why(same, unmoved), /LayerKV has nothing to move/);
  });

  it('names the SLO gate where LayerKV makes TTFT longer', async () => {
    const { predictions } = await simulated();
    const [before, after] = predictions;
    assert.ok(before && after);
    const swapped = await why(
      () => ({ ...before, ttftMs: after.ttftMs, queueShare: 0.2 }),
      () => ({ ...after, ttftMs: before.ttftMs, queueShare: 0.9 }),
    );
    assert.match(swapped, /Mean TTFT rises .*holds prefills back to protect the TPOT SLO of 200 ms/);
  });

  it('has one sentence for what does not fit', async () => {
    const { length } = explain(await simulated((prediction) => ({ ...prediction, verdict: 'does-not-fit' })));
    assert.equal(length, 1);
  });
});

describe('terminal: comparison', () => {
  it('tells a factor with as many digits as it deserves', () => {
    assert.deepEqual([1.05, 2.345, 9.94, 9.96, 46.4].map(times), ['1.05×', '2.3×', '9.9×', '10×', '46×']);
  });

  it('tells shorter from longer, and calls a difference below 2 % the same', () => {
    assert.equal(timesAsLong(1000, 100), '10× shorter');
    assert.equal(timesAsLong(100, 250), '2.5× longer');
    assert.equal(timesAsLong(100, 101.9), 'same');
    assert.equal(timesAsLong(0, 0), 'same');
    assert.equal(timesAsLong(0, 5), '');
  });

  it('shows each figure of both policies, and stays within 80 columns', async () => {
    const { plan, predictions } = await simulated();
    const [before, after] = predictions;
    assert.ok(before && after);
    const lines = describeComparison(plan, before, after, layout);
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
    assert.match(lines.join('\n'), /TTFT mean +[\d.]+ s +[\d.]+ m?s +\d+× shorter/);
    assert.match(
      lines.join('\n'),
      /Verdict +saturated +SLO (?:met|violated)\n +waiting, half → end +\d+ → \d+ +\d+ → \d+/,
    );
    const steady = describeComparison(plan, before, { ...after, verdict: 'saturated' }, layout);
    assert.doesNotMatch(steady.join('\n'), /waiting, half/);
  });

  it('shows dashes where a policy has no figure', async () => {
    const { plan, predictions } = await simulated();
    const [before, after] = predictions;
    assert.ok(before && after);
    const lines = describeComparison(plan, before, { ...after, ttftMs: null, throughput: null }, layout);
    assert.match(lines.find((line) => line.includes('TTFT mean')) ?? '', /–$/);
  });
});

describe('terminal: annotated file', () => {
  it('keeps every line of the file, in order, and adds comments only', async () => {
    const plan = await simulated();
    const analysis = { relevant: true, problems: [], plans: [plan.plan], workloads: [] };
    const lines = annotate(fileName, indexLines(text), analysis, [plan], layout);
    const withoutNotes = lines
      .filter((line) => !/^ *# (?:▸|◂| {2})/.test(line))
      .map((line) => line.replace(/ +# ◂.*$/, ''));
    assert.deepEqual(withoutNotes, text.trimEnd().split('\n'));
    assert.match(lines.join('\n'), /^# ▸ vLLM · TTFT p99/m);
    assert.match(lines.join('\n'), /ttft: 3s +# ◂ p99: vLLM [\d.]+ s ✗, LayerKV [\d.]+ s ✓/);
    const reread = await analyse(lines.join('\n'), { fileName, files: { readText: async () => null } });
    assert.equal(reread.plans.length, 1);
  });
});
