import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readBenchmarks } from '../../src/calibrate/benchmarks.ts';
import type { BenchmarkRun } from '../../src/calibrate/types.ts';
import { aiperf, guidellm, guidellmBenchmark, vllmBench } from './results.ts';

function runsOf(text: string): readonly BenchmarkRun[] {
  const read = readBenchmarks(text);
  assert.ok(read.ok, read.ok ? '' : read.message);
  return read.value;
}

function runOf(text: string): BenchmarkRun {
  const [run, second] = runsOf(text);
  assert.ok(run !== undefined && second === undefined);
  return run;
}

describe('results of vllm bench serve', () => {
  it('tell the load and the figures', () => {
    assert.deepEqual(runOf(vllmBench()), {
      tool: 'vllm bench serve',
      modelName: 'meta-llama/Llama-3.1-8B-Instruct',
      gpuName: null,
      arrivals: { kind: 'closed', concurrency: 32 },
      input: { kind: 'fixed', tokens: 1024 },
      output: { kind: 'fixed', tokens: 512 },
      trace: null,
      requests: 320,
      ttftMs: { statistic: 'mean', value: 98.2 },
      tpotMs: { statistic: 'mean', value: 10.4 },
      outputTokensPerS: { statistic: 'total', value: 3022.9 },
      requestsPerS: 5.9,
    });
  });

  it('tell how requests arrived', () => {
    const table: readonly [object, BenchmarkRun['arrivals']][] = [
      [{ max_concurrency: null }, { kind: 'burst' }],
      [{ max_concurrency: 500 }, { kind: 'burst' }],
      [{ max_concurrency: 1 }, { kind: 'serial' }],
      [
        { request_rate: 6, max_concurrency: null },
        { kind: 'poisson', ratePerS: 6 },
      ],
      [
        { request_rate: 6, burstiness: 4, max_concurrency: null },
        { kind: 'gamma', ratePerS: 6, cv: 0.5 },
      ],
      // A cap that was never felt, and one that was what paced the requests.
      [
        { request_rate: 6, max_concurrency: 200 },
        { kind: 'poisson', ratePerS: 6 },
      ],
      [
        { request_rate: 60, max_concurrency: 32 },
        { kind: 'closed', concurrency: 32 },
      ],
    ];
    for (const [change, arrivals] of table) {
      assert.deepEqual(runOf(vllmBench(change as Record<string, unknown>)).arrivals, arrivals, JSON.stringify(change));
    }
  });

  it('take medians where means were not asked for, and every request where each is told', () => {
    const without = { mean_ttft_ms: undefined, mean_tpot_ms: undefined };
    const { ttftMs, tpotMs } = runOf(vllmBench(without));
    assert.deepEqual([ttftMs?.statistic, tpotMs?.value], ['median', 10.3]);
    const detailed = {
      num_prompts: 3,
      completed: 3,
      request_rate: 2,
      max_concurrency: null,
      request_throughput: 1.9,
      start_times: [101.5, 100, 103],
      input_lens: [20, 10, 30],
      output_lens: [2, 1, 3],
    };
    const { trace } = runOf(vllmBench(detailed));
    assert.deepEqual([...(trace?.arrivalS ?? [])], [0, 1.5, 3]);
    assert.deepEqual([...(trace?.inputTokens ?? [])], [10, 20, 30]);
    assert.deepEqual([...(trace?.outputTokens ?? [])], [1, 2, 3]);
    // Users of a closed loop come when they are served: times of another server would not be theirs.
    const closed = runOf(vllmBench({ ...detailed, request_rate: 'inf', max_concurrency: 2 }));
    assert.equal(closed.trace, null);
    assert.equal(closed.input.kind, 'percentiles');
  });

  it('may be several, one a line, with what Python writes for infinity', () => {
    const two = `${vllmBench()}\n${vllmBench({ max_concurrency: 8 }).replace('"inf"', 'Infinity')}\n`;
    assert.deepEqual(
      runsOf(two).map(({ arrivals }) => arrivals.kind === 'closed' && arrivals.concurrency),
      [32, 8],
    );
  });
});

