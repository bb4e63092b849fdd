/** How a published measurement becomes the engine's input: defaults by release, what is inferred, what is refused. */
import assert from 'node:assert/strict';
import { LAYERKV_OFF, rowInput, type ValidationRow } from '../../bench/validate/row.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { publishedRow } from './rows.ts';

function inputOf(over: Partial<ValidationRow> = {}): EngineInput {
  const built = rowInput(publishedRow(over));
  assert.ok(built.ok, built.ok ? '' : built.reason);
  return built.input;
}

function refusal(over: Partial<ValidationRow>): string {
  const built = rowInput(publishedRow(over));
  assert.ok(!built.ok, 'it was not refused');
  return built.reason;
}

describe('a published measurement', () => {
  it('takes what is stated', () => {
    const input = inputOf({
      tp: 2,
      ep: 1,
      replicas: 3,
      weightDtype: 'fp8',
      kvDtype: 'fp8',
      blockSize: 32,
      maxModelLen: 4096,
      maxNumSeqs: 33,
      maxNumBatchedTokens: 3000,
      gpuMemoryUtilization: 0.8,
      numGpuBlocks: 1234,
      prefixCaching: false,
      enforceEager: true,
      asyncScheduling: true,
    });
    assert.deepEqual(input.parallelism, { tensor: 2, pipeline: 1, data: 1, expert: 1 });
    assert.equal(input.replicas, 3);
    assert.deepEqual([input.weightDtype, input.kvDtype, input.activationDtype], ['fp8', 'fp8', 'fp8']);
    const { blockSizeTokens, maxModelLenTokens, maxNumSeqs, maxNumBatchedTokens } = input.limits;
    assert.deepEqual([blockSizeTokens, maxModelLenTokens, maxNumSeqs, maxNumBatchedTokens], [32, 4096, 33, 3000]);
    assert.deepEqual([input.gpuMemoryUtilization, input.numGpuBlocks], [0.8, 1234]);
    assert.deepEqual([input.prefixCaching, input.enforceEager, input.asyncScheduling], [false, true, true]);
    assert.deepEqual([input.policy, input.layerkv, input.cost], ['vllm', LAYERKV_OFF, { kind: 'roofline' }]);
  });

  // vLLM's defaults by release and GPU: docs/vllm.md.
  const defaults: readonly [string, Partial<ValidationRow>, Partial<EngineInput['limits']>][] = [
    ['v1 on a large GPU', { engineVersion: '0.10.0' }, { maxNumSeqs: 1024, maxNumBatchedTokens: 8192 }],
    ['v1 on A100', { gpu: 'A100 80GB SXM4' }, { maxNumSeqs: 256, maxNumBatchedTokens: 2048 }],
    ['v1 on a small GPU', { gpu: 'RTX 4090' }, { maxNumSeqs: 256, maxNumBatchedTokens: 2048 }],
    ['v0', { engineVersion: '0.7.3', scheduler: 'v0-prefill-first', maxModelLen: 8192 }, { maxNumSeqs: 256 }],
    ['a version that is said to be about', { engineVersion: '~0.10' }, { maxNumSeqs: 1024 }],
    ['no version at all', { engineVersion: 'unknown (2025)' }, { maxNumSeqs: 1024 }],
  ];
  for (const [name, over, expected] of defaults) {
    it(`fills the limits of ${name}`, () => {
      const { limits } = inputOf(over);
      for (const [key, value] of Object.entries(expected)) assert.equal(limits[key as keyof typeof limits], value, key);
    });
  }

  it('takes the scheduler from the row, not from the version', () => {
    assert.equal(inputOf({ scheduler: 'v0-prefill-first', engineVersion: '0.7.3' }).scheduler, 'v0');
    assert.equal(inputOf({ scheduler: 'v1-chunked', engineVersion: '~0.8-0.9' }).scheduler, 'v1');
  });

  it('gives windows back from the release on that does', () => {
    const gptOss = { model: 'openai/gpt-oss-120b', weightDtype: 'mxfp4', tp: 2 };
    assert.equal(inputOf({ ...gptOss, engineVersion: '0.11.0' }).hybridKvCache, true);
    assert.equal(inputOf({ ...gptOss, engineVersion: '0.9.2' }).hybridKvCache, false);
  });

  it('multiplies in the weights’ own format where the GPU can, unless the row says otherwise', () => {
    const of = (gpu: string, weightDtype: string, activationDtype?: string): string =>
      inputOf({ gpu, weightDtype, ...(activationDtype === undefined ? {} : { activationDtype }) }).activationDtype;
    assert.equal(of('H100 80GB SXM5', 'fp8'), 'fp8');
    assert.equal(of('A100 80GB SXM4', 'fp8'), 'bf16');
    assert.equal(of('H100 80GB SXM5', 'fp8', 'bf16'), 'bf16');
    assert.equal(of('A100 80GB SXM4', 'int8', 'int8'), 'int8');
    assert.equal(of('A100 80GB SXM4', 'int8', 'bf16'), 'bf16');
    assert.equal(inputOf({ gpu: 'B200 180GB (HGX/DGX)', weightDtype: 'fp4' }).weightDtype, 'nvfp4');
  });

  it('links GPUs by NVLink where the board has it', () => {
    assert.equal(inputOf({ tp: 2 }).interconnect, 'nvlink');
    assert.equal(inputOf({ tp: 2, gpu: 'L40S' }).interconnect, 'pcie');
  });

  it('reads caveats that change the run', () => {
    assert.equal(inputOf({ caveats: ['CUDA graphs off'] }).enforceEager, true);
    assert.equal(inputOf().enforceEager, false);
    assert.equal(inputOf().harness, undefined);
    assert.notEqual(
      inputOf({ caveats: ['in-process runner, no HTTP; times from engine queueing'] }).harness,
      undefined,
    );
  });

  it('gives an operator the share of memory without which the run could not have started', () => {
    // 70B in 16 bit on two H100: 0.9 leaves no room for the model’s own maximum length, 0.85 none for the request.
    const tight = {
      model: 'meta-llama/Llama-3.1-70B-Instruct',
      tp: 2,
      input: { kind: 'fixed', tokens: 9999 },
    } as const;
    assert.equal(inputOf().gpuMemoryUtilization, 0.9);
    assert.ok(inputOf({ ...tight, output: { kind: 'fixed', tokens: 1000 } }).gpuMemoryUtilization > 0.9);
    assert.match(refusal({ ...tight, gpuMemoryUtilization: 0.85 }), /the KV pool holds \d+ tokens/);
  });

  const refused: readonly [string, Partial<ValidationRow>, RegExp][] = [
    ['a model', { model: 'nobody/Knows-1B' }, /model nobody\/Knows-1B/],
    ['a GPU', { gpu: 'Abacus' }, /GPU Abacus/],
    ['weights', { weightDtype: 'ternary' }, /weights in ternary/],
    ['KV', { kvDtype: 'int2' }, /KV in int2/],
    ['a load', { load: { kind: 'tidal' } }, /load of kind tidal/],
    ['users', { load: { kind: 'closed' } }, /number of users/],
    ['a rate', { load: { kind: 'poisson', numRequests: 10 } }, /rate is not published/],
    ['lengths', { input: { kind: 'mean' } }, /lengths of the requests/],
    ['what does not fit', { model: 'deepseek-ai/DeepSeek-R1', weightDtype: 'fp8' }, /the KV pool holds 0 tokens/],
  ];
  for (const [name, over, reason] of refused) {
    it(`is refused with its reason: ${name}`, () => assert.match(refusal(over), reason));
  }
});
