/** The language server's life on the editor's side: it starts when the first file that may be ours is open. */
import * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import { SETTINGS_SECTION, STATUS_METHOD, type StatusParams } from '../../server/src/protocol.ts';
import { mayBeOurs } from './sniff.ts';

const YAML = 'yaml';

/** True for an open YAML document that may hold a plan of ours. */
export function isCandidate(document: vscode.TextDocument): boolean {
  return document.languageId === YAML && mayBeOurs(document.uri.path, document.getText());
}

/** Owns the client. Dispose ends the listening; `stop` ends the server. */
export class LanguageServer implements vscode.Disposable {
  readonly #extensionUri: vscode.Uri;
  readonly #log: vscode.LogOutputChannel;
  readonly #statusChanged = new vscode.EventEmitter<StatusParams>();
  readonly #waiting: vscode.Disposable[] = [];
  #client: Promise<LanguageClient> | undefined;

  /** How far the background simulation of a document is. */
  readonly onStatus = this.#statusChanged.event;

  constructor(extensionUri: vscode.Uri, log: vscode.LogOutputChannel) {
    this.#extensionUri = extensionUri;
    this.#log = log;
  }

  /** Starts the server as soon as a candidate is open. Until then only what is opened or typed is looked at. */
  startWhenNeeded(): void {
    const consider = (document: vscode.TextDocument): void => {
      if (this.#client === undefined && isCandidate(document)) this.#startInBackground();
    };
    this.#waiting.push(
      vscode.workspace.onDidOpenTextDocument(consider),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (document.languageId !== YAML || this.#client !== undefined) return;
        // Only the lines being typed, so that a large file of someone else's costs nothing per keystroke.
        const typed = contentChanges.some(({ range, text }) =>
          mayBeOurs('', `${document.lineAt(Math.min(range.start.line, document.lineCount - 1)).text}\n${text}`),
        );
        if (typed) this.#startInBackground();
      }),
    );
    vscode.workspace.textDocuments.forEach(consider);
  }

  /** The running client; starts it when it is not up yet. Rejects where the server does not start. */
  async running(): Promise<LanguageClient> {
    this.#client ??= this.#start();
    return this.#client;
  }

  async stop(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    if (client?.isRunning()) await client.stop();
  }

  dispose(): void {
    for (const listener of this.#waiting) listener.dispose();
    this.#statusChanged.dispose();
  }

  #startInBackground(): void {
    this.running().catch((error: unknown) => {
      this.#log.error(error instanceof Error ? error : String(error));
      void vscode.window.showErrorMessage(
        'LayerKV Planner could not start its language server. Run "LayerKV: Show Output" to see why; reloading the window tries again.',
      );
    });
  }

  async #start(): Promise<LanguageClient> {
    const module = vscode.Uri.joinPath(this.#extensionUri, 'dist', 'server.js').fsPath;
    const run = { module, transport: TransportKind.ipc };
    const client = new LanguageClient(
      'layerkv',
      'LayerKV Planner',
      { run, debug: run },
      {
        documentSelector: [{ language: YAML }],
        outputChannel: this.#log,
        synchronize: { configurationSection: SETTINGS_SECTION },
      },
    );
    client.onNotification(STATUS_METHOD, (params: StatusParams) => this.#statusChanged.fire(params));
    await client.start();
    return client;
  }
}
