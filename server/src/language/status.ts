import type { StatusParams } from '../protocol.ts';
import type { DocumentView } from './view.ts';
import { headlineOf } from './words.ts';

/** What the status item says of a document; null while something is still being simulated. */
export function settledStatus(view: DocumentView): StatusParams | null {
  const { uri, version, workloads } = view;
  const first = workloads[0];
  if (first === undefined) return { uri, version, state: 'idle', reason: 'nothing-to-simulate' };
  if (first.simulation.kind === 'off') return { uri, version, state: 'idle', reason: 'disabled' };
  for (const { simulation } of workloads) {
    if (simulation.kind === 'pending' || (simulation.kind === 'ready' && simulation.intervalPending)) return null;
  }
  const failed = workloads.flatMap(({ simulation }) => (simulation.kind === 'failed' ? [simulation.message] : []));
  if (failed[0] !== undefined) return { uri, version, state: 'failed', message: failed[0] };
  const headlines = workloads.map(headlineOf);
  return {
    uri,
    version,
    state: 'simulated',
    workloads: workloads.length,
    seed: first.plan.workload.seed.value,
    headlines,
  };
}
