import assert from 'node:assert/strict';
import { codeActions } from '../../src/language/codeActions.ts';
import { codeLenses } from '../../src/language/codeLens.ts';
import { diagnostics } from '../../src/language/diagnostics.ts';
import { hover } from '../../src/language/hover.ts';
import { inlayHints } from '../../src/language/inlayHints.ts';
import { escapeMarkdown, inlineCode } from '../../src/language/words.ts';
import { parseText } from '../../src/text/parse.ts';
import { FIGURE_1, positionOf, prediction, ready, URI, viewOf } from './views.ts';

const ALL = { kvTokens: true, weights: true, layers: true };
const WHOLE = { start: { line: 0, character: 0 }, end: { line: 999, character: 0 } };

async function hoverAt(text: string, needle: string, simulation = ready()): Promise<string | null> {
  const found = hover(await viewOf(text, simulation), parseText(text), positionOf(text, needle));
  const contents = found?.contents;
  return typeof contents === 'object' && 'value' in contents ? contents.value : null;
}

describe('code lens', () => {
  it('says the headline and offers both runs, on the first line of the plan', async () => {
    const view = await viewOf(FIGURE_1, ready());
    const lenses = codeLenses(view);
    assert.deepEqual(
      lenses.map(({ command }) => [command?.title, command?.command]),
      [
        ['vLLM · TTFT p99 26.5 s · 74 % (69–79 %) miss SLO · saturated', 'layerkv.openReport'],
        ['Simulate', 'layerkv.simulate'],
        ['Compare policies', 'layerkv.compare'],
      ],
    );
    assert.deepEqual(
      new Set(lenses.map(({ range }) => range.start.line)),
      new Set([positionOf(FIGURE_1, 'apiVersion').line]),
    );
    assert.deepEqual(lenses[0]?.command?.arguments, [{ uri: URI, document: 0 }]);
  });

  it('is there from the start, and keeps its text while new figures are made', async () => {
    const titles = async (simulation: Parameters<typeof viewOf>[1]): Promise<(string | undefined)[]> =>
      codeLenses(await viewOf(FIGURE_1, simulation)).map(({ command }) => command?.title);
    assert.deepEqual(await titles({ kind: 'pending', last: null }), ['simulating…', 'Simulate', 'Compare policies']);
    assert.equal(
      (await titles({ kind: 'pending', last: prediction() }))[0],
      'vLLM · TTFT p99 26.5 s · 74 % (69–79 %) miss SLO · saturated …',
    );
    const behind = { verdict: 'met', backlog: { atHalf: 12, atEnd: 47, parkedAtEnd: 46, grows: true } } as const;
    assert.match((await titles(ready(behind)))[0] ?? '', / · SLO met · backlog grows$/);
    assert.match((await titles({ kind: 'off' }))[0] ?? '', /^vLLM · room for [\d.]+k tokens of KV cache$/);
    assert.equal((await titles({ kind: 'failed', message: 'no memory' }))[0], 'simulation failed: no memory');
  });
});

describe('inlay hints', () => {
  it('stand at the ends of the lines that decide them', async () => {
    const hints = inlayHints(await viewOf(FIGURE_1), WHOLE, ALL);
    const lines = FIGURE_1.split('\n');
    const shown = hints.map(({ position, label }) => {
      assert.equal(position.character, lines[position.line]?.length);
      return `${lines[position.line]?.trim().split(':')[0]}: ${String(label).replace(/[\d.]+/g, 'N')}`;
    });
    assert.deepEqual(shown, [
      'gpuMemoryUtilization: Nk KV tokens',
      'maxModelLen: N full-length sequences',
      'dtype: weights N GB per GPU of N GB usable',
      'enabled: if on: N/N layers kept · offload hidden',
    ]);
  });

  it('can be switched off one by one, and keep to the lines asked for', async () => {
    const view = await viewOf(FIGURE_1);
    assert.equal(inlayHints(view, WHOLE, { ...ALL, kvTokens: false }).length, 2);
    assert.equal(inlayHints(view, WHOLE, { kvTokens: false, weights: false, layers: false }).length, 0);
    assert.equal(inlayHints(view, { start: WHOLE.start, end: { line: 3, character: 0 } }, ALL).length, 0);
  });

  it('say what the prediction says once there is one', async () => {
    const offload = {
      layers: 32,
      retainedLayers: 0,
      hiddenShare: 0.42,
      deviceToHostBytes: 1,
      hostToDeviceBytes: 1,
      parkedS: 0,
    };
    const text = FIGURE_1.replace('enabled: false', 'enabled: true');
    const hints = inlayHints(await viewOf(text, ready({ policy: 'layerkv', offload })), WHOLE, ALL);
    assert.equal(hints.at(-1)?.label, '0/32 layers kept · offload 42 % hidden');
  });
});

