import assert from 'node:assert/strict';
import { engineInput } from '../../src/forecast/input.ts';
import type { Plan } from '../../src/plan/types.ts';
import { analyseText, check, filesOf, LEAST, planText } from './marks.ts';

async function planOf(text: string): Promise<Plan> {
  const { plans, problems } = await analyseText(text);
  assert.ok(plans[0], JSON.stringify(problems));
  return plans[0];
}

describe('native plans', () => {
  it('locates what is stated', async () => {
    const plan = await planOf(planText());
    assert.deepEqual(plan.engine.maxModelLen, {
      value: 8192,
      origin: 'stated',
      keyRange: { start: { line: 14, character: 4 }, end: { line: 14, character: 15 } },
      range: { start: { line: 14, character: 17 }, end: { line: 14, character: 21 } },
    });
    assert.equal(plan.slo.ttftMs.value, 3000);
    assert.equal(plan.slo.tpotMs.value, 200);
    assert.equal(plan.hostMemoryBytes.value, 256 * 2 ** 30);
    assert.deepEqual(plan.anchor, { start: { line: 0, character: 0 }, end: { line: 0, character: 22 } });
  });

  it('fills in what is not stated, and says from where', async () => {
    const plan = await planOf(LEAST);
    assert.equal(plan.gpu.value.id, 'L20');
    assert.equal(plan.weightDtype.value, 'bf16');
    assert.equal(plan.gpusPerReplica.value, 1);
    assert.equal(plan.interconnect.value, 'pcie');
    assert.equal(plan.hostLinkGBs.value, 24);
    assert.equal(plan.engine.maxModelLen.value, 131072);
    assert.equal(plan.engine.scheduler.value, 'v1');
    assert.equal(plan.engine.kvCacheDtype.value, 'bf16');
    assert.equal(plan.engine.activationDtype.value, 'bf16');
    assert.equal(plan.workload.requests.value, 100);
    assert.equal(plan.workload.seed.value, 1);
    assert.deepEqual(plan.workload.input.value, { kind: 'fixed', tokens: 2000 });
    assert.equal(plan.slo.attainment.value, 0.99);
    assert.equal(plan.slo.ttftMs.value, null);
    assert.equal(plan.cost.value, null);
    for (const located of [plan.hostLinkGBs, plan.engine.maxNumSeqs, plan.layerkv.alpha, plan.weightDtype]) {
      assert.equal(located.origin, 'default');
      assert.ok(located.source);
      assert.equal(located.range, null);
    }
    assert.match(plan.engine.maxNumSeqs.source ?? '', /^vllm \d/);
  });

  it('takes the defaults of the stated version', async () => {
    const old = await planOf(planText({ 'version:': 'version: "0.5.5"', 'maxNumSeqs:': '' }));
    assert.equal(old.engine.scheduler.value, 'v0');
    assert.deepEqual(old.engine.defaults, { release: 'vllm 0.5.5', row: '0.5.0 until 0.8.0, all GPUs' });
    assert.equal(old.engine.maxNumBatchedTokens.value, 8192);
    const forced = await planOf(planText({ 'version:': 'version: "0.10.0"', 'maxNumSeqs:': 'scheduler: v0' }));
    assert.equal(forced.engine.maxNumBatchedTokens.value, 8192);
    const current = await planOf(planText({ 'version:': 'version: "0.10.0"', 'maxNumSeqs:': '' }));
    assert.equal(current.engine.scheduler.value, 'v1');
    assert.equal(current.engine.maxNumBatchedTokens.value, 2048);
    await check(planText({ 'version:': 'version: «latest»{unknown-engine-version}' }));
  });

  it('turns LayerKV on by its block, and sizes its host pool', async () => {
    assert.equal((await planOf(LEAST)).layerkv.enabled.value, false);
    assert.equal((await planOf(planText())).layerkv.enabled.value, true);
    assert.equal((await planOf(planText({ 'hostPool:': 'enabled: false' }))).layerkv.enabled.value, false);
    assert.equal((await planOf(LEAST)).layerkv.hostPoolBytes.value, 64 * 2 ** 30);
    const half = await planOf(planText({ 'hostPool:': 'enabled: true' }));
    assert.equal(half.layerkv.hostPoolBytes.value, 128 * 2 ** 30);
    assert.equal(half.layerkv.hostPoolBytes.origin, 'inferred');
    const none = await planOf(planText({ 'hostPool:': 'hostPool: 0GiB' }));
    assert.equal(none.layerkv.hostPoolBytes.value, 0);
  });

  it('reads every arrival process', async () => {
    const cases: readonly (readonly [string, unknown])[] = [
      ['{process: constant, rate: 2}', { kind: 'constant', ratePerS: 2 }],
      ['{process: gamma, rate: 2, cv: 3}', { kind: 'gamma', ratePerS: 2, cv: 3 }],
      ['{process: closed, concurrency: 8}', { kind: 'closed', concurrency: 8 }],
      ['{process: burst}', { kind: 'burst' }],
      ['{process: serial}', { kind: 'serial' }],
    ];
    for (const [text, expected] of cases) {
      assert.deepEqual(
        (await planOf(planText({ 'arrivals:': `arrivals: ${text}` }))).workload.arrivals.value,
        expected,
      );
    }
    await check(planText({ 'arrivals:': 'arrivals: {process: burst, «rate»{unknown-key}: 3}' }));
  });

  it('reads every length distribution', async () => {
    const cases: readonly (readonly [string, unknown])[] = [
      ['{uniform: [128, 1k]}', { kind: 'uniform', min: 128, max: 1000 }],
      ['{lognormal: {median: 900, sigma: 0.8}}', { kind: 'lognormal', median: 900, sigma: 0.8 }],
      [
        '{percentiles: {p99: 4000, p50: 900, p99.9: 6000, max: 8000}, mean: 1200}',
        {
          kind: 'percentiles',
          points: [
            [0.5, 900],
            [0.99, 4000],
            [0.9990000000000001, 6000],
            [1, 8000],
          ],
          mean: 1200,
        },
      ],
    ];
    for (const [text, expected] of cases) {
      assert.deepEqual(
        (await planOf(planText({ 'output:': `output: ${text}`, 'maxModelLen:': 'maxModelLen: 128k' }))).workload.output
          .value,
        expected,
      );
    }
    await check(planText({ 'output:': 'output: {tokens: 5, «uniform»{unknown-key}: [1, 2]}' }));
  });

  it('takes aliases of formats, and computes in them where the GPU can', async () => {
    const awq = await planOf(planText({ 'id:': 'id: meta-llama/Llama-3.1-8B-Instruct\n    dtype: awq' }));
    assert.equal(awq.weightDtype.value, 'int4');
    assert.equal(awq.engine.activationDtype.value, 'bf16');
    const fp8 = await planOf(planText({ 'id:': 'id: meta-llama/Llama-3.1-8B-Instruct\n    dtype: fp8' }));
    assert.equal(fp8.engine.activationDtype.value, 'fp8');
    const kv = await planOf(planText({ 'maxNumSeqs:': 'kvCacheDtype: fp8_e4m3' }));
    assert.equal(kv.engine.kvCacheDtype.value, 'fp8');
  });

  it('takes models and GPUs given in place', async () => {
    const shape =
      '{layers: 32, hiddenSize: 4096, queryHeads: 32, kvHeads: 8, ffnSize: 14336, vocabSize: 128256, ropeMax: 8192}';
    const plan = await planOf(
      planText({
        'model:': `model: ${shape}`,
        'id:': '',
        'gpu:': 'gpu: {memoryGB: 24, memoryBandwidthGBs: 300, denseBf16Tflops: 100}',
      }),
    );
    assert.equal(plan.model.value.shape.layers, 32);
    assert.equal(plan.gpu.value.facts.memoryBandwidthBytesPerS, 300e9);
    await check(planText({ 'gpu:': '«gpu»{gpu-incomplete}: {memoryGB: 24}' }));
    await check(planText({ 'model:': '«model»{model-incomplete}: {layers: 32}', 'id:': '' }));
  });

  it('reads a model from its config.json', async () => {
    const text = planText({ 'id:': 'config: «./config.json»{model-config}' });
    await check(text);
    await check(text, { files: filesOf({ './config.json': 'not JSON' }) });
    const config = {
      model_type: 'llama',
      hidden_size: 4096,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      intermediate_size: 14336,
      vocab_size: 128256,
      max_position_embeddings: 131072,
      torch_dtype: 'bfloat16',
    };
    const { plans } = await check(planText({ 'id:': 'config: ./config.json' }), {
      files: filesOf({ './config.json': JSON.stringify(config) }),
    });
    assert.equal(plans[0]?.model.value.shape.kvHeads, 8);
    const files = (more: object) => ({
      files: filesOf({ './config.json': JSON.stringify({ ...config, ...more }) }),
    });
    const good = planText({ 'id:': 'config: ./config.json' });
    const awq = await check(good, files({ quantization_config: { quant_method: 'awq', bits: 4 } }));
    assert.equal(awq.plans[0]?.weightDtype.value, 'int4');
    assert.equal(awq.plans[0]?.model.value.shape.nativeWeightDtype, 'bf16');
    await check(text, files({ index_topk: 2048 }));
    const exotic = files({ quantization_config: { quant_method: 'exotic' } });
    await check(text, exotic);
    const stated = await check(planText({ 'id:': 'config: ./config.json\n    dtype: int4' }), exotic);
    assert.equal(stated.plans[0]?.weightDtype.value, 'int4');
  });

  it('reads a linear cost law', async () => {
    const law =
      '{prefillBaseMs: 1, prefillPerTokenMs: 0.1, decodeBaseMs: 10, decodePerSequenceMs: 0.5, decodePerContextTokenMs: 0}';
    const plan = await planOf(
      planText({ 'tpot:': `tpot: 200ms\n  cost: {linear: ${law}}` }).replace(/^ {4} {2}cost/m, '  cost'),
    );
    assert.equal(plan.cost.value?.decodeBaseMs, 10);
  });

  it('reads what stands behind the prefix cache: nothing, OffloadingConnector unless LMCache is named', async () => {
    const read = async (engine: string) => {
      const { kvOffload } = engineInput(await planOf(planText({ 'maxNumSeqs:': engine })));
      return kvOffload;
    };
    const hostPoolBytes = 10 * 2 ** 30;
    assert.equal(await read('kvOffload: {connector: lmcache}'), undefined);
    assert.deepEqual(await read('kvOffload: {hostPool: 10GiB}'), { connector: 'offloading', hostPoolBytes });
    const lmcache = await read('kvOffload: {hostPool: 10GiB, connector: lmcache}');
    assert.deepEqual(lmcache, { connector: 'lmcache', hostPoolBytes, chunkTokens: 256 });
    const small = await read('kvOffload: {hostPool: 10GiB, connector: lmcache, chunkTokens: 16}');
    assert.deepEqual(small, { connector: 'lmcache', hostPoolBytes, chunkTokens: 16 });
  });

  it('extracts what is stated, and nothing else', async () => {
    const { workloads } = await analyseText(
      planText({
        'gpu:': 'gpu: nvidia-l20\n    gpusPerReplica: 2',
        'tensor:': 'tensor: 2',
        'maxNumSeqs:': 'prefixCaching: true\n    kvOffload: {hostPool: 10GiB}',
      }),
    );
    assert.deepEqual(workloads[0]?.facts, {
      name: 'sound',
      resource: 'sound',
      model: 'meta-llama/Llama-3.1-8B-Instruct',
      gpuType: 'nvidia-l20',
      gpusPerReplica: 2,
      tensorParallel: 2,
      maxModelLen: 8192,
      enablePrefixCaching: true,
      kvOffload: { cpuBytes: 10 * 2 ** 30 },
    });
    assert.deepEqual(workloads[0]?.origins['model']?.range.start, { line: 6, character: 8 });
    assert.deepEqual(Object.keys(workloads[0]?.origins ?? {}), Object.keys(workloads[0]?.facts ?? {}));
  });

  it('survives the way into a worker', async () => {
    const plan = await planOf(planText());
    assert.deepEqual(structuredClone(plan), plan);
  });
});
