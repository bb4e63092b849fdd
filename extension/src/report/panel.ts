/** The report's window: one panel, reused, restored after a reload. */
import * as vscode from 'vscode';
import { POLICY_NAMES } from '../../../server/src/language/words.ts';
import { COMMANDS, type CommandTarget } from '../../../server/src/protocol.ts';
import { reportHtml } from './html.ts';
import type { FromPage, ToPage } from './messages.ts';
import { isReportModel, type ReportModel } from './model.ts';

/** View type of the panel; VS Code restores panels by it. */
export const REPORT_VIEW = 'layerkv.report';

/** Owns a webview panel that shows one report at a time. */
export class ReportPanel implements vscode.Disposable {
  readonly #panel: vscode.WebviewPanel;
  readonly #disposables: vscode.Disposable[] = [];
  #model: ReportModel | undefined;
  #stale = false;

  /** Opens a panel beside the active editor. */
  static open(extensionUri: vscode.Uri, gone: () => void): ReportPanel {
    const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const panel = vscode.window.createWebviewPanel(REPORT_VIEW, 'LayerKV report', column);
    return new ReportPanel(panel, extensionUri, gone);
  }

  /** Takes over `panel`, new or restored. `state` is what a restored page had kept. */
  constructor(panel: vscode.WebviewPanel, extensionUri: vscode.Uri, gone: () => void, state?: unknown) {
    this.#panel = panel;
    const files = vscode.Uri.joinPath(extensionUri, 'dist', 'report');
    panel.iconPath = vscode.Uri.joinPath(extensionUri, 'extension', 'images', 'icon.png');
    panel.webview.options = { enableScripts: true, localResourceRoots: [files] };
    if (typeof state === 'object' && state !== null && 'model' in state && isReportModel(state.model)) {
      this.#model = state.model;
      panel.title = titleOf(state.model);
    }
    const address = (name: string): string => panel.webview.asWebviewUri(vscode.Uri.joinPath(files, name)).toString();
    this.#disposables.push(
      panel.webview.onDidReceiveMessage((message: FromPage) => this.#receive(message)),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length === 0 || document.uri.toString() !== this.#documentUri()) return;
        this.#stale = true;
        this.#send({ kind: 'stale' });
      }),
      panel.onDidDispose(() => {
        this.dispose();
        gone();
      }),
    );
    panel.webview.html = reportHtml({
      cspSource: panel.webview.cspSource,
      script: address('report.js'),
      style: address('report.css'),
      nonce: crypto.randomUUID(),
    });
  }

  /** Shows a report in place of the one before. */
  show(model: ReportModel): void {
    this.#model = model;
    this.#stale = false;
    this.#panel.title = titleOf(model);
    this.#panel.reveal(undefined, true);
    this.#send({ kind: 'show', model, stale: false });
  }

  /** The plan that is shown, while the panel is the active tab. */
  target(): CommandTarget | null {
    if (this.#model === undefined || !this.#panel.active) return null;
    return { uri: this.#model.uri, document: this.#model.document };
  }

  /** Brings the panel to the front. */
  reveal(): void {
    this.#panel.reveal(undefined, false);
  }

  dispose(): void {
    for (const disposable of this.#disposables.splice(0)) disposable.dispose();
    this.#panel.dispose();
  }

  #documentUri(): string | undefined {
    return this.#model === undefined ? undefined : vscode.Uri.parse(this.#model.uri).toString();
  }

  #send(message: ToPage): void {
    void this.#panel.webview.postMessage(message);
  }

  #receive(message: FromPage): void {
    if (this.#model === undefined) return;
    if (message.kind === 'ready') {
      this.#send({ kind: 'show', model: this.#model, stale: this.#stale });
      return;
    }
    const target: CommandTarget = { uri: this.#model.uri, document: this.#model.document };
    void vscode.commands.executeCommand(message.what === 'compare' ? COMMANDS.compare : COMMANDS.simulate, target);
  }
}

function titleOf(model: ReportModel): string {
  const names = model.policies.map(({ policy }) => POLICY_NAMES[policy]).join(' and ');
  return `${model.plan.name}: ${names}`;
}
