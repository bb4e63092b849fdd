/**
 * vLLM's start-up log: how large the KV pool is, and what was started. Wordings by version: "# GPU blocks: N, # CPU blocks: M"
 * (v0 up to 0.6), "# cuda blocks: N, …" (0.6.4 to 0.8), "GPU KV cache size: N tokens" (v1, from 0.8; numbers with
 * thousands separators; from 2026 with "Maximum concurrency …" on the same line). Sources: vllm/executor/gpu_executor.py,
 * vllm/executor/executor_base.py, vllm/v1/core/kv_cache_utils.py.
 */
import type { Reading } from './types.ts';

/** What a log says; null where it is silent. */
export interface StartupLog {
  /** v1 tells tokens, v0 blocks; exactly one is there. */
  readonly kvTokens: number | null;
  readonly gpuBlocks: number | null;
  readonly engineVersion: string | null;
  readonly model: string | null;
  readonly tensor: number | null;
  readonly pipeline: number | null;
  readonly data: number | null;
  readonly maxModelLen: number | null;
  readonly blockSize: number | null;
  /** Of one GPU, as PyTorch sees it, GiB. */
  readonly gpuMemoryGiB: number | null;
  readonly gpuName: string | null;
}

/** The last start in the log; never throws. */
export function readStartupLog(text: string): Reading<StartupLog> {
  const start = lastStart(text);
  const numbers = (pattern: RegExp): readonly number[] =>
    [...start.matchAll(pattern)].map(([, digits]) => Number((digits ?? '').replaceAll(',', '')));
  const tokens = numbers(/GPU KV cache size:\s*([\d,]+)\s*tokens/g).filter(plausible);
  const blocks = numbers(/#\s*(?:GPU|cuda|rocm|hip|xpu) blocks:\s*([\d,]+)/gi).filter(plausible);
  if (tokens.length === 0 && blocks.length === 0) {
    const failed = /No available memory for the cache blocks|CUDA out of memory/.test(start);
    return {
      ok: false,
      message: failed
        ? 'The engine did not start: it found no memory for KV blocks. Give the log of a start that worked.'
        : 'It has no line that tells the size of the KV cache ("GPU KV cache size: … tokens" or "# GPU blocks: …"). Give the log from the very start, at level INFO.',
    };
  }
  const first = (pattern: RegExp): string | null => pattern.exec(start)?.[1] ?? null;
  const whole = (pattern: RegExp): number | null => {
    const found = first(pattern);
    return found === null ? null : Number(found);
  };
  return {
    ok: true,
    value: {
      // Ranks may differ by a little; the engine takes the least for all.
      kvTokens: tokens.length > 0 ? Math.min(...tokens) : null,
      gpuBlocks: tokens.length > 0 ? null : Math.min(...blocks),
      engineVersion:
        first(/LLM engine \(v(\d+\.\d+(?:\.\d+)?)/) ?? first(/\bvLLM (?:API server )?version v?(\d+\.\d+(?:\.\d+)?)/i),
      model: first(/\bmodel='([^']+)'/) ?? first(/['"]model(?:_tag)?['"]:\s*['"]([^'"]+)['"]/),
      tensor: whole(/\btensor_parallel_size['"]?[=:]\s*(\d+)/),
      pipeline: whole(/\bpipeline_parallel_size['"]?[=:]\s*(\d+)/),
      data: whole(/\bdata_parallel_size['"]?[=:]\s*(\d+)/),
      maxModelLen: whole(/\bmax_seq_len=(\d+)/) ?? whole(/\bmax_model_len['"]?[=:]\s*(\d+)/),
      blockSize: whole(/(?<![a-z_])block_size['"]?[=:]\s*(\d+)/),
      gpuMemoryGiB:
        whole(/total_gpu_memory \(([\d.]+)\s*GiB\)/) ?? whole(/Free memory on device \S*\s*\([\d.]+\/([\d.]+)\s*GiB\)/),
      gpuName: first(/device_name=([A-Za-z0-9_.-]+?)(?:\.json|[,\s'"]|$)/)?.replaceAll('_', ' ') ?? null,
    },
  };
}

/** A count that can have been one. */
function plausible(count: number): boolean {
  return count > 0 && Number.isSafeInteger(count);
}

/** A server that was started again wrote its log on. */
function lastStart(text: string): string {
  const starts = [...text.matchAll(/Initializing an? (?:V1 )?LLM engine/g)];
  const last = starts.at(-1)?.index;
  const before = starts.at(-2)?.index;
  if (last === undefined) return text;
  // What stands before the first start belongs to it: version and arguments.
  return before === undefined ? text : text.slice(last);
}
