import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readBenchmarks } from '../../src/calibrate/benchmarks.ts';
import { type CalibrationResult, calibrate } from '../../src/calibrate/calibrate.ts';
import { readStartupLog } from '../../src/calibrate/startupLog.ts';
import { latencies, meanOf } from '../../src/engine/metrics.ts';
import { simulate } from '../../src/engine/simulate.ts';
import type { ArrivalProcess, CostScale } from '../../src/engine/types.ts';
import { engineInput } from '../../src/forecast/input.ts';
import { parseCalibration } from '../../src/plan/calibrationFile.ts';
import type { Plan } from '../../src/plan/types.ts';
import { analyseText, planText } from '../plan/marks.ts';
import { aiperf, guidellm, guidellmBenchmark, LOG_V0, LOG_V1, vllmBench } from './results.ts';

const H100 = { 'gpu:': 'gpu: H100 80GB SXM5', 'version:': 'version: "0.10.0"', 'maxModelLen:': 'maxModelLen: 16000' };

async function planOf(changes: Readonly<Record<string, string>> = {}): Promise<Plan> {
  const [plan] = (await analyseText(planText({ ...H100, ...changes }))).plans;
  assert.ok(plan);
  return plan;
}

function run(plan: Plan, benches: readonly string[], log?: string) {
  const benchmarks = benches.flatMap((text, index) => {
    const read = readBenchmarks(text);
    assert.ok(read.ok, read.ok ? '' : read.message);
    return read.value.map((value) => ({ file: `bench-${index}.json`, value }));
  });
  if (log === undefined) return calibrate(plan, { benchmarks, log: null });
  const started = readStartupLog(log);
  assert.ok(started.ok, started.ok ? '' : started.message);
  return calibrate(plan, { benchmarks, log: { file: 'server.log', value: started.value } });
}

function resultOf(plan: Plan, benches: readonly string[], log?: string): CalibrationResult {
  const result = run(plan, benches, log);
  assert.ok(result.ok, result.ok ? '' : result.message);
  return result.value;
}

function refusal(plan: Plan, benches: readonly string[], log?: string): string {
  const result = run(plan, benches, log);
  assert.ok(!result.ok, 'should be refused');
  return result.message;
}

interface Load {
  readonly arrivals: ArrivalProcess;
  readonly input: number;
  readonly output: number;
  readonly requests: number;
}

/** What `vllm bench serve` would write of a server whose steps take what these factors say. */
function measured(plan: Plan, costScale: CostScale, { arrivals, input, output, requests }: Load): string {
  const workload = {
    source: {
      kind: 'synthetic',
      arrivals,
      input: { kind: 'fixed', tokens: input },
      output: { kind: 'fixed', tokens: output },
    },
    requests,
    seed: 1,
  } as const;
  const { records, makespanS } = simulate({ ...engineInput(plan, { policy: 'vllm' }), costScale, workload });
  const { ttftS, tpotS } = latencies(records);
  return vllmBench({
    num_prompts: requests,
    completed: requests,
    request_rate: arrivals.kind === 'poisson' ? arrivals.ratePerS : 'inf',
    max_concurrency: arrivals.kind === 'closed' ? arrivals.concurrency : arrivals.kind === 'serial' ? 1 : null,
    total_input_tokens: requests * input,
    total_output_tokens: requests * output,
    request_throughput: requests / makespanS,
    output_throughput: (requests * output) / makespanS,
    mean_ttft_ms: 1000 * meanOf(ttftS),
    mean_tpot_ms: 1000 * meanOf(tpotS),
  });
}

const USERS = (concurrency: number, requests = 4 * concurrency): Load => ({
  arrivals: { kind: 'closed', concurrency },
  input: 1000,
  output: 100,
  requests,
});

