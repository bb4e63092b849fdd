/**
 * Results of `vllm bench serve --save-result` (vllm/benchmarks/serve.py), with or without `--save-detailed`. Only the
 * metrics chosen by `--percentile-metrics` are there, and keys came and went over the versions: each may be missing.
 */
import type { TraceColumns } from '../engine/types.ts';
import { pacedArrivals } from './arrivals.ts';
import { columnAt, type Json, lengthsOfColumn, meanOrMedian, numberAt, refuse, textAt } from './json.ts';
import type { BenchmarkRun, Reading } from './types.ts';

export function isVllmBench(json: Json): boolean {
  return 'completed' in json && 'duration' in json && ('num_prompts' in json || 'request_throughput' in json);
}

export function readVllmBench(json: Json): Reading<BenchmarkRun> {
  const completed = Math.round(numberAt(json, 'completed') ?? 0);
  const failed = numberAt(json, 'failed') ?? Math.max(0, (numberAt(json, 'num_prompts') ?? completed) - completed);
  if (completed <= 0) return refuse('No request was completed. See the errors of the benchmark, and run it again.');
  if (failed > 0) {
    return refuse(
      `${failed} of ${completed + failed} requests failed, so its times are not those of the load it names. Run it again without failures.`,
    );
  }
  const inputTokens = numberAt(json, 'total_input_tokens') ?? 0;
  const outputTokens = numberAt(json, 'total_output_tokens') ?? 0;
  if (inputTokens <= 0 || outputTokens <= 0) {
    return refuse('It counts no tokens. Run it against a generating endpoint, with the model’s own tokenizer.');
  }
  if ('ramp_up_strategy' in json) return refuse('Its rate ramps up. Run it at one `--request-rate` instead.');
  if ('spec_decode_acceptance_rate' in json) {
    return refuse('It ran with speculative decoding, which is not simulated. Run it without.');
  }
  const requestsPerS = numberAt(json, 'request_throughput');
  const rate = json['request_rate'];
  const paced = pacedArrivals({
    ratePerS: rate === 'inf' || typeof rate !== 'number' ? null : rate,
    pattern: 'gamma',
    shape: numberAt(json, 'burstiness') ?? 1,
    cap: numberAt(json, 'max_concurrency'),
    requests: completed,
    requestsPerS,
  });
  if (!paced.ok) return paced;
  const arrivals = paced.value;
  const time = (name: string) => meanOrMedian(numberAt(json, `mean_${name}_ms`), numberAt(json, `median_${name}_ms`));
  const inputs = lengthColumn(json, 'input_lens', completed);
  const outputs = lengthColumn(json, 'output_lens', completed);
  const throughput = numberAt(json, 'output_throughput');
  const mean = (tokens: number) => ({ kind: 'fixed' as const, tokens: Math.max(1, Math.round(tokens / completed)) });
  const timed = arrivals.kind === 'poisson' || arrivals.kind === 'gamma' || arrivals.kind === 'constant';
  return {
    ok: true,
    value: {
      tool: 'vllm bench serve',
      modelName: textAt(json, 'model_id'),
      gpuName: null,
      arrivals,
      input: inputs === null ? mean(inputTokens) : lengthsOfColumn(inputs),
      output: outputs === null ? mean(outputTokens) : lengthsOfColumn(outputs),
      trace: timed ? traceOf(columnAt(json, 'start_times'), inputs, outputs) : null,
      requests: completed,
      ttftMs: time('ttft'),
      // With one output token there is no time per further one.
      tpotMs: outputTokens > completed ? time('tpot') : null,
      outputTokensPerS: throughput === null || throughput <= 0 ? null : { statistic: 'total', value: throughput },
      requestsPerS,
    },
  };
}

function lengthColumn(json: Json, key: string, count: number): readonly number[] | null {
  const column = columnAt(json, key);
  return column !== null && column.length === count && column.every((tokens) => tokens >= 1) ? column : null;
}

/** The requests as they came; null where not all of it is told. */
function traceOf(
  startTimesS: readonly number[] | null,
  inputs: readonly number[] | null,
  outputs: readonly number[] | null,
): TraceColumns | null {
  if (startTimesS === null || inputs === null || outputs === null || startTimesS.length !== inputs.length) return null;
  const order = startTimesS.map((_, k) => k).sort((a, b) => (startTimesS[a] ?? 0) - (startTimesS[b] ?? 0));
  const first = startTimesS[order[0] ?? 0] ?? 0;
  return {
    arrivalS: Float64Array.from(order, (k) => (startTimesS[k] ?? 0) - first),
    inputTokens: Int32Array.from(order, (k) => inputs[k] ?? 1),
    outputTokens: Int32Array.from(order, (k) => outputs[k] ?? 1),
  };
}
