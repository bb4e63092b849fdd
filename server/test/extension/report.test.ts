import assert from 'node:assert/strict';
import { reportHtml } from '../../../extension/src/report/html.ts';
import {
  cumulative,
  isReportModel,
  PERCENTS,
  percentile,
  type ReportModel,
  reportModel,
} from '../../../extension/src/report/model.ts';
import { latencyTable, numbersTable, partsTable, type Table, ttftTable } from '../../../extension/src/report/tables.ts';
import { backlogNotes, change, errorNotes, headline, verdictText } from '../../../extension/src/report/wording.ts';
import type { Policy } from '../../src/engine/types.ts';
import type { Distribution, Prediction } from '../../src/forecast/types.ts';
import type { SimulatedPrediction, SimulateSuccess } from '../../src/protocol.ts';

const times = (p99: number): Distribution => ({
  mean: p99 / 2,
  p50: p99 / 3,
  p90: p99 * 0.8,
  p95: p99 * 0.9,
  p99,
  max: p99,
});

function simulated(
  policy: Policy,
  firstTokenS: readonly (number | null)[],
  more: Partial<Prediction> = {},
): SimulatedPrediction {
  const zeros = firstTokenS.map(() => 0);
  return {
    prediction: {
      name: 'chat',
      document: 0,
      policy,
      scheduler: 'v0',
      requests: firstTokenS.length,
      finished: firstTokenS.length,
      seed: 7,
      memory: {
        weightsBytesPerGpu: 13.5e9,
        activationBytesPerGpu: 1.5e9,
        kvBytesPerToken: 524288,
        gpuBlocks: 3276,
        kvTokens: 52416,
        fullLengthSequences: 3.1,
        hostPoolTokens: null,
      },
      ttftMs: times(1000),
      tpotMs: times(50),
      e2eMs: times(9000),
      queueShare: 0.9,
      ttftParts: { queueMs: 450, prefillMs: 50, offloadMs: 0 },
      violationRate: { ttft: 0.4, tpot: 0, any: 0.4, interval: [0.3, 0.5] },
      throughput: { requestsPerS: 0.5, outputTokensPerS: 250, goodputPerS: 0.3 },
      makespanS: 200,
      preemptions: 3,
      offload: null,
      verdict: 'violated',
      provenance: {
        cost: 'roofline',
        engineDefaults: 'vllm 0.5.5',
        engineDefaultsRow: '0.5.0 until 0.8.0, all GPUs',
        seed: 7,
      },
      ...more,
    },
    requests: {
      arrivalS: zeros,
      inputTokens: zeros,
      outputTokens: zeros,
      prefillStartS: zeros,
      firstTokenS,
      finishS: firstTokenS,
    },
  };
}

function success(...predictions: readonly SimulatedPrediction[]): SimulateSuccess {
  return {
    ok: true,
    uri: 'file:///chat.layerkv.yaml',
    version: 1,
    document: 0,
    plan: {
      name: 'chat',
      model: 'meta-llama/Llama-2-7b-hf',
      weightDtype: 'fp16',
      gpu: 'L20',
      gpusPerReplica: 1,
      replicas: 1,
      tensor: 1,
      pipeline: 1,
      engineVersion: '0.5.5',
      maxModelLenTokens: 4096,
      arrivals: 'Poisson, 1 request/s',
      input: '2048 tokens',
      output: '512 tokens',
      slo: { ttftMs: 3000, tpotMs: 200, attainment: 0.99 },
    },
    predictions,
  };
}

const model = (...predictions: readonly SimulatedPrediction[]): ReportModel =>
  reportModel(success(...predictions), 'chat.layerkv.yaml');

function cells(table: Table, head: string): readonly string[] {
  const row = table.groups.flatMap(({ rows }) => rows).find((each) => each.head === head);
  assert.ok(row, `a row "${head}"`);
  return row.cells;
}

