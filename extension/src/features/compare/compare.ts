/** `LayerKV: Compare Policies`: runs the plan under vLLM and under LayerKV, same requests, and shows both. */
import * as vscode from 'vscode';
import { COMMANDS } from '../../../../server/src/protocol.ts';
import { type Simulations, targetOf } from '../../simulations.ts';
import type { Reports } from '../report/report.ts';

/** Registers the command. */
export function compare(simulations: Simulations, reports: Reports): vscode.Disposable {
  return vscode.commands.registerCommand(COMMANDS.compare, async (argument: unknown) => {
    const target = targetOf(argument, reports.active());
    if (target === null) return;
    const result = await simulations.run(target, 'compare', 'Comparing vLLM and LayerKV');
    if (result !== null) reports.show(result);
  });
}
