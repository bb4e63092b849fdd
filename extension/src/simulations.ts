/** Simulations that the user asked for: one at a time, cancellable, silent while they are quick. */
import * as vscode from 'vscode';
import { LSPErrorCodes, ResponseError, WorkDoneProgress } from 'vscode-languageclient/node';
import type { PolicyChoice } from '../../server/src/forecast/types.ts';
import {
  type CommandTarget,
  SIMULATE_METHOD,
  type SimulateParams,
  type SimulateResult,
  type SimulateSuccess,
} from '../../server/src/protocol.ts';
import { isCandidate, type LanguageServer } from './languageServer.ts';
import { showIfSlow } from './progress.ts';
import { planAtLine } from './sniff.ts';

/** A plan to run: in which file, and which of its YAML documents (absent: the first plan). */
export interface PlanTarget {
  readonly uri: vscode.Uri;
  readonly document?: number;
}

function isCommandTarget(value: unknown): value is CommandTarget {
  return (
    typeof value === 'object' &&
    value !== null &&
    'uri' in value &&
    typeof value.uri === 'string' &&
    'document' in value &&
    typeof value.document === 'number'
  );
}

/**
 * What a command means: the plan that a lens names, the file that a menu names, the plan at the cursor, or, where no
 * editor is active, the plan of the report in front. Null, with a message to the user, where there is none.
 */
export function targetOf(argument: unknown, reported: CommandTarget | null): PlanTarget | null {
  const editor = vscode.window.activeTextEditor;
  const named = isCommandTarget(argument) ? argument : argument === undefined && editor === undefined ? reported : null;
  if (named !== null) return { uri: vscode.Uri.parse(named.uri, true), document: named.document };
  return openPlan(argument, editor);
}

function openPlan(argument: unknown, editor: vscode.TextEditor | undefined): PlanTarget | null {
  const named = argument instanceof vscode.Uri ? argument : editor?.document.uri;
  const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === named?.toString());
  if (document === undefined || !isCandidate(document)) {
    void vscode.window.showInformationMessage(
      'There is no LayerKV plan in the active editor. Open a YAML file with `apiVersion: layerkv/v1` and run the command again.',
    );
    return null;
  }
  if (editor?.document !== document) return { uri: document.uri };
  const index = planAtLine(document.getText(), editor.selection.active.line);
  return index === undefined ? { uri: document.uri } : { uri: document.uri, document: index };
}

/** Asks the language server; the newest request wins. */
export class Simulations {
  readonly #server: LanguageServer;
  #current: vscode.CancellationTokenSource | undefined;

  constructor(server: LanguageServer) {
    this.#server = server;
  }

  /** Runs a plan. Null where it was cancelled or could not run; the user has been told why. */
  async run(target: PlanTarget, policy: PolicyChoice | undefined, title: string): Promise<SimulateSuccess | null> {
    this.#current?.cancel();
    const cancellation = new vscode.CancellationTokenSource();
    this.#current = cancellation;
    const tell = (message: string): null => {
      void vscode.window.showErrorMessage(message);
      return null;
    };
    try {
      const result = await this.#ask(target, policy, title, cancellation);
      return result.ok ? result : tell(result.message);
    } catch (error) {
      if (cancellation.token.isCancellationRequested) return null;
      if (error instanceof ResponseError && error.code === LSPErrorCodes.RequestCancelled) return null;
      const reason = error instanceof Error ? error.message : String(error);
      return tell(`The simulation failed: ${reason}. "LayerKV: Show Output" has the details.`);
    } finally {
      if (this.#current === cancellation) this.#current = undefined;
      cancellation.dispose();
    }
  }

  async #ask(
    target: PlanTarget,
    policy: PolicyChoice | undefined,
    title: string,
    cancellation: vscode.CancellationTokenSource,
  ): Promise<SimulateResult> {
    const client = await this.#server.running();
    const workDoneToken = `layerkv-${crypto.randomUUID()}`;
    let shown: vscode.Progress<{ message?: string; increment?: number }> | undefined;
    let percentage = 0;
    const advance = (to: number): void => {
      shown?.report({ increment: to - percentage, message: `${Math.round(to)} %` });
      if (shown !== undefined) percentage = to;
    };
    const listener = client.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
      if (value.kind === 'report' && value.percentage !== undefined) advance(value.percentage);
    });
    const params: SimulateParams = {
      textDocument: { uri: client.code2ProtocolConverter.asUri(target.uri) },
      ...(target.document === undefined ? {} : { document: target.document }),
      ...(policy === undefined ? {} : { policy }),
      workDoneToken,
    };
    const work = client.sendRequest<SimulateResult>(SIMULATE_METHOD, params, cancellation.token);
    try {
      return await showIfSlow(work, (over) => {
        const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
        void vscode.window.withProgress(options, (progress, token) => {
          shown = progress;
          token.onCancellationRequested(() => cancellation.cancel());
          return over;
        });
      });
    } finally {
      listener.dispose();
    }
  }
}
