/** The door to whatever runs forecasts: a worker thread in Node, a web worker in a browser, a double in tests. */
import type { ForecastOptions, Prediction } from '../forecast/types.ts';
import type { Plan } from '../plan/types.ts';

export interface SimulationJob {
  readonly plan: Plan;
  readonly options: ForecastOptions;
  /** Someone waits for a `user` job; `background` jobs queue up behind each other. */
  readonly priority: 'user' | 'background';
}

export type SimulationOutcome =
  | { readonly kind: 'done'; readonly predictions: readonly Prediction[] }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'cancelled' };

export interface SimulationRun {
  /** Never rejects: a crash is a `failed` outcome. */
  readonly outcome: Promise<SimulationOutcome>;
  /** Stops the work itself, not only the waiting; the outcome is then `cancelled`. */
  cancel(): void;
}

export interface SimulationPort {
  run(job: SimulationJob, onProgress: (fraction: number) => void): SimulationRun;
  /** Stops everything; nothing runs afterwards. */
  dispose(): void;
}

/** How far the background simulation of one plan is. */
export type Simulation =
  /** Switched off by the settings. */
  | { readonly kind: 'off' }
  /** Waiting or running; `last` is what was known before the latest edit. */
  | { readonly kind: 'pending'; readonly last: Prediction | null }
  /** `intervalPending`: the figures stand, the ten further seeds are still running. */
  | { readonly kind: 'ready'; readonly prediction: Prediction; readonly intervalPending: boolean }
  | { readonly kind: 'failed'; readonly message: string };

/** The only clock the scheduler knows, so that tests need not wait. */
export interface Clock {
  /** Runs `action` after `delayMs`; answers how to call it off. */
  after(delayMs: number, action: () => void): () => void;
}
