/** Comments that silence problems: `# layerkv-disable-next-line rule-id …` and `# layerkv-disable-line rule-id …`. */
import { indexLines, type LineIndex } from '../text/lines.ts';
import type { Problem } from '../text/types.ts';

const COMMENT = /#\s*layerkv-disable-(next-line|line)\b([^#]*)/;

/**
 * The problems that no comment silences. A comment names rules, separated by spaces or commas; without any it
 * silences the whole line. A problem belongs to the line on which its range starts.
 */
export function withoutSuppressed(problems: readonly Problem[], text: string | LineIndex): readonly Problem[] {
  const source = typeof text === 'string' ? text : text.text;
  if (!source.includes('layerkv-disable-')) return problems;
  const lines = typeof text === 'string' ? indexLines(text) : text;
  return problems.filter(({ rule, range: { start } }) => {
    const silenced =
      named(lines.line(start.line), 'line', rule) || named(lines.line(start.line - 1), 'next-line', rule);
    return !silenced;
  });
}

function named(line: string, kind: 'line' | 'next-line', rule: string): boolean {
  const match = COMMENT.exec(line);
  if (match === null || match[1] !== kind) return false;
  const rules = (match[2] ?? '').split(/[\s,]+/).filter((word) => word !== '');
  return rules.length === 0 || rules.includes(rule);
}
