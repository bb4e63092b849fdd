/** Checks beside the rows' errors: KV pools, recorded runs request by request, and TTFTs of which the kind is not said. */
import { latencies } from '../../src/engine/metrics.ts';
import { simulate } from '../../src/engine/simulate.ts';
import { pinnedPools } from '../startup/pinned.ts';
import { logsWithPools, poolError } from '../startup/pools.ts';
import { compareRow } from '../validate/predict.ts';
import { rowInput, type ValidationRow } from '../validate/row.ts';
import { errorOf, quantile } from '../validate/summary.ts';
import type { Judged } from './leaveOut.ts';
import type { PoolCheck, TraceCheck, UnsaidTtft } from './types.ts';

export function poolCheck(rows: readonly ValidationRow[]): PoolCheck {
  const logs = logsWithPools().map((each) => ({ name: each.log.name, error: poolError(each) }));
  const absolute = logs.map(({ error }) => Math.abs(error)).sort((a, b) => a - b);
  const [worst = { name: '', error: 0 }] = logs.toSorted((a, b) => Math.abs(b.error) - Math.abs(a.error));
  return {
    logs: logs.length,
    medianAbs: quantile(absolute, 0.5),
    p90Abs: quantile(absolute, 0.9),
    worst,
    pinned: pinnedPools(rows),
  };
}

/** Runs that list every request. */
export function traceChecks(judged: readonly Judged[]): readonly TraceCheck[] {
  return judged.flatMap(({ row, compared }): readonly TraceCheck[] => {
    const built = rowInput(row);
    if (row.requests === undefined || !built.ok) return [];
    const { records } = simulate(built.input);
    // In order of arrival; all requests finish, or the row would not be covered.
    const times = latencies(records);
    if (!compared.covered) return [];
    const measured = row.requests.toSorted(([a = 0], [b = 0]) => a - b);
    const ttft: number[] = [];
    const tpot: number[] = [];
    measured.forEach(([, , output = 0, ttftMs = 0, e2eMs = 0], k) => {
      ttft.push(Math.abs((1000 * (times.ttftS[k] ?? 0)) / ttftMs - 1));
      if (output > 1) tpot.push(Math.abs((1000 * (times.tpotS[k] ?? 0)) / ((e2eMs - ttftMs) / (output - 1)) - 1));
    });
    const median = (errors: number[]): number =>
      quantile(
        errors.sort((a, b) => a - b),
        0.5,
      );
    return [
      {
        name: `${row.model.split('/').at(-1)}, ${row.gpu}, vLLM ${row.engineVersion}`,
        requests: measured.length,
        poolPinned: row.numGpuBlocks !== undefined,
        meanTtft: errorOf(compared, 'ttftMs') ?? 0,
        meanTpot: errorOf(compared, 'tpotMs') ?? 0,
        throughput: errorOf(compared, 'outputTokS') ?? 0,
        eachTtft: median(ttft),
        eachTpot: median(tpot),
      },
    ];
  });
}

/** Where mean and median are nearer than this, a row does not tell them apart. */
const APART = 0.1;

/** @param judged unsaturated rows count. */
export function unsaidTtft(judged: readonly Judged[]): UnsaidTtft {
  const both = judged.flatMap(({ row, compared }) => {
    const published = row.measured.ttftMs?.unspecified;
    const mean = compared.predicted?.ttftMs ?? null;
    if (published === undefined || mean === null || compared.saturated) return [];
    const median = compareRow(row, { unspecifiedTtft: 'p50' }).predicted?.ttftMs ?? mean;
    return [{ row, published, mean, median }];
  });
  const apart = both.filter(({ mean, median }) => Math.abs(Math.log(mean / median)) > Math.log1p(APART));
  const distance = (a: number, b: number): number => Math.abs(Math.log(a / b));
  const nearer = apart.filter(({ published, mean, median }) => distance(published, mean) < distance(published, median));
  return {
    rows: both.length,
    apart: apart.length,
    nearerToMean: apart.length === 0 ? 0 : nearer.length / apart.length,
    example: both
      .filter(({ row }) => isExample(row))
      .map(({ row, published, mean, median }) => ({
        concurrency: row.load.concurrency ?? 0,
        publishedMs: published,
        meanMs: mean,
        medianMs: median,
      }))
      .toSorted((a, b) => a.concurrency - b.concurrency),
  };
}

/** Llama-3.1-70B on eight H100, prompts of 8k and answers of 1k. */
function isExample({ model, gpu, tp, input, output }: ValidationRow): boolean {
  return (
    /Llama-3\.1-70B/.test(model) && gpu.startsWith('H100') && tp === 8 && input.max === 8192 && output.max === 1024
  );
}
