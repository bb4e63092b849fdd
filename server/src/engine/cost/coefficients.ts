/**
 * What the CPU costs, by scheduler. Nothing publishes these times as such: they are fitted to serial and low-concurrency
 * end-to-end measurements, the only end-to-end fit there is (docs/accuracy.md).
 */
export const HOST = {
  v0: { perStepS: 3e-3, perSequenceS: 25e-6 },
  v1: { perStepS: 1.0e-3, perSequenceS: 10e-6 },
  v1Async: { perStepS: 0.4e-3, perSequenceS: 5e-6 },
  /** Kernel launches of one layer without a CUDA graph, and with one that attention interrupts. */
  launchPerLayerS: { eager: 300e-6, piecewise: 120e-6 },
  /** Receiving, tokenising and answering a request, s and s a prompt token. */
  request: { http: { baseS: 8e-3, perTokenS: 1e-6 }, inProcess: { baseS: 3e-3, perTokenS: 1e-6 } },
} as const;