describe('hover', () => {
  it('shows the prediction on the head, the load and the goals', async () => {
    for (const needle of ['kind:', 'workload:', 'slo:', 'ttft:', 'llama-2-7b-l20-figure-1\nspec']) {
      const value = await hoverAt(FIGURE_1, needle);
      assert.match(value ?? '', /^\*\*vLLM · TTFT p99 26\.5 s · 74 % \(69–79 %\) miss SLO · saturated\*\*/, needle);
    }
    const backlog = { atHalf: 12, atEnd: 47, parkedAtEnd: 46, grows: true };
    const behind = await hoverAt(FIGURE_1, 'slo:', ready({ verdict: 'met', backlog }));
    assert.match(behind ?? '', /\*\*The backlog grows\*\*: 47 requests were waiting .* 12 half-way\. A longer run/);
    const value = (await hoverAt(FIGURE_1, 'slo:')) ?? '';
    assert.doesNotMatch(value, /backlog/);
    assert.match(value, /\| TTFT \| 12\.3 s \| 12\.3 s \| 12\.3 s \| 26\.5 s \| 3\.0 s \| 74 % \|/);
    assert.match(value, /queue 11\.9 s \(97 %\) · prefill 369 ms \(3 %\)/);
    assert.match(
      value,
      /timed on other GPUs · defaults of vllm 0\.5\.5 \(0\.5\.0 until 0\.8\.0, all GPUs\), scheduler v0 · seed 1/,
    );
  });

  it('explains a key: meaning, effective value and where it comes from', async () => {
    const value = (await hoverAt(FIGURE_1, 'gpuMemoryUtilization')) ?? '';
    assert.match(value, /^`gpuMemoryUtilization` \S/);
    assert.match(value, /Here: \*\*0\.9\*\* \(stated here\)/);
    assert.match(value, /Default of vllm 0\.5\.5: `0\.9` \(0\.5\.0 until 0\.8\.0, all GPUs\)/);
    assert.doesNotMatch(value, /TTFT p99/);
  });

  it('answers on every key of the sample, and nowhere in files of others', async () => {
    const keys = FIGURE_1.match(/^\s*\w+(?=:)/gm) ?? [];
    assert.ok(keys.length > 20);
    const view = await viewOf(FIGURE_1, ready());
    const parsed = parseText(FIGURE_1);
    for (const [line, text] of FIGURE_1.split('\n').entries()) {
      const character = text.search(/\w+:/);
      if (character < 0 || text.trimStart().startsWith('#')) continue;
      assert.ok(hover(view, parsed, { line, character }), text);
    }
    const both = `${FIGURE_1}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: theirs\n`;
    assert.equal(await hoverAt(both, 'name: theirs'), null);
  });

  it('lets nothing of the file act as Markdown', async () => {
    const evil = 'x](command:evil) <img src=y> **b** `c` | d https://e.example www.f.example $(trash)';
    const escaped = escapeMarkdown(evil);
    assert.doesNotMatch(escaped, /(?<!\\)[\]<>*`|$]|https:\/\/|www\./);
    assert.equal(inlineCode('a`b|c\nd'), '`aˋb∣c d`');
    const text = FIGURE_1.replace('name: llama-2-7b-l20-figure-1', `name: "${evil}"`);
    const value = (await hoverAt(text, 'name: "x')) ?? '';
    assert.ok(value.includes(escaped));
    assert.ok(!value.includes('](command:evil)') || value.includes('\\](command:evil)'));
  });
});

describe('diagnostics and code actions', () => {
  const options = { uri: URI, version: 1, rules: {}, docs: (rule: string) => `file:///docs/rules.md#${rule}` };
  const MISTAKE = FIGURE_1.replace('gpu: L20', 'gpu: L2O');

  it('carry source, code, docs and related places', async () => {
    const { analysis } = await viewOf(MISTAKE);
    const found = diagnostics(analysis.problems, options).find(({ code }) => code === 'unknown-gpu');
    assert.ok(found);
    assert.equal(found.source, 'layerkv');
    assert.equal(found.severity, 1);
    assert.equal(found.codeDescription?.href, 'file:///docs/rules.md#unknown-gpu');
  });

  it('obey the settings', async () => {
    const { analysis } = await viewOf(MISTAKE);
    const severities = (rules: Parameters<typeof diagnostics>[1]['rules']): (number | undefined)[] =>
      diagnostics(analysis.problems, { ...options, rules })
        .filter(({ code }) => code === 'unknown-gpu')
        .map(({ severity }) => severity);
    assert.deepEqual(severities({ 'unknown-gpu': 'hint' }), [4]);
    assert.deepEqual(severities({ 'unknown-gpu': 'off' }), []);
  });

  it('offer the fix, but not for an older text', async () => {
    const view = await viewOf(MISTAKE);
    const found = diagnostics(view.analysis.problems, options).filter(({ code }) => code === 'unknown-gpu');
    const [fix] = codeActions(view, found);
    assert.equal(fix?.isPreferred, true);
    assert.deepEqual(
      fix?.edit?.changes?.[URI]?.map(({ newText }) => newText),
      ['L20'],
    );
    assert.deepEqual(codeActions({ ...view, version: 2 }, found), []);
    assert.deepEqual(codeActions(view, [{ range: WHOLE, message: 'theirs', source: 'yaml', data: 7 }]), []);
  });

  it('silence a rule with a comment that then works, once and again', async () => {
    const view = await viewOf(FIGURE_1);
    const found = diagnostics(view.analysis.problems, options).filter(
      ({ code }) => code === 'max-model-len-above-model-limit',
    );
    assert.equal(found.length, 1);
    const action = codeActions(view, found).find(({ title }) => title.startsWith('Silence'));
    const edit = action?.edit?.changes?.[URI]?.[0];
    assert.equal(edit?.newText, '    # layerkv-disable-next-line max-model-len-above-model-limit\n');
    const lines = FIGURE_1.split('\n');
    lines.splice(edit?.range.start.line ?? 0, 0, edit?.newText.trimEnd() ?? '');
    const silenced = await viewOf(lines.join('\n'));
    assert.ok(!silenced.analysis.problems.some(({ rule }) => rule === 'max-model-len-above-model-limit'));
    const line = (found[0]?.range.start.line ?? 0) + 1;
    const range = { start: { line, character: 17 }, end: { line, character: 22 } };
    const [second] = codeActions(silenced, [{ range, message: '', source: 'layerkv', code: 'another-rule' }]);
    assert.deepEqual(second?.edit?.changes?.[URI]?.[0]?.newText, ' another-rule');
  });
});
