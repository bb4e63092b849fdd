import assert from 'node:assert/strict';
import { analyseText, applyFix, check, filesOf, planText } from './marks.ts';

describe('bad plans', () => {
  it('finds nothing wrong with a sound plan', async () => {
    const analysis = await check(planText());
    assert.equal(analysis.plans.length, 1);
    assert.equal(analysis.relevant, true);
  });

  it('says of an empty file how to begin', async () => {
    for (const text of ['', '\n\n', '# only a comment\n', '---\n']) {
      const { problems, plans, relevant } = await analyseText(text);
      assert.deepEqual(
        problems.map((problem) => problem.rule),
        ['empty-file'],
        JSON.stringify(text),
      );
      assert.equal(plans.length, 0);
      assert.equal(relevant, true);
    }
  });

  it('is silent about an empty file that is not ours', async () => {
    assert.deepEqual(await analyseText('', filesOf(), 'values.yaml'), {
      relevant: false,
      problems: [],
      plans: [],
      workloads: [],
    });
  });

  it('places tabs and replaces them', async () => {
    const marked = 'apiVersion: layerkv/v1\nkind: ServingPlan\nspec:\n«\t»{tab-indentation}model: {id: x}\n';
    const { problems } = await check(marked);
    assert.equal(
      applyFix('apiVersion: layerkv/v1\nkind: ServingPlan\nspec:\n\tmodel: {id: x}\n', problems[0]).split('\n')[3],
      '  model: {id: x}',
    );
  });

  it('tells tabs once, whatever the parser makes of the lines behind them, and mends all lines at once', async () => {
    const sound = planText();
    const tabbed = sound.replaceAll(/^ +/gm, (indent) => '\t'.repeat(indent.length / 2));
    const { problems } = await analyseText(`${sound}---\n${tabbed}`);
    assert.deepEqual(
      problems.map(({ rule, range }) => [rule, range.start.line]),
      [['tab-indentation', sound.split('\n').length + 3]],
    );
    assert.equal(applyFix(`${sound}---\n${tabbed}`, problems[0]), `${sound}---\n${sound}`);
    const inScript = 'apiVersion: layerkv/v1\nmetadata:\n\tname: x\n\tlabels: {a: "b\n  \tc"}\nkind: ServingPlan\n';
    const [tab] = (await analyseText(inScript)).problems;
    assert.equal(applyFix(inScript, tab), inScript.replaceAll('\n\t', '\n  '));
  });

  it('tells all that a block lacks at one place, once', async () => {
    const lacking: readonly Record<string, string>[] = [
      { 'slo:': 'cost:\n    «linear»{missing-key}: {prefillBaseMs: 1, decodeBaseMs: 3}\n  slo:' },
      { 'slo:': 'cost:\n    «linear»{missing-key}: {}\n  slo:' },
      { 'slo:': 'cost:\n    «linear»{missing-key}: {decodeBaseMs: «x»{wrong-type}}\n  slo:' },
      { 'input:': '«input»{missing-key}: {}' },
      { 'input:': '«input»{missing-key}:' },
      { 'input:': '«input»{missing-key}: {}', 'output:': '«output»{missing-key}: {}' },
      { 'input:': 'input: {«lognormal»{missing-key}: {}}' },
      { 'input:': 'input: {«lognormal»{missing-key}: {sigma: 1}}' },
      { 'input:': 'input: {«lognormal»{missing-key}: }' },
      { 'input:': 'input: {lognormal: «5»{wrong-type}}' },
      { 'input:': 'input: {«tokns»{unknown-key}: 2048}' },
      { 'input:': 'input: {«unifrom»{unknown-key}: [1, 2]}' },
      { 'input:': '«input»{missing-key}: {«colour»{unknown-key}: 2048}' },
      { 'input:': 'input: {tokens: 4, «uniform»{unknown-key}: [1, 2]}' },
      { 'input:': 'input: {percentiles: {«q9»{unknown-key}: 3, p50: «many»{invalid-quantity}}}' },
      { 'arrivals:': '«arrivals»{missing-key}: {process: gamma}' },
      { 'arrivals:': '«arrivals»{missing-key}: {}' },
      { 'model:': '«model»{missing-key}: {}', 'id:': '' },
      { 'workload:': '«workload»{missing-key}: {}', 'arrivals:': '', 'input:': '', 'output:': '', 'requests:': '' },
    ];
    for (const changes of lacking) await check(planText(changes));
    const { problems } = await check('apiVersion: layerkv/v1\nkind: ServingPlan\n«spec»{missing-key}: {}\n');
    assert.match(problems[0]?.message ?? '', /`model`, `hardware` and `workload` are missing/);
  });

  it('tells of nesting without end once', async () => {
    for (const brackets of ['['.repeat(200), '['.repeat(100_000), `${'['.repeat(5000)}${']'.repeat(5000)}`]) {
      const { problems } = await analyseText(planText({ 'maxNumSeqs:': `maxNumSeqs: ${brackets}` }));
      assert.deepEqual(
        problems.map(({ rule }) => rule),
        ['yaml-too-deep'],
      );
    }
  });

  it('places the second of two equal keys, and goes on', async () => {
    const { plans, problems } = await check(
      planText({ 'maxNumSeqs:': 'maxNumSeqs: 128\n    «maxNumSeqs»{duplicate-key}: 64' }),
    );
    assert.equal(plans[0]?.engine.maxNumSeqs.value, 64);
    assert.equal(problems[0]?.related?.length, 1);
  });

  it('names the key that an unknown one was meant to be, and still plans', async () => {
    const marked = planText({ 'maxNumSeqs:': '«max_num_seq»{unknown-key}: 64' });
    const { plans, problems } = await check(marked);
    assert.equal(plans.length, 1);
    assert.match(problems[0]?.message ?? '', /Did you mean `maxNumSeqs`\?/);
    assert.match(applyFix(marked.replace(/«|»\{[a-z-]+\}/g, ''), problems[0]), /^ {4}maxNumSeqs: 64$/m);
  });

  it('places unknown keys at every depth', async () => {
    await check(
      planText({
        'name:': 'name: x\n  «nmae»{unknown-key}: y',
        'input:': 'input: {tokens: 5, «min»{unknown-key}: 3}',
        'kind:': 'kind: ServingPlan\n«spek»{unknown-key}: {}',
      }),
    );
  });

  it('places wrong types at the value', async () => {
    const cases: readonly Readonly<Record<string, string>>[] = [
      { 'maxNumSeqs:': 'maxNumSeqs: «many»{wrong-type}' },
      { 'maxNumSeqs:': 'maxNumSeqs: «2.5»{wrong-type}' },
      { 'maxNumSeqs:': 'maxNumSeqs: «[1, 2]»{wrong-type}' },
      { 'maxNumSeqs:': 'enforceEager: «"yes"»{wrong-type}' },
      { 'maxNumSeqs:': 'maxNumSeqs: «{a: 1}»{wrong-type}' },
      { 'tensor:': 'tensor: «two»{wrong-type}' },
      { 'arrivals:': 'arrivals: «poisson»{wrong-type}' },
      { 'input:': 'input: «2048»{wrong-type}' },
      { 'ttft:': 'ttft: «[3s]»{wrong-type}' },
      { 'gpu:': 'gpu: «[L20]»{wrong-type}' },
    ];
    for (const change of cases) {
      const { plans } = await check(planText(change));
      assert.equal(plans.length, 0, `a wrong value must not silently become the default: ${JSON.stringify(change)}`);
    }
  });

  it('says what a bare name should have been', async () => {
    const bare = (
      await check(planText({ 'model:': 'model: «meta-llama/Llama-3.1-8B-Instruct»{wrong-type}', 'id:': '' }))
    ).problems[0];
    assert.match(bare?.message ?? '', /\{id: meta-llama/);
  });

  it('treats a key without value as absent, with a warning', async () => {
    const { plans, problems } = await check(planText({ 'maxNumSeqs:': '«maxNumSeqs»{empty-value}:' }));
    assert.equal(plans[0]?.engine.maxNumSeqs.value, 256);
    assert.equal(problems[0]?.severity, 'warning');
  });

  it('places negative and absurd quantities', async () => {
    const cases: readonly Readonly<Record<string, string>>[] = [
      { 'maxNumSeqs:': 'maxNumSeqs: «-1»{out-of-range}' },
      { 'maxNumSeqs:': 'maxNumSeqs: «1e30»{out-of-range}' },
      { 'maxNumSeqs:': 'maxNumSeqs: «.inf»{out-of-range}' },
      { 'maxNumSeqs:': 'maxNumSeqs: «.nan»{out-of-range}' },
      { 'maxNumSeqs:': 'gpuMemoryUtilization: «1.9»{utilization-out-of-range}' },
      { 'maxNumSeqs:': 'gpuMemoryUtilization: «0»{utilization-out-of-range}' },
      { 'maxNumSeqs:': 'gpuMemoryUtilization: «-0.5»{utilization-out-of-range}' },
      { 'requests:': 'requests: «1000000000»{out-of-range}' },
      { 'requests:': 'requests: «-5»{out-of-range}' },
      { 'tensor:': 'tensor: «0»{out-of-range}' },
      { 'arrivals:': 'arrivals: {process: poisson, rate: «-1»{out-of-range}}' },
      { 'arrivals:': 'arrivals: {process: closed, concurrency: «0»{out-of-range}}' },
      { 'input:': 'input: {tokens: «0»{out-of-range}}' },
      { 'input:': 'input: {uniform: «[9, 3]»{out-of-range}}' },
      { 'input:': 'input: {percentiles: {p50: 100, p99: «50»{out-of-range}}}' },
      { 'hostPool:': 'hostPool: «5000TiB»{out-of-range}' },
      { 'hostPool:': 'alpha: «0»{out-of-range}' },
    ];
    for (const change of cases) assert.equal((await check(planText(change))).plans.length, 0, JSON.stringify(change));
  });

  it('offers the share where a percentage was written', async () => {
    const { problems } = await check(
      planText({ 'maxNumSeqs:': 'gpuMemoryUtilization: «90»{utilization-out-of-range}' }),
    );
    assert.equal(problems[0]?.fixes?.[0]?.edits[0]?.newText, '0.9');
  });

  it('places unknown units', async () => {
    await check(planText({ 'ttft:': 'ttft: «3 parsecs»{invalid-quantity}' }));
    await check(planText({ 'ttft:': 'ttft: «3»{invalid-quantity}' }));
    await check(planText({ 'hostMemory:': 'hostMemory: «256 Gibs»{invalid-quantity}' }));
    await check(planText({ 'hostPool:': 'hostPool: «-4GiB»{invalid-quantity}' }));
    await check(planText({ 'maxModelLen:': 'maxModelLen: «8kk»{invalid-quantity}' }));
  });

  it('suggests the model and the GPU that were meant', async () => {
    const { problems, plans } = await check(
      planText({ 'id:': 'id: «meta-llama/Llama-3.1-8B-Instrukt»{unknown-model}', 'gpu:': 'gpu: «L2O»{unknown-gpu}' }),
    );
    assert.equal(plans.length, 0);
    assert.equal(problems[0]?.fixes?.[0]?.edits[0]?.newText, 'meta-llama/Llama-3.1-8B-Instruct');
    assert.equal(problems[1]?.fixes?.[0]?.edits[0]?.newText, 'L20');
  });

  it('offers words near the written one', async () => {
    const { problems } = await check(
      planText({
        'maxNumSeqs:': 'scheduler: «v2»{invalid-value}',
        'id:': 'id: meta-llama/Llama-3.1-8B-Instruct\n    dtype: «bf61»{invalid-value}',
      }),
    );
    assert.equal(problems[0]?.fixes?.[0]?.edits[0]?.newText, 'bf16');
  });

  it('names what is missing, at the key that lacks it', async () => {
    await check('apiVersion: layerkv/v1\nkind: ServingPlan\n«spec»{missing-key}:\n  replicas: 1\n');
    await check('«apiVersion»{missing-key}: layerkv/v1\nkind: ServingPlan\n');
    await check('«apiVersion»{missing-key}: layerkv/v1\n');
    await check(planText({ 'gpu:': '', 'hardware:': '«hardware»{missing-key}:' }));
    await check(planText({ 'input:': '', 'output:': '', 'workload:': '«workload»{missing-key}:' }));
    await check(planText({ 'arrivals:': '«arrivals»{missing-key}: {process: poisson}' }));
    await check(planText({ 'arrivals:': '«arrivals»{missing-key}: {process: gamma, rate: 2}' }));
    await check(planText({ 'input:': '«input»{missing-key}: {mean: 3}' }));
    await check(planText({ 'id:': '', 'model:': '«model»{missing-key}:\n    dtype: bf16' }));
  });

  it('reports rate 0 and zero requests in words of their own', async () => {
    await check(planText({ 'arrivals:': 'arrivals: {process: poisson, rate: «0»{zero-rate}}' }));
    await check(planText({ 'requests:': 'requests: «0»{zero-requests}' }));
  });
});
