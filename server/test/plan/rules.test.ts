import assert from 'node:assert/strict';
import { ruleTable } from '../../src/plan/rules/rules.ts';
import { applyFix, check, filesOf, planText, unmark } from './marks.ts';

const TP2 = { 'gpu:': 'gpu: L20\n    gpusPerReplica: 2' };
const model = (id: string): Readonly<Record<string, string>> => ({ 'id:': `id: ${id}` });
const trace = { 'arrivals:': 'trace: ./t.csv', 'input:': '', 'output:': '' };
const rows = (...lines: readonly string[]) =>
  filesOf({ './t.csv': ['arrival_s,input_tokens,output_tokens', ...lines].join('\n') });

describe('rules', () => {
  it('tensor parallel against heads', async () => {
    const marked = planText({
      'gpu:': 'gpu: L20\n    gpusPerReplica: 3',
      'tensor:': 'tensor: «3»{tp-does-not-divide-heads}',
    });
    const { problems, plans } = await check(marked);
    assert.equal(plans.length, 0);
    assert.equal(problems[0]?.severity, 'error');
    assert.match(applyFix(unmark(marked).text, problems[0]), /tensor: 2$/m);
    const many = await check(
      planText({
        'gpu:': 'gpu: L20\n    gpusPerReplica: 16',
        'tensor:': 'tensor: «16»{tp-against-kv-heads,tensor-over-pcie}',
      }),
    );
    assert.equal(many.problems.find((each) => each.rule === 'tp-against-kv-heads')?.severity, 'information');
    assert.equal(many.plans.length, 1);
  });

  it('pipeline against layers', async () => {
    const even = { 'gpu:': 'gpu: L20\n    gpusPerReplica: 4', 'tensor:': 'pipeline: 4' };
    await check(planText(even));
    await check(
      planText({
        'gpu:': 'gpu: L20\n    gpusPerReplica: 3',
        'tensor:': 'pipeline: «3»{pipeline-against-layers}',
      }),
    );
    const far = await check(
      planText({
        'gpu:': 'gpu: L20\n    gpusPerReplica: 33',
        'tensor:': 'pipeline: «33»{pipeline-against-layers}',
      }),
    );
    assert.equal(far.plans.length, 0);
  });

  it('GPUs against ranks', async () => {
    const marked = planText({
      'gpu:': 'gpu: L20\n    gpusPerReplica: «4»{gpus-do-not-match-parallelism}',
      'tensor:': 'tensor: 2',
    });
    const { problems } = await check(marked);
    assert.deepEqual(
      problems[0]?.related?.map((each) => each.range.start.line),
      [12],
    );
    assert.match(applyFix(unmark(marked).text, problems[0]), /gpusPerReplica: 2$/m);
  });

  it('expert parallel', async () => {
    await check(planText({ ...TP2, 'tensor:': 'tensor: 2\n    expert: «4»{expert-parallel-size}' }));
    const dense = await check(planText({ ...TP2, 'tensor:': 'tensor: 2\n    expert: «2»{expert-parallel-size}' }));
    assert.equal(dense.problems[0]?.severity, 'information');
    await check(planText({ ...TP2, ...model('Qwen/Qwen3-30B-A3B'), 'tensor:': 'tensor: 2\n    expert: 2' }));
  });

  it('experts against the ranks that cut them', async () => {
    const deepSeek = { ...model('deepseek-ai/DeepSeek-V3'), 'gpu:': 'gpu: H200' };
    await check(planText({ ...deepSeek, 'tensor:': 'tensor: 8' }), { ignore: ['not-simulated'] });
    await check(planText({ ...deepSeek, 'tensor:': 'data: «48»{experts-do-not-divide}' }), {
      ignore: ['not-simulated'],
    });
    await check(planText({ ...deepSeek, 'tensor:': 'data: 48\n    expert: 48' }), { ignore: ['not-simulated'] });
    await check(planText({ ...deepSeek, 'tensor:': 'data: «32»{experts-do-not-divide}' }), {
      ignore: ['not-simulated'],
    });
    const stated = { ...deepSeek, 'tensor:': 'data: «48»{experts-do-not-divide}\n    expert: 1' };
    await check(planText(stated), { ignore: ['not-simulated'] });
    const qwen = { ...model('Qwen/Qwen3-30B-A3B'), 'gpu:': 'gpu: H100' };
    const fp8 = { 'id:': 'id: Qwen/Qwen3-30B-A3B\n    dtype: fp8' };
    await check(planText({ ...qwen, 'tensor:': 'tensor: 4' }));
    const blocks = await check(planText({ ...qwen, ...fp8, 'tensor:': 'tensor: «4»{experts-do-not-divide}' }));
    assert.equal(blocks.problems[0]?.severity, 'warning');
    await check(planText({ ...qwen, ...fp8, 'tensor:': 'tensor: 2' }));
  });

  it('NVLink and all-reduce', async () => {
    await check(planText({ 'gpu:': 'gpu: L20\n    interconnect: «nvlink»{nvlink-missing}' }));
    await check(planText({ 'gpu:': 'gpu: L20\n    gpusPerReplica: 4', 'tensor:': 'tensor: «4»{tensor-over-pcie}' }));
    await check(planText({ 'gpu:': 'gpu: H100\n    gpusPerReplica: 4', 'tensor:': 'tensor: 4' }));
  });

  it('max-model-len against the model', async () => {
    const marked = planText({
      ...model('meta-llama/Llama-2-7b-hf'),
      'maxModelLen:': 'maxModelLen: «8192»{max-model-len-above-model-limit}',
    });
    const { problems, plans } = await check(marked);
    assert.equal(problems[0]?.severity, 'warning');
    assert.equal(plans.length, 1);
    assert.match(applyFix(unmark(marked).text, problems[0]), /maxModelLen: 4096$/m);
  });

  it('the token budget of a step', async () => {
    await check(
      planText({
        'version:': 'version: "0.10.0"',
        'maxNumSeqs:': 'maxNumSeqs: 512\n    maxNumBatchedTokens: «256»{batched-tokens-below-max-num-seqs}',
      }),
    );
    const { plans } = await check(
      planText({ 'maxNumSeqs:': 'maxNumBatchedTokens: «4096»{batched-tokens-below-max-model-len}' }),
    );
    assert.equal(plans.length, 1);
    await check(planText({ 'version:': 'version: "0.10.0"', 'maxNumSeqs:': 'maxNumBatchedTokens: 4096' }));
  });

  it('prompts and outputs against max-model-len', async () => {
    const all = await check(planText({ 'input:': 'input: «{tokens: 9000}»{prompt-above-max-model-len}' }));
    assert.equal(all.problems[0]?.severity, 'error');
    // No room for a token of the answer: vLLM's front end refuses such prompts too.
    const full = await check(planText({ 'input:': 'input: «{tokens: 8192}»{prompt-above-max-model-len}' }));
    assert.equal(full.problems[0]?.severity, 'error');
    const some = await check(planText({ 'input:': 'input: «{uniform: [10, 9000]}»{prompt-above-max-model-len}' }));
    assert.equal(some.problems[0]?.severity, 'warning');
    const marked = planText({ 'input:': 'input: {tokens: 8000}', 'output:': 'output: «{tokens: 512}»{output-cut}' });
    const cut = await check(marked);
    assert.match(applyFix(unmark(marked).text, cut.problems[0]), /maxModelLen: 8512$/m);
    await check(planText({ 'input:': 'input: {tokens: 7680}', 'output:': 'output: {tokens: 512}' }));
  });

  it('traces', async () => {
    await check(planText(trace), { files: rows('0,1,1'), ignore: ['trace-shorter-than-requests'] });
    await check(planText({ ...trace, 'requests:': 'requests: «100»{trace-shorter-than-requests}' }), {
      files: rows('0,1,1', '1,1,1'),
    });
    await check(planText({ ...trace, 'arrivals:': 'trace: «./t.csv»{prompt-above-max-model-len}', 'requests:': '' }), {
      files: rows('0,9000,1', '1,1,1'),
    });
    await check(planText({ ...trace, 'arrivals:': 'trace: «./t.csv»{output-cut}', 'requests:': '' }), {
      files: rows('0,8000,500', '1,1,1'),
    });
    await check(
      planText({
        'arrivals:': 'trace: ./t.csv',
        'input:': '«input»{trace-replaces-workload}: {tokens: 1}',
        'output:': '',
        'requests:': '',
      }),
      { files: rows('0,1,1') },
    );
  });

  it('host memory', async () => {
    await check(planText({ 'hostPool:': 'hostPool: «300GiB»{host-pool-above-host-memory}' }));
    await check(planText({ 'hostPool:': 'hostPool: «0GiB»{layerkv-cannot-act}' }));
    await check(planText({ 'hostMemory:': 'hostLink: {bandwidthGBs: «0»{layerkv-cannot-act}}' }));
    await check(planText({ 'hostMemory:': 'hostLink: {bandwidthGBs: 0}', 'hostPool:': 'enabled: false' }));
  });

  it('formats that the GPU cannot compute in', async () => {
    const fp8 = { 'id:': 'id: meta-llama/Llama-3.1-8B-Instruct\n    dtype: «fp8»{weights-unpacked}' };
    await check(planText({ ...fp8, 'gpu:': 'gpu: A100-80GB' }));
    await check(planText({ 'id:': 'id: meta-llama/Llama-3.1-8B-Instruct\n    dtype: fp8', 'gpu:': 'gpu: L40S' }));
    await check(
      planText({ 'gpu:': 'gpu: A100-80GB', 'maxNumSeqs:': 'activationDtype: «fp8»{activations-unsupported}' }),
    );
  });

  it('objectives', async () => {
    await check(planText({ 'apiVersion:': '«apiVersion: layerkv/v1»{no-slo}', 'slo:': '', 'ttft:': '', 'tpot:': '' }));
    await check(planText({ 'tpot:': '' }));
  });

  it('what is stated but not simulated', async () => {
    await check(planText({ 'maxNumSeqs:': '«kvOffload»{not-simulated}: {hostPool: 10GiB}' }));
    await check(planText({ 'maxNumSeqs:': '«prefixCaching»{not-simulated}: true' }));
    await check(planText({ 'maxNumSeqs:': 'prefixCaching: false' }));
    await check(planText({ 'requests:': '«sharedPrefix»{not-simulated}: {tokens: 100, share: 0.5}' }));
    await check(planText({ 'requests:': 'sharedPrefix: {tokens: 0, share: 0}' }));
    await check(planText({ 'tensor:': 'pipeline: 2' }));
    await check(planText({ 'tensor:': 'pipeline: 1' }));
    const v1 = { 'version:': 'version: "0.10.0"' };
    const off = { ...v1, 'hostPool:': 'hostPool: 100GiB\n      enabled: false' };
    // LayerKV runs without a prefix cache; vLLM's v1 has it, and its host tier needs prompts that begin alike.
    await check(planText({ ...v1, 'requests:': '«sharedPrefix»{not-simulated}: {tokens: 100, share: 0.5}' }));
    await check(planText({ ...off, 'requests:': 'sharedPrefix: {tokens: 100, share: 0.5}' }));
    await check(planText({ ...off, 'maxNumSeqs:': '«kvOffload»{not-simulated}: {hostPool: 10GiB}' }));
    const tier = { ...off, 'requests:': 'sharedPrefix: {tokens: 100, share: 0.5}' };
    const lmcache = '{hostPool: 10GiB, connector: lmcache, chunkTokens: 128}';
    await check(planText({ ...off, 'maxNumSeqs:': `«kvOffload»{not-simulated}: ${lmcache}` }));
    await check(planText({ ...tier, 'maxNumSeqs:': `kvOffload: ${lmcache}` }));
    const none = { ...off, 'requests:': 'sharedPrefix: {tokens: 0, share: 0.5}' };
    await check(planText({ ...none, 'maxNumSeqs:': `«kvOffload»{not-simulated}: ${lmcache}` }));
    await check(planText({ ...tier, 'maxNumSeqs:': 'kvOffload: {«chunkTokens»{not-simulated}: 128}' }));
    await check(
      planText({ ...tier, 'maxNumSeqs:': `prefixCaching: false\n    «kvOffload»{not-simulated}: ${lmcache}` }),
    );
    await check(planText({ ...off, 'tensor:': 'pipeline: 2', 'maxNumSeqs:': '«prefixCaching»{not-simulated}: true' }));
    // Layers with a sliding window: in full beside LayerKV, in a pipeline and with a prefix cache that finds something.
    const windowed = { 'id:': 'id: «openai/gpt-oss-20b»{not-simulated}', 'gpu:': 'gpu: H100 80GB SXM5' };
    const grouped = { 'id:': 'id: openai/gpt-oss-20b', 'gpu:': 'gpu: H100 80GB SXM5' };
    await check(planText(grouped));
    await check(planText({ ...windowed, ...v1 }));
    await check(planText({ ...windowed, ...off }));
    await check(planText({ ...grouped, ...off, 'maxNumSeqs:': 'prefixCaching: false' }));
    await check(planText({ ...windowed, ...off, 'tensor:': 'pipeline: 2' }));
    await check(planText({ ...windowed, ...off, 'requests:': 'sharedPrefix: {tokens: 100, share: 0.5}' }));
    const shape = '{layers: 32, hiddenSize: 4096, queryHeads: 32, ffnSize: 14336, vocabSize: 32000, ropeMax: 32768';
    const all = (tokens: number) => `${shape}, slidingWindow: {tokens: ${tokens}, localLayers: 32, globalLayers: 0}}`;
    await check(planText({ 'model:': `model: «${all(4096)}»{not-simulated}`, 'id:': '' }));
    await check(planText({ 'model:': `model: ${all(8192)}`, 'id:': '' }));
    const ranks = {
      'id:': 'id: openai/gpt-oss-20b',
      'gpu:': 'gpu: H100 80GB SXM5',
      ...off,
      'maxNumSeqs:': 'prefixCaching: false',
    };
    await check(planText({ ...ranks, 'tensor:': 'data: «2»{not-simulated}' }));
    await check(planText({ ...ranks, 'version:': 'version: "0.5.5"', 'tensor:': 'data: «2»{not-simulated}' }));
    const both = { ...ranks, 'id:': 'id: «openai/gpt-oss-20b»{not-simulated}' };
    await check(planText({ ...both, 'tensor:': 'pipeline: 2\n    data: «2»{not-simulated}' }));
    // These are simulated.
    await check(planText({ 'hostPool:': 'residency: stream' }));
    await check(planText({ 'hostPool:': 'countReloadWait: true' }));
    await check(planText({ 'hostPool:': 'offloadThreshold: 0.1', 'model:': 'routing: leastLoad\n  model:' }));
  });

  it('have unique ids in one table', () => {
    const ids = ruleTable.map((rule) => rule.id);
    assert.equal(new Set(ids).size, ids.length);
    for (const { id, summary } of ruleTable) {
      assert.match(id, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.match(summary, /[.]$/);
    }
  });
});
