/** One line of lenses a plan: headline · Simulate · Compare policies. There from the first request; only text changes. */
import type { CodeLens } from 'vscode-languageserver-types';
import { COMMANDS, type CommandTarget } from '../protocol.ts';
import type { DocumentView } from './view.ts';
import { headlineOf } from './words.ts';

export function codeLenses(view: DocumentView): CodeLens[] {
  return view.workloads.flatMap((workload) => {
    const target: CommandTarget = { uri: view.uri, document: workload.plan.documentIndex };
    const range = workload.plan.anchor;
    return [
      { range, command: { title: headlineOf(workload), command: COMMANDS.openReport, arguments: [target] } },
      { range, command: { title: 'Simulate', command: COMMANDS.simulate, arguments: [target] } },
      { range, command: { title: 'Compare policies', command: COMMANDS.compare, arguments: [target] } },
    ];
  });
}
