import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import planSchema from '../../../schemas/plan.schema.json';
import { gpuRow } from '../../src/catalog/gpus.ts';
import { modelRow } from '../../src/catalog/models.ts';
import {
  type SchemaValidator,
  validateDefaultsDocument,
  validatePlanDocument,
} from '../../src/plan/generated/validators.js';

/** The plan of docs/contract: every key of the format at once. */
const WHOLE = `
apiVersion: layerkv/v1
kind: ServingPlan
metadata: {name: long-chat, labels: {team: search, tier: 2}, annotations: {note: x}}
spec:
  model: {id: meta-llama/Llama-2-7b-hf, dtype: bf16}
  hardware: {gpu: L20, gpusPerReplica: 1, interconnect: pcie, hostLink: {bandwidthGBs: 24}, hostMemory: 256GiB}
  parallelism: {tensor: 1, pipeline: 1, data: 1, expert: 1}
  replicas: 1
  routing: roundRobin
  engine:
    version: "0.5.5"
    scheduler: v0
    blockSize: 16
    gpuMemoryUtilization: 0.9
    maxModelLen: 16384
    maxNumSeqs: 256
    maxNumBatchedTokens: 16384
    kvCacheDtype: auto
    activationDtype: bf16
    numGpuBlocks: 3000
    enforceEager: false
    asyncScheduling: false
    prefixCaching: false
    kvOffload: {hostPool: 100GiB, connector: offloading, chunkTokens: 256}
    layerkv:
      enabled: true
      sloAware: true
      hostPool: 200GiB
      residency: reload
      alpha: 1.0
      transientLayers: 2
      growthReserve: 0.01
      offloadThreshold: 0.02
      chunkBytes: 4MiB
      lostRequests: block
      countReloadWait: false
      predictor: {buckets: 5, accuracy: 0.6}
  workload:
    arrivals: {process: poisson, rate: 1}
    input: {tokens: 2048}
    output: {tokens: 512}
    sharedPrefix: {tokens: 0, share: 0}
    requests: 100
    seed: 1
  slo: {ttft: 3s, tpot: 200ms, attainment: 0.99}
  calibration: ./chat.calibration.json
  cost: {linear: {prefillBaseMs: 5, prefillPerTokenMs: 0.1, decodeBaseMs: 20, decodePerSequenceMs: 0.1, decodePerContextTokenMs: 0}}
`;

type Json = Record<string, unknown>;

const whole = (): Json => parse(WHOLE) as Json;

/** The whole plan with the value at `path` (dots) replaced; `undefined` removes it. */
function with_(path: string, value: unknown): Json {
  const plan = whole();
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let at = plan;
  for (const key of keys) at = at[key] as Json;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return plan;
}

