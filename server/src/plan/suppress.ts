/**
 * Comments that silence problems: `# layerkv-disable-next-line rule-id …` and `# layerkv-disable-line rule-id …`, ids
 * separated by spaces or commas. What follows ` -- ` is a reason.
 */
import { indexLines, type LineIndex } from '../text/lines.ts';
import { nearest } from '../text/nearest.ts';
import type { Problem } from '../text/types.ts';
import { replaceFix, shorten } from './read.ts';

const MARK = 'layerkv-disable-';
const COMMENT = /#\s*layerkv-disable-(?<kind>next-line|line)\b(?<rules>(?:(?!\s--(?:\s|$))[^#])*)/d;

/**
 * The problems that no comment silences. A comment without ids silences the whole line. A problem belongs to the line
 * on which its range starts.
 */
export function withoutSuppressed(problems: readonly Problem[], text: string | LineIndex): readonly Problem[] {
  const source = typeof text === 'string' ? text : text.text;
  if (problems.length === 0 || !source.includes(MARK)) return problems;
  const lines = typeof text === 'string' ? indexLines(text) : text;
  return problems.filter(({ rule, range: { start } }) => {
    const silenced =
      named(lines.line(start.line), 'line', rule) || named(lines.line(start.line - 1), 'next-line', rule);
    return !silenced;
  });
}

function named(line: string, kind: 'line' | 'next-line', rule: string): boolean {
  const groups = COMMENT.exec(line)?.groups;
  if (groups === undefined || groups['kind'] !== kind) return false;
  const rules = words(groups['rules'] ?? '').map(([word]) => word);
  return rules.length === 0 || rules.includes(rule);
}

/** Ids in such comments that no rule has: they silence nothing. @param known every rule id. */
export function unknownSuppressions(lines: LineIndex, known: readonly string[]): readonly Problem[] {
  const problems: Problem[] = [];
  for (let at = lines.text.indexOf(MARK); at >= 0; at = lines.text.indexOf(MARK, at)) {
    const { line } = lines.positionAt(at);
    problems.push(...unknownOnLine(lines.line(line), line, known));
    at = lines.offsetAt({ line: line + 1, character: 0 });
    if (line + 1 >= lines.lineCount) break;
  }
  return problems;
}

function unknownOnLine(text: string, line: number, known: readonly string[]): readonly Problem[] {
  const match = COMMENT.exec(text);
  const [start = 0] = match?.indices?.groups?.['rules'] ?? [];
  const problems: Problem[] = [];
  for (const [word, offset] of words(match?.groups?.['rules'] ?? '')) {
    if (known.includes(word)) continue;
    const meant = nearest(word, known);
    const character = start + offset;
    const range = { start: { line, character }, end: { line, character: character + word.length } };
    const hint = meant === undefined ? 'Write the id that stands behind the problem.' : `Did you mean \`${meant}\`?`;
    problems.push({
      rule: 'unknown-rule',
      severity: 'warning',
      message: `\`${shorten(word)}\` is not a rule, so it silences nothing. ${hint} A reason goes after \` -- \`.`,
      range,
      ...(meant === undefined ? {} : { fixes: [replaceFix(range, meant)] }),
    });
    // What follows a word that is like no rule at all is prose.
    if (meant === undefined) break;
  }
  return problems;
}

/** Words and where they start. */
function words(text: string): readonly (readonly [string, number])[] {
  return [...text.matchAll(/[^\s,]+/g)].map((match) => [match[0], match.index] as const);
}
