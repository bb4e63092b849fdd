import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CancellationTokenSource } from 'vscode-jsonrpc/node';
import type { CodeAction, CodeLens, CompletionItem, Diagnostic, Hover, InlayHint } from 'vscode-languageserver-types';
import { SIMULATE_METHOD, type SimulateParams, type SimulateResult } from '../../src/protocol.ts';
import { FIGURE_1, positionOf } from '../language/views.ts';
import { Client, MODERN } from './client.ts';

const URI = 'file:///nowhere/figure-1.layerkv.yaml';
const DOCUMENT = { textDocument: { uri: URI } };
const WHOLE = { start: { line: 0, character: 0 }, end: { line: 999, character: 0 } };
const codes = (diagnostics: readonly Diagnostic[]): readonly unknown[] => diagnostics.map(({ code }) => code);

const FIGURE_1_CALIBRATION = JSON.stringify({
  schema: 'layerkv/calibration/v1',
  madeFor: {
    model: 'meta-llama/Llama-2-7b-hf',
    gpu: 'L20',
    weightDtype: 'bf16',
    kvCacheDtype: 'bf16',
    parallelism: { tensor: 1, pipeline: 1, data: 1, expert: 1 },
    engineVersion: '0.5.5',
    scheduler: 'v0',
  },
  scales: { prefill: 1.1, decode: 0.9, overhead: 1 },
  pool: null,
  benchmarks: [],
  log: null,
});