function errorsOf(validate: SchemaValidator, value: unknown): readonly string[] {
  return validate(value) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.keyword}`);
}

function accepts(path: string, ...values: readonly unknown[]): void {
  for (const value of values)
    assert.deepEqual(errorsOf(validatePlanDocument, with_(path, value)), [], `${path}: ${JSON.stringify(value)}`);
}

function refuses(path: string, keyword: string, ...values: readonly unknown[]): void {
  for (const value of values) {
    const errors = errorsOf(validatePlanDocument, with_(path, value));
    assert.ok(
      errors.some((each) => each.endsWith(` ${keyword}`)),
      `${path}: ${JSON.stringify(value)} → ${errors.join(', ')}`,
    );
  }
}

describe('schema of a plan', () => {
  it('accepts the whole format', () => assert.deepEqual(errorsOf(validatePlanDocument, whole()), []));

  it('needs only model, hardware.gpu and workload', () => {
    const plan = whole();
    const spec = plan['spec'] as Json;
    plan['spec'] = { model: { id: 'x' }, hardware: { gpu: 'L20' }, workload: spec['workload'] };
    delete plan['metadata'];
    assert.deepEqual(errorsOf(validatePlanDocument, plan), []);
    for (const path of [
      'spec.model',
      'spec.hardware',
      'spec.workload',
      'spec.hardware.gpu',
      'spec.workload.input',
      'spec.model.id',
      'spec',
      'apiVersion',
      'kind',
    ]) {
      refuses(path, 'required', undefined);
    }
  });

  it('takes alternatives', () => {
    accepts('spec.model', { config: './config.json' });
    accepts('spec.hardware.gpu', { gpu: 'Mine', memoryGB: 24, memoryBandwidthGBs: 600, denseBf16Tflops: 125 });
    accepts('spec.workload', { trace: './t.csv' });
    accepts('spec.cost', {});
    accepts(
      'spec.workload.arrivals',
      { process: 'constant', rate: 0.5 },
      { process: 'gamma', rate: 1, cv: 2 },
      { process: 'closed', concurrency: 4 },
      { process: 'burst' },
      { process: 'serial' },
    );
    accepts(
      'spec.workload.input',
      { tokens: '2k' },
      { uniform: [128, '2K'] },
      { lognormal: { median: 800, sigma: 1 } },
      { percentiles: { p25: 10, p50: 20, 'p99.9': 90, max: 100 }, mean: 30 },
    );
    accepts('spec.slo.ttft', '3s', '200ms', '1.5 s', 0);
    accepts('spec.hardware.hostMemory', '256GiB', '100GB', '0GiB', '10Gi', 1024);
    accepts('spec.engine.maxModelLen', 4096, '16K', '2k tokens');
  });

  it('takes a row of the catalogue in place of a name', () => {
    const { aliases: _gpu, ...gpu } = gpuRow('L20') ?? assert.fail();
    const { model, aliases: _model, ...shape } = modelRow('openai/gpt-oss-20b') ?? assert.fail();
    const known = Object.keys(planSchema.properties.spec.properties.hardware.properties.gpu.properties);
    accepts('spec.hardware.gpu', Object.fromEntries(Object.entries(gpu).filter(([key]) => known.includes(key))));
    const shapeKeys = Object.keys(planSchema.properties.spec.properties.model.properties);
    accepts('spec.model', {
      id: model,
      ...Object.fromEntries(Object.entries(shape).filter(([key]) => shapeKeys.includes(key))),
    });
  });

  it('refuses unknown keys at every level', () => {
    for (const path of [
      '',
      'metadata.',
      'spec.',
      'spec.model.',
      'spec.hardware.',
      'spec.hardware.hostLink.',
      'spec.parallelism.',
      'spec.engine.',
      'spec.engine.kvOffload.',
      'spec.engine.layerkv.',
      'spec.engine.layerkv.predictor.',
      'spec.workload.',
      'spec.workload.arrivals.',
      'spec.workload.input.',
      'spec.workload.sharedPrefix.',
      'spec.slo.',
      'spec.cost.',
      'spec.cost.linear.',
    ]) {
      refuses(`${path}nonsense`, 'additionalProperties', 1);
    }
  });

  it('refuses wrong types, ranges, units and words', () => {
    refuses('spec.replicas', 'type', 1.5, '2', null, []);
    refuses('spec.replicas', 'minimum', 0, -1);
    refuses('spec.engine.gpuMemoryUtilization', 'exclusiveMinimum', 0);
    refuses('spec.engine.gpuMemoryUtilization', 'maximum', 90);
    refuses('spec.engine.version', 'type', 0.1);
    refuses('spec.engine.scheduler', 'enum', 'v2');
    refuses('spec.engine.kvOffload.connector', 'enum', 'LMCacheConnectorV1', null);
    refuses('spec.engine.kvOffload.chunkTokens', 'minimum', 0);
    refuses('spec.slo.ttft', 'pattern', '3', '3 parsecs', '-3s', 'fast');
    refuses('spec.slo.ttft', 'maximum', 3);
    refuses('spec.hardware.hostMemory', 'pattern', '256 apples', '-1GiB');
    refuses('spec.engine.maxModelLen', 'pattern', '16q');
    refuses('spec.workload.requests', 'minimum', 0);
    refuses(
      'spec.workload.arrivals',
      'required',
      { process: 'poisson' },
      { process: 'gamma', rate: 1 },
      { process: 'closed' },
    );
    refuses('spec.workload.arrivals.rate', 'exclusiveMinimum', 0);
    refuses('spec.workload.input', 'oneOf', {}, { tokens: 1, uniform: [1, 2] });
    refuses('spec.workload.input', 'dependencies', { tokens: 1, mean: 2 });
    refuses('apiVersion', 'const', 'layerkv/v2');
    refuses('spec', 'type', null, 'x', []);
  });

  it('says the place of every error at once', () => {
    const plan = with_('spec.replicas', 'many');
    ((plan['spec'] as Json)['engine'] as Json)['blockSize'] = 'x';
    assert.deepEqual(
      errorsOf(validatePlanDocument, plan),
      ['/spec/replicas type', '/spec/engine/blockSize type'].sort(
        (a, b) => errorsOf(validatePlanDocument, plan).indexOf(a) - errorsOf(validatePlanDocument, plan).indexOf(b),
      ),
    );
  });

  it('describes every key, with an example where a value is written', () => {
    let keys = 0;
    walk(planSchema as unknown as Json, '', (path, schema) => {
      keys++;
      assert.ok(
        typeof schema['description'] === 'string' && schema['description'].length > 5,
        `${path} has no description`,
      );
      const written = 'enum' in schema || ['integer', 'number', 'string'].includes(String(schema['type']));
      if (written && !/information/.test(String(schema['description'])))
        assert.ok('examples' in schema, `${path} has no example`);
    });
    assert.ok(keys > 120, `${keys} keys`);
  });

  it('gives examples and defaults that are valid themselves', () => {
    const ajv = new Ajv({ strict: false });
    walk(planSchema as unknown as Json, '', (path, schema) => {
      const values = [
        ...((schema['examples'] as unknown[] | undefined) ?? []),
        ...('default' in schema ? [schema['default']] : []),
      ];
      const validate = ajv.compile(schema);
      for (const value of values) assert.ok(validate(value), `${path}: ${JSON.stringify(value)}`);
    });
  });
});

describe('schema of defaults', () => {
  const document = (spec: unknown, overrides?: unknown): Json => ({
    apiVersion: 'layerkv/v1',
    kind: 'ServingDefaults',
    spec,
    ...(overrides === undefined ? {} : { overrides }),
  });

  it('accepts any part of a plan', () => {
    const spec = whole()['spec'] as Json;
    for (const [key, value] of Object.entries(spec))
      assert.deepEqual(errorsOf(validateDefaultsDocument, document({ [key]: value })), [], key);
    for (const part of [
      {},
      { hardware: { hostMemory: '1GiB' } },
      { workload: { seed: 2 } },
      { model: { dtype: 'fp8' } },
    ]) {
      assert.deepEqual(errorsOf(validateDefaultsDocument, document(part)), []);
    }
    assert.deepEqual(
      errorsOf(validateDefaultsDocument, document({}, [{ name: 'a', namespace: 'b', spec: { slo: { ttft: '1s' } } }])),
      [],
    );
  });

  it('refuses what a plan refuses', () => {
    assert.deepEqual(errorsOf(validateDefaultsDocument, document({ replica: 1 })), ['/spec additionalProperties']);
    assert.deepEqual(errorsOf(validateDefaultsDocument, document({}, [{ spec: { replicas: 0 } }])), [
      '/overrides/0 required',
      '/overrides/0/spec/replicas minimum',
    ]);
    assert.deepEqual(errorsOf(validateDefaultsDocument, { ...document({}), kind: 'ServingPlan' }), ['/kind const']);
  });
});

describe('schemas of results', () => {
  for (const name of ['result', 'extract', 'defaults', 'plan', 'calibration']) {
    it(`${name} is a valid draft-07 schema`, () => {
      const ajv = new Ajv({ strict: false });
      assert.ok(ajv.validateSchema(JSON.parse(readFileSync(`schemas/${name}.schema.json`, 'utf8'))));
    });
  }
});

/** Calls `visit` for every key that the schema names. */
function walk(schema: Json, path: string, visit: (path: string, schema: Json) => void): void {
  for (const group of ['properties', 'patternProperties']) {
    for (const [key, value] of Object.entries((schema[group] as Json | undefined) ?? {})) {
      visit(`${path}/${key}`, value as Json);
      walk(value as Json, `${path}/${key}`, visit);
    }
  }
}
