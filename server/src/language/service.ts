/**
 * The language service: everything the server can say, behind one door, without a protocol library and without Node.
 * Each request looks at the text as it stands now; each answer is computed from a `DocumentView`.
 */
import type { CodeAction, CodeLens, CompletionItem, Diagnostic, Hover, InlayHint } from 'vscode-languageserver-types';
import type { Settings, SimulateParams, StatusParams } from '../protocol.ts';
import type { Clock, SimulationPort } from '../simulation/port.ts';
import { createScheduler } from '../simulation/scheduler.ts';
import type { Files, Position, Problem, Range } from '../text/types.ts';
import { codeActions } from './codeActions.ts';
import { codeLenses } from './codeLens.ts';
import { completion } from './completion.ts';
import { diagnostics } from './diagnostics.ts';
import { type Snapshot, snapshot } from './documents.ts';
import { hover } from './hover.ts';
import { inlayHints } from './inlayHints.ts';
import { allProblems } from './predictionProblems.ts';
import { type SimulationRequest, simulateDocument } from './simulate.ts';
import { settledStatus } from './status.ts';
import { type DocumentView, predictionOf } from './view.ts';

export interface ServiceHost {
  /** Reads what the plans of this document name. */
  files(uri: string): Files;
  /** Asked for documents of ours only. */
  settings(uri: string): Promise<Settings>;
  /** Where a rule is explained; null where the docs cannot be reached. */
  docs(rule: string): string | null;
  /** Lenses, hints and diagnostics of this document may have changed without an edit. */
  onChange(uri: string): void;
  onStatus(status: StatusParams): void;
  readonly port: SimulationPort;
  readonly clock: Clock;
}

export interface LanguageService {
  /** The document was opened or changed. */
  update(uri: string, version: number, text: string): Promise<void>;
  close(uri: string): void;
  /** Settings may have changed: looks at every open document again. */
  settingsChanged(): Promise<void>;
  /** Files that plans name may have changed: looks at every open document again. */
  filesChanged(): Promise<void>;
  diagnostics(uri: string): Promise<{ readonly version: number; readonly items: Diagnostic[] }>;
  hover(uri: string, position: Position): Promise<Hover | null>;
  codeLenses(uri: string): Promise<CodeLens[]>;
  inlayHints(uri: string, range: Range): Promise<InlayHint[]>;
  completion(uri: string, position: Position): Promise<CompletionItem[]>;
  codeActions(uri: string, context: readonly Diagnostic[]): Promise<CodeAction[]>;
  simulate(params: SimulateParams, onProgress: (fraction: number) => void): SimulationRequest;
  dispose(): void;
}

export function createLanguageService(host: ServiceHost): LanguageService {
  const open = new Map<string, Snapshot>();
  /** Documents that were ours in their last version: others are told of only when they cease to be. */
  const relevant = new Set<string>();

  const scheduler = createScheduler({
    port: host.port,
    clock: host.clock,
    onChange: (uri) => {
      host.onChange(uri);
      void view(uri).then((found) => {
        const settled = found === null ? null : settledStatus(found);
        if (settled !== null) host.onStatus(settled);
      });
    },
    onProgress: (uri, version, fraction) => host.onStatus({ uri, version, state: 'simulating', fraction }),
  });

  /** The document as it stands now; null where it is closed or none of our business. */
  async function view(uri: string): Promise<DocumentView | null> {
    const current = open.get(uri);
    if (current === undefined) return null;
    const analysis = await current.analysis();
    if (!analysis.relevant || open.get(uri) === undefined) return null;
    const settings = await host.settings(uri);
    // The text moved on while we waited: what is asked for is the text as it is now.
    if (open.get(uri) !== current) return view(uri);
    scheduler.update(uri, current.version, analysis.plans, settings.simulation);
    const workloads = analysis.plans.map((plan) => ({
      plan,
      assessment: current.assessment(plan),
      simulation: scheduler.simulationOf(uri, plan),
    }));
    return { uri, version: current.version, text: current.text, analysis, workloads };
  }

  async function refresh(uri: string): Promise<void> {
    const found = await view(uri);
    const current = open.get(uri);
    if (found !== null) {
      relevant.add(uri);
      host.onStatus(settledStatus(found) ?? { uri, version: found.version, state: 'simulating', fraction: 0 });
      return;
    }
    if (!relevant.delete(uri) || current === undefined) return;
    scheduler.forget(uri);
    host.onStatus({ uri, version: current.version, state: 'idle', reason: 'not-ours' });
  }

  async function lookAgain(): Promise<void> {
    await Promise.all([...open.keys()].map(refresh));
    for (const uri of relevant) host.onChange(uri);
  }

  function problemsOf(found: DocumentView): readonly Problem[] {
    const judged = found.workloads.map((workload) => {
      const prediction = predictionOf(workload);
      return { ...workload, predictions: prediction === null ? null : [prediction] };
    });
    return allProblems(found.analysis, found.text, judged);
  }

  return {
    async update(uri, version, text) {
      open.set(uri, snapshot(uri, version, text, host.files(uri), open.get(uri)));
      await refresh(uri);
    },
    close(uri) {
      const last = open.get(uri);
      open.delete(uri);
      scheduler.forget(uri);
      if (relevant.delete(uri) && last !== undefined) {
        host.onStatus({ uri, version: last.version, state: 'idle', reason: 'closed' });
      }
    },
    settingsChanged: lookAgain,
    filesChanged() {
      for (const [uri, last] of open) open.set(uri, snapshot(uri, last.version, last.text, host.files(uri), last));
      return lookAgain();
    },
    async diagnostics(uri) {
      const found = await view(uri);
      if (found === null) return { version: open.get(uri)?.version ?? 0, items: [] };
      const { rules } = await host.settings(uri);
      const { version } = found;
      return { version, items: diagnostics(problemsOf(found), { uri, version, rules, docs: host.docs }) };
    },
    async hover(uri, position) {
      const found = await view(uri);
      const parsed = found === null ? undefined : open.get(uri)?.parsed();
      return found === null || parsed === undefined ? null : hover(found, parsed, position);
    },
    async codeLenses(uri) {
      const found = await view(uri);
      if (found === null || !(await host.settings(uri)).codeLens.enabled) return [];
      return codeLenses(found);
    },
    async inlayHints(uri, range) {
      const found = await view(uri);
      return found === null ? [] : inlayHints(found, range, (await host.settings(uri)).inlayHints);
    },
    async completion(uri, position) {
      const current = open.get(uri);
      if (current === undefined || !(await current.analysis()).relevant) return [];
      const { version, text, analysis } = current;
      const found: DocumentView = { uri, version, text, analysis: await analysis(), workloads: [] };
      return completion(found, current.parsed(), position);
    },
    async codeActions(uri, context) {
      const found = await view(uri);
      return found === null ? [] : codeActions(found, context);
    },
    simulate: (params, onProgress) => simulateDocument(params, view(params.textDocument.uri), host.port, onProgress),
    dispose() {
      open.clear();
      scheduler.dispose();
    },
  };
}
