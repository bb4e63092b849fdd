/** Bytes and arithmetic of the number formats. */
import type { GpuFacts, KvDtype, WeightDtype } from './types.ts';

/** Stored bytes per weight including scales: int4 groups of 128 (AWQ, GPTQ), mxfp4 groups of 32, nvfp4 groups of 16. */
export const WEIGHT_BYTES: Readonly<Record<WeightDtype, number>> = {
  bf16: 2,
  fp16: 2,
  fp8: 1,
  int8: 1,
  int4: 0.5 + 2.5 / 128,
  mxfp4: 0.5 + 1 / 32,
  nvfp4: 0.5 + 1 / 16,
};

export const KV_BYTES: Readonly<Record<KvDtype, number>> = { bf16: 2, fp8: 1, int8: 1, nvfp4: 0.5 + 1 / 16 };

/**
 * Peak rate of matrix products with these weights and activations, operations/s. Weight-only formats, and formats the
 * GPU has no arithmetic for, are unpacked and multiplied in 16 bit.
 */
export function matmulPeakFlopsPerS(gpu: GpuFacts, weights: WeightDtype, activations: 'bf16' | 'fp8' | 'int8'): number {
  const native = nativePeak(gpu, weights, activations);
  return native > 0 ? native : gpu.bf16FlopsPerS;
}

function nativePeak(gpu: GpuFacts, weights: WeightDtype, activations: 'bf16' | 'fp8' | 'int8'): number {
  if (weights === 'fp8' && activations === 'fp8') return gpu.fp8FlopsPerS;
  if (weights === 'int8' && activations === 'int8') return gpu.int8OpsPerS;
  // nvfp4 kernels quantise activations themselves; the plan calls that fp8 because vLLM has no narrower name for it.
  if (weights === 'nvfp4' && activations === 'fp8') return gpu.fp4FlopsPerS;
  return 0;
}

/** What vLLM computes in by itself: the weights' narrow format where the GPU has arithmetic for it, else 16 bit. */
export function nativeActivation(gpu: GpuFacts, weights: WeightDtype): 'bf16' | 'fp8' | 'int8' {
  if (weights === 'fp8' && gpu.fp8FlopsPerS > 0) return 'fp8';
  if (weights === 'int8' && gpu.int8OpsPerS > 0) return 'int8';
  if (weights === 'nvfp4' && gpu.fp4FlopsPerS > 0) return 'fp8';
  return 'bf16';
}
