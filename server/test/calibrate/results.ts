/** Small results of benchmarks, in the forms of the tools that write them. Written by hand; the figures are nobody's. */
type Change = Readonly<Record<string, unknown>>;

/** `vllm bench serve --save-result`: Llama-3.1-8B, 32 users. */
export function vllmBench(change: Change = {}): string {
  return JSON.stringify({
    date: '20250801-101010',
    endpoint_type: 'vllm',
    backend: 'vllm',
    label: null,
    model_id: 'meta-llama/Llama-3.1-8B-Instruct',
    tokenizer_id: 'meta-llama/Llama-3.1-8B-Instruct',
    num_prompts: 320,
    request_rate: 'inf',
    burstiness: 1.0,
    max_concurrency: 32,
    duration: 54.2,
    completed: 320,
    failed: 0,
    total_input_tokens: 327_680,
    total_output_tokens: 163_840,
    request_throughput: 5.9,
    request_goodput: null,
    output_throughput: 3022.9,
    total_token_throughput: 9068.6,
    mean_ttft_ms: 98.2,
    median_ttft_ms: 80.1,
    std_ttft_ms: 30.2,
    p99_ttft_ms: 250.4,
    mean_tpot_ms: 10.4,
    median_tpot_ms: 10.3,
    std_tpot_ms: 0.2,
    p99_tpot_ms: 11.1,
    mean_itl_ms: 10.4,
    median_itl_ms: 9.9,
    std_itl_ms: 5.1,
    p99_itl_ms: 30.6,
    ...change,
  });
}

const distribution = (mean: number, min: number, max: number): object => ({
  mean,
  median: mean,
  mode: mean,
  variance: 1,
  std_dev: 1,
  min,
  max,
  count: 200,
  total_sum: 200 * mean,
  percentiles: {
    p001: min,
    p01: min,
    p05: min,
    p10: min,
    p25: mean,
    p50: mean,
    p75: mean,
    p90: max,
    p95: max,
    p99: max,
    p999: max,
  },
});
const successful = (mean: number, min = mean, max = mean): object => ({
  successful: distribution(mean, min, max),
  incomplete: null,
  errored: null,
  total: distribution(mean, min, max),
});

/** One entry of guidellm's `benchmarks`. Its time per output token counts the first one too. */
export function guidellmBenchmark(strategy: Change, counts: Change = {}, metrics: Change = {}): object {
  return {
    type_: 'generative_benchmark',
    config: { run_id: 'r', run_index: 0, strategy, backend: { model: 'meta-llama/Llama-3.1-8B-Instruct' } },
    scheduler_metrics: { requests_made: { successful: 200, incomplete: 3, errored: 0, total: 203, ...counts } },
    metrics: {
      requests_per_second: successful(4),
      request_concurrency: successful(8),
      request_latency: successful(2.1),
      prompt_token_count: successful(512, 500, 524),
      output_token_count: successful(256),
      time_to_first_token_ms: successful(60),
      time_per_output_token_ms: successful(8.2),
      inter_token_latency_ms: successful(8),
      output_tokens_per_second: successful(1024),
      ...metrics,
    },
  };
}

export function guidellm(...benchmarks: readonly object[]): string {
  return JSON.stringify({ metadata: { version: 2, guidellm_version: '0.7.3' }, config: {}, benchmarks });
}

const metric = (unit: string, avg: number, min = avg, max = avg): object => ({
  unit,
  avg,
  p1: min,
  p5: min,
  p10: min,
  p25: avg,
  p50: avg,
  p75: avg,
  p90: max,
  p95: max,
  p99: max,
  min,
  max,
  std: 1,
});

/** AIPerf's `profile_export_aiperf.json`. */
export function aiperf(change: Change = {}): string {
  return JSON.stringify({
    schema_version: '1.0',
    request_throughput: { unit: 'requests/sec', avg: 4 },
    request_latency: metric('ms', 2100),
    request_count: { unit: 'requests', avg: 200 },
    time_to_first_token: metric('ms', 60),
    inter_token_latency: metric('ms', 8),
    output_token_throughput: { unit: 'tokens/sec', avg: 1024 },
    output_sequence_length: metric('tokens', 256),
    input_sequence_length: metric('tokens', 512, 500, 524),
    error_request_count: null,
    was_cancelled: false,
    input_config: {
      endpoint: { model_names: ['meta-llama/Llama-3.1-8B-Instruct'], type: 'chat', streaming: true },
      loadgen: { concurrency: 8, request_rate_mode: 'concurrency_burst', request_count: 200 },
    },
    ...change,
  });
}

/** Start-up logs by generation. */
export const LOG_V1 = `INFO 08-01 10:00:01 [api_server.py:1755] vLLM API server version 0.10.0
INFO 08-01 10:00:10 [core.py:71] Initializing a V1 LLM engine (v0.10.0) with config: model='meta-llama/Llama-3.1-8B-Instruct', speculative_config=None, tokenizer='meta-llama/Llama-3.1-8B-Instruct', dtype=torch.bfloat16, max_seq_len=16000, tensor_parallel_size=1, pipeline_parallel_size=1, data_parallel_size=1, quantization=None, kv_cache_dtype=auto
INFO 08-01 10:00:50 [gpu_worker.py:255] Available KV cache memory: 51.38 GiB
INFO 08-01 10:00:50 [kv_cache_utils.py:833] GPU KV cache size: 420,912 tokens
INFO 08-01 10:00:50 [kv_cache_utils.py:837] Maximum concurrency for 16,000 tokens per request: 26.31x
`;

export const LOG_V0 = `INFO 09-01 10:00:10 llm_engine.py:237] Initializing an LLM engine (v0.6.4) with config: model='meta-llama/Llama-3.1-8B-Instruct', tokenizer='meta-llama/Llama-3.1-8B-Instruct', dtype=torch.bfloat16, max_seq_len=16000, tensor_parallel_size=1, pipeline_parallel_size=1, kv_cache_dtype=auto
INFO 09-01 10:00:40 worker.py:232] Memory profiling results: total_gpu_memory (79.22GiB) gpu_memory_utilization=0.90
INFO 09-01 10:00:41 distributed_gpu_executor.py:57] # GPU blocks: 26307, # CPU blocks: 2048
`;
