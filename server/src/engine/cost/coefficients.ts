/**
 * Shares of datasheet peak and fixed times that the roofline assumes of every GPU. One table for all: no GPU and no
 * model has a coefficient of its own. Sources: achieved rates of vLLM's kernels published with aiconfigurator
 * (commit 095f58a5; A100, H100, H200, L40S: large bf16 products 0.60-0.80 of peak, weight streaming 0.66-0.78,
 * decode attention at long context 0.65-0.85, causal prefill attention 0.35-0.60), NCCL and vLLM all-reduce tables of
 * the same source, and the fixed time per step that serial vLLM runs show above their bandwidth floor.
 */
export const COEFFICIENTS = {
  /** Matrix products, of peak arithmetic. */
  matmulOfPeak: 0.65,
  /**
   * Weight and KV streaming, of peak memory bandwidth. Stacked memory: A100 and H100 stream large weights at
   * 0.66-0.82; GDDR boards (L40S, RTX 4090 D, RTX 5090, RTX 6000 Ada, RTX PRO 6000) at 0.81-0.90.
   */
  streamOfPeak: { hbm: 0.75, gddr: 0.85 },
  /** Causal prefill attention, of peak 16-bit arithmetic. */
  prefillAttentionOfPeak: 0.5,
  /** Ring and custom all-reduce, of one direction of NVLink. */
  nvlinkBusOfPeak: 0.65,
  /** The same over PCIe, of the achieved host link: traffic crosses it twice. */
  pcieBusOfHostLink: 0.5,
  nvlinkLatencyS: 6e-6,
  /** Plus the same again for each rank. */
  pcieLatencyPerRankS: 5e-6,
  /** Scheduling, input preparation, sampling and detokenising, s per step: vLLM v0 runs them between steps. */
  hostPerStepS: { v0: 4e-3, v1: 1.2e-3 },
  /** v1 with asynchronous scheduling prepares the next step while this one runs. */
  asyncHostPerStepS: 0.4e-3,
  hostPerSequenceS: { v0: 15e-6, v1: 5e-6 },
  /** Kernel launches without CUDA graphs, s per layer of a decode step. */
  eagerLaunchPerLayerS: 60e-6,
} as const;
