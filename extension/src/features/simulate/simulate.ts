/** `LayerKV: Simulate`: runs the plan under its own policy and shows the report. */
import * as vscode from 'vscode';
import { COMMANDS } from '../../../../server/src/protocol.ts';
import { type Simulations, targetOf } from '../../simulations.ts';
import type { Reports } from '../report/report.ts';

/** Registers the command. */
export function simulate(simulations: Simulations, reports: Reports): vscode.Disposable {
  return vscode.commands.registerCommand(COMMANDS.simulate, async (argument: unknown) => {
    const target = targetOf(argument, reports.active());
    if (target === null) return;
    const result = await simulations.run(target, undefined, 'Simulating the plan');
    if (result !== null) reports.show(result);
  });
}
