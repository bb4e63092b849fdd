/** What the language features look at: an analysed document with what is known of each of its plans so far. */
import type { Assessment } from '../forecast/assess.ts';
import type { Prediction } from '../forecast/types.ts';
import type { Analysis, Plan } from '../plan/types.ts';
import type { Simulation } from '../simulation/port.ts';

export interface WorkloadView {
  readonly plan: Plan;
  /** Null where memory and step times cannot be told. */
  readonly assessment: Assessment | null;
  readonly simulation: Simulation;
}

export interface DocumentView {
  readonly uri: string;
  readonly version: number;
  readonly text: string;
  readonly analysis: Analysis;
  /** In the order of `analysis.plans`. */
  readonly workloads: readonly WorkloadView[];
}

/** The prediction that belongs to the text as it stands; null while it is being made. */
export function predictionOf(workload: WorkloadView): Prediction | null {
  return workload.simulation.kind === 'ready' ? workload.simulation.prediction : null;
}