describe('a calibration', () => {
  it('finds the factors that made a benchmark', async () => {
    const plan = await planOf();
    // The further apart the two are, the more the fit doubts one benchmark: factors of one GPU are near each other.
    const factor = fc.double({ min: 0.7, max: 1.4, noNaN: true });
    const ratio = fc.double({ min: 0.85, max: 1.18, noNaN: true });
    fc.assert(
      fc.property(ratio, factor, fc.constantFrom(2, 4, 8), (apart, decode, users) => {
        const prefill = apart * decode;
        const bench = measured(plan, { prefill, decode, overhead: decode, sequences: [users] }, USERS(users));
        const { calibration } = resultOf(plan, [bench]);
        const [told] = calibration.benchmarks;
        assert.ok(Math.abs(told?.tpotMs?.errorAfter ?? 1) < 0.01, `TPOT ${told?.tpotMs?.errorAfter}`);
        assert.ok(
          // As docs/calibration.md promises.
          told?.saturated || Math.abs(told?.ttftMs?.errorAfter ?? 1) < 0.05,
          `TTFT ${told?.ttftMs?.errorAfter}`,
        );
        assert.ok(Math.abs(calibration.scales.decode / decode - 1) < 0.05, `decode ${calibration.scales.decode}`);
        // A part of each TTFT is waiting for a step to end, which jumps: it tells the prefill less sharply.
        assert.ok(
          told?.saturated || Math.abs(calibration.scales.prefill / prefill - 1) < 0.2,
          `prefill ${calibration.scales.prefill / prefill}`,
        );
      }),
      { numRuns: 25 },
    );
  });

  it('predicts loads like the measured one by it, and those far away a little better than without', async () => {
    const plan = await planOf();
    const truth = { prefill: 1.3, decode: 1.2, overhead: 1.2 };
    const { calibration } = resultOf(plan, [measured(plan, truth, USERS(8))]);
    const input = engineInput(plan, { policy: 'vllm' });
    const tpot = (costScale: CostScale, users: number): number => {
      const { records } = simulate({
        ...input,
        costScale,
        workload: { ...input.workload, source: { kind: 'synthetic', ...lengths(USERS(users)) }, requests: 256 },
      });
      return meanOf(latencies(records).tpotS);
    };
    const error = (costScale: CostScale, users: number): number => 1 - tpot(costScale, users) / tpot(truth, users);
    const without = { prefill: 1, decode: 1, overhead: 1 };
    for (const users of [6, 8, 12]) assert.ok(Math.abs(error(calibration.scales, users)) < 0.03, `${users} users`);
    for (const users of [1, 64]) {
      assert.ok(error(without, users) > 0.1);
      assert.ok(error(calibration.scales, users) < error(without, users) && error(calibration.scales, users) > 0);
    }
  });

  it('tells decode and host work apart from benchmarks at several loads', async () => {
    const plan = await planOf();
    const truth = { prefill: 1.2, decode: 1.1, overhead: 1.6 };
    const alone: Load = { arrivals: { kind: 'serial' }, input: 1000, output: 100, requests: 10 };
    const { calibration } = resultOf(plan, [
      measured(plan, truth, alone),
      measured(plan, truth, USERS(16)),
      measured(plan, truth, USERS(128)),
    ]);
    for (const { tpotMs } of calibration.benchmarks) assert.ok(Math.abs(tpotMs?.errorAfter ?? 1) < 0.02);
    assert.ok(calibration.scales.overhead > calibration.scales.decode);
  });

  it('is the same, byte for byte, whenever it is made, and a plan can read it', async () => {
    const plan = await planOf();
    const make = (): string =>
      JSON.stringify(resultOf(plan, [vllmBench(), guidellmPoisson(), aiperf()], LOG_V1).calibration);
    assert.equal(make(), make());
    const read = parseCalibration(make());
    assert.ok(read.ok, read.ok ? '' : JSON.stringify(read.faults));
    assert.deepEqual(read.value.pool, {
      numGpuBlocks: 26_307,
      blockSize: 16,
      kvTokens: 420_912,
      gpuMemoryUtilization: 0.9,
      maxModelLen: 16_000,
      maxNumSeqs: 256,
      maxNumBatchedTokens: 8192,
    });
  });

  it('without a benchmark pins the pool alone, and says so', async () => {
    const { calibration, notes } = resultOf(await planOf(), [], LOG_V1);
    assert.deepEqual(calibration.scales, { prefill: 1, decode: 1, overhead: 1 });
    assert.equal(calibration.pool?.numGpuBlocks, 26_307);
    assert.match(notes.join(' '), /only the KV pool is pinned/);
  });

  it('takes the pool of v0 logs in blocks', async () => {
    const plan = await planOf({ 'version:': 'version: "0.6.4"' });
    assert.equal(resultOf(plan, [], LOG_V0).calibration.pool?.kvTokens, 26_307 * 16);
  });

  it('says what it could not see', async () => {
    const plan = await planOf();
    const burst = measured(
      plan,
      { prefill: 1, decode: 1.2, overhead: 1 },
      { ...USERS(1), arrivals: { kind: 'burst' }, requests: 200 },
    );
    assert.match(resultOf(plan, [burst]).notes.join(' '), /No TTFT here says anything of the prefill/);
    const served = vllmBench({ model_id: 'my-model' });
    assert.match(resultOf(plan, [served]).notes.join(' '), /calls its model "my-model".*cannot be told/);
    const other = LOG_V1.replaceAll('0.10.0', '0.11.2');
    assert.match(resultOf(plan, [], other).notes.join(' '), /is of vLLM 0\.11\.2, the plan says 0\.10\.0/);
  });

  it('tells how far it is', async () => {
    const read = readBenchmarks(vllmBench());
    assert.ok(read.ok);
    const told: number[] = [];
    const benchmarks = read.value.map((value) => ({ file: 'a.json', value }));
    calibrate(await planOf(), { benchmarks, log: null }, (fraction) => told.push(fraction));
    assert.ok(told.length > 0);
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    );
    assert.ok(told.every((fraction) => fraction > 0 && fraction <= 1));
  });
});