describe('results of guidellm', () => {
  it('tell each strategy, and TPOT without the first token', () => {
    const strategies: readonly [Record<string, unknown>, BenchmarkRun['arrivals']][] = [
      [{ type_: 'synchronous' }, { kind: 'serial' }],
      [
        { type_: 'concurrent', streams: 8 },
        { kind: 'closed', concurrency: 8 },
      ],
      [{ type_: 'throughput', max_concurrency: 512 }, { kind: 'burst' }],
      [
        { type_: 'throughput', max_concurrency: 64 },
        { kind: 'closed', concurrency: 64 },
      ],
      [
        { type_: 'constant', rate: 2.5 },
        { kind: 'constant', ratePerS: 2.5 },
      ],
      [
        { type_: 'poisson', rate: 2.5 },
        { kind: 'poisson', ratePerS: 2.5 },
      ],
    ];
    const runs = runsOf(guidellm(...strategies.map(([strategy]) => guidellmBenchmark(strategy))));
    assert.deepEqual(
      runs.map(({ arrivals }) => arrivals),
      strategies.map(([, arrivals]) => arrivals),
    );
    const [first] = runs;
    assert.deepEqual(
      [first?.tpotMs, first?.ttftMs?.value, first?.requests],
      [{ statistic: 'mean', value: 8 }, 60, 200],
    );
    assert.deepEqual(first?.output, { kind: 'fixed', tokens: 256 });
    assert.ok(first?.input.kind === 'percentiles' && first.input.mean === 512);
    assert.equal(first.modelName, 'meta-llama/Llama-3.1-8B-Instruct');
  });
});

describe('results of AIPerf', () => {
  it('tell the load, whichever way the configuration is written', () => {
    const configured = (input_config: object, more: object = {}) => runOf(aiperf({ input_config, ...more })).arrivals;
    assert.deepEqual(runOf(aiperf()).arrivals, { kind: 'closed', concurrency: 8 });
    assert.deepEqual(configured({ loadgen: { request_rate: 4, arrival_pattern: 'constant' } }), {
      kind: 'constant',
      ratePerS: 4,
    });
    assert.deepEqual(configured({ loadgen: { request_rate: 4, arrival_pattern: 'gamma', arrival_smoothness: 4 } }), {
      kind: 'gamma',
      ratePerS: 4,
      cv: 0.5,
    });
    const phases = [
      { name: 'warmup', concurrency: 2 },
      { name: 'profiling', type: 'concurrency', concurrency: 16 },
    ];
    assert.deepEqual(configured({ phases }), { kind: 'closed', concurrency: 16 });
    assert.deepEqual(configured({ phases: { profiling: { rate: 3, type: 'poisson' } } }), {
      kind: 'poisson',
      ratePerS: 3,
    });
    assert.deepEqual(configured({ cli_command: 'aiperf profile -m x --streaming --concurrency 12 --osl 100' }), {
      kind: 'closed',
      concurrency: 12,
    });
    const sweep = { run_info: { variation_values: { 'phases.profiling.concurrency': 40 } } };
    assert.deepEqual(configured({ phases }, sweep), { kind: 'closed', concurrency: 40 });
  });

  it('tell figures in their own units, and the GPU where telemetry was on', () => {
    const gpus = { gpu_0: { gpu_name: 'NVIDIA H100 80GB HBM3' } };
    const run = runOf(
      aiperf({
        time_to_first_token: { unit: 's', avg: 0.06 },
        telemetry_data: { endpoints: { 'localhost:9400': { gpus } } },
      }),
    );
    assert.deepEqual([run.ttftMs?.value, run.tpotMs?.value, run.gpuName], [60, 8, 'NVIDIA H100 80GB HBM3']);
  });
});

