/**
 * Background simulation of open documents: debounced, one run per document, an outdated run terminated at once.
 *
 * A prediction is only ever handed out beside a plan whose every value equals the one that was simulated (see
 * `fingerprint`), so that a stale result cannot be shown; an edit that changes no value (a comment, say) keeps it.
 * Each plan is simulated twice: first its own seed, for figures within a blink, then with ten further seeds for the
 * interval.
 */
import type { Prediction } from '../forecast/types.ts';
import type { Plan } from '../plan/types.ts';
import { fingerprint } from './fingerprint.ts';
import type { Clock, Simulation, SimulationPort, SimulationRun } from './port.ts';

export interface SchedulerOptions {
  readonly port: SimulationPort;
  readonly clock: Clock;
  /** Something new is known of this document; `version` is the latest one told to `update`. */
  readonly onChange: (uri: string, version: number) => void;
  /** 0..1 over all plans of the document. */
  readonly onProgress: (uri: string, version: number, fraction: number) => void;
}

export interface UpdateSettings {
  readonly enabled: boolean;
  readonly debounceMs: number;
}

export interface Scheduler {
  /** Tells the plans of a document version. Versions only grow; an older one is ignored. */
  update(uri: string, version: number, plans: readonly Plan[], settings: UpdateSettings): void;
  /** What is known of this plan, which belongs to the text as it stands now. */
  simulationOf(uri: string, plan: Plan): Simulation;
  /** The document was closed. */
  forget(uri: string): void;
  dispose(): void;
}

interface Known {
  prediction?: Prediction;
  complete: boolean;
  failure?: string;
}

interface Wanted {
  readonly plan: Plan;
  readonly key: string;
}

interface Entry {
  version: number;
  enabled: boolean;
  wanted: readonly Wanted[];
  readonly known: Map<string, Known>;
  /** By document index: what a lens shows while the new figures are being made. */
  readonly last: Map<number, Prediction>;
  running: { readonly key: string; readonly run: SimulationRun } | null;
  callOffTimer: (() => void) | null;
}

export function createScheduler({ port, clock, onChange, onProgress }: SchedulerOptions): Scheduler {
  const entries = new Map<string, Entry>();

  function stop(entry: Entry): void {
    entry.callOffTimer?.();
    entry.callOffTimer = null;
    const running = entry.running;
    entry.running = null;
    running?.run.cancel();
  }

  function next(uri: string, entry: Entry): void {
    if (entry.running !== null || entry.callOffTimer !== null) return;
    const first = entry.wanted.find(({ key }) => !entry.known.has(key));
    const wanted = first ?? entry.wanted.find(({ key }) => entry.known.get(key)?.complete === false);
    if (wanted === undefined) return;
    const { plan, key } = wanted;
    const interval = first === undefined;
    const run = port.run({ plan, options: { interval, perRequest: false }, priority: 'background' }, (fraction) => {
      if (entry.running?.run === run) onProgress(uri, entry.version, overall(entry, interval, fraction));
    });
    entry.running = { key, run };
    void run.outcome.then((outcome) => {
      // Cancelled, or overtaken by a newer run: nobody wants this result any more.
      if (entry.running?.run !== run) return;
      entry.running = null;
      if (outcome.kind === 'done') keep(entry, plan, key, outcome.predictions[0], interval);
      else if (outcome.kind === 'failed') keepFailure(entry, key, outcome.message);
      next(uri, entry);
      onChange(uri, entry.version);
    });
  }

  return {
    update(uri, version, plans, { enabled, debounceMs }) {
      const known = entries.get(uri);
      const entry = known ?? newEntry(version);
      if (version < entry.version) return;
      entries.set(uri, entry);
      entry.version = version;
      entry.enabled = enabled;
      const wanted = enabled ? plans.map((plan) => ({ plan, key: fingerprint(plan) })) : [];
      const same = sameKeys(entry.wanted, wanted);
      entry.wanted = wanted;
      if (same) return;
      const keys = new Set(wanted.map(({ key }) => key));
      for (const key of entry.known.keys()) if (!keys.has(key)) entry.known.delete(key);
      if (entry.running !== null && !keys.has(entry.running.key)) stop(entry);
      entry.callOffTimer?.();
      entry.callOffTimer = null;
      if (known === undefined) next(uri, entry);
      else {
        entry.callOffTimer = clock.after(debounceMs, () => {
          entry.callOffTimer = null;
          next(uri, entry);
        });
      }
    },

    simulationOf(uri, plan) {
      const entry = entries.get(uri);
      if (entry !== undefined && !entry.enabled) return { kind: 'off' };
      const known = entry?.known.get(fingerprint(plan));
      if (known?.prediction !== undefined) {
        return { kind: 'ready', prediction: known.prediction, intervalPending: !known.complete };
      }
      if (known?.failure !== undefined) return { kind: 'failed', message: known.failure };
      return { kind: 'pending', last: entry?.last.get(plan.documentIndex) ?? null };
    },

    forget(uri) {
      const entry = entries.get(uri);
      entries.delete(uri);
      if (entry !== undefined) stop(entry);
    },

    dispose() {
      for (const entry of entries.values()) stop(entry);
      entries.clear();
      port.dispose();
    },
  };
}

function newEntry(version: number): Entry {
  return {
    version,
    enabled: true,
    wanted: [],
    known: new Map(),
    last: new Map(),
    running: null,
    callOffTimer: null,
  };
}

function sameKeys(a: readonly Wanted[], b: readonly Wanted[]): boolean {
  return a.length === b.length && a.every((wanted, i) => wanted.key === b[i]?.key);
}

function keep(entry: Entry, plan: Plan, key: string, prediction: Prediction | undefined, interval: boolean): void {
  if (prediction === undefined) {
    keepFailure(entry, key, 'the simulation gave no result');
    return;
  }
  // Without a violation rate there is no interval to wait for.
  const complete = interval || prediction.violationRate === null;
  entry.known.set(key, { prediction, complete });
  entry.last.set(plan.documentIndex, prediction);
}

function keepFailure(entry: Entry, key: string, failure: string): void {
  const known = entry.known.get(key);
  // The first run's figures stay good when only the interval could not be had.
  if (known?.prediction !== undefined) known.complete = true;
  else entry.known.set(key, { complete: true, failure });
}

/** The first runs count as the first half of the work: afterwards there already is something to see. */
function overall(entry: Entry, interval: boolean, fraction: number): number {
  const count = Math.max(entry.wanted.length, 1);
  const done = entry.wanted.filter(({ key }) => {
    const known = entry.known.get(key);
    return interval ? known?.complete === true : known !== undefined;
  }).length;
  return ((interval ? 1 : 0) + Math.min((done + fraction) / count, 1)) / 2;
}