describe('measurements that are refused', () => {
  const table: readonly [string, readonly string[], string | undefined, RegExp][] = [
    [
      'another model',
      [vllmBench({ model_id: 'Qwen/Qwen3-8B' })],
      undefined,
      /bench-0\.json: It measured Qwen\/Qwen3-8B, the plan has meta-llama/,
    ],
    [
      'another GPU',
      [aiperf({ telemetry_data: { endpoints: { a: { gpus: { gpu_0: { gpu_name: 'NVIDIA A100-SXM4-80GB' } } } } } })],
      undefined,
      /other hardware: its GPU is NVIDIA A100/,
    ],
    [
      'requests too long',
      [vllmBench({ total_input_tokens: 320 * 20_000 })],
      undefined,
      /20512 tokens on average.*max-model-len is 16000/,
    ],
    [
      'steps a hundred times too slow',
      [vllmBench({ mean_tpot_ms: 1040 })],
      undefined,
      /times longer than the cost model says; more than 5 times is no calibration\. Is the plan’s GPU/,
    ],
    [
      'steps far too fast',
      [vllmBench({ mean_tpot_ms: 0.3, mean_ttft_ms: 3 })],
      undefined,
      /times faster than the cost model says/,
    ],
    [
      'the log of another model',
      [],
      LOG_V1.replaceAll('Llama-3.1-8B-Instruct', 'Llama-3.1-70B-Instruct'),
      /log of another deployment: it started meta-llama\/Llama-3\.1-70B/,
    ],
    [
      'the log of other ranks',
      [],
      LOG_V1.replace('tensor_parallel_size=1', 'tensor_parallel_size=2'),
      /tensor-parallel size is 2, the plan's is 1/,
    ],
    [
      'the log of another length',
      [],
      LOG_V1.replace('max_seq_len=16000', 'max_seq_len=8192'),
      /max-model-len is 8192, the plan's is 16000/,
    ],
    [
      'the log of another GPU',
      [],
      `${LOG_V1}Free memory on device (38.9/39.39 GiB) on startup`,
      /its GPU has 39\.4 GiB, the plan's H100 80GB SXM5 has 79/,
    ],
    [
      'the log of a named GPU',
      [],
      `${LOG_V1}E=8,N=1,device_name=NVIDIA_A100-SXM4-80GB.json`,
      /its GPU is NVIDIA A100-SXM4-80GB/,
    ],
  ];
  for (const [name, benches, log, message] of table) {
    it(name, async () => assert.match(refusal(await planOf(), benches, log), message));
  }

  it('an engine that would not start', async () => {
    const plan = await planOf({ 'id:': 'id: meta-llama/Llama-3.1-70B-Instruct', 'tensor:': 'tensor: 1' });
    assert.match(
      refusal(plan, [vllmBench({ model_id: 'meta-llama/Llama-3.1-70B-Instruct' })]),
      /does not start.*--log/,
    );
  });
});

function guidellmPoisson(): string {
  return guidellm(guidellmBenchmark({ type_: 'poisson', rate: 4 }));
}

function lengths({ arrivals, input, output }: Load) {
  return {
    arrivals,
    input: { kind: 'fixed' as const, tokens: input },
    output: { kind: 'fixed' as const, tokens: output },
  };
}
