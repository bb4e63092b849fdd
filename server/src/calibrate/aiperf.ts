/**
 * Results of AIPerf, `profile_export_aiperf.json` (docs/reference/json-export-schema.md): one block of statistics a metric,
 * and the command's configuration, whose shape its authors do not promise to keep.
 */
import { isRecord } from '../catalog/outcome.ts';
import type { LengthDistribution } from '../engine/types.ts';
import { pacedArrivals } from './arrivals.ts';
import { at, type Json, lengthsOf, meanOrMedian, numberAt, recordAt, refuse, textAt } from './json.ts';
import type { BenchmarkRun, Reading } from './types.ts';

export function isAiperf(json: Json): boolean {
  return isRecord(json['request_latency']) && 'input_config' in json;
}

export function readAiperf(json: Json): Reading<BenchmarkRun> {
  if (json['was_cancelled'] === true) return refuse('The run was cancelled half-way. Run it again to its end.');
  const requests = Math.round(numberAt(json, 'request_count', 'avg') ?? 0);
  const failed = Math.round(numberAt(json, 'error_request_count', 'avg') ?? 0);
  if (requests <= 0) return refuse('No request was completed. See its errors, and run it again.');
  if (failed > 0) {
    return refuse(
      `${failed} of ${requests + failed} requests failed, so its times are not those of the load it names. Run it again without failures.`,
    );
  }
  const input = lengths(json, 'input_sequence_length');
  const output = lengths(json, 'output_sequence_length');
  if (input === null || output === null) return refuse('It counts no tokens. Run it with the model’s own tokenizer.');
  const pace = paceOf(json);
  if (pace.ratePerS === null && pace.cap === null) {
    return refuse(
      'It does not say how requests arrived: neither a concurrency nor a request rate is in `input_config`.',
    );
  }
  const requestsPerS = numberAt(json, 'request_throughput', 'avg');
  const throughput = numberAt(json, 'output_token_throughput', 'avg');
  const arrivals = pacedArrivals({ ...pace, requests, requestsPerS });
  if (!arrivals.ok) return arrivals;
  return {
    ok: true,
    value: {
      tool: 'aiperf',
      modelName: modelOf(json),
      gpuName: gpuOf(json),
      arrivals: arrivals.value,
      input,
      output,
      trace: null,
      requests,
      ttftMs: timeOf(json, 'time_to_first_token'),
      tpotMs: timeOf(json, 'inter_token_latency'),
      outputTokensPerS: throughput === null || throughput <= 0 ? null : { statistic: 'total', value: throughput },
      requestsPerS,
    },
  };
}

/** Units are the file's to say. */
const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, sec: 1000, us: 1e-3, ns: 1e-6 };

function timeOf(json: Json, metric: string): BenchmarkRun['ttftMs'] {
  const factor = MILLISECONDS[textAt(json, metric, 'unit') ?? 'ms'];
  const figure = (key: string): number | null => {
    const value = numberAt(json, metric, key);
    return value === null || factor === undefined ? null : value * factor;
  };
  return meanOrMedian(figure('avg'), figure('p50'));
}

function lengths(json: Json, metric: string): LengthDistribution | null {
  const mean = numberAt(json, metric, 'avg');
  if (mean === null || mean < 1) return null;
  const points = [1, 5, 10, 25, 50, 75, 90, 95, 99].map(
    (percent) => [percent, numberAt(json, metric, `p${percent}`)] as const,
  );
  return lengthsOf(mean, numberAt(json, metric, 'min'), numberAt(json, metric, 'max'), points);
}

interface Pace {
  readonly ratePerS: number | null;
  readonly cap: number | null;
  readonly pattern: 'constant' | 'poisson' | 'gamma';
  readonly shape: number;
}

/** From a sweep's own values, else the configuration as it was or is now, else the command line. */
function paceOf(json: Json): Pace {
  const sweep = recordAt(json, 'run_info', 'variation_values');
  const phase = profilingPhase(json) ?? recordAt(json, 'input_config', 'loadgen');
  const command = textAt(json, 'run_info', 'cli_command') ?? textAt(json, 'input_config', 'cli_command') ?? '';
  const number = (keys: readonly string[], flags: string): number | null => {
    for (const [name, value] of Object.entries(sweep ?? {})) {
      if (typeof value === 'number' && keys.includes(name.split('.').at(-1) ?? '')) return value;
    }
    const configured = keys.map((key) => numberAt(phase, key)).find((value) => value !== null);
    if (configured !== undefined) return configured;
    const written = new RegExp(`--(?:${flags})[ =]"?([\\d.]+)"?(?=\\s|$)`).exec(command)?.[1];
    return written === undefined ? null : Number(written);
  };
  const pattern =
    textAt(phase, 'arrival_pattern') ??
    textAt(phase, 'request_rate_mode') ??
    textAt(phase, 'type') ??
    /--(?:arrival-pattern|request-rate-mode)[ =](\w+)/.exec(command)?.[1] ??
    'poisson';
  return {
    ratePerS: number(['request_rate', 'rate'], 'request-rate'),
    cap: number(['concurrency'], 'concurrency'),
    pattern: pattern === 'constant' || pattern === 'gamma' ? pattern : 'poisson',
    shape: number(['arrival_smoothness', 'smoothness'], 'arrival-smoothness|vllm-burstiness') ?? 1,
  };
}

function profilingPhase(json: Json): Json | null {
  const phases = at(json, 'input_config', 'phases');
  const all = Array.isArray(phases) ? phases : isRecord(phases) ? Object.entries(phases).map(withName) : [];
  const measured = all.filter(isRecord).filter((phase) => phase['name'] !== 'warmup');
  return measured.find((phase) => phase['name'] === 'profiling') ?? measured[0] ?? null;
}

function withName([name, phase]: readonly [string, unknown]): unknown {
  return isRecord(phase) ? { name, ...phase } : phase;
}

function modelOf(json: Json): string | null {
  const names = at(json, 'input_config', 'endpoint', 'model_names') ?? at(json, 'input_config', 'models');
  const first: unknown = Array.isArray(names) ? names[0] : names;
  if (typeof first === 'string') return first;
  return textAt(first, 'name');
}

function gpuOf(json: Json): string | null {
  for (const endpoint of Object.values(recordAt(json, 'telemetry_data', 'endpoints') ?? {})) {
    for (const gpu of Object.values(recordAt(endpoint, 'gpus') ?? {})) {
      const name = textAt(gpu, 'gpu_name');
      if (name !== null) return name;
    }
  }
  return null;
}
