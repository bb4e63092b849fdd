/** `LayerKV: Show Output`: what client and language server have to say. */
import * as vscode from 'vscode';

/** Registers the command. */
export function output(log: vscode.LogOutputChannel): vscode.Disposable {
  return vscode.commands.registerCommand('layerkv.showOutput', () => log.show());
}
