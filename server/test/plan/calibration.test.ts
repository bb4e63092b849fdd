import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { forecast } from '../../src/forecast/forecast.ts';
import { engineInput } from '../../src/forecast/input.ts';
import { AnalysisMemory, analyse } from '../../src/plan/analyse.ts';
import { neighbourOf, parseCalibration } from '../../src/plan/calibrationFile.ts';
import { analyseText, check, filesOf, planText } from './marks.ts';

const validate = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync('schemas/calibration.schema.json', 'utf8')),
);

/** What `layerkv calibrate` would write for the sound plan. */
const FITTING = {
  schema: 'layerkv/calibration/v1',
  madeFor: {
    model: 'meta-llama/Llama-3.1-8B-Instruct',
    gpu: 'L20',
    weightDtype: 'bf16',
    kvCacheDtype: 'bf16',
    parallelism: { tensor: 1, pipeline: 1, data: 1, expert: 1 },
    engineVersion: '0.5.4',
    scheduler: 'v0',
  },
  scales: { prefill: 1.5, decode: 1.25, overhead: 0.8 },
  pool: {
    numGpuBlocks: 9000,
    blockSize: 16,
    kvTokens: 144_000,
    gpuMemoryUtilization: 0.9,
    maxModelLen: 8192,
    maxNumSeqs: 256,
    maxNumBatchedTokens: 8192,
  },
  benchmarks: [],
  log: { file: 'server.log', engineVersion: '0.5.4' },
};

type Change = Readonly<Record<string, unknown>>;
const madeFor = (change: Change): string => json({ madeFor: { ...FITTING.madeFor, ...change } });
const json = (change: Change = {}): string => JSON.stringify({ ...FITTING, ...change });
const stated = (content: string) => ({
  text: planText({ 'workload:': 'calibration: ./c.json\n  workload:' }),
  files: filesOf({ './c.json': content }),
});
const marked = (rule: string): string => planText({ 'workload:': `calibration: «./c.json»{${rule}}\n  workload:` });
const planOf = async (text: string, files = filesOf(), fileName = 'a.layerkv.yaml') =>
  (await analyseText(text, files, fileName)).plans[0];

