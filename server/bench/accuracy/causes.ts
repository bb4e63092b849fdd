/**
 * Why groups of rows are far off, as far as the published data tell. Found by looking at the rows one by one; a cause is
 * shown only for a group that is among the largest residuals of the day.
 */
import type { ValidationRow } from '../validate/row.ts';

interface Cause {
  readonly source: string;
  readonly model?: RegExp;
  readonly gpu?: RegExp;
  readonly weights?: RegExp;
  readonly scheduler?: RegExp;
  readonly cause: string;
}

/** The first that fits counts. */
const CAUSES: readonly Cause[] = [
  {
    source: 'aic_silicon_aggregated',
    model: /Llama-3\.1-8B/,
    gpu: /H200/,
    weights: /fp8/,
    cause:
      'Data. Users, TTFT and TPOT give the rate at which prompts were computed: in rows with answers of 100 tokens 56 to 97 % of the datasheet’s fp8 peak for arithmetic alone, where measured fp8 products reach about two thirds with nothing around them. Random prompts that repeat between runs and are found in the prefix cache would explain it; the rows do not say.',
  },
  {
    source: 'aic_silicon_aggregated',
    model: /gpt-oss-120b/,
    gpu: /H100/,
    cause:
      'Data, in the rows with 512 users (0.11.2): a TTFT of 20 s beside a TPOT of 5 ms, half of what the same deployment has with 32 users. The server cannot have run what it was sent: most users waited outside the engine. The other rows are off by 10 to 20 %.',
  },
  {
    source: 'vllm_misc_published',
    model: /DeepSeek-R1/,
    cause:
      'Model. AWQ experts of a model with latent attention, on a release that is not named: 16 ms a token, where reading the weights takes about one. We have no measurement of that kernel; its weights are taken to stream as 16-bit experts do.',
  },
  {
    source: 'gpustack_perf_lab',
    model: /GLM-4\.5|Qwen3-235B/,
    cause:
      'Model and data. By mean and P99 of their TTFT, bursts of a thousand short prompts give no token for the first 4 to 10 s, which neither prompts nor kernels explain (a server that has just started, one process that takes all requests). Beside that, large experts in 16 bit and fp8 blocks decode a quarter slower than the measured kernels add up to.',
  },
  {
    source: 'gpustack_perf_lab',
    model: /gpt-oss-20b/,
    gpu: /A100/,
    cause:
      'Model. Prompts of 32000 tokens are 1.7 times slower than ours; on H100 the same bursts agree. Attention with sinks has no FlashAttention kernel on Ampere, and Triton’s is not in our measurements.',
  },
  {
    source: 'gpustack_perf_lab',
    model: /gpt-oss/,
    cause: 'Bursts of short answers: mean TPOT hangs on the few requests that decode beside the prompts of all others.',
  },
  {
    source: 'gpustack_perf_lab',
    model: /Qwen3-8B/,
    cause:
      'Data. 60 ms to the first token of a 230-token prompt that the GPU computes in about 10, at any number of users: the way from this client to the engine is some 30 ms longer than elsewhere.',
  },
  {
    source: 'gpustack_perf_lab',
    model: /Qwen3-14B/,
    cause: 'As with GLM-4.5: bursts of a thousand short prompts begin with seconds in which nothing comes out.',
  },
  {
    source: 'vllm_misc_published',
    model: /Qwen3-8B/,
    cause:
      'Data. Bursts of a thousand requests with options that are not published: TTFT and TPOT are those of an engine that lets far more than the 256 default sequences run at once (TTFT a fifth of ours at three times the TPOT), and throughput is derived from a total.',
  },
  {
    source: 'llmd_h100_llama70b_pd',
    cause:
      'Memory, where one request more or less decides: two GPUs leave room for a few requests of 11000 tokens beside 70B weights. Share of memory and longest sequence are not published; throughput and TPOT say that theirs ran three at a time.',
  },
  {
    source: 'accelmark_gpu_results',
    gpu: /V100/,
    cause:
      'Model. No kernel of this generation is measured, and vLLM 0.7.3 runs its own attention there instead of FlashAttention. We take shares of peak from Ampere, which flatters it twofold in large batches.',
  },
  {
    source: 'accelmark_gpu_results',
    gpu: /4090$|3090/,
    scheduler: /v0/,
    cause:
      'Host. vLLM 0.7.3 works on the CPU for several ms a step, and these machines are slow: an RTX 4090 takes twice as long a token as an RTX 4090 D with the same model, 8-bit weights and load. We have one CPU for all.',
  },
  {
    source: 'accelmark_gpu_results',
    weights: /int4/,
    scheduler: /v0/,
    cause:
      'Model. vLLM 0.7.3 may run AWQ without Marlin; with a hundred sequences at once that kernel is two times slower than what we take for 4-bit weights. Which of the two ran is not published.',
  },
  {
    source: 'accelmark_gpu_results',
    weights: /int8/,
    scheduler: /v1/,
    cause:
      'Ours is too slow. Prompts repeat between runs with prefix caching on, so most are not computed at all; and rows without CUDA graphs launch faster than our law for eager steps, which was fitted on others.',
  },
  {
    source: 'accelmark_gpu_results',
    model: /Mixtral/,
    cause:
      'Model. 16-bit Triton experts over PCIe or NVLink on 0.7.3, whose kernels are older than those measured (0.14 and later).',
  },
  {
    source: 'accelmark_gpu_results',
    scheduler: /v0/,
    cause:
      'Host. vLLM 0.7.3 prepares every step on the CPU; how long that takes differs between machines by a factor of two, and the rows say nothing of the CPU.',
  },
  {
    source: 'aic_silicon_aggregated',
    model: /MiniMax/,
    gpu: /H200/,
    cause:
      'Not known. TTFT is a fifth to a third longer than ours, at all loads. H200 with four ranks (0.16.0) also decodes a quarter slower at few users than eight ranks of the same board suggest.',
  },
  {
    source: 'aic_silicon_aggregated',
    model: /Llama-3\.1-70B/,
    gpu: /B200|B300/,
    cause:
      'Host. Prompts of a thousand tokens take tens of ms longer than ours, and no less with eight GPUs than with two: work beside the kernels that our one figure for launches does not hold. Long prompts agree better.',
  },
  {
    source: 'aic_silicon_aggregated',
    model: /MiniMax/,
    gpu: /B200|B300/,
    cause:
      'Release. With few users and short prompts rows of 0.17.0 have a TTFT 40 to 50 ms above those of 0.19.0, on the same board with the same number of GPUs; we have one set of host coefficients for both.',
  },
  {
    source: 'aic_silicon_aggregated',
    model: /Kimi/,
    cause: 'Model. 4-bit experts on Blackwell: not measured, taken from 16-bit ones.',
  },
];

export const CAUSE_UNKNOWN = 'Not known.';

export function causeOf(row: ValidationRow): string {
  const fits = ({ source, model, gpu, weights, scheduler }: Cause): boolean =>
    source === row.source &&
    (model?.test(row.model) ?? true) &&
    (gpu?.test(row.gpu) ?? true) &&
    (weights?.test(row.weightDtype) ?? true) &&
    (scheduler?.test(row.scheduler) ?? true);
  return CAUSES.find(fits)?.cause ?? CAUSE_UNKNOWN;
}
