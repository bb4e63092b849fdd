import assert from 'node:assert/strict';
import { forecast } from '../../src/forecast/forecast.ts';
import type { ForecastOptions, Prediction } from '../../src/forecast/types.ts';
import { analyse } from '../../src/plan/analyse.ts';
import type { Plan } from '../../src/plan/types.ts';

async function planOf(spec: string): Promise<Plan> {
  const text = `apiVersion: layerkv/v1\nkind: ServingPlan\nmetadata: {name: test}\nspec:\n${spec.replace(/^/gm, '  ')}`;
  const { plans, problems } = await analyse(text, {
    fileName: 'test.layerkv.yaml',
    files: { readText: async () => null },
  });
  assert.ok(plans[0] !== undefined, JSON.stringify(problems));
  return plans[0];
}

const FIGURE_1 = `model: {id: meta-llama/Llama-2-7b-hf}
hardware: {gpu: L20}
engine: {version: "0.5.5", maxModelLen: 16896, maxNumBatchedTokens: 16896, layerkv: {hostPool: 200GiB}}
workload:
  arrivals: {process: poisson, rate: 1}
  input: {tokens: 2048}
  output: {tokens: 512}
  requests: 100
slo: {ttft: 3s, tpot: 200ms}
`;

const QUICK: ForecastOptions = { interval: false, perRequest: true };