describe('the language server over the protocol', () => {
  let client: Client;
  beforeEach(() => {
    client = new Client();
  });
  afterEach(async () => {
    assert.equal(await client.stop(), 0);
    assert.deepEqual(client.errors, []);
  });

  it('pushes diagnostics that appear and clear, and simulates in the background', async () => {
    const { capabilities } = await client.start();
    assert.equal(capabilities['diagnosticProvider'], undefined);
    await client.open(URI, FIGURE_1.replace('gpu: L20', 'gpu: L2O'));
    const broken = await client.until(client.published, ({ diagnostics }) =>
      codes(diagnostics).includes('unknown-gpu'),
    );
    const actions = await client.request<CodeAction[]>('textDocument/codeAction', {
      ...DOCUMENT,
      range: WHOLE,
      context: { diagnostics: broken.diagnostics },
    });
    const edits = actions[0]?.edit?.changes?.[URI];
    assert.ok(edits);
    await client.change(URI, 2, ...edits.map(({ range, newText }) => ({ range, text: newText })));
    const status = await client.simulated(URI, 2);
    assert.ok(status.state === 'simulated' && status.seed === 3);
    const now = await client.until(
      client.published,
      ({ version, diagnostics }) => version === 2 && codes(diagnostics).includes('slo-missed'),
    );
    assert.ok(!codes(now.diagnostics).includes('unknown-gpu'));
    await client.connection.sendNotification('textDocument/didClose', DOCUMENT);
    const seen = client.published.indexOf(now);
    await client.until(client.published, ({ diagnostics }) => diagnostics.length === 0, seen);
  });

  it('answers hover, lenses, hints and completion', async () => {
    await client.start();
    await client.open(URI, FIGURE_1);
    const early = await client.request<CodeLens[]>('textDocument/codeLens', DOCUMENT);
    assert.equal(early.length, 3);
    await client.simulated(URI, 1);
    const [headline] = await client.request<CodeLens[]>('textDocument/codeLens', DOCUMENT);
    assert.match(headline?.command?.title ?? '', /^vLLM · TTFT p99 \d+\.\d s · \d+ % .*miss SLO · saturated$/);
    const hover = await client.request<Hover>('textDocument/hover', {
      ...DOCUMENT,
      position: positionOf(FIGURE_1, 'slo:'),
    });
    assert.match(JSON.stringify(hover.contents), /\| TTFT \|/);
    const hints = await client.request<InlayHint[]>('textDocument/inlayHint', { ...DOCUMENT, range: WHOLE });
    assert.ok(hints.some(({ label }) => /KV tokens/.test(String(label))));
    const items = await client.request<CompletionItem[]>('textDocument/completion', {
      ...DOCUMENT,
      position: positionOf(FIGURE_1, 'L20\n'),
    });
    assert.ok(items.some(({ label }) => label === 'L20'));
  });

  it('lets a modern client pull, asks it to refresh, and obeys its settings per document', async () => {
    client.settings = { rules: { 'slo-missed': 'hint', saturated: 'off' } };
    const { capabilities } = await client.start(MODERN);
    assert.ok(capabilities['diagnosticProvider']);
    await client.open(URI, FIGURE_1);
    await client.simulated(URI, 1);
    for (const what of ['diagnostic', 'codeLens', 'inlayHint']) {
      await client.until(client.asked, (method) => method === `workspace/${what}/refresh`);
    }
    const pull = async (): Promise<readonly Diagnostic[]> =>
      (await client.request<{ items: Diagnostic[] }>('textDocument/diagnostic', DOCUMENT)).items;
    const items = await pull();
    assert.equal(items.find(({ code }) => code === 'slo-missed')?.severity, 4);
    assert.ok(!codes(items).includes('saturated'));
    // Asked once, then remembered until something changes.
    assert.equal(client.asked.filter((method) => method === 'workspace/configuration').length, 1);
    client.settings = { simulation: { enabled: false }, codeLens: { enabled: false } };
    await client.connection.sendNotification('workspace/didChangeConfiguration', { settings: null });
    await client.until(client.statuses, (status) => status.state === 'idle' && status.reason === 'disabled');
    assert.ok(!codes(await pull()).includes('slo-missed'));
    assert.deepEqual(await client.request('textDocument/codeLens', DOCUMENT), []);
    assert.deepEqual(client.published, []);
  });

  it('sees a calibration that is made beside an open plan, and when it goes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'layerkv-lsp-'));
    try {
      const uri = pathToFileURL(join(folder, 'chat.layerkv.yaml')).href;
      const file = join(folder, 'chat.calibration.json');
      const changed = (type: number) =>
        client.connection.sendNotification('workspace/didChangeWatchedFiles', {
          changes: [{ uri: pathToFileURL(file).href, type }],
        });
      const lookAgain = 'workspace/codeLens/refresh';
      const cost = async (seen: number): Promise<string> => {
        await client.until(client.statuses, (status) => status.state === 'simulated', seen);
        const position = positionOf(FIGURE_1, 'slo:');
        const found = await client.request<Hover>('textDocument/hover', { textDocument: { uri }, position });
        return /cost: (\w+)/.exec(JSON.stringify(found.contents))?.[1] ?? '';
      };
      await client.start(MODERN);
      await client.until(client.asked, (method) => method === 'workspace/didChangeWatchedFiles');
      await client.open(uri, FIGURE_1);
      assert.notEqual(await cost(0), 'calibrated');
      writeFileSync(file, FIGURE_1_CALIBRATION);
      let seen = client.statuses.length;
      let asked = client.asked.length;
      await changed(1);
      await client.until(client.asked, (method) => method === lookAgain, asked);
      assert.equal(await cost(seen), 'calibrated');
      rmSync(file);
      seen = client.statuses.length;
      asked = client.asked.length;
      await changed(3);
      await client.until(client.asked, (method) => method === lookAgain, asked);
      assert.notEqual(await cost(seen), 'calibrated');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('has nothing to say about files of others', async () => {
    await client.start(MODERN);
    const uri = 'file:///nowhere/theirs.yaml';
    await client.open(uri, 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {b: [\n');
    const textDocument = { uri };
    assert.equal(
      await client.request('textDocument/hover', { textDocument, position: { line: 0, character: 1 } }),
      null,
    );
    assert.deepEqual(await client.request('textDocument/codeLens', { textDocument }), []);
    assert.deepEqual(
      await client.request('textDocument/completion', { textDocument, position: { line: 1, character: 0 } }),
      [],
    );
    const result = await client.request<SimulateResult>(SIMULATE_METHOD, { textDocument });
    assert.ok(!result.ok && result.message.includes('layerkv/v1'));
    // That calibrations are watched is asked once, whatever is open.
    assert.deepEqual([client.published, client.statuses, client.asked], [[], [], ['workspace/didChangeWatchedFiles']]);
  });

  it('simulates on request, with progress and the columns of the report', async () => {
    await client.start();
    await client.open(URI, FIGURE_1);
    const progress: { kind: string; percentage?: number }[] = [];
    client.connection.onNotification('$/progress', ({ token, value }) => {
      assert.equal(token, 'run-1');
      progress.push(value);
    });
    const params: SimulateParams = { ...DOCUMENT, policy: 'compare', interval: false, workDoneToken: 'run-1' };
    const result = await client.request<SimulateResult>(SIMULATE_METHOD, params);
    assert.ok(result.ok);
    assert.deepEqual(
      result.predictions.map(({ prediction }) => prediction.policy),
      ['vllm', 'layerkv'],
    );
    for (const { prediction, requests } of result.predictions) {
      assert.equal(requests.firstTokenS.length, prediction.requests);
      assert.equal(requests.arrivalS.length, prediction.requests);
    }
    assert.equal(result.plan.arrivals, 'Poisson, 1 request/s');
    assert.equal(progress[0]?.kind, 'begin');
    assert.ok(progress.some(({ kind, percentage }) => kind === 'report' && percentage === 50));
    assert.equal(progress.at(-1)?.kind, 'end');
  });

  it('ends a simulation that is cancelled', async () => {
    await client.start();
    await client.open(URI, FIGURE_1);
    const source = new CancellationTokenSource();
    const params: SimulateParams = { ...DOCUMENT, requests: 2_000_000, workDoneToken: 7 };
    client.connection.onNotification('$/progress', ({ value }) => {
      if (value.kind === 'begin') source.cancel();
    });
    await assert.rejects(client.connection.sendRequest(SIMULATE_METHOD, params, source.token), { code: -32800 });
    const after = await client.request<SimulateResult>(SIMULATE_METHOD, { ...DOCUMENT, interval: false });
    assert.ok(after.ok);
  });

  it('says why a broken plan cannot be simulated', async () => {
    await client.start();
    await client.open(URI, FIGURE_1.replace('gpu: L20', 'gpu: none'));
    const result = await client.request<SimulateResult>(SIMULATE_METHOD, DOCUMENT);
    assert.ok(!result.ok && /errors/.test(result.message));
    const lost = await client.request<SimulateResult>(SIMULATE_METHOD, { ...DOCUMENT, document: 4 });
    assert.ok(!lost.ok);
  });

  it('never tells of an older text after a newer one', async () => {
    await client.start();
    await client.open(URI, FIGURE_1);
    const last = 12;
    for (let version = 2; version <= last; version++) {
      await client.change(URI, version, { text: FIGURE_1.replace('rate: 1', `rate: ${version / 10}`) });
    }
    await client.simulated(URI, last);
    await client.until(client.published, ({ version }) => version === last);
    const versions = client.statuses.map(({ version }) => version);
    assert.deepEqual(
      versions,
      [...versions].sort((a, b) => a - b),
    );
    const pushed = client.published.map(({ version = 0 }) => version);
    assert.deepEqual(
      pushed,
      [...pushed].sort((a, b) => a - b),
    );
    const shown = client.statuses.flatMap((status) => (status.state === 'simulated' ? [status.version] : []));
    assert.ok(shown.every((version) => version === 1 || version === last));
  });

  it('survives whatever is typed', async () => {
    await client.start();
    await client.open(URI, FIGURE_1);
    const random = seeded(20_240_928);
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ': ',
      '- ',
      '\n',
      '\r\n',
      '\t',
      '"',
      "'",
      '&a ',
      '*a',
      '<<: *a',
      '|',
      '>',
      '#',
      '---\n',
      '…',
      '\u{1F600}',
      '-1',
      '1e999',
      'null',
      '{{ .Values }}',
      '\0',
      'spec:\n',
      '  ',
    ];
    let version = 1;
    let lines = FIGURE_1.split('\n').length;
    for (let i = 0; i < 150; i++) {
      const line = Math.floor(random() * lines);
      const character = Math.floor(random() * 30);
      const end = { line, character: character + Math.floor(random() * 8) };
      const text = pieces[Math.floor(random() * pieces.length)] ?? '';
      lines += text.split('\n').length - 1;
      await client.change(URI, ++version, { range: { start: { line, character }, end }, text });
      const position = { line, character };
      await client.request('textDocument/hover', { ...DOCUMENT, position });
      await client.request('textDocument/completion', { ...DOCUMENT, position });
      await client.request('textDocument/codeLens', DOCUMENT);
      await client.request('textDocument/inlayHint', { ...DOCUMENT, range: WHOLE });
    }
    await client.change(URI, ++version, { text: FIGURE_1 });
    await client.simulated(URI, version);
  });
});

/** mulberry32: the same edits on every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
