import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { LOG_V1, vllmBench } from '../calibrate/results.ts';
import { planText } from '../plan/marks.ts';
import { layerkv, type Outcome } from './harness.ts';

const validate = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync('schemas/calibration.schema.json', 'utf8')),
);
const H100 = { 'gpu:': 'gpu: H100 80GB SXM5', 'version:': 'version: "0.10.0"', 'maxModelLen:': 'maxModelLen: 16000' };
const PLAN = planText(H100);

const files = {
  'deploy/chat.layerkv.yaml': PLAN,
  'plan.yaml': PLAN,
  'named.yaml': planText({ ...H100, 'workload:': 'calibration: ./measured/h100.json\n  workload:' }),
  'two.yaml': `${PLAN}---\n${PLAN}`,
  'broken.yaml': planText({ ...H100, 'id:': 'id: nobody/nothing' }),
  'foreign.yaml': 'kind: ConfigMap\n',
  'logs/a.json': vllmBench(),
  'failed.json': vllmBench({ failed: 3, completed: 317 }),
  'slow.json': vllmBench({ mean_tpot_ms: 1040 }),
  'server.log': LOG_V1,
  'empty.log': '',
};
const run = (line: string, more: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
  layerkv(`calibrate ${line}`.split(' '), { ...files, ...more });

describe('terminal: calibrate', () => {
  it('writes the file that the plan finds by itself, and shows what it changes', async () => {
    const { code, out, err, written } = await run('deploy/chat.layerkv.yaml --bench logs/a.json --log server.log');
    assert.deepEqual([code, err, Object.keys(written)], [0, '', ['deploy/chat.calibration.json']]);
    assert.match(out, /^sound: meta-llama\/Llama-3\.1-8B-Instruct on H100 80GB SXM5\n/);
    assert.match(out, /a\.json: closed loop, 32 at a time; 1024 in, 512 out; 320 requests/);
    assert.match(out, /measured\s+before\s+error\s+after\s+error/);
    assert.match(out, /TPOT mean\s+10 ms\s+\S+ ms\s+[+−][\d.]+ %\s+10 ms\s+[+−]0\.\d %/);
    assert.match(out, /Factors {3}prefill × [\d.]+, decode × [\d.]+, host work × [\d.]+/);
    assert.match(out, /KV pool {3}421k tokens, 26307 blocks/);
    assert.match(out, /Written to deploy\/chat\.calibration\.json\. It counts from now on\.\n$/);
    const text = written['deploy/chat.calibration.json'] ?? '';
    assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors));
    // Folders of the machine stay out of it.
    assert.ok(!text.includes('logs/'));
  });

  it('and simulate uses it from then on', async () => {
    const { written } = await run('plan.yaml --bench logs/a.json --log server.log');
    const after = await layerkv(['simulate', 'plan.yaml', '--no-interval'], { ...files, ...written });
    assert.match(after.out, /cost model: calibrated\s+\(plan\.calibration\.json\)/);
    assert.match(after.out, /KV pool\s+421k/);
    // What is measured anew does not rest on what was measured before.
    const again = await run('plan.yaml --bench logs/a.json --log server.log', written);
    assert.deepEqual(again.written, written);
  });

  it('writes where the plan or the user says', async () => {
    const { written } = await run('named.yaml --log server.log');
    assert.deepEqual(Object.keys(written), ['./measured/h100.json']);
    const elsewhere = await run('plan.yaml --log server.log --out b.json');
    assert.deepEqual(Object.keys(elsewhere.written), ['b.json']);
    assert.match(elsewhere.out, /Name it in the plan: `calibration: b\.json`/);
  });

  it('prints it alone with --json, and writes nothing', async () => {
    const { code, out, err, written } = await run('plan.yaml --json --log server.log');
    assert.deepEqual([code, written], [0, {}]);
    assert.ok(validate(JSON.parse(out)));
    assert.match(err, /only the KV pool is pinned/);
  });

  const refused: readonly [string, number, RegExp][] = [
    ['missing.yaml --log server.log', 3, /Cannot read missing\.yaml/],
    ['plan.yaml --log missing.log', 3, /Cannot read missing\.log/],
    ['plan.yaml --bench missing.json', 3, /Cannot read missing\.json/],
    ['plan.yaml --log server.log --out locked/x.json', 3, /Cannot write locked\/x\.json: permission denied/],
    ['broken.yaml --log server.log', 2, /unknown-model[\s\S]*no plan that can be simulated/],
    ['foreign.yaml --log server.log', 2, /no plan that can be simulated/],
    ['two.yaml --log server.log', 2, /there are 2 plans; give a file with one/],
    ['plan.yaml --bench failed.json', 2, /failed\.json: 3 of 320 requests failed/],
    ['plan.yaml --bench slow.json', 2, /no calibration/],
    ['plan.yaml --log empty.log', 2, /empty\.log: It has no line/],
    ['plan.yaml', 3, /Give what was measured: --bench FILE/],
    ['plan.yaml other.yaml --log server.log', 3, /Name one plan/],
    ['plan.yaml --bench', 3, /'--bench' needs a value/],
    ['plan.yaml --bench a.json --benhc b.json', 3, /Did you mean '--bench'\?/],
  ];
  for (const [line, exit, message] of refused) {
    it(`refuses 'layerkv calibrate ${line}'`, async () => {
      const { code, out, err, written } = await run(line);
      assert.deepEqual([code, out, written], [exit, '', {}]);
      assert.match(err.replace(/\s+/g, ' '), new RegExp(message.source.replace('[\\s\\S]', '.')));
    });
  }
});
