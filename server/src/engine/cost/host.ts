/** What the CPU adds to a step: scheduling, input preparation, sampling, detokenisation, kernel launches. */
import type { EngineInput } from '../types.ts';
import { HOST } from './coefficients.ts';

export type HostInput = Pick<
  EngineInput,
  'model' | 'scheduler' | 'enforceEager' | 'asyncScheduling' | 'parallelism' | 'harness'
>;

export interface HostLaw {
  /** Between two steps, s, for `seqs` sequences. */
  betweenS(seqs: number): number;
  /** Least time in which the CPU launches a step's kernels, s: a GPU that is faster waits. */
  launchS(tokens: number, decodeOnly: boolean): number;
}

/** Steps of at most so many tokens are recorded as CUDA graphs (vLLM: max_cudagraph_capture_size). */
const CAPTURED_TOKENS = 512;

export function hostLaw(input: HostInput): HostLaw {
  const law = HOST[input.scheduler === 'v1' && input.asyncScheduling ? 'v1Async' : input.scheduler];
  const layers = input.model.layers;
  const eagerS = HOST.launchPerLayerS.eager * layers;
  const piecewiseS = HOST.launchPerLayerS.piecewise * layers;
  return {
    betweenS: (seqs) => law.perStepS + law.perSequenceS * seqs,
    launchS(tokens, decodeOnly) {
      if (input.enforceEager) return eagerS;
      if (decodeOnly && tokens <= CAPTURED_TOKENS) return 0;
      // v0 records decode steps alone; v1 records what lies between attention kernels of any small step.
      return input.scheduler === 'v1' && tokens <= CAPTURED_TOKENS ? piecewiseS : eagerS;
    },
  };
}
