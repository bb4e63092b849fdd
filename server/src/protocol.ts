/**
 * Everything that client and server say to each other beyond the Language Server Protocol, and the names both sides
 * must spell alike. Plain data and constants: imports neither `vscode` nor a protocol library, so that both sides,
 * the report page included, can use it.
 *
 * | method | direction | what |
 * |---|---|---|
 * | `layerkv/simulate` | client → server, request | simulates one plan of an open document now, with progress and cancellation |
 * | `layerkv/status` | server → client, notification | how far the background simulation of a document is |
 */
import type { PolicyChoice, Prediction } from './forecast/types.ts';

/** Language id and `source` of diagnostics. */
export const DIAGNOSTIC_SOURCE = 'layerkv';

// ---------------------------------------------------------------------------------------------- layerkv/simulate

/**
 * Request. Simulates the plan as it stands in the open document, whatever its version. Errors that the user can act
 * on come back as `{ok: false, message}`; a cancelled request answers with the protocol's own `RequestCancelled`
 * (−32800) error.
 *
 * Progress: when `workDoneToken` is given the server reports `begin` (cancellable), `report` with a real
 * `percentage` 0..100 and `end` on that token.
 */
export const SIMULATE_METHOD = 'layerkv/simulate';

export interface SimulateParams {
  readonly textDocument: { readonly uri: string };
  /** 0-based index of the YAML document in the file; absent: the first plan of the file. */
  readonly document?: number;
  /** Absent: the plan's own policy. `compare` answers two predictions: `vllm`, then `layerkv`. */
  readonly policy?: PolicyChoice;
  readonly seed?: number;
  readonly requests?: number;
  /** Also run ten further seeds for the 95 % interval of the violation rate. Default true. */
  readonly interval?: boolean;
  readonly workDoneToken?: string | number;
}

export type SimulateResult = SimulateSuccess | SimulateFailure;

export interface SimulateSuccess {
  readonly ok: true;
  readonly uri: string;
  /** Version of the document that was simulated. */
  readonly version: number;
  /** 0-based index of the YAML document. */
  readonly document: number;
  readonly plan: PlanSummary;
  /** In the order of the policies asked for. `perRequest` is left out: see `requests`. */
  readonly predictions: readonly SimulatedPrediction[];
}

export interface SimulateFailure {
  readonly ok: false;
  /** Plain English with a next step, to be shown as it is. */
  readonly message: string;
}

/** What the report's heading says of the plan. */
export interface PlanSummary {
  readonly name: string;
  readonly model: string;
  readonly weightDtype: string;
  readonly gpu: string;
  readonly gpusPerReplica: number;
  readonly replicas: number;
  readonly tensor: number;
  readonly pipeline: number;
  readonly engineVersion: string;
  readonly maxModelLenTokens: number;
  /** "Poisson, 1 request/s", "closed loop, 32 at a time", "trace conversation.csv". */
  readonly arrivals: string;
  /** "2048 tokens", "uniform 100 to 2000 tokens"; for traces "from the trace". */
  readonly input: string;
  readonly output: string;
  readonly slo: { readonly ttftMs: number | null; readonly tpotMs: number | null; readonly attainment: number };
}

export interface SimulatedPrediction {
  readonly prediction: Omit<Prediction, 'perRequest'>;
  /** One entry a request, in arrival order. */
  readonly requests: RequestColumns;
}

/** Columns, so that a hundred thousand requests stay small on the wire. `null`: that moment never came. */
export interface RequestColumns {
  readonly arrivalS: readonly number[];
  readonly inputTokens: readonly number[];
  readonly outputTokens: readonly number[];
  readonly prefillStartS: readonly (number | null)[];
  readonly firstTokenS: readonly (number | null)[];
  readonly finishS: readonly (number | null)[];
}

// ------------------------------------------------------------------------------------------------ layerkv/status

/** Notification about one document; the latest one counts. */
export const STATUS_METHOD = 'layerkv/status';

export type StatusParams = {
  readonly uri: string;
  /** Document version that this is about. */
  readonly version: number;
} & (
  | {
      /** Nothing of ours in the file, nothing that can be simulated yet, or simulation is switched off. */
      readonly state: 'idle';
      readonly reason: 'not-ours' | 'nothing-to-simulate' | 'disabled' | 'closed';
    }
  | {
      readonly state: 'simulating';
      /** 0..1 over all plans of the document. */
      readonly fraction: number;
    }
  | {
      readonly state: 'simulated';
      readonly workloads: number;
      /** Seed of the first plan. */
      readonly seed: number;
      /** Headline of each plan, as in its lens. */
      readonly headlines: readonly string[];
    }
  | { readonly state: 'failed'; readonly message: string }
);

// ---------------------------------------------------------------------------------------------- commands, settings

/**
 * Commands that the lenses run in the client; each gets one `CommandTarget`. The palette runs them without arguments:
 * the client then means the active editor's plan.
 */
export const COMMANDS = {
  simulate: 'layerkv.simulate',
  compare: 'layerkv.compare',
  openReport: 'layerkv.openReport',
} as const;

export interface CommandTarget {
  readonly uri: string;
  /** 0-based index of the YAML document. */
  readonly document: number;
}

/** Section asked for by `workspace/configuration`, with `scopeUri`. */
export const SETTINGS_SECTION = 'layerkv';

export type RuleSeverity = 'error' | 'warning' | 'information' | 'hint' | 'off';

/** The `layerkv.*` settings as the server reads them, per document. */
export interface Settings {
  readonly simulation: { readonly enabled: boolean; readonly debounceMs: number };
  readonly inlayHints: { readonly kvTokens: boolean; readonly weights: boolean; readonly layers: boolean };
  readonly codeLens: { readonly enabled: boolean };
  /** Rule id → severity that replaces the rule's own; `off` silences it. */
  readonly rules: Readonly<Record<string, RuleSeverity>>;
}

export const DEFAULT_SETTINGS: Settings = {
  simulation: { enabled: true, debounceMs: 300 },
  inlayHints: { kvTokens: true, weights: true, layers: true },
  codeLens: { enabled: true },
  rules: {},
};