describe('the report: distribution', () => {
  it('orders the waits, and counts requests that never got a token', () => {
    const [policy] = model(simulated('vllm', [4, null, 1, 2])).policies;
    assert.deepEqual(policy?.ttft, { ms: [1000, 2000, 4000], share: [0.25, 0.5, 0.75] });
    assert.equal(policy?.ttftAtPercent[PERCENTS.indexOf(50)], 3000);
    assert.equal(policy?.ttftAtPercent[PERCENTS.indexOf(100)], null);
  });

  it('thins long runs without bending the curve', () => {
    const sorted = Array.from({ length: 10_000 }, (_, index) => index + 1);
    const { ms, share } = cumulative(sorted, 10_000);
    assert.equal(ms.length, 400);
    ms.forEach((value, index) => {
      assert.equal(share[index], value / 10_000);
    });
    assert.equal(ms.at(-1), 10_000);
  });

  it('interpolates percentiles as type 7', () => {
    assert.equal(percentile([10, 20, 30, 40], 4, 0.5), 25);
    assert.equal(percentile([10, 20, 30, 40], 4, 1), 40);
    assert.equal(percentile([], 0, 0.5), null);
  });

  it('knows its own kept state, and no other', () => {
    const kept: unknown = JSON.parse(JSON.stringify(model(simulated('vllm', [1]))));
    assert.equal(isReportModel(kept), true);
    assert.equal(isReportModel({ reportVersion: 0 }), false);
    assert.equal(isReportModel(null), false);
  });
});

describe('the report: sentences', () => {
  it('says what is won and what it costs', () => {
    const layerkv = simulated('layerkv', [1], { ttftMs: times(100), tpotMs: times(100) });
    assert.equal(
      headline(model(simulated('vllm', [1]), layerkv)),
      'LayerKV makes the wait for the first token 10× shorter at p99: 100 ms instead of 1.0 s under vLLM. ' +
        'Each further token takes 2.0× longer at p99: 100 ms instead of 50 ms.',
    );
  });

  it('does not make much of little', () => {
    assert.equal(change(100, 101), 'about as long');
    assert.equal(change(100, 150), '1.5× longer');
    assert.equal(change(0, 0), 'about as long');
    assert.equal(change(100, 0), 'shorter');
    assert.match(headline(model(simulated('vllm', [1]), simulated('layerkv', [1]))), /LayerKV changes little here/);
  });

  it('says for one policy who misses the SLO, and copes with none and with nothing', () => {
    assert.match(headline(model(simulated('vllm', [1]))), /1\.0 s at p99; 40 % of the requests miss an SLO/);
    assert.match(headline(model(simulated('vllm', [1], { violationRate: null }))), /1\.0 s at p99\.$/);
    const nothing = { ttftMs: null, tpotMs: null, e2eMs: null, verdict: 'does-not-fit' } as const;
    assert.match(headline(model(simulated('vllm', [], nothing))), /does not start/);
    assert.match(headline(model(simulated('vllm', [], nothing), simulated('layerkv', [], nothing))), /either policy/);
  });

  it('calls nothing met where nothing is asked', () => {
    const open = simulated('vllm', [1], { verdict: 'met', violationRate: null }).prediction;
    assert.deepEqual(verdictText(open), { text: 'no SLO stated', tone: 'neutral' });
    assert.equal(verdictText(simulated('vllm', [1]).prediction).tone, 'bad');
  });

  it('does not call good what only the length of the run keeps good', () => {
    const backlog = { atHalf: 12, atEnd: 47, parkedAtEnd: 46, grows: true };
    const met = { verdict: 'met', violationRate: { ttft: 0, tpot: 0, any: 0, interval: null } } as const;
    const behind = simulated('layerkv', [1], { ...met, backlog });
    assert.deepEqual(verdictText(behind.prediction), { text: 'SLO met, backlog grows', tone: 'warn' });
    assert.deepEqual(verdictText({ ...behind.prediction, backlog: { ...backlog, grows: false } }), {
      text: 'SLO met',
      tone: 'good',
    });
    const [note, ...others] = backlogNotes(model(simulated('vllm', [1]), behind));
    assert.deepEqual(others, []);
    assert.match(
      note ?? '',
      /^LayerKV does not keep up .*47 requests were waiting .* It carries about 0\.5 requests\/s/,
    );
  });
});

