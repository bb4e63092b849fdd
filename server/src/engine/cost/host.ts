/** What the CPU adds to a step: scheduling, input preparation, sampling, detokenisation, kernel launches. */
import type { EngineInput } from '../types.ts';
import type { FrontEndLaw } from './types.ts';

/** Seconds of CPU work by scheduler; `hostTable.json` holds the fitted ones. */
export interface HostCoefficients {
  readonly v0: SchedulerHost;
  readonly v1: SchedulerHost;
  /** v1 that prepares a step while the one before runs. */
  readonly v1Async: SchedulerHost;
  /** Receiving, tokenising and answering a request. */
  readonly http: RequestHost;
  readonly inProcess: RequestHost;
}

export interface SchedulerHost {
  /** Between two steps: scheduling, input preparation, sampling, output. */
  readonly perStepS: number;
  readonly perSequenceS: number;
  /** More for each sequence whose tokens are handed on as they come: v0 does that between its steps. */
  readonly perStreamS: number;
  /** Launching one layer's kernels, one by one. */
  readonly launchEagerS: number;
  /** The same where torch.compile has made a few of them (v1): what is too large for CUDA graphs. */
  readonly launchCompiledS: number;
  /** The same for attention alone, the rest coming from CUDA graphs piece by piece (v1). */
  readonly launchAttentionS: number;
  /** From the step's end until its first tokens leave the engine. */
  readonly firstTokenS: number;
}

export interface RequestHost {
  /** Work of the one process that all requests go through. */
  readonly serviceS: number;
  readonly perTokenS: number;
  /** Time on the way that holds up nobody else. */
  readonly latencyS: number;
}

export type HostInput = Pick<
  EngineInput,
  'model' | 'scheduler' | 'enforceEager' | 'fullDecodeGraphs' | 'asyncScheduling' | 'parallelism' | 'harness'
>;

export interface HostLaw {
  /** Between two steps, s, for `seqs` sequences. */
  betweenS(seqs: number): number;
  /** Least time in which the CPU launches a step's kernels, s: a GPU that is faster waits. */
  launchS(tokens: number, decodeOnly: boolean): number;
  readonly frontEnd: FrontEndLaw;
}

/** Steps of at most so many tokens are recorded as CUDA graphs (vLLM: max_cudagraph_capture_size). */
export const CAPTURED_TOKENS = 512;

export function hostLaw(input: HostInput, coefficients: HostCoefficients): HostLaw {
  const law = coefficients[input.scheduler === 'v1' && input.asyncScheduling ? 'v1Async' : input.scheduler];
  const harness = input.harness ?? 'http';
  const request = coefficients[harness === 'batch' ? 'inProcess' : harness];
  const perSequenceS = law.perSequenceS + (harness === 'batch' ? 0 : law.perStreamS);
  const { layers } = input.model;
  return {
    betweenS: (seqs) => law.perStepS + perSequenceS * seqs,
    // v0 records decode steps alone, and whole; v1 also what lies between the attention kernels of any small step.
    launchS: (tokens, decodeOnly) => {
      if (input.enforceEager) return law.launchEagerS * layers;
      if (tokens > CAPTURED_TOKENS) return law.launchCompiledS * layers;
      if (decodeOnly && input.fullDecodeGraphs !== false) return 0;
      return law.launchAttentionS * layers;
    },
    frontEnd: {
      serviceS: (promptTokens) => request.serviceS + request.perTokenS * promptTokens,
      latencyS: law.firstTokenS + request.latencyS,
    },
  };
}
