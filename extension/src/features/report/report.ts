/** `LayerKV: Open Report`, and the place where results are shown. */
import * as vscode from 'vscode';
import { COMMANDS, type CommandTarget, type SimulateSuccess } from '../../../../server/src/protocol.ts';
import { reportModel } from '../../report/model.ts';
import { REPORT_VIEW, ReportPanel } from '../../report/panel.ts';
import { type Simulations, targetOf } from '../../simulations.ts';

/** Shows results; dispose closes the panel. */
export interface Reports extends vscode.Disposable {
  show(result: SimulateSuccess): void;
  /** The plan of the report in front; null where another tab is. */
  active(): CommandTarget | null;
}

/** Registers the command and the restoring of panels after a reload. */
export function report(extensionUri: vscode.Uri, simulations: Simulations): Reports {
  let panel: ReportPanel | undefined;
  /** The last result of each plan, so that opening the report again costs nothing. */
  const latest = new Map<string, SimulateSuccess>();
  const key = (uri: string): string => vscode.Uri.parse(uri).toString();

  const gone = (): void => {
    panel = undefined;
  };
  const show = (result: SimulateSuccess): void => {
    latest.set(key(result.uri), result);
    panel ??= ReportPanel.open(extensionUri, gone);
    panel.show(reportModel(result, fileNameOf(result.uri)));
  };
  const open = async (argument: unknown): Promise<void> => {
    const target = targetOf(argument, panel?.target() ?? null);
    if (target === null) return;
    const known = latest.get(target.uri.toString());
    const document = vscode.workspace.textDocuments.find((each) => each.uri.toString() === target.uri.toString());
    const isFresh =
      known !== undefined &&
      document?.version === known.version &&
      (target.document === undefined || target.document === known.document);
    const result = isFresh ? known : await simulations.run(target, undefined, 'Simulating the plan');
    if (result === null) return;
    show(result);
    panel?.reveal();
  };
  const disposables = vscode.Disposable.from(
    vscode.commands.registerCommand(COMMANDS.openReport, open),
    vscode.workspace.onDidCloseTextDocument((document) => latest.delete(document.uri.toString())),
    vscode.window.registerWebviewPanelSerializer(REPORT_VIEW, {
      deserializeWebviewPanel: (restored, state: unknown) => {
        panel?.dispose();
        panel = new ReportPanel(restored, extensionUri, gone, state);
        return Promise.resolve();
      },
    }),
  );
  return {
    show,
    active: () => panel?.target() ?? null,
    dispose: () => {
      disposables.dispose();
      panel?.dispose();
    },
  };
}

function fileNameOf(uri: string): string {
  return vscode.Uri.parse(uri).path.split('/').at(-1) ?? uri;
}
