/** Problems as people read them: file:line:column, the message, the source line, a caret under the place. */
import type { LineIndex } from '../text/lines.ts';
import type { Problem, Range, Severity } from '../text/types.ts';
import { type Paint, printable, type Style, wrap } from './style.ts';

const names: Readonly<Record<Severity, { readonly one: string; readonly many: string; readonly style: Style }>> = {
  error: { one: 'error', many: 'errors', style: 'red' },
  warning: { one: 'warning', many: 'warnings', style: 'yellow' },
  information: { one: 'note', many: 'notes', style: 'cyan' },
  hint: { one: 'hint', many: 'hints', style: 'dim' },
};

const order: readonly Severity[] = ['error', 'warning', 'information', 'hint'];

export interface Layout {
  readonly paint: Paint;
  /** Width to stay within, characters. */
  readonly columns: number;
}

/** Lines for one problem of `file`. */
export function describeProblem(file: string, lines: LineIndex, problem: Problem, layout: Layout): readonly string[] {
  const { paint, columns } = layout;
  const { line, character } = problem.range.start;
  const { one, style } = names[problem.severity];
  const place = `${printable(file)}:${line + 1}:${character + 1}:`;
  const message = wrap(`${printable(problem.message)} [${problem.rule}]`, columns, '  ');
  return [
    `${paint('bold', place)} ${paint(style, one)}`,
    ...message,
    ...quote(lines, problem.range, style, layout),
    ...(problem.related ?? []).flatMap((related) => [
      `  ${paint('dim', `line ${related.range.start.line + 1}:`)} ${printable(related.message)}`,
    ]),
  ];
}

/** The source line with a caret under the first line of the range; nothing where the line is blank. */
function quote(lines: LineIndex, range: Range, style: Style, { paint, columns }: Layout): readonly string[] {
  const source = lines.line(range.start.line);
  if (source.trim() === '') return [];
  const number = String(range.start.line + 1);
  const gutter = `  ${number} | `;
  const width = Math.max(columns - gutter.length, 20);
  const endOfRange = range.end.line > range.start.line ? source.length : range.end.character;
  // A line longer than the terminal is cut to a window that begins a little before the place.
  const from = range.start.character < width ? 0 : range.start.character - Math.floor(width / 4);
  const shown = printable(source.slice(from, from + width));
  // Tabs are kept before the caret, so that it stands under its place whatever their width.
  const before = shown.slice(0, range.start.character - from).replace(/[^\t]/g, ' ');
  const length = Math.max(1, Math.min(endOfRange - from, shown.length) - (range.start.character - from));
  const caret = `^${'~'.repeat(length - 1)}`;
  return [
    paint('dim', gutter) + shown,
    `${paint('dim', `  ${' '.repeat(number.length)} | `)}${before}${paint(style, caret)}`,
  ];
}

/** "2 errors, 1 warning"; "no problems" where there are none. */
export function countProblems(problems: readonly Problem[], paint: Paint): string {
  const parts = order.flatMap((severity) => {
    const count = problems.filter((problem) => problem.severity === severity).length;
    const { one, many, style } = names[severity];
    return count === 0 ? [] : [paint(style, `${count} ${count === 1 ? one : many}`)];
  });
  return parts.length === 0 ? 'no problems' : parts.join(', ');
}

/** In the order of their places; the order of findings at one place is kept. */
export function byPlace(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted(
    (a, b) => a.range.start.line - b.range.start.line || a.range.start.character - b.range.start.character,
  );
}