describe('results that are refused', () => {
  const closed = { type_: 'concurrent', streams: 8 };
  const table: readonly [string, string, RegExp][] = [
    ['no JSON', 'Mean TTFT (ms): 98', /not valid JSON\. Give the JSON of `vllm bench serve/],
    ['something else', '{"a": 1}', /no benchmark result known here/],
    ['failures', vllmBench({ completed: 317, failed: 3 }), /^3 of 320 requests failed.* Run it again/],
    ['failures of old versions', vllmBench({ completed: 317, failed: undefined }), /^3 of 320 requests failed/],
    ['nothing completed', vllmBench({ completed: 0, failed: 320 }), /No request was completed/],
    ['no tokens', vllmBench({ total_output_tokens: 0 }), /counts no tokens/],
    [
      'no metrics',
      vllmBench({ mean_ttft_ms: undefined, median_ttft_ms: undefined, mean_tpot_ms: 0, median_tpot_ms: 0 }),
      /neither TTFT nor TPOT.*--percentile-metrics/,
    ],
    ['no rate', vllmBench({ request_rate: 0, max_concurrency: null }), /request rate is 0 a second/],
    ['a rate below none', vllmBench({ request_rate: -1 }), /request rate is -1 a second/],
    [
      'half a user',
      vllmBench({ request_rate: 'inf', max_concurrency: 2.5 }),
      /concurrency is 2\.5; it must be a whole/,
    ],
    ['no user', vllmBench({ request_rate: 'inf', max_concurrency: 0 }), /concurrency is 0; it must be a whole/],
    [
      'gaps of no shape',
      vllmBench({ request_rate: 2, max_concurrency: null, burstiness: -1 }),
      /shape of its gamma .* is -1/,
    ],
    ['a ramp', vllmBench({ ramp_up_strategy: 'linear' }), /ramps up/],
    ['speculation', vllmBench({ spec_decode_acceptance_rate: 0.7 }), /speculative decoding/],
    [
      'guidellm with failures',
      guidellm(guidellmBenchmark(closed, { errored: 2 })),
      /Benchmark 1 of 1: 2 of 202 requests failed/,
    ],
    ['guidellm without requests', guidellm(guidellmBenchmark(closed, { successful: 0 })), /No request was completed/],
    [
      'guidellm without a strategy',
      guidellm(guidellmBenchmark(closed), guidellmBenchmark({})),
      /Benchmark 2 of 2: .*how requests arrived/,
    ],
    [
      'guidellm without tokens',
      guidellm(guidellmBenchmark(closed, {}, { output_token_count: null })),
      /counts no tokens/,
    ],
    [
      'guidellm with no user',
      guidellm(guidellmBenchmark({ type_: 'throughput', max_concurrency: 0 })),
      /Benchmark 1 of 1: Its concurrency is 0/,
    ],
    ['guidellm without benchmarks', guidellm(), /holds no benchmark/],
    [
      'AIPerf with failures',
      aiperf({ error_request_count: { unit: 'requests', avg: 5 } }),
      /^5 of 205 requests failed/,
    ],
    ['AIPerf cancelled', aiperf({ was_cancelled: true }), /cancelled half-way/],
    ['AIPerf without a rate', aiperf({ input_config: { loadgen: { request_rate: 0 } } }), /request rate is 0 a second/],
    [
      'AIPerf with gaps of no shape',
      aiperf({ input_config: { loadgen: { request_rate: 2, arrival_pattern: 'gamma', arrival_smoothness: -1 } } }),
      /shape of its gamma .* is -1/,
    ],
    ['AIPerf without load', aiperf({ input_config: {} }), /does not say how requests arrived/],
    [
      'AIPerf without streaming',
      aiperf({ time_to_first_token: undefined, inter_token_latency: undefined }),
      /neither TTFT nor TPOT/,
    ],
  ];
  for (const [name, text, message] of table) {
    it(name, () => {
      const read = readBenchmarks(text);
      assert.ok(!read.ok);
      assert.match(read.message, message);
    });
  }

  it('never with an exception', () => {
    const change = fc.dictionary(fc.constantFrom(...Object.keys(JSON.parse(vllmBench()))), fc.jsonValue());
    fc.assert(fc.property(change, (wrong) => typeof readBenchmarks(vllmBench(wrong)).ok === 'boolean'));
    const part = fc.dictionary(fc.constantFrom(...Object.keys(JSON.parse(aiperf()))), fc.jsonValue());
    fc.assert(fc.property(part, (wrong) => typeof readBenchmarks(aiperf(wrong)).ok === 'boolean'));
    fc.assert(fc.property(fc.jsonValue(), (wrong) => !readBenchmarks(JSON.stringify({ benchmarks: [wrong] })).ok));
    fc.assert(fc.property(fc.json(), (text) => !readBenchmarks(text).ok));
  });
});
