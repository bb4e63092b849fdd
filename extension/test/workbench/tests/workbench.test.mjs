// The extension as a user meets it: packed, installed, in a real workbench in a real browser.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openWorkbench } from '../driver.mjs';
import { session } from '../session.mjs';
import { startWorkbench } from '../workbench.mjs';

const samples = fileURLToPath(new URL('../../../../samples', import.meta.url));
const figure1 = 'llama-2-7b-l20-figure-1.layerkv.yaml';

// Figures are joined to their units by no-break spaces: patterns say `\s`.

const broken = `apiVersion: layerkv/v1
kind: ServingPlan
metadata: {name: typo}
spec:
  model: {id: meta-llama/Llama-3.1-8B-Instruct}
  hardware: {gpu: L20X}
  workload:
    arrivals: {process: poisson, rate: 0.1}
    input: {tokens: 512}
    output: {tokens: 64}
    requests: 20
`;

/** Takes many seconds to simulate, ten further seeds included. */
const long = broken.replace('L20X', 'L20').replace('typo', 'long').replace('requests: 20', 'requests: 300000');

const foreign = `apiVersion: v1
kind: ConfigMap
metadata:
  name: nothing-of-ours
data:
  model: meta-llama/Llama-2-7b-hf
  maxModelLen: "not a number"
`;

/** First number in a text: "73.8 s" → 73.8. */
function figure(text) {
  const found = /\d[\d,]*(?:\.\d+)?/.exec(text);
  assert.ok(found, `no figure in "${text}"`);
  return Number(found[0].replaceAll(',', ''));
}

/** The colours (not the greys) that a canvas shows. */
function coloursOf(canvas) {
  return canvas.evaluate((node) => {
    const { data } = node.getContext('2d').getImageData(0, 0, node.width, node.height);
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue, alpha] = data.subarray(at, at + 4);
      if (alpha === 255 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) {
        colours.add(`${red},${green},${blue}`);
      }
    }
    return [...colours];
  });
}

