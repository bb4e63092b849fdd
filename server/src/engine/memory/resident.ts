/** What lies on a GPU beside weights, activations and KV, as far as vLLM counts it. Published measurements. */
import type { EngineInput } from '../types.ts';

export type ResidentInput = Pick<EngineInput, 'parallelism' | 'interconnect' | 'enforceEager' | 'memoryLaw'>;

const GIB = 2 ** 30;

/** The CUDA context: 0.35 GiB less what other kernels load; printed as a whole by vLLM 0.6.4 on an RTX 3090 (issue #10517). */
const CONTEXT_BYTES = 0.25 * GIB;
/**
 * NCCL's channels to each further rank over NVLink: 0.55 GiB of two H100 less the 0.13 of one (llm-d's table of start-up
 * memory); an H200 with one peer printed 1.38. Over PCIe it does not grow with the ranks: 0.25 GiB on two RTX 4090, 0.20 on
 * four A10, less the 0.10 of one (issue #13061, a public log).
 */
const COLLECTIVE_BYTES = { nvlinkPerPeer: 0.42 * GIB, pcie: 0.12 * GIB } as const;
/** CUDA graphs as vLLM estimates them where it counts them: median of published estimates, 0.26 to 1.58 GiB. */
const GRAPH_BYTES = 0.6 * GIB;

/** @returns bytes on one GPU. */
export function residentBytes(input: ResidentInput): number {
  const { memoryLaw } = input;
  return (
    memoryLaw.nonTorchBytes +
    (memoryLaw.contextCounted ? CONTEXT_BYTES : 0) +
    (memoryLaw.collectivesCounted ? collectiveBytes(input) : 0) +
    (memoryLaw.graphsCounted && !input.enforceEager ? GRAPH_BYTES : 0)
  );
}

function collectiveBytes({ parallelism, interconnect }: ResidentInput): number {
  const { tensor, pipeline } = parallelism;
  if (tensor * pipeline === 1) return 0;
  return interconnect === 'nvlink' ? Math.max(1, tensor - 1) * COLLECTIVE_BYTES.nvlinkPerPeer : COLLECTIVE_BYTES.pcie;
}
