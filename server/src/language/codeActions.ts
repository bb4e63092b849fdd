/** Quick fixes that travelled in the diagnostics' data, and the comment that silences a rule. */
import type { CodeAction, Diagnostic, TextEdit } from 'vscode-languageserver-types';
import { readingRules } from '../plan/rules/reading.ts';
import { DIAGNOSTIC_SOURCE } from '../protocol.ts';
import { diagnosticData } from './diagnostics.ts';
import type { DocumentView } from './view.ts';

const QUICK_FIX = 'quickfix';
const NEXT_LINE = /#\s*layerkv-disable-next-line\b/;
/** What keeps a plan from being read can be mended, not silenced. */
const NOT_SILENCED: ReadonlySet<string> = new Set(
  readingRules.filter(({ severity }) => severity === 'error').map(({ id }) => id),
);

export function codeActions(view: DocumentView, diagnostics: readonly Diagnostic[]): CodeAction[] {
  const ours = diagnostics.filter(({ source }) => source === DIAGNOSTIC_SOURCE);
  const lines = view.text.split(/\r\n|\r|\n/);
  return [
    ...ours.flatMap((diagnostic) => fixes(view, diagnostic)),
    ...ours.flatMap((diagnostic) => suppression(view, lines, diagnostic)),
  ];
}

function fixes({ uri, version }: DocumentView, diagnostic: Diagnostic): CodeAction[] {
  const data = diagnosticData(diagnostic.data);
  // An older version's ranges would edit the wrong place; the client asks again with the new diagnostics.
  if (data === null || data.version !== version) return [];
  return data.fixes.map(({ title, edits }, i) => ({
    title,
    kind: QUICK_FIX,
    diagnostics: [diagnostic],
    isPreferred: i === 0,
    edit: { changes: { [uri]: edits.map(({ range, newText }) => ({ range, newText })) } },
  }));
}

function suppression({ uri }: DocumentView, lines: readonly string[], diagnostic: Diagnostic): CodeAction[] {
  const rule = String(diagnostic.code ?? '');
  const line = diagnostic.range.start.line;
  const text = lines[line];
  if (rule === '' || text === undefined || NOT_SILENCED.has(rule)) return [];
  return [
    {
      title: `Silence ${rule} here with a comment`,
      kind: QUICK_FIX,
      diagnostics: [diagnostic],
      edit: { changes: { [uri]: [suppressingEdit(rule, line, text, lines[line - 1] ?? '')] } },
    },
  ];
}

function suppressingEdit(rule: string, line: number, text: string, above: string): TextEdit {
  if (NEXT_LINE.test(above)) {
    const end = { line: line - 1, character: above.trimEnd().length };
    return { range: { start: end, end }, newText: ` ${rule}` };
  }
  const indent = /^\s*/.exec(text)?.[0] ?? '';
  const start = { line, character: 0 };
  return { range: { start, end: start }, newText: `${indent}# layerkv-disable-next-line ${rule}\n` };
}
