import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pinnedPools } from '../../bench/startup/pinned.ts';
import { CHECKED_LOGS, GIB, inputOf, logsWithPools, poolError } from '../../bench/startup/pools.ts';
import { readRows } from '../../bench/validate/rowFile.ts';
import { hasShared, SHARED } from '../shared.ts';

/** Printed figures have two decimals; half a unit of the last one is rounding. */
const ROUNDING_GIB = 0.005;
const pools = logsWithPools();

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const PAGE = 'docs/start-up-memory.md';
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

describe('memory at start-up, against published logs', () => {
  it('predicts the KV pool: half of the logs within 1 %, all but a few within 3 %', () => {
    const errors = pools.map((each) => Math.abs(poolError(each)));
    assert.ok(pools.length >= 20, String(pools.length));
    assert.ok(median(errors) <= 0.01, page());
    assert.ok(errors.filter((error) => error > 0.03).length <= 1, page());
  });

  it('covers v0 and v1, one GPU and several, and four dtypes', () => {
    const logs = pools.map(({ log }) => log);
    const inputs = logs.map(inputOf);
    assert.ok(new Set(logs.map(({ version }) => version)).size >= 12);
    assert.ok(new Set(logs.map(({ gpu, totalGiB }) => `${gpu} ${totalGiB ?? ''}`)).size >= 12);
    for (const scheduler of ['v0', 'v1']) assert.ok(inputs.some((input) => input.scheduler === scheduler));
    for (const tensor of [1, 2, 4]) assert.ok(inputs.some((input) => input.parallelism.tensor === tensor));
    for (const dtype of ['bf16', 'fp8', 'mxfp4']) assert.ok(inputs.some((input) => input.weightDtype === dtype));
    assert.ok(inputs.some((input) => input.kvDtype === 'fp8'));
  });

  it('predicts weights within three quarters of a percent of what the logs print', () => {
    for (const { log, memory } of CHECKED_LOGS) {
      const { weightsGiB } = log.published;
      if (weightsGiB === undefined) continue;
      const off = Math.max(0, Math.abs(memory.weightsBytesPerGpu / GIB - weightsGiB) - ROUNDING_GIB) / weightsGiB;
      assert.ok(off <= 0.0075, `${log.name}: ${memory.weightsBytesPerGpu / GIB} for ${weightsGiB}`);
    }
  });

  it('counts blocks from bytes exactly', () => {
    let exact = 0;
    for (const { log, memory } of CHECKED_LOGS) {
      const { blocks, tokens, kvBytes, kvGiB } = log.published;
      const published = blocks ?? (tokens === undefined ? undefined : tokens / 16);
      if (published === undefined || (kvBytes === undefined && kvGiB === undefined)) continue;
      const blockBytes = memory.kvBytesPerTokenPerGpu * 16;
      const from = kvBytes ?? ((kvGiB ?? 0) - ROUNDING_GIB) * GIB;
      const to = kvBytes ?? ((kvGiB ?? 0) + ROUNDING_GIB) * GIB;
      assert.ok(
        Math.floor(from / blockBytes) <= published && published <= Math.floor(to / blockBytes),
        `${log.name}: ${published} blocks of ${blockBytes} bytes in ${from} to ${to}`,
      );
      exact++;
    }
    assert.ok(exact >= 15, String(exact));
  });

  it('says so row by row on a page of its own', () => {
    assert.ok(!(isUpdate && process.env['CI']), 'UPDATE_GOLDEN is for people: CI compares.');
    if (isUpdate) writeFileSync(PAGE, page());
    assert.equal(readFileSync(PAGE, 'utf8').replaceAll('\r\n', '\n'), page());
  });

  it('comes near the pools that the published measurements pin', function () {
    if (!hasShared()) return this.skip();
    const pinned = pinnedPools(readRows(join(SHARED, 'data/validation/vllm.jsonl')));
    assert.ok(pinned.length > 0);
    for (const { name, error } of pinned) assert.ok(Math.abs(error) <= 0.06, `${name}: ${percent(error)}`);
  });
});

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function page(): string {
  const of = (bytes: number): string => (bytes / GIB).toFixed(2);
  const rows = CHECKED_LOGS.map((each) => {
    const { log, memory, poolBytes } = each;
    const { weightsGiB, activationGiB } = log.published;
    const { version, utilization } = log;
    const counts = log.notAPool === undefined && poolBytes !== null;
    return [
      log.name,
      `${version}, ${utilization}`,
      weightsGiB === undefined ? '' : `${of(memory.weightsBytesPerGpu)} / ${weightsGiB}`,
      activationGiB === undefined ? '' : `${of(memory.activationBytesPerGpu)} / ${activationGiB}`,
      counts ? `${of(memory.kvBudgetBytesPerGpu)} / ${of(poolBytes)}` : '',
      counts ? percent(poolError(each)) : `– ${log.notAPool ?? ''}`,
      log.source,
    ].join(' | ');
  });
  const errors = pools.map((each) => Math.abs(poolError(each)));
  return [
    '# Memory at start-up, against published logs',
    '',
    'Predicted / printed by vLLM, GiB a GPU. Written by `server/test/forecast/startupLogs.test.ts`, which also asserts the',
    'figures. Rows with a number are those of [vllm.md](vllm.md), H4. How the predictions come about: [engine.md](engine.md),',
    'Memory. Sizes that follow from source code (weights, peaks, blocks) were fitted to no row; what is resident beside them',
    'and cannot be derived (kernels, CUDA context, NCCL, graphs: 0.1 to 1 GiB) is as some of these logs print it.',
    '',
    `**${pools.length} pools: median error ${percent(median(errors))}, largest ${percent(Math.max(...errors))}.**`,
    '',
    '| Run | Version, share | Weights | Peak of profiling | KV pool | Error | Source |',
    '|---|---|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
    '',
  ].join('\n');
}