describe('in a real workbench', () => {
  let scratch;
  let server;
  let user;

  before(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'layerkv-'));
    // The folder's name shows in the pictures.
    const folder = join(scratch, 'samples');
    mkdirSync(folder);
    cpSync(join(samples, figure1), join(folder, figure1));
    writeFileSync(join(folder, 'broken.layerkv.yaml'), broken);
    writeFileSync(join(folder, 'long.layerkv.yaml'), long);
    writeFileSync(join(folder, 'configmap.yaml'), foreign);
    server = await startWorkbench({ vsix: session.vsix });
    user = await openWorkbench({ executablePath: session.executablePath, url: server.urlOf(folder) });
  });

  afterEach(async function () {
    if (this.currentTest?.state !== 'failed') return;
    const path = await user?.evidence(this.currentTest.title.replaceAll(/\W+/g, '-'));
    console.error(`The screen at that moment: ${path}`);
  });

  after(async () => {
    await user?.close();
    await server?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('annotates the plan of figure 1: lens, hints, squiggles', async () => {
    const editor = await user.open(figure1);
    const lens = editor.locator('.codelens-decoration a', { hasText: /TTFT\sp99\s[\d.]+\ss/ });
    await lens.waitFor();
    await editor.locator('.codelens-decoration a', { hasText: /^Simulate$/ }).waitFor();
    await editor.locator('.codelens-decoration a', { hasText: /^Compare\spolicies$/ }).waitFor();
    const title = await lens.innerText();
    assert.match(title, /saturated/);
    assert.ok(figure(/TTFT p99 ([\d.]+ s)/.exec(title)[1]) > 10, `tens of seconds under vLLM, found "${title}"`);
    await editor.locator('.view-line', { hasText: /gpuMemoryUtilization.*[\d.]+k\sKV\stokens/ }).waitFor();
    await editor.locator('.view-line', { hasText: /maxModelLen.*full-length\ssequences/ }).waitFor();
    await editor.locator('.view-line', { hasText: /dtype.*weights\s[\d.]+\sGB\sper\sGPU/ }).waitFor();
    await editor.locator('.squiggly-warning').first().waitFor();
    await user.picture('editor');
  });

  it('explains itself on hover', async () => {
    const editor = user.editor(figure1);
    await editor
      .locator('.view-line span span', { hasText: /^apiVersion$/ })
      .first()
      .hover();
    const hover = user.page.locator('.monaco-hover:not(.hidden)');
    await hover.locator('table').first().waitFor();
    await hover.locator('th, td', { hasText: /^p99$/ }).first().waitFor();
    const ttft = hover.locator('tr', { hasText: 'TTFT' }).first();
    await ttft
      .locator('td', { hasText: /^[\d.]+\ss$/ })
      .first()
      .waitFor();
    await user.picture('hover');
    await user.page.mouse.move(640, 780);
    await hover.waitFor({ state: 'hidden' });
  });

  it('says in the language status that it has simulated, and with which seed', async () => {
    await user.page.locator('[id="status.languageStatus"]').click();
    await user.page.locator('.hover-language-status', { hasText: /simulated,\sseed\s3/ }).waitFor();
    await user.page.keyboard.press('Escape');
    await user.command('View: Focus Active Editor Group');
  });

  it('simulates from the palette and shows the report', async () => {
    await user.command('LayerKV: Simulate');
    const report = user.report();
    await report.locator('h1', { hasText: 'llama-2-7b-l20-figure-1' }).waitFor();
    await report.locator('.headline', { hasText: /vLLM.*[\d.]+\ss\sat\sp99.*miss\san\sSLO/ }).waitFor();
    assert.equal(await report.locator('.card').count(), 1);
    const seed = report.locator('tr', { has: user.page.locator('xpath=./th[normalize-space()="Seed"]') });
    assert.equal(await seed.locator('td').innerText(), '3');
  });

  it('compares the policies and shows both, in figures and as a drawing', async () => {
    await user.command('View: Toggle Primary Side Bar Visibility');
    await user.command('LayerKV: Compare Policies');
    const report = user.report();
    await report
      .locator('.headline', { hasText: /LayerKV\smakes\sthe\swait\sfor\sthe\sfirst\stoken\s.*\sshorter/ })
      .waitFor();
    assert.equal(await report.locator('.card').count(), 2);
    const latency = report.locator('#numbers table').first();
    const p99 = async (row) =>
      (await latency.locator('tbody').first().locator('tr').nth(row).locator('td').nth(4)).innerText();
    assert.match(await latency.locator('tbody').first().locator('tr').nth(1).innerText(), /^vLLM/);
    assert.match(await p99(1), /^[\d.]+ s$/);
    assert.ok(figure(await p99(1)) > 10, 'vLLM: tens of seconds');
    assert.match(await latency.locator('tbody').first().locator('tr').nth(2).innerText(), /^LayerKV/);
    assert.ok(/ ms$/.test(await p99(2)) || figure(await p99(2)) < 2, 'LayerKV: below two seconds');
    assert.match(await report.locator('.card').nth(0).innerText(), /saturated/);
    assert.match(await report.locator('.card').nth(1).innerText(), /SLO met/);

    const canvas = report.locator('.plot canvas');
    await canvas.waitFor();
    assert.ok((await coloursOf(canvas)).length >= 2, 'two coloured lines are drawn');
    await user.picture('report');
  });

  it('has a table beside the drawing, and both can be reached by keyboard', async () => {
    const report = user.report();
    const twin = report.locator('#ttft-table');
    await twin.locator('summary').focus();
    await user.page.keyboard.press('Enter');
    await twin.locator('tr', { hasText: /^99\s%/ }).waitFor();
    assert.equal(await twin.locator('tbody tr').count(), 10);
    await report.locator('.plot').focus();
    await user.page.keyboard.press('ArrowRight');
    await report.locator('.readout', { hasText: /Within\s.*vLLM\s.*\s%,\sLayerKV\s.*\s%/ }).waitFor();
  });

  it('draws the run over time, and reads it by keyboard', async () => {
    const report = user.report();
    await report.locator('.timeline svg').waitFor();
    // Waiting, decoding, parked, KV on the GPU and on the host, link: each for both policies.
    assert.equal(await report.locator('.timeline .curve').count(), 12);
    await report.locator('.timeline').focus();
    await user.page.keyboard.press('ArrowLeft');
    await report.locator('#timeline .readout', { hasText: /At\s.*waiting.*vLLM\s.*parked.*LayerKV\s/ }).waitFor();
  });

  it('follows the theme of the editor, the drawing too', async () => {
    const canvas = user.report().locator('.plot canvas');
    const before = await coloursOf(canvas);
    await user.command('Preferences: Toggle between Light/Dark Themes');
    await user.reportFrame().locator('body.vscode-dark').waitFor();
    assert.notDeepEqual(await coloursOf(canvas), before);
    await user.picture('report-dark');
    await user.command('Preferences: Toggle between Light/Dark Themes');
    await user.reportFrame().locator('body.vscode-light').waitFor();
    assert.deepEqual(await coloursOf(canvas), before);
  });

  it('keeps the report over hide and restore, with what was opened in it', async () => {
    // A second tab in front of the report unloads its page; coming back loads it afresh.
    await user.page.locator('.tab', { hasText: 'vLLM and LayerKV' }).click();
    await user.command('File: New Untitled Text File');
    await user.page.locator('iframe.webview.ready').waitFor({ state: 'hidden' });
    await user.command('View: Close Editor');
    await user
      .report()
      .locator('.headline', { hasText: /shorter/ })
      .waitFor();
    await user.report().locator('#ttft-table[open]').waitFor();
    await user.report().locator('.plot canvas').waitFor();
  });

  it('tells a broken plan by a squiggle and a problem, and takes both back when it is mended', async () => {
    await user.closeEditors();
    await user.command('View: Toggle Primary Side Bar Visibility');
    const editor = await user.open('broken.layerkv.yaml');
    await editor.locator('.squiggly-error').waitFor();
    const problems = await user.problems();
    const unknown = problems.filter({ hasText: 'unknown-gpu' });
    await unknown.waitFor();
    assert.match(await unknown.innerText(), /L20X.*Did you mean "L20"/s);
    await user.picture('problems');
    await editor.locator('.view-lines').click();
    await user.goTo(6, 22);
    await user.page.keyboard.press('Delete');
    await editor.locator('.view-line', { hasText: 'gpu: L20}' }).waitFor();
    await unknown.waitFor({ state: 'detached' });
    await editor.locator('.codelens-decoration a', { hasText: /TTFT\sp99/ }).waitFor();
    assert.equal(await editor.locator('.squiggly-error').count(), 0);
  });

  it('runs from the lens, and says when the report is out of date', async () => {
    const editor = user.editor('broken.layerkv.yaml');
    await editor.locator('.codelens-decoration a', { hasText: /^Compare policies$/ }).click();
    await user.report().locator('h1', { hasText: 'typo' }).waitFor();
    assert.equal(await user.report().locator('.card').count(), 2);
    assert.equal(await user.report().locator('.stale').innerText(), '');
    await user.command('View: Focus First Editor Group');
    await user.goTo(11, 17);
    await user.page.keyboard.type('0');
    await user.report().locator('.stale', { hasText: 'The file has changed since' }).waitFor();
    await user.report().locator('button', { hasText: 'Compare again' }).click();
    await user.report().locator('td', { hasText: '200 of 200' }).first().waitFor();
    await user.report().locator('.stale').waitFor({ state: 'hidden' });
  });

  it('shows long work after a second and lets it be cancelled', async () => {
    await user.closeEditors();
    await user.page.locator('.monaco-dialog-box').getByRole('button', { name: "Don't Save" }).click();
    const editor = await user.open('long.layerkv.yaml');
    await editor.locator('.codelens-decoration a', { hasText: /^Simulate$/ }).click();
    const toast = user.page.locator('.notifications-toasts .notification-list-item', {
      hasText: 'Simulating the plan',
    });
    await toast.waitFor();
    await toast.getByRole('button', { name: 'Cancel' }).click();
    await toast.waitFor({ state: 'detached' });
    assert.equal(await user.page.locator('.notifications-toasts .notification-list-item').count(), 0);
    assert.equal(await user.page.locator('iframe.webview').count(), 0);
    await user.closeEditors();
  });

  it('says nothing about YAML that is not ours', async () => {
    // Beside a plan that is annotated, so that the silence is not mere slowness.
    const editor = await user.open('configmap.yaml');
    await editor.locator('.view-line', { hasText: 'nothing-of-ours' }).waitFor();
    await user.open(figure1);
    await user
      .editor(figure1)
      .locator('.codelens-decoration a', { hasText: /TTFT\sp99/ })
      .waitFor();
    const problems = await user.problems();
    await problems.filter({ hasText: 'saturated' }).waitFor();
    assert.equal(await problems.filter({ hasText: 'configmap.yaml' }).count(), 0);
    await user.open('configmap.yaml');
    await editor.locator('.view-line', { hasText: 'nothing-of-ours' }).waitFor();
    const marks = '.codelens-decoration, .squiggly-error, .squiggly-warning, .squiggly-info, .squiggly-hint';
    assert.equal(await editor.locator(marks).count(), 0);
  });

  it('reached nothing outside this machine', () => {
    assert.deepEqual(user.strangers, []);
  });
});
