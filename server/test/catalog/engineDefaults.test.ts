import assert from 'node:assert/strict';
import {
  DEFAULT_VERSION,
  ENGINE_DEFAULTS,
  type EngineDefaults,
  engineDefaults,
  knownVersions,
} from '../../src/catalog/engineDefaults.ts';
import { findGpu } from '../../src/catalog/gpus.ts';

function of(version: string, gpuName: string, maxModelLen = 16384, scheduler?: 'v0' | 'v1'): EngineDefaults {
  const gpu = findGpu(gpuName);
  assert.ok(gpu, gpuName);
  const result = engineDefaults(version, gpu, maxModelLen, scheduler);
  assert.ok(result.ok, version);
  return result.value;
}

describe('defaults of vLLM by version', () => {
  it('0.5.5 runs v0: whole prompts, 256 sequences, no prefix cache', () => {
    const row = of('0.5.5', 'L20');
    assert.deepEqual(
      { ...row, source: '' },
      {
        release: 'vllm 0.5.5',
        row: '0.5.0 until 0.8.0, all GPUs',
        version: '0.5.5',
        scheduler: 'v0',
        gpuMemoryUtilization: 0.9,
        blockSizeTokens: 16,
        maxNumSeqs: 256,
        maxNumBatchedTokens: 16384,
        prefixCaching: false,
        asyncScheduling: false,
        reserveFullSequence: false,
        hybridKvCache: false,
        fullDecodeGraphs: true,
        chunkedPrefill: false,
        source: '',
      },
    );
    assert.equal(of('0.5.5', 'L20', 1024).maxNumBatchedTokens, 2048);
  });

  it('v1 from 0.8 on; large GPUs get 8192 tokens and 1024 sequences', () => {
    assert.equal(of('0.7.3', 'H100').scheduler, 'v0');
    const h100 = of('0.8.0', 'H100');
    assert.deepEqual([h100.scheduler, h100.maxNumBatchedTokens, h100.maxNumSeqs], ['v1', 8192, 1024]);
    const l20 = of('0.10.2', 'L20');
    assert.deepEqual([l20.maxNumBatchedTokens, l20.maxNumSeqs], [2048, 256]);
    // By name before 0.8.3, by memory until 0.9, by memory without the A100 since.
    assert.deepEqual(
      ['0.8.2', '0.8.3', '0.9.0'].map((v) => of(v, 'A100-80G').maxNumSeqs),
      [256, 1024, 256],
    );
    assert.deepEqual(
      ['0.8.2', '0.8.3', '0.9.0'].map((v) => of(v, 'MI300X').maxNumSeqs),
      [256, 1024, 1024],
    );
  });

  it('asks for room for the whole sequence from 0.20 on, in v1 only', () => {
    assert.deepEqual(
      ['0.17.1', '0.20.0', '0.30.0'].map((v) => of(v, 'H100').reserveFullSequence),
      [false, true, true],
    );
    assert.equal(of('0.20.0', 'H100', 32768, 'v0').reserveFullSequence, false);
  });

  it('records decode steps whole in v0, and again from 0.11 on', () => {
    assert.deepEqual(
      ['0.7.3', '0.10.2', '0.11.0'].map((v) => of(v, 'H100').fullDecodeGraphs),
      [true, false, true],
    );
    assert.equal(of('0.10.2', 'H100', 32768, 'v0').fullDecodeGraphs, true);
  });

  it('async scheduling from 0.14, 0.92 of the memory from 0.21', () => {
    assert.deepEqual(
      ['0.13.0', '0.14.0'].map((v) => of(v, 'H100').asyncScheduling),
      [false, true],
    );
    assert.deepEqual(
      ['0.20.2', '0.21.0'].map((v) => of(v, 'H100').gpuMemoryUtilization),
      [0.9, 0.92],
    );
  });

  it('compares versions by number, not by letter, and reads tags as written', () => {
    assert.equal(of('0.10.0', 'H100').scheduler, 'v1');
    for (const tag of ['v0.6.6.post1', '0.6.6', ' 0.6.6-cu124 ', '0.6.6rc1', 'v0.6.6.dev12+g1a2b3c']) {
      assert.equal(of(tag, 'H100').scheduler, 'v0', tag);
      assert.equal(of(tag, 'H100').release, 'vllm 0.6.6', tag);
    }
    assert.equal(of('0.99', 'H100').gpuMemoryUtilization, 0.92);
  });

  it("a stated scheduler brings its own limits, on either side of its release's default", () => {
    const old = of('0.10.0', 'H100', 32768, 'v0');
    assert.deepEqual(
      [old.scheduler, old.maxNumSeqs, old.maxNumBatchedTokens, old.prefixCaching],
      ['v0', 256, 32768, false],
    );
    assert.equal(of('0.14.0', 'H100', 32768, 'v0').asyncScheduling, false);
    assert.equal(of('0.7.3', 'H100', 32768, 'v1').maxNumBatchedTokens, 8192);
  });

  it('says what is wrong with a version it cannot place', () => {
    const gpu = findGpu('L20');
    assert.ok(gpu);
    for (const version of ['latest', 'nightly', '', '5', '1e999', 'v', '0.5.5; rm -rf', '0.'.repeat(5000)]) {
      const result = engineDefaults(version, gpu, 4096);
      assert.ok(!result.ok, version);
      assert.match(result.message, /not a vLLM version.*Write it like/);
      assert.ok(result.message.length < 300);
    }
    const ancient = engineDefaults('0.2.7', gpu, 4096);
    assert.ok(!ancient.ok);
    assert.match(ancient.message, /begins with 0\.5\.0/);
  });

  it('names the row of the table and its class of GPUs', () => {
    const cases = [
      ['0.5.5', 'H100', '0.5.0 until 0.8.0, all GPUs'],
      ['0.8.2', 'A100 80GB SXM4', '0.8.0 until 0.8.3, GPUs other than H100 and H200'],
      ['0.8.5', 'A100 80GB SXM4', '0.8.3 until 0.9.0, GPUs from 70 GiB'],
      ['0.9.1', 'A100 80GB SXM4', '0.9.0 until 0.10.0, GPUs below 70 GiB and A100'],
      ['0.9.1', 'H100', '0.9.0 until 0.10.0, GPUs from 70 GiB but A100'],
      [DEFAULT_VERSION, 'L4', '0.21.0 and later, GPUs below 70 GiB and A100'],
    ] as const;
    for (const [version, gpu, row] of cases) assert.equal(of(version, gpu).row, row, version);
    // The other scheduler than the release's own: its limits know no classes.
    assert.equal(of('0.10.0', 'H100', 4096, 'v0').row, '0.10.0 until 0.11.0, all GPUs');
  });

  it('the default is the newest known, every row has a source, rows ascend', () => {
    assert.equal(knownVersions().at(-1), DEFAULT_VERSION);
    assert.ok(knownVersions().includes('0.5.5'));
    for (const row of ENGINE_DEFAULTS) assert.match(row.source, /github\.com\/vllm-project\/vllm/);
    assert.deepEqual(
      ENGINE_DEFAULTS.map((row) => row.since),
      knownVersions().filter((v) => ENGINE_DEFAULTS.some((row) => row.since === v)),
    );
    assert.equal(of(DEFAULT_VERSION, 'L20').source, ENGINE_DEFAULTS.at(-1)?.source);
  });
});