describe('the report: tables', () => {
  const offload = {
    layers: 32,
    retainedLayers: 4,
    hiddenShare: 0.97,
    deviceToHostBytes: 1e9,
    hostToDeviceBytes: 2e9,
    parkedS: 5,
  };
  const both = model(simulated('vllm', [1]), simulated('layerkv', [1], { offload }));

  it('has a column for each policy in every row', () => {
    for (const table of [numbersTable(both), ttftTable(both), partsTable(both)]) {
      for (const { head, cells: row } of table.groups.flatMap(({ rows }) => rows)) assert.equal(row.length, 2, head);
      assert.deepEqual(table.columns.slice(1), ['vLLM', 'LayerKV']);
    }
    for (const { rows } of latencyTable(both).groups) {
      assert.deepEqual(
        rows.map(({ head, cells: row }) => [head, row.length]),
        [
          ['vLLM', 6],
          ['LayerKV', 6],
        ],
      );
    }
  });

  it('writes figures with units, and a dash where there is none', () => {
    const table = numbersTable(both);
    assert.deepEqual(cells(table, 'Requests that miss an SLO'), ['40 % (30–50 %)', '40 % (30–50 %)']);
    assert.deepEqual(cells(table, 'Weights per GPU'), ['13.5 GB', '13.5 GB']);
    assert.deepEqual(cells(table, 'KV cache on the GPUs'), [
      '52,416 tokens, 3,276 blocks',
      '52,416 tokens, 3,276 blocks',
    ]);
    assert.deepEqual(cells(table, 'Layers kept on the GPU'), ['–', '4 of 32']);
    assert.deepEqual(cells(table, 'Offloading hidden behind compute'), ['–', '97 %']);
    assert.deepEqual(cells(partsTable(both), 'Waiting in the queue'), ['450 ms (90 %)', '450 ms (90 %)']);
  });

  it('leaves out offloading where nobody offloads', () => {
    const names = numbersTable(model(simulated('vllm', [1]))).groups.map(({ name }) => name);
    assert.ok(!names.includes('Offload to the host'));
  });
});

describe('the report: how sure it is', () => {
  const band = (low: number, high: number) => ({
    low,
    high,
    median: 1,
    measurements: 43,
    sources: 3,
    cell: { basis: 'published', gpu: 'hopper', model: 'dense', load: 'light' } as const,
  });
  const provenance = {
    cost: 'fitted',
    engineDefaults: 'vllm 0.9.1',
    engineDefaultsRow: '0.9.0 until 0.10.0, GPUs from 70 GiB but A100',
    seed: 7,
    confidence: { measuredPolicy: 'vllm', ttft: band(0.8, 1.25), tpot: band(0.9, 1.1), throughput: null },
  } as const;

  it('puts ranges, their basis and the row of defaults into the table', () => {
    const table = numbersTable(model(simulated('vllm', [1], { provenance })));
    const basis = '(43 on Hopper GPUs, dense models, little queueing)';
    assert.deepEqual(cells(table, 'Mean TTFT in 8 of 10 measurements like this'), [`400–625 ms ${basis}`]);
    assert.deepEqual(cells(table, 'Mean TPOT in 8 of 10'), [`23–28 ms ${basis}`]);
    assert.deepEqual(cells(table, 'Output in 8 of 10'), ['–']);
    assert.deepEqual(cells(table, 'Step times'), ['fitted to kernels timed on this GPU']);
    assert.deepEqual(cells(table, 'Engine defaults'), ['vllm 0.9.1 (0.9.0 until 0.10.0, GPUs from 70 GiB but A100)']);
  });

  it('says of which policy the verdict is within the error', () => {
    const rate = (low: number) => ({
      ttft: 0.4,
      tpot: 0,
      any: 0.4,
      interval: null,
      withinError: { ttft: [low, 0.5], tpot: [0, 0], any: [low, 0.5] } as const,
    });
    const sure = simulated('vllm', [1], { violationRate: rate(0.3) });
    const open = simulated('layerkv', [1], { violationRate: rate(0) });
    assert.deepEqual(errorNotes(model(sure)), []);
    assert.deepEqual(errorNotes(model(sure, open)), [
      "LayerKV: Within the model's error of the SLO: with times at the low end of such measurements 0 % of the requests miss it, not 40 %.",
    ]);
  });
});

describe('the report: page', () => {
  it('lets only its own script run and reaches nothing', () => {
    const html = reportHtml({ cspSource: 'vscode:', script: 'vscode:/r.js', style: 'vscode:/r.css', nonce: 'N1' });
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1] ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'nonce-N1'/);
    assert.doesNotMatch(policy, /unsafe|https?:|connect-src|img-src/);
    const scripts = html.match(/<script[^>]*>[^<]*/g) ?? [];
    assert.deepEqual(scripts, ['<script nonce="N1" src="vscode:/r.js">']);
    assert.doesNotMatch(html, / style=| on\w+=/);
  });
});
