import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readStartupLog, type StartupLog } from '../../src/calibrate/startupLog.ts';
import { LOG_V0, LOG_V1 } from './results.ts';

function logOf(text: string): StartupLog {
  const read = readStartupLog(text);
  assert.ok(read.ok, read.ok ? '' : read.message);
  return read.value;
}

describe('start-up logs', () => {
  it('of v1 tell tokens', () => {
    assert.deepEqual(logOf(LOG_V1), {
      kvTokens: 420_912,
      gpuBlocks: null,
      engineVersion: '0.10.0',
      model: 'meta-llama/Llama-3.1-8B-Instruct',
      tensor: 1,
      pipeline: 1,
      data: 1,
      maxModelLen: 16_000,
      blockSize: null,
      gpuMemoryGiB: null,
      gpuName: null,
    });
  });

  it('of v0 tell blocks', () => {
    const log = logOf(LOG_V0);
    assert.deepEqual(
      [log.kvTokens, log.gpuBlocks, log.engineVersion, log.gpuMemoryGiB],
      [null, 26_307, '0.6.4', 79.22],
    );
  });

  it('are understood in the words of each version', () => {
    const pools: readonly [string, number | null, number | null][] = [
      ['# GPU blocks: 7449, # CPU blocks: 2048', null, 7449],
      ['INFO 11-06 worker.py:12] # cuda blocks: 1952, # CPU blocks: 4096', null, 1952],
      ['# rocm blocks: 20186, # CPU blocks: 512', null, 20_186],
      ['(EngineCore_0 pid=7) INFO [kv_cache_utils.py:864] GPU KV cache size: 81,536 tokens', 81_536, null],
      ['GPU KV cache size: 223152 tokens, Maximum concurrency for 8,192 tokens per request: 27.24x', 223_152, null],
    ];
    for (const [line, tokens, blocks] of pools) {
      const log = logOf(`noise\n${line}\nnoise`);
      assert.deepEqual([log.kvTokens, log.gpuBlocks], [tokens, blocks], line);
    }
    assert.equal(logOf(`Python version 3.12.3\n${LOG_V1}`).engineVersion, '0.10.0');
    assert.equal(logOf('Python version 3.12.3\nGPU KV cache size: 81,536 tokens').engineVersion, null);
    assert.equal(logOf(`${LOG_V1}non-default args: {'block_size': 32, 'max_model_len': 9}`).blockSize, 32);
    const memory = 'Free memory on device cuda:0 (78.70/79.18 GiB) on startup.';
    assert.equal(logOf(LOG_V1 + memory).gpuMemoryGiB, 79.18);
    const moe =
      'Using default MoE config. Config file not found at /x/E=128,N=768,device_name=NVIDIA_H100_80GB_HBM3.json';
    assert.equal(logOf(LOG_V1 + moe).gpuName, 'NVIDIA H100 80GB HBM3');
  });

  it('count the least of several ranks, and the last of several starts', () => {
    const worker = (tokens: string): string => `GPU KV cache size: ${tokens} tokens\n`;
    assert.equal(logOf(LOG_V1 + worker('420,000') + worker('430,000')).kvTokens, 420_000);
    const again = LOG_V1.replaceAll('420,912', '300,000').replaceAll('0.10.0', '0.10.2');
    assert.equal(logOf(LOG_V1 + again).kvTokens, 300_000);
    assert.equal(logOf(again + LOG_V1).kvTokens, 420_912);
    assert.equal(logOf(LOG_V1 + again).engineVersion, '0.10.2');
  });

  it('without a pool are refused, and say what to give', () => {
    const refusal = (text: string): string => {
      const read = readStartupLog(text);
      assert.ok(!read.ok);
      return read.message;
    };
    assert.match(refusal('INFO: Started server process'), /no line that tells the size of the KV cache/);
    assert.match(refusal('GPU KV cache size: 0 tokens'), /no line/);
    assert.match(refusal(`GPU KV cache size: ${'9'.repeat(30)} tokens`), /no line/);
    assert.match(refusal('ValueError: No available memory for the cache blocks.'), /did not start/);
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !readStartupLog(text).ok));
  });
});
