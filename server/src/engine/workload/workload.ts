/** The requests of a run as columns, drawn from the workload's description. */
import type { ArrivalProcess, PromptIds, WorkloadSpec } from '../types.ts';
import { lengthSampler } from './lengths.ts';
import { drawPromptIds } from './promptBlocks.ts';
import { createRandom, drawExponential, drawGamma, type Random } from './random.ts';

/** Requests in arrival order. In a closed loop `arrivalS` holds only the first `concurrency` starts (0); the rest follow completions. */
export interface Workload {
  readonly count: number;
  readonly arrivalS: Float64Array;
  readonly inputTokens: Int32Array;
  readonly outputTokens: Int32Array;
  /** Users of a closed loop; null for open arrivals. */
  readonly closedConcurrency: number | null;
  /** Rate-driven or recorded arrivals, for which saturation is defined. */
  readonly open: boolean;
  /** What prompts have in common; null where nothing. */
  readonly promptIds: PromptIds | null;
}

/**
 * Draws the requests. Identical for every policy with the same seed: policies are compared on common random numbers.
 * @param limits outputs are cut where prompt + output would pass max-model-len, as vLLM does.
 */
export function drawWorkload(spec: WorkloadSpec, maxModelLenTokens: number): Workload {
  const columns = spec.source.kind === 'trace' ? traceColumns(spec) : syntheticColumns(spec);
  const { inputTokens, outputTokens } = columns;
  for (let i = 0; i < columns.count; i++) {
    const room = maxModelLenTokens - inputTokens[i]!;
    if (room >= 1 && outputTokens[i]! > room) outputTokens[i] = room;
  }
  return columns;
}

/** Start, middle and end of the time in which requests arrive, s; nothing where arrivals follow completions. */
export function arrivalWindow({ arrivalS, count, open }: Workload): readonly number[] {
  if (!open || count === 0) return [];
  const startS = arrivalS[0]!;
  const endS = arrivalS[count - 1]!;
  return [startS, (startS + endS) / 2, endS];
}

function traceColumns(spec: WorkloadSpec): Workload {
  if (spec.source.kind !== 'trace') throw new Error('a trace is needed here');
  const { trace } = spec.source;
  const count = Math.min(spec.requests, trace.arrivalS.length);
  return {
    count,
    arrivalS: trace.arrivalS.slice(0, count),
    inputTokens: trace.inputTokens.slice(0, count),
    outputTokens: trace.outputTokens.slice(0, count),
    closedConcurrency: null,
    open: true,
    promptIds: trace.promptIds ?? drawPromptIds(spec, count),
  };
}

function syntheticColumns(spec: WorkloadSpec): Workload {
  if (spec.source.kind !== 'synthetic') throw new Error('a synthetic workload is needed here');
  const { arrivals, input, output } = spec.source;
  const count = spec.requests;
  const drawInput = lengthSampler(input, createRandom(spec.seed, 'input'));
  const drawOutput = lengthSampler(output, createRandom(spec.seed, 'output'));
  const inputTokens = new Int32Array(count);
  const outputTokens = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    inputTokens[i] = drawInput();
    outputTokens[i] = drawOutput();
  }
  const gap = gapSampler(arrivals, createRandom(spec.seed, 'arrivals'));
  const arrivalS = new Float64Array(count);
  if (gap !== null) {
    let clockS = 0;
    for (let i = 0; i < count; i++) {
      clockS += gap();
      arrivalS[i] = clockS;
    }
  }
  const closedConcurrency = arrivals.kind === 'closed' ? arrivals.concurrency : arrivals.kind === 'serial' ? 1 : null;
  const promptIds = drawPromptIds(spec, count);
  return { count, arrivalS, inputTokens, outputTokens, closedConcurrency, open: gap !== null, promptIds };
}

/** Seconds between arrivals; null where all start at 0 (burst, closed loop). */
function gapSampler(arrivals: ArrivalProcess, random: Random): (() => number) | null {
  switch (arrivals.kind) {
    case 'constant':
      return () => 1 / arrivals.ratePerS;
    case 'poisson':
      return () => drawExponential(random) / arrivals.ratePerS;
    case 'gamma': {
      const shape = 1 / arrivals.cv ** 2;
      return () => drawGamma(random, shape) / arrivals.ratePerS;
    }
    case 'closed':
    case 'burst':
    case 'serial':
      return null;
  }
}