describe('forecast', () => {
  it('compares vLLM, then LayerKV, on identical arrivals and lengths', async () => {
    const [vllm, layerkv, ...rest] = forecast(await planOf(FIGURE_1), { ...QUICK, policy: 'compare' });
    assert.deepEqual([vllm?.policy, layerkv?.policy, rest.length], ['vllm', 'layerkv', 0]);
    const requests = (prediction: Prediction | undefined) =>
      prediction?.perRequest?.map(({ arrivalS, inputTokens, outputTokens }) => [arrivalS, inputTokens, outputTokens]);
    assert.deepEqual(requests(vllm), requests(layerkv));
  });

  it("runs the plan's own policy unless told otherwise, and takes seed and request count from the options", async () => {
    const plan = await planOf(FIGURE_1);
    const [own] = forecast(plan, { ...QUICK, seed: 9, requests: 12 });
    assert.equal(own?.policy, 'layerkv');
    assert.deepEqual([own?.seed, own?.requests, own?.provenance.seed], [9, 12, 9]);
    const [ablation] = forecast(plan, { ...QUICK, policy: 'layerkv-no-slo' });
    assert.equal(ablation?.policy, 'layerkv-no-slo');
  });

  it('defines its figures as the contract does', async () => {
    const [vllm] = forecast(await planOf(FIGURE_1), { ...QUICK, policy: 'vllm' });
    assert.ok(
      vllm?.perRequest && vllm.ttftMs && vllm.tpotMs && vllm.violationRate && vllm.throughput && vllm.makespanS,
    );
    const ttft = vllm.perRequest.map((r) => r.firstTokenS! - r.arrivalS);
    const tpot = vllm.perRequest.map((r) => (r.finishS! - r.firstTokenS!) / (r.outputTokens - 1));
    const queue = vllm.perRequest.map((r) => r.prefillStartS! - r.arrivalS);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const near = (actual: number, expected: number): void =>
      assert.ok(Math.abs(actual - expected) < 1e-6 * Math.abs(expected) + 1e-9);
    near(vllm.ttftMs.mean, 1000 * mean(ttft));
    near(vllm.tpotMs.mean, 1000 * mean(tpot));
    near(vllm.queueShare!, mean(queue) / mean(ttft));
    near(vllm.violationRate.any, ttft.filter((t, k) => t > 3 || tpot[k]! > 0.2).length / 100);
    const span = Math.max(...vllm.perRequest.map((r) => r.finishS!)) - vllm.perRequest[0]!.arrivalS;
    near(vllm.makespanS, span);
    near(vllm.throughput.goodputPerS, (100 * (1 - vllm.violationRate.any)) / span);
    near(vllm.throughput.outputTokensPerS, (100 * 512) / span);
    const parts = vllm.ttftParts!;
    near(parts.queueMs + parts.prefillMs + parts.offloadMs, vllm.ttftMs.mean);
    assert.equal(vllm.verdict, 'saturated');
  });

  it('puts an interval around the violations, and one around their difference on common requests', async () => {
    const fractions: number[] = [];
    const [vllm, layerkv] = forecast(
      await planOf(FIGURE_1),
      { interval: true, perRequest: false, policy: 'compare' },
      (fraction) => fractions.push(fraction),
    );
    const [low, high] = vllm!.violationRate!.interval!;
    assert.ok(0 <= low && low < high && high <= 1);
    assert.ok(layerkv!.versus!.anyDifference < -0.3);
    assert.ok(layerkv!.versus!.distinguishable);
    assert.equal(vllm!.versus, undefined);
    assert.equal(fractions.length, 22);
    assert.ok(fractions.every((fraction, k) => k === 0 || fraction > fractions[k - 1]!));
    assert.equal(fractions.at(-1), 1);
  });

  it('says when the seeds cannot tell two policies apart', async () => {
    const idle = await planOf(FIGURE_1.replace('rate: 1', 'rate: 0.05'));
    const [, layerkv] = forecast(idle, { interval: true, perRequest: false, policy: 'compare' });
    assert.equal(layerkv!.versus!.distinguishable, false);
    assert.equal(layerkv!.versus!.anyDifference, 0);
  });

  it('has no violations, no interval and an unbounded gate without an SLO', async () => {
    const plan = await planOf(FIGURE_1.replace(/slo: .*\n/, ''));
    const [layerkv] = forecast(plan, { interval: true, perRequest: true });
    assert.equal(layerkv!.violationRate, null);
    assert.equal(layerkv!.throughput!.goodputPerS, layerkv!.throughput!.requestsPerS);
    const [ablation] = forecast(plan, { ...QUICK, policy: 'layerkv-no-slo' });
    assert.deepEqual(layerkv!.perRequest, ablation!.perRequest);
  });

  it('gives memory and a verdict, and no figures, for what does not start', async () => {
    const small = await planOf(FIGURE_1.replace('gpu: L20', 'gpu: T4'));
    const [prediction] = forecast(small, QUICK);
    assert.equal(prediction!.verdict, 'does-not-fit');
    assert.equal(prediction!.ttftMs, null);
    assert.ok(prediction!.memory.weightsBytesPerGpu > 13e9);
    const tight = await planOf(
      FIGURE_1.replace('maxNumBatchedTokens: 16896', 'maxNumBatchedTokens: 16896, numGpuBlocks: 500'),
    );
    assert.equal(forecast(tight, QUICK)[0]!.verdict, 'does-not-fit');
  });

  it('counts a refused prompt as a broken SLO and leaves its times open', async () => {
    const plan = await planOf(FIGURE_1.replace('maxNumBatchedTokens: 16896', 'maxNumBatchedTokens: 2000'));
    const [vllm] = forecast(plan, { ...QUICK, policy: 'vllm' });
    assert.deepEqual([vllm!.finished, vllm!.violationRate!.any, vllm!.ttftMs], [0, 1, null]);
    assert.equal(vllm!.perRequest![0]!.firstTokenS, null);
  });

  it('shows gaps between tokens, and the run over time beside the requests', async () => {
    const plan = await planOf(FIGURE_1);
    const [vllm, layerkv] = forecast(plan, { ...QUICK, policy: 'compare' });
    assert.ok(vllm?.itlMs && vllm.tpotMs && vllm.series && layerkv?.series);
    // All requests have the same number of tokens, so both means weigh them alike.
    assert.ok(Math.abs(vllm.itlMs.mean / vllm.tpotMs.mean - 1) < 1e-6);
    assert.ok(vllm.itlMs.p50 < vllm.itlMs.p99 && vllm.itlMs.p99 <= vllm.itlMs.max);
    assert.ok(Math.max(...vllm.series.gpuKvShare) > 0.9 && Math.max(...vllm.series.gpuKvShare) <= 1);
    assert.ok(Math.max(...layerkv.series.hostKvShare) > 0.1 && Math.max(...layerkv.series.parked) > 10);
    const [brief] = forecast(plan, { interval: false, perRequest: false });
    assert.equal(brief!.series, undefined);
  });

  it('tells what the prefix cache and the host tier found, under v1 and without LayerKV', async () => {
    const v1 = FIGURE_1.replace('"0.5.5"', '"0.10.0"').replace('maxModelLen: 16896', 'maxModelLen: 4096');
    const shared = v1.replace('  requests: 100', '  sharedPrefix: {tokens: 1024, share: 1}\n  requests: 100');
    const vllm = async (spec: string): Promise<Prediction> =>
      forecast(await planOf(spec), { ...QUICK, policy: 'vllm' })[0]!;
    const alone = await vllm(v1);
    const found = await vllm(shared);
    assert.ok(found.prefixCache!.gpuHitShare > 0.3 && found.prefixCache!.hostHitShare === null);
    assert.ok(found.ttftMs!.mean < alone.ttftMs!.mean);
    const tiered = await vllm(shared.replace('layerkv:', 'kvOffload: {hostPool: 50GiB}, layerkv:'));
    assert.notEqual(tiered.prefixCache!.hostHitShare, null);
    const lmcache = await vllm(
      shared.replace('layerkv:', 'kvOffload: {hostPool: 50GiB, connector: lmcache}, layerkv:'),
    );
    assert.ok(lmcache.prefixCache!.hostHitShare! > 0 && lmcache.prefixCache!.gpuHitShare > 0.3);
    // Steps wait for what LMCache stores; OffloadingConnector stores beside them.
    assert.ok(lmcache.ttftMs!.mean > tiered.ttftMs!.mean);
    const [layerkv] = forecast(await planOf(shared), { ...QUICK, policy: 'layerkv' });
    assert.equal(layerkv!.prefixCache, undefined);
    assert.equal((await vllm(FIGURE_1)).prefixCache, undefined);
  });
});
