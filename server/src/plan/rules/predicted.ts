/** Ids of the problems that memory and prediction report: `language/memoryProblems.ts` and `language/sloProblems.ts`. */
import type { RuleInfo } from './rules.ts';

/** One row an id, from what keeps the engine from starting to what costs a little. */
export const predictedRules: readonly RuleInfo[] = [
  { id: 'does-not-fit', severity: 'error', summary: 'Weights and activations leave no room for KV on the GPU.' },
  { id: 'no-room-for-one-sequence', severity: 'error', summary: 'The KV pool is smaller than one full sequence.' },
  { id: 'requests-not-served', severity: 'warning', summary: 'Some prompts are longer than the engine takes.' },
  { id: 'saturated', severity: 'warning', summary: 'More requests arrive than are served.' },
  { id: 'backlog-grows', severity: 'warning', summary: 'More and more requests wait while the verdict still holds.' },
  { id: 'slo-missed', severity: 'warning', summary: 'More requests break the objectives than may.' },
  { id: 'offload-not-hidden', severity: 'information', summary: 'The host link is too slow to hide the offload.' },
  { id: 'frequent-preemptions', severity: 'information', summary: 'Running requests are thrown out for want of KV.' },
];
