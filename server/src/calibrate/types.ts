/** Measurements as their tools tell them, in one form. */
import type { ArrivalProcess, LengthDistribution, TraceColumns } from '../engine/types.ts';
import type { Measured } from './fit.ts';

export type BenchmarkTool = 'vllm bench serve' | 'guidellm' | 'aiperf';

/** One run of a benchmark against the deployment. */
export interface BenchmarkRun {
  readonly tool: BenchmarkTool;
  /** As the server was asked for it; null where the result does not say. */
  readonly modelName: string | null;
  /** As the driver calls it; null where the result does not say. */
  readonly gpuName: string | null;
  readonly arrivals: ArrivalProcess;
  readonly input: LengthDistribution;
  readonly output: LengthDistribution;
  /** Every single request, where the result tells it and requests came at times of their own; replaces the three above. */
  readonly trace: TraceColumns | null;
  readonly requests: number;
  readonly ttftMs: Measured | null;
  readonly tpotMs: Measured | null;
  readonly outputTokensPerS: Measured | null;
  readonly requestsPerS: number | null;
}

/** What was read, or why nothing can be made of it: a sentence that says what to do. */
export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

/** A file that was read, under the name that messages and the calibration give it. */
export interface Named<T> {
  readonly file: string;
  readonly value: T;
}