describe('the calibration of a plan', () => {
  it('sets the factors on its step times and the size of its pool', async () => {
    const { text, files } = stated(json());
    await check(text, { files });
    const plan = await planOf(text, files);
    assert.ok(plan);
    const input = engineInput(plan);
    assert.deepEqual(input.costScale, FITTING.scales);
    assert.equal(input.numGpuBlocks, 9000);
    assert.equal(plan.engine.numGpuBlocks.origin, 'inferred');
    const [prediction] = forecast(plan, { interval: false, perRequest: false });
    assert.deepEqual(
      [prediction?.provenance.cost, prediction?.provenance.calibration, prediction?.memory.gpuBlocks],
      ['calibrated', './c.json', 9000],
    );
  });

  it('makes steps longer and shorter as its factors say', async () => {
    const tpotOf = async (decode: number): Promise<number> => {
      const { text, files } = stated(json({ scales: { prefill: 1, decode, overhead: 1 } }));
      const plan = await planOf(text, files);
      assert.ok(plan);
      return forecast(plan, { interval: false, perRequest: false })[0]?.tpotMs?.p50 ?? Number.NaN;
    };
    assert.ok((await tpotOf(1.5)) > 1.2 * (await tpotOf(1)));
    assert.ok((await tpotOf(0.7)) < 0.9 * (await tpotOf(1)));
  });

  it('is found beside the file by name, and one that is named counts before it', async () => {
    const beside = { 'a.calibration.json': json() };
    assert.deepEqual((await planOf(planText(), filesOf(beside)))?.calibration.value?.scales, FITTING.scales);
    const other = { prefill: 1, decode: 2, overhead: 1 };
    const { text } = stated('');
    const plan = await planOf(text, filesOf({ ...beside, './c.json': json({ scales: other, pool: null }) }));
    assert.deepEqual(plan?.calibration.value, { path: './c.json', scales: other });
    assert.equal(plan.engine.numGpuBlocks.value, null);
    assert.equal((await planOf(planText(), filesOf(beside), 'b.layerkv.yaml'))?.calibration.value, null);
    const names = ['chat.layerkv.yaml', 'chat.layerkv.yml', 'in/a/folder/chat.yaml', 'chat.yaml', 'x.json'];
    assert.deepEqual(names.map(neighbourOf), [...Array(4).fill('chat.calibration.json'), null]);
  });

  it('gives way to what the plan states itself', async () => {
    const files = filesOf({ 'a.calibration.json': json() });
    const plan = await planOf(planText({ 'maxNumSeqs:': 'numGpuBlocks: 3000' }), files);
    assert.equal(plan?.engine.numGpuBlocks.value, 3000);
    const law =
      'cost: {linear: {prefillBaseMs: 1, prefillPerTokenMs: 1, decodeBaseMs: 9, decodePerSequenceMs: 1, decodePerContextTokenMs: 0.1}}';
    const byHand = planText({ 'workload:': `${law}\n  calibration: «./c.json»{calibration-unused}\n  workload:` });
    const { plans } = await check(byHand, { files: filesOf({ './c.json': json() }) });
    assert.ok(plans[0]);
    assert.equal(engineInput(plans[0]).costScale, undefined);
  });

  it('converts the pool to other block sizes, and leaves it where it was sized under other settings', async () => {
    const files = filesOf({ 'a.calibration.json': json() });
    const blocks = async (changes: Readonly<Record<string, string>>) =>
      (await planOf(planText(changes), files))?.engine.numGpuBlocks.value;
    assert.equal(await blocks({ 'maxNumSeqs:': 'maxNumSeqs: 256\n    blockSize: 32' }), 4500);
    assert.equal(await blocks({ 'maxModelLen:': 'maxModelLen: 4096' }), null);
    assert.equal(await blocks({ 'maxNumSeqs:': 'gpuMemoryUtilization: 0.8' }), null);
  });

  it('is refused where it is missing or makes no sense', async () => {
    await check(marked('calibration-unreadable'));
    const invalid = [
      'prefill: 1',
      '[]',
      json({ schema: 'layerkv/calibration/v2' }),
      json({ scales: { prefill: 1, decode: 9, overhead: 1 } }),
      json({ scales: { prefill: 0, decode: 1, overhead: 1 } }),
      json({ scales: { prefill: 1, decode: 1 } }),
      json({ madeFor: undefined }),
      madeFor({ gpu: 7 }),
      madeFor({ parallelism: { tensor: 0, pipeline: 1, data: 1, expert: 1 } }),
      json({ pool: { ...FITTING.pool, numGpuBlocks: 0 } }),
    ];
    for (const content of invalid) {
      const { plans } = await check(marked('calibration-invalid'), { files: filesOf({ './c.json': content }) });
      // Never a prediction of another plan than the one that was meant.
      assert.equal(plans.length, 0, content);
    }
    await check(planText({ 'apiVersion:': '«apiVersion: layerkv/v1»{calibration-invalid}' }), {
      files: filesOf({ 'a.calibration.json': '{}' }),
    });
  });

  it('names the key of the file that is wrong', async () => {
    const { text, files } = stated(json({ scales: { prefill: 1, decode: 9, overhead: 1 } }));
    assert.match((await analyseText(text, files)).problems[0]?.message ?? '', /c\.json .*`scales\.decode` must be 5/);
  });

  it('is not used for another model or GPU, and doubted under other settings', async () => {
    for (const change of [{ model: 'Qwen/Qwen3-8B' }, { gpu: 'H100 80GB SXM5' }]) {
      const files = filesOf({ './c.json': madeFor(change) });
      const { plans } = await check(marked('calibration-mismatch'), { files });
      assert.equal(plans[0]?.calibration.value, null);
      assert.equal(plans[0].engine.numGpuBlocks.value, null);
    }
    const doubted = [
      { weightDtype: 'fp8' },
      { kvCacheDtype: 'fp8' },
      { engineVersion: '0.6.1' },
      { scheduler: 'v1' },
      { parallelism: { tensor: 2, pipeline: 1, data: 1, expert: 1 } },
    ];
    for (const change of doubted) {
      const files = filesOf({ './c.json': madeFor(change) });
      const { plans } = await check(marked('calibration-mismatch'), { files });
      assert.deepEqual(plans[0]?.calibration.value?.scales, FITTING.scales, JSON.stringify(change));
    }
  });

  it('is seen as soon as it is there, and again when it changes', async () => {
    const memory = new AnalysisMemory();
    const text = planText();
    const decodeAt = async (content: string | null) => {
      const files = filesOf(content === null ? {} : { 'a.calibration.json': content });
      const { plans } = await analyse(text, { fileName: 'a.layerkv.yaml', files, memory });
      return plans[0]?.calibration.value?.scales.decode ?? null;
    };
    assert.equal(await decodeAt(null), null);
    assert.equal(await decodeAt(json()), 1.25);
    assert.equal(await decodeAt(json({ scales: { prefill: 1, decode: 2, overhead: 1 } })), 2);
    assert.equal(await decodeAt(null), null);
  });
});

describe('calibration files', () => {
  it('are read as their schema says: what one refuses the other does too', () => {
    assert.ok(validate(FITTING), JSON.stringify(validate.errors));
    const value = fc.oneof(
      fc.constantFrom(0, 1, 1.5, 0.005, -1, 0.1, 7, '', 'x', null, true),
      fc.constantFrom([], {}, 'v0', Number.MAX_SAFE_INTEGER, [31.5], [0.5], [1e7]),
    );
    const paths = ['scales', 'madeFor', 'pool', 'madeFor.parallelism'].flatMap((path) => [
      path,
      ...Object.keys(at(FITTING, path)).map((key) => `${path}.${key}`),
    ]);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.option(value), fc.boolean(), (path, wrong, remove) => {
        const file = structuredClone(FITTING) as unknown as Record<string, unknown>;
        const keys = path.split('.');
        const last = keys.pop() ?? '';
        const parent = at(file, keys.join('.'));
        if (remove) delete parent[last];
        else parent[last] = wrong;
        assert.equal(parseCalibration(JSON.stringify(file)).ok, validate(file), `${path}: ${JSON.stringify(wrong)}`);
      }),
      { numRuns: 5000 },
    );
  });

  it('never throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !parseCalibration(text).ok));
    fc.assert(fc.property(fc.json(), (text) => !parseCalibration(text).ok));
  });
});

function at(value: unknown, path: string): Record<string, unknown> {
  let found = value as Record<string, unknown>;
  for (const key of path === '' ? [] : path.split('.')) found = found[key] as Record<string, unknown>;
  return found;
}
