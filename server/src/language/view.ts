/** What the language features look at: an analysed document with what is known of each of its plans so far. */
import type { Assessment } from '../forecast/assess.ts';
import type { Prediction } from '../forecast/types.ts';
import type { Analysis, Plan } from '../plan/types.ts';

/** How far the background simulation of one plan is. */
export type Simulation =
  /** Switched off by the settings. */
  | { readonly kind: 'off' }
  /** Waiting or running; `last` is what was known before the latest edit. */
  | { readonly kind: 'pending'; readonly last: Prediction | null }
  /** `intervalPending`: the figures stand, the ten further seeds are still running. */
  | { readonly kind: 'ready'; readonly prediction: Prediction; readonly intervalPending: boolean }
  | { readonly kind: 'failed'; readonly message: string };

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

/** The plan whose YAML document holds `line`. */
export function workloadAtLine(view: DocumentView, line: number): WorkloadView | undefined {
  return view.workloads.find(
    ({ plan }) => plan.documentRange.start.line <= line && line <= plan.documentRange.end.line,
  );
}
