/** What can be said of a plan without simulating it: memory, room for sequences, layers kept. Takes microseconds. */
import type { Plan } from '../plan/types.ts';
import type { MemoryReport } from './types.ts';

export interface Assessment {
  readonly memory: MemoryReport;
  /** Weights and activations leave room for at least one KV block on every GPU. */
  readonly fits: boolean;
  /** Bytes missing per GPU when `fits` is false, else 0. */
  readonly shortfallBytesPerGpu: number;
  /** What vLLM may use of one GPU: visible memory × utilisation. */
  readonly usableBytesPerGpu: number;
  /** CUDA context, graphs and collectives' buffers. */
  readonly overheadBytesPerGpu: number;
  /** The pool holds a sequence of max-model-len (vLLM refuses to start otherwise). */
  readonly oneSequenceFits: boolean;
  /** Mean prompt of the workload, tokens. */
  readonly meanPromptTokens: number;
  /** Step time of the mean prompt alone, and of one decode at that context, s. */
  readonly lonePrefillS: number;
  readonly loneDecodeS: number;
  readonly layerkv: {
    /** False where the link or the host pool is 0: the policy then is the baseline. */
    readonly canAct: boolean;
    readonly layers: number;
    /** Minimum x for the mean prompt. */
    readonly retainedLayers: number;
    /** Time to move the L − x layers of the mean prompt to the host, s. */
    readonly offloadS: number;
    /** Estimated prefill time it has to hide behind, s. */
    readonly prefillS: number;
  };
}

export function assess(_plan: Plan): Assessment {
  throw new Error('not built yet');
}
