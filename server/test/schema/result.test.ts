import assert from 'node:assert/strict';
import { Ajv } from 'ajv';
import extractSchema from '../../../schemas/extract.schema.json';
import resultSchema from '../../../schemas/result.schema.json';
import type { Band, Cell, Distribution, Prediction } from '../../src/forecast/types.ts';
import type { ExtractedWorkload } from '../../src/plan/types.ts';
import type { Problem } from '../../src/text/types.ts';

const times: Distribution = { mean: 1, p50: 1, p90: 1, p95: 1, p99: 1, max: 1 };

const anything: Cell = { basis: 'standIn', gpu: null, model: null, load: null };
const band: Band = {
  low: 0.8,
  high: 1.3,
  median: 1,
  measurements: 43,
  sources: 3,
  cell: { basis: 'published', gpu: 'hopper', model: 'dense', load: 'light' },
};

/** Typed, so that a key of the prediction that the schema does not know fails here. */
const full: Prediction = {
  name: 'long-chat',
  document: 0,
  policy: 'layerkv',
  scheduler: 'v0',
  requests: 100,
  finished: 100,
  seed: 1,
  memory: {
    weightsBytesPerGpu: 1,
    activationBytesPerGpu: 1,
    kvBytesPerToken: 1,
    gpuBlocks: 1,
    kvTokens: 16,
    fullLengthSequences: 0.5,
    hostPoolTokens: 1,
  },
  ttftMs: times,
  tpotMs: times,
  e2eMs: times,
  queueShare: 0.97,
  ttftParts: { queueMs: 1, prefillMs: 0, offloadMs: 0 },
  violationRate: {
    ttft: 0,
    tpot: 0,
    any: 0,
    interval: [0, 0],
    withinError: { ttft: [0, 0.1], tpot: [0, 0], any: [0, 0.1] },
  },
  throughput: { requestsPerS: 1, outputTokensPerS: 1, goodputPerS: 1 },
  makespanS: 1,
  preemptions: 0,
  offload: { layers: 32, retainedLayers: 0, hiddenShare: 1, deviceToHostBytes: 0, hostToDeviceBytes: 0, parkedS: 0 },
  backlog: { atHalf: 12, atEnd: 47, parkedAtEnd: 46, grows: true },
  verdict: 'met',
  provenance: {
    cost: 'roofline',
    engineDefaults: 'vllm 0.5.5',
    engineDefaultsRow: '0.5.0 until 0.8.0, all GPUs',
    seed: 1,
    confidence: { measuredPolicy: 'vllm', ttft: band, tpot: { ...band, cell: anything }, throughput: null },
  },
  perRequest: [{ arrivalS: 0, inputTokens: 1, outputTokens: 1, prefillStartS: null, firstTokenS: null, finishS: null }],
};

/** A deployment that does not fit: figures do not apply. */
const { perRequest: _, backlog: __, ...withoutRequests } = full;
const empty: Prediction = {
  ...withoutRequests,
  memory: { ...full.memory, hostPoolTokens: null },
  ttftMs: null,
  tpotMs: null,
  e2eMs: null,
  queueShare: null,
  ttftParts: null,
  violationRate: null,
  throughput: null,
  makespanS: null,
  offload: null,
  verdict: 'does-not-fit',
};

const problem: Problem = {
  rule: 'does-not-fit',
  severity: 'error',
  message: 'Too large.',
  range: { start: { line: 0, character: 0 }, end: { line: 0, character: 4 } },
};

const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true });
const isResult = ajv.compile(resultSchema);
const isExtract = ajv.compile(extractSchema);

const result = (workloads: readonly unknown[]): unknown => ({
  schema: 'layerkv/result/v1',
  files: [{ file: 'plan.yaml', problems: [problem], workloads }],
});

describe('schema of layerkv simulate --json', () => {
  it('is what a prediction is', () => {
    assert.ok(isResult(result([full, empty])), JSON.stringify(isResult.errors));
    assert.ok(isResult({ schema: 'layerkv/result/v1', files: [] }));
  });

  it('misses every key of the contract that is not there', () => {
    for (const key of Object.keys(withoutRequests)) {
      const { [key]: _removed, ...rest } = { ...full } as Record<string, unknown>;
      // Additive keys of ours; older readers do without.
      assert.equal(isResult(result([rest])), key === 'ttftParts', key);
    }
  });

  it('refuses unknown keys, words and impossible shares', () => {
    for (const change of [
      { extra: 1 },
      { verdict: 'fine' },
      { policy: 'compare' },
      { queueShare: 1.2 },
      { memory: { ...full.memory, kvTokens: -1 } },
      { violationRate: { ttft: 0, tpot: 0, any: 0, interval: [0] } },
    ]) {
      assert.equal(isResult(result([{ ...full, ...change }])), false, JSON.stringify(change));
    }
  });
});

describe('schema of layerkv extract --json', () => {
  const workload: ExtractedWorkload = {
    documentIndex: 0,
    dialect: 'native',
    facts: { model: 'x', gpusPerReplica: 2 },
    origins: { model: { origin: 'stated', range: problem.range } },
  };
  const extract = (each: unknown): unknown => ({
    schema: 'layerkv/extract/v1',
    files: [{ file: 'plan.yaml', problems: [], workloads: [each] }],
  });

  it('is what an extracted workload is', () => {
    assert.ok(isExtract(extract(workload)), JSON.stringify(isExtract.errors));
    assert.equal(isExtract(extract({ ...workload, dialect: 'guess' })), false);
    assert.equal(isExtract(extract({ ...workload, origins: { model: { origin: 'stated' } } })), false);
  });
});
