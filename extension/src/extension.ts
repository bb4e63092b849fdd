/** The extension's front door: what it consists of, in order. Nothing runs for a YAML file that is not ours. */
import * as vscode from 'vscode';
import { compare } from './features/compare/compare.ts';
import { output } from './features/output/output.ts';
import { report } from './features/report/report.ts';
import { simulate } from './features/simulate/simulate.ts';
import { status } from './features/status/status.ts';
import { LanguageServer } from './languageServer.ts';
import { Simulations } from './simulations.ts';

let server: LanguageServer | undefined;

/** Called by VS Code when a YAML file opens or one of our commands runs. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('LayerKV Planner', { log: true });
  server = new LanguageServer(context.extensionUri, log);
  const simulations = new Simulations(server);
  const reports = report(context.extensionUri, simulations);
  context.subscriptions.push(
    log,
    server,
    reports,
    simulate(simulations, reports),
    compare(simulations, reports),
    status(server),
    output(log),
  );
  server.startWhenNeeded();
}

/** Called by VS Code on the way out: lets the language server say goodbye. */
export async function deactivate(): Promise<void> {
  await server?.stop();
}
