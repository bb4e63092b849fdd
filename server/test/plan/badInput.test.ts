import assert from 'node:assert/strict';
import { analyseText, applyFix, check, filesOf, planText } from './marks.ts';

describe('bad input', () => {
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
    await check(
      'apiVersion: layerkv/v1\nkind: ServingPlan\n«spec»{missing-key,missing-key,missing-key}:\n  replicas: 1\n',
    );
    await check('«apiVersion»{missing-key}: layerkv/v1\nkind: ServingPlan\n');
    await check('«apiVersion»{missing-key,missing-key}: layerkv/v1\n');
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

  it('stops an alias bomb', async () => {
    const levels = 'bcdefghi'.split('');
    const bomb = levels.map(
      (name, i) =>
        `  ${name}: &${name} [${Array(9)
          .fill(`*${String.fromCharCode(name.charCodeAt(0) - 1)}`)
          .join(', ')}] # ${i}`,
    );
    const text = planText({
      'name:': `name: x\n  labels:\n    a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n${bomb.map((line) => `  ${line}`).join('\n')}`,
    });
    const { problems, plans } = await analyseText(text);
    assert.deepEqual(
      problems.map((problem) => problem.rule),
      ['alias-expansion'],
    );
    assert.equal(plans.length, 0);
  });

  it('follows aliases and merge keys of usual size', async () => {
    const text = planText({ 'input:': 'input: &length {tokens: 1024}', 'output:': 'output:\n      <<: *length' });
    const { plans } = await check(text);
    assert.deepEqual(plans[0]?.workload.output.value, { kind: 'fixed', tokens: 1024 });
  });

  it('does not overflow on deep nesting', async () => {
    for (const text of [
      `${planText()}x: ${'['.repeat(50_000)}`,
      `${planText()}x: ${'['.repeat(300)}${']'.repeat(300)}\n`,
      `${planText()}${'- '.repeat(20_000)}x`,
    ]) {
      const { problems, relevant } = await analyseText(text);
      assert.equal(relevant, true);
      assert.ok(problems.some((problem) => problem.severity === 'error'));
      assert.ok(problems.length < 100);
    }
  });

  it('says that 10 MB are too much, without reading them', async () => {
    const text = `# a comment\n${planText()}${'# padding that means nothing\n'.repeat(400_000)}`;
    assert.ok(text.length > 10_000_000);
    const { problems, relevant } = await analyseText(text);
    assert.equal(relevant, true);
    assert.deepEqual(
      problems.map(({ rule, severity, range }) => [rule, severity, range.start.line]),
      [['file-too-large', 'information', 1]],
    );
    assert.equal((await analyseText('key: value\n'.repeat(1_000_000), filesOf(), 'other.yaml')).relevant, false);
  });

  it('copes with hundreds of thousands of keys', async () => {
    const keys = Array.from({ length: 200_000 }, (_, i) => `k${i}: 1`).join('\n');
    const { problems } = await analyseText(`${planText()}${keys}\n`);
    assert.ok(problems.length > 0 && problems.length <= 200);
    assert.ok(problems.every((problem) => problem.rule === 'unknown-key'));
  });

  it('says that binary data is not YAML', async () => {
    const png = '\u0089PNG\r\n\u001a\n\0\0\0\rIHDR';
    assert.deepEqual(
      (await analyseText(png)).problems.map((problem) => problem.rule),
      ['binary-file'],
    );
    assert.equal((await analyseText(png, filesOf(), 'picture.yaml')).relevant, false);
    assert.deepEqual(
      (await analyseText(`${planText()}\0`)).problems.map((problem) => problem.rule),
      ['binary-file'],
    );
  });

  it('places problems alike with LF, CRLF and a byte order mark', async () => {
    const marked = planText({
      'maxNumSeqs:': '«maxNumSeq»{unknown-key}: 64',
      'ttft:': 'ttft: «3 parsecs»{invalid-quantity}',
    });
    await check(marked);
    await check(marked.replaceAll('\n', '\r\n'));
    await check(`\ufeff${marked}`);
    await check(`\ufeff${marked.replaceAll('\n', '\r\n')}`);
  });

  it('counts positions in UTF-16 units', async () => {
    await check(planText({ 'name:': 'name: "🚀 ü"\n  «🚀nmae»{unknown-key}: y' }));
    await check(
      planText({
        'arrivals:': 'arrivals: {process: poisson, rate: 1} # 🚀',
        'output:': 'output: {«"🚀"»{unknown-key}: 1, tokens: 5}',
      }),
    );
  });

  it('reads the sound one of two plans where the other is broken', async () => {
    const broken = planText({ 'name:': 'name: broken', 'tensor:': 'tensor: [1' });
    for (const text of [`${broken}---\n${planText()}`, `${planText()}---\n${broken}`]) {
      const { plans, problems } = await analyseText(text, filesOf(), 'two.yaml');
      assert.deepEqual(
        plans.map((plan) => plan.name.value),
        ['sound'],
      );
      assert.ok(
        problems.length > 0 && problems.every((problem) => problem.rule === 'yaml-syntax'),
        JSON.stringify(problems),
      );
      for (const { range } of problems) {
        const inFirst = range.start.line <= broken.split('\n').length - 1;
        assert.equal(inFirst, text.startsWith(broken), `placed on line ${range.start.line}`);
      }
    }
  });

  it('has nothing to say of a ConfigMap, even one that holds a plan or stands beside one', async () => {
    const configMap =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a.yaml: |\n    apiVersion: layerkv/v1\n    kind: ServingPlan\n  tab: a\tb\n';
    const alone = await analyseText(configMap, filesOf(), 'config.yaml');
    assert.deepEqual(alone, { relevant: false, problems: [], plans: [], workloads: [] });
    const beside = await analyseText(`${configMap}---\n${planText()}`, filesOf(), 'both.yaml');
    assert.deepEqual(beside.problems, []);
    assert.deepEqual(
      beside.plans.map((plan) => plan.documentIndex),
      [1],
    );
  });

  it('has nothing to say of broken YAML that is not ours', async () => {
    assert.equal((await analyseText('a: [\nb: }', filesOf(), 'x.yaml')).relevant, false);
    const beside = await analyseText(`a: [\n---\n${planText()}`, filesOf(), 'both.yaml');
    assert.deepEqual(beside.problems, []);
    assert.equal(beside.plans.length, 1);
  });

  it('reports a document that does not say what it is, only in files of ours', async () => {
    await check('«kind»{missing-api-version}: ServingPlan\nspec: {}\n');
    assert.equal((await analyseText('kind: ServingPlan\n', filesOf(), 'x.yaml')).relevant, false);
  });

  it('reports versions and kinds that it does not know', async () => {
    await check('apiVersion: «layerkv/v9»{unknown-api-version}\nkind: ServingPlan\n');
    await check('apiVersion: layerkv/v1\nkind: «ServngPlan»{unknown-kind}\n');
  });

  it('leaves templates alone, with one note', async () => {
    await check(planText({ 'tensor:': 'tensor: «{{»{template} .Values.tp }}' }));
    const quoted = await analyseText(planText({ 'name:': 'name: "{{ .Release.Name }}"' }));
    assert.deepEqual(
      quoted.problems.map((problem) => problem.rule),
      ['template'],
    );
    await check(planText({ 'name:': 'name: x # {{ .Values.x }}' }));
  });

  it('reports trace files that are missing, empty or not traces', async () => {
    const withTrace = planText({ 'arrivals:': 'trace: «./t.csv»{RULE}', 'input:': '', 'output:': '', 'requests:': '' });
    await check(withTrace.replace('RULE', 'trace-unreadable'));
    await check(withTrace.replace('RULE', 'trace-invalid'), { files: filesOf({ './t.csv': '' }) });
    await check(withTrace.replace('RULE', 'trace-invalid'), { files: filesOf({ './t.csv': 'a,b\n1,2\n' }) });
    const { plans } = await check(withTrace.replace('RULE', 'trace-failures'), {
      files: filesOf({ './t.csv': 'arrival_s,input_tokens,output_tokens\n0,10,5\n1,10,0\n2,10,5\n' }),
    });
    assert.equal(plans[0]?.workload.requests.value, 2);
    assert.equal(plans[0]?.workload.trace.value?.path, './t.csv');
  });

  it('reads what is meant by an unquoted version, and asks for quotes', async () => {
    const { plans, problems } = await check(planText({ 'version:': 'version: «0.10»{wrong-type}' }), {
      ignore: ['batched-tokens-below-max-model-len'],
    });
    assert.equal(plans[0]?.engine.version.value, '0.10');
    assert.equal(problems[0]?.severity, 'warning');
  });

  it('validates defaults documents without making plans of them', async () => {
    const { plans } = await check(
      'apiVersion: layerkv/v1\nkind: ServingDefaults\nspec:\n  engine:\n    «maxModelLenn»{unknown-key}: 3\noverrides:\n  - name: x\n    spec:\n      slo: {ttft: 3s, «tppot»{unknown-key}: 1s}\n',
      { fileName: 'layerkv.yaml' },
    );
    assert.equal(plans.length, 0);
  });

  it('silences rules by comment', async () => {
    await check(planText({ 'maxNumSeqs:': '# layerkv-disable-next-line unknown-key\n    maxNumSeq: 64' }));
    await check(planText({ 'maxNumSeqs:': 'maxNumSeq: 64 # layerkv-disable-line unknown-key, other' }));
    await check(planText({ 'maxNumSeqs:': 'maxNumSeq: 64 # layerkv-disable-line' }));
    await check(planText({ 'maxNumSeqs:': '«maxNumSeq»{unknown-key}: 64 # layerkv-disable-line other-rule' }));
    await check(planText({ 'maxNumSeqs:': '«maxNumSeq»{unknown-key}: 64 # layerkv-disable-next-line unknown-key' }));
  });
});
