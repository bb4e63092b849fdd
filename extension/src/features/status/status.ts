/** The language status item (the braces in the status bar): "simulated, seed 7", busy, or failed. */
import * as vscode from 'vscode';
import type { StatusParams } from '../../../../server/src/protocol.ts';
import type { LanguageServer } from '../../languageServer.ts';
import { type StatusText, statusText } from './wording.ts';

const severities = {
  information: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
} as const;

/** Shows the status of the active document, and nothing for files that are not ours. */
export function status(server: LanguageServer): vscode.Disposable {
  const latest = new Map<string, StatusParams>();
  let item: vscode.LanguageStatusItem | undefined;

  const hide = (): void => {
    item?.dispose();
    item = undefined;
  };
  const paint = (text: StatusText): void => {
    if (item === undefined) {
      // The item exists only while the active document is ours, so the selector may name all YAML.
      item = vscode.languages.createLanguageStatusItem('layerkv.status', { language: 'yaml' });
      item.name = 'LayerKV Planner';
      item.command = { command: 'layerkv.showOutput', title: 'Show Output' };
    }
    item.text = `LayerKV: ${text.text}`;
    item.detail = text.detail;
    item.busy = text.busy;
    item.severity = severities[text.tone];
  };
  const update = (): void => {
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    const current = uri === undefined ? undefined : latest.get(uri);
    const text = current === undefined ? null : statusText(current);
    if (text === null) hide();
    else paint(text);
  };

  return vscode.Disposable.from(
    server.onStatus((params) => {
      // The server's spelling of a URI may differ from the editor's (`%3A`): compare parsed ones.
      const uri = vscode.Uri.parse(params.uri).toString();
      if (params.state === 'idle' && params.reason === 'closed') latest.delete(uri);
      else latest.set(uri, params);
      update();
    }),
    vscode.window.onDidChangeActiveTextEditor(update),
    vscode.workspace.onDidCloseTextDocument((document) => latest.delete(document.uri.toString())),
    { dispose: hide },
  );
}
