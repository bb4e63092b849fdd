/** What a file states, as a table for people. */
import type { ExtractedWorkload } from '../plan/types.ts';
import { type Paint, printable, table } from './style.ts';

/** Lines: a heading a workload, then fact, value, place. */
export function describeFacts(file: string, workloads: readonly ExtractedWorkload[], paint: Paint): readonly string[] {
  return workloads.flatMap(({ documentIndex, dialect, facts, origins }) => {
    const names = Object.keys(facts);
    const nameWidth = Math.max(0, ...names.map((name) => name.length));
    const rows = names.map((name) => {
      const origin = origins[name];
      const place = origin === undefined ? '' : `${origin.origin}, line ${origin.range.start.line + 1}`;
      const value = facts[name];
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return [{ text: `${name.padEnd(nameWidth)}  ${printable(text)}` }, { text: place, style: 'dim' as const }];
    });
    return [paint('bold', `${printable(file)}, document ${documentIndex + 1} (${dialect})`), ...table(rows, paint)];
  });
}
