/**
 * Results of guidellm (src/guidellm/benchmark/schemas): `benchmarks[]`, one a strategy. Its `time_per_output_token_ms` counts
 * the first token too; what this project calls TPOT is its `inter_token_latency_ms`.
 */
import { isRecord } from '../catalog/outcome.ts';
import type { ArrivalProcess, LengthDistribution } from '../engine/types.ts';
import { pacedArrivals } from './arrivals.ts';
import { type Json, lengthsOf, meanOrMedian, numberAt, recordAt, refuse, textAt } from './json.ts';
import type { BenchmarkRun, Reading } from './types.ts';

export function isGuidellm(json: Json): boolean {
  return Array.isArray(json['benchmarks']);
}

/** Every benchmark of the file; one that cannot be used makes the file unusable, so that none is dropped unseen. */
export function readGuidellm(json: Json): Reading<readonly BenchmarkRun[]> {
  const runs: BenchmarkRun[] = [];
  const all = Array.isArray(json['benchmarks']) ? json['benchmarks'] : [];
  for (const [index, benchmark] of all.entries()) {
    const read = isRecord(benchmark) ? readOne(benchmark, json) : 'It is no benchmark.';
    if (typeof read === 'string') return refuse(`Benchmark ${index + 1} of ${all.length}: ${read}`);
    runs.push(read);
  }
  return runs.length === 0 ? refuse('It holds no benchmark.') : { ok: true, value: runs };
}

function readOne(benchmark: Json, file: Json): BenchmarkRun | string {
  const metrics = recordAt(benchmark, 'metrics');
  const counts =
    recordAt(metrics, 'request_totals') ??
    recordAt(benchmark, 'scheduler_metrics', 'requests_made') ??
    recordAt(benchmark, 'run_stats', 'requests_made');
  const requests = Math.round(
    numberAt(counts, 'successful') ?? numberAt(metrics, 'request_latency', 'successful', 'count') ?? 0,
  );
  const errored = numberAt(counts, 'errored') ?? 0;
  if (requests <= 0) return 'No request was completed. See its errors, and run it again.';
  if (errored > 0) {
    return `${errored} of ${requests + errored} requests failed, so its times are not those of the load it names. Run it again without failures.`;
  }
  const arrivals = arrivalsOf(benchmark, requests);
  if (!arrivals.ok) return arrivals.message;
  const input = lengths(metrics, 'prompt_token_count');
  const output = lengths(metrics, 'output_token_count');
  if (input === null || output === null) return 'It counts no tokens. Run it with the model’s own tokenizer.';
  const stats = (name: string): Json | null => recordAt(metrics, name, 'successful');
  const time = (name: string) => meanOrMedian(numberAt(stats(name), 'mean'), numberAt(stats(name), 'median'));
  const throughput = numberAt(stats('output_tokens_per_second'), 'mean');
  return {
    tool: 'guidellm',
    modelName: modelOf(benchmark, file),
    gpuName: null,
    arrivals: arrivals.value,
    input,
    output,
    trace: null,
    requests,
    ttftMs: time('time_to_first_token_ms'),
    tpotMs: time('inter_token_latency_ms'),
    outputTokensPerS: throughput === null || throughput <= 0 ? null : { statistic: 'mean', value: throughput },
    requestsPerS: numberAt(stats('requests_per_second'), 'mean'),
  };
}

function arrivalsOf(benchmark: Json, requests: number): Reading<ArrivalProcess> {
  const strategy = recordAt(benchmark, 'config', 'strategy') ?? recordAt(benchmark, 'args', 'strategy');
  const streams = numberAt(strategy, 'streams');
  const ratePerS = numberAt(strategy, 'rate');
  const kind = textAt(strategy, 'type_');
  const pacing = { ratePerS: null, pattern: 'poisson', shape: 1, cap: null, requests, requestsPerS: null } as const;
  if (kind === 'synchronous') return pacedArrivals({ ...pacing, cap: 1 });
  if (kind === 'throughput') return pacedArrivals({ ...pacing, cap: numberAt(strategy, 'max_concurrency') });
  if (kind === 'concurrent' && streams !== null) return pacedArrivals({ ...pacing, cap: Math.round(streams) });
  if ((kind === 'constant' || kind === 'poisson') && ratePerS !== null) {
    return pacedArrivals({ ...pacing, ratePerS, pattern: kind });
  }
  return refuse('It does not say how requests arrived (`config.strategy`).');
}

const PERCENTILES = [
  ['p01', 1],
  ['p05', 5],
  ['p10', 10],
  ['p25', 25],
  ['p50', 50],
  ['p75', 75],
  ['p90', 90],
  ['p95', 95],
  ['p99', 99],
] as const;

function lengths(metrics: Json | null, name: string): LengthDistribution | null {
  const stats = recordAt(metrics, name, 'successful');
  const mean = numberAt(stats, 'mean');
  if (mean === null || mean < 1) return null;
  const points = PERCENTILES.map(([key, percent]) => [percent, numberAt(stats, 'percentiles', key)] as const);
  return lengthsOf(mean, numberAt(stats, 'min'), numberAt(stats, 'max'), points);
}

/** Its place moved with each version. */
function modelOf(benchmark: Json, file: Json): string | null {
  return (
    textAt(benchmark, 'config', 'backend', 'model') ??
    textAt(benchmark, 'worker', 'backend_model') ??
    textAt(file, 'args', 'model') ??
    textAt(file, 'args', 'backend_kwargs', 'model') ??
    textAt(file, 'config', 'spec', 'backend', 'model')
  );
}
