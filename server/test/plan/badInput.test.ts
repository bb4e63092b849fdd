import assert from 'node:assert/strict';
import { analyseText, check, filesOf, planText } from './marks.ts';

describe('bad files', () => {
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
    await check(planText({ 'maxNumSeqs:': 'maxNumSeq: 64 # layerkv-disable-line unknown-key, no-slo -- because' }));
    await check(planText({ 'maxNumSeqs:': 'maxNumSeq: 64 # layerkv-disable-line' }));
    await check(planText({ 'maxNumSeqs:': '«maxNumSeq»{unknown-key}: 64 # layerkv-disable-line no-slo' }));
    await check(planText({ 'maxNumSeqs:': '«maxNumSeq»{unknown-key}: 64 # layerkv-disable-next-line unknown-key' }));
  });

  it('warns of a comment that silences a rule which does not exist', async () => {
    const { problems } = await check(
      planText({
        'maxNumSeqs:': '# layerkv-disable-next-line «unknown-keys»{unknown-rule} no-slo\n    maxNumSeqs: 64',
      }),
    );
    assert.match(problems[0]?.message ?? '', /Did you mean `unknown-key`\?/);
    // Prose behind the ids is told once; a reason not at all.
    await check(planText({ 'requests:': 'requests: 64 # layerkv-disable-line «as»{unknown-rule} this is only a try' }));
    await check(planText({ 'requests:': 'requests: 64 # layerkv-disable-line no-slo -- this is only a try' }));
    await check(planText({ 'tpot:': 'tpot: 200ms # layerkv-disable-line «xyz»{unknown-rule}' }));
    await check(`${planText()}# layerkv-disable-line «slo-mised»{unknown-rule}`);
    await check(planText({ 'requests:': 'requests: 64 # layerkv-disable-line' }));
    const foreign = await analyseText('a: 1 # layerkv-disable-line nothing-of-ours\n', filesOf(), 'b.yaml');
    assert.deepEqual(foreign.problems, []);
  });
});
