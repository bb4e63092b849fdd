import assert from 'node:assert/strict';
import { completion } from '../../src/language/completion.ts';
import { parseText } from '../../src/text/parse.ts';
import { cursors, viewOf } from './views.ts';

/** Labels offered at the `│` of a marked text. */
async function offered(marked: string): Promise<readonly string[]> {
  return (await items(marked)).map(({ label }) => label);
}

async function items(marked: string): Promise<ReturnType<typeof completion>> {
  const { text, positions } = cursors(marked);
  assert.ok(positions[0], 'the text has no cursor');
  return completion(await viewOf(text), parseText(text), positions[0]);
}

const HEAD = 'apiVersion: layerkv/v1\nkind: ServingPlan\n';

describe('completion', () => {
  it('offers the keys of the block that are not there yet', async () => {
    const labels = await offered(`${HEAD}spec:\n  model: {id: x}\n  │\n  slo:\n    ttft: 3s\n`);
    assert.ok(labels.includes('hardware') && labels.includes('workload'));
    assert.ok(!labels.includes('model') && !labels.includes('slo'));
  });

  it('knows how deep it is', async () => {
    assert.ok((await offered(`${HEAD}spec:\n  engine:\n    layerkv:\n      │\n`)).includes('hostPool'));
    assert.ok(
      (await offered(`${HEAD}spec:\n  engine:\n    layerkv:\n      enabled: true\n    ma│\n`)).includes('maxModelLen'),
    );
    assert.ok((await offered(`${HEAD}│\n`)).includes('spec'));
  });

  it('knows flow style', async () => {
    const labels = await offered(`${HEAD}spec:\n  workload:\n    arrivals: {process: poisson, │}\n`);
    assert.ok(labels.includes('rate'));
    assert.ok(!labels.includes('process'));
    assert.deepEqual((await offered(`${HEAD}spec:\n  workload: {arrivals: {process: │\n`)).includes('poisson'), true);
  });

  it('offers words, booleans and the catalogue with its facts', async () => {
    assert.deepEqual([...(await offered(`${HEAD}spec:\n  routing: │\n`))].sort(), ['leastLoad', 'roundRobin']);
    assert.deepEqual([...(await offered(`${HEAD}spec:\n  engine:\n    enforceEager: t│\n`))].sort(), ['false', 'true']);
    const gpu = (await items(`${HEAD}spec:\n  hardware:\n    gpu: L│\n`)).find(({ label }) => label === 'L20');
    assert.match(gpu?.detail ?? '', /48 GB/);
    assert.ok((await offered(`${HEAD}spec:\n  model:\n    id: │\n`)).includes('meta-llama/Llama-2-7b-hf'));
    const versions = await items(`${HEAD}spec:\n  engine:\n    version: │\n`);
    assert.ok(versions.every(({ textEdit }) => /^"[\d.]+"$/.test(textEdit?.newText ?? '')));
  });

  it('replaces the whole word under the cursor', async () => {
    const [first] = await items(`${HEAD}spec:\n  hardware:\n    gpu: L│4 # old\n`);
    assert.ok(first?.textEdit && 'range' in first.textEdit);
    assert.deepEqual(first.textEdit.range, { start: { line: 4, character: 9 }, end: { line: 4, character: 11 } });
  });

  it('offers a whole plan in an empty file of ours', async () => {
    assert.equal((await offered('│'))[0], 'Serving plan');
  });

  it('is silent in comments, quotes, lists and documents of others', async () => {
    for (const marked of [
      `${HEAD}spec: # │\n`,
      `${HEAD}metadata:\n  name: "a │b"\n`,
      `${HEAD}spec:\n  workload: {input: {uniform: [1, │]}}\n`,
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  │\n',
    ]) {
      assert.deepEqual(await offered(marked), [], marked);
    }
  });
});
