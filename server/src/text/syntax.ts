/** The YAML parser's errors in plain words. */
import type { Document, YAMLError } from 'yaml';
import type { LineIndex } from './lines.ts';
import type { Fix, Problem } from './types.ts';

const PLAIN: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  BAD_ALIAS: 'This alias is not written correctly. Write `*name`, where `&name` marks an earlier value.',
  BAD_DIRECTIVE: 'YAML does not know this directive. Remove the line, or put `---` before the document.',
  BAD_DQ_ESCAPE:
    'This escape is not known in a double-quoted string. Use single quotes, or write `\\\\` for a backslash.',
  BAD_INDENT: 'The indentation does not fit. Keys of one block start in the same column, their values further right.',
  BAD_PROP_ORDER: 'Anchors and tags stand before the value, not after it. Move it in front.',
  BAD_SCALAR_START: 'A value cannot start with this character. Put the value in quotes.',
  BLOCK_AS_IMPLICIT_KEY: 'Two `key:` on one line. Put the second one on a line of its own, or quote the value.',
  BLOCK_IN_FLOW:
    'A block of lines cannot stand inside `{…}` or `[…]`. Close the bracket, or write the block without brackets.',
  KEY_OVER_1024_CHARS: 'This key is longer than 1024 characters. Check for a missing quote or colon before it.',
  MULTILINE_IMPLICIT_KEY:
    'A key must stand on one line and be followed by `: ` (colon and space). Check for a missing colon or space.',
  MULTIPLE_ANCHORS: 'A value can carry one anchor (`&name`) only. Remove the others.',
  MULTIPLE_TAGS: 'A value can carry one tag (`!name`) only. Remove the others.',
  NON_STRING_KEY: 'Keys must be plain words. Put this key in quotes.',
  BAD_COLLECTION_TYPE: 'The tag does not fit the value after it. Remove the tag.',
};

/** One broken bracket can make the parser complain about every line after it. */
const MAX_SYNTAX_PROBLEMS = 20;

/**
 * The parser's findings about a document, one a place. Tabs as indentation are one mistake, told once with a fix for every line; what
 * the parser stumbles over behind the first of them is their doing.
 */
export function syntaxProblems(
  { errors, warnings, range: [, , end] }: Document.Parsed,
  lines: LineIndex,
): readonly Problem[] {
  const firstTab = errors.reduce(
    (first, { code, pos }) => (code === 'TAB_AS_INDENT' ? Math.min(first, pos[0]) : first),
    Infinity,
  );
  const problems = [
    ...errors
      .filter(({ code, pos }) => code !== 'TAB_AS_INDENT' && pos[0] < firstTab)
      .slice(0, MAX_SYNTAX_PROBLEMS)
      .map((error) => syntaxProblem(error, false, lines)),
    ...warnings.slice(0, MAX_SYNTAX_PROBLEMS).map((warning) => syntaxProblem(warning, true, lines)),
  ];
  const places = new Set<string>();
  const once = problems.filter(({ range: { start } }) => {
    const place = `${start.line}:${start.character}`;
    return !places.has(place) && places.add(place);
  });
  return Number.isFinite(firstTab) ? [...once, tabProblem(firstTab, end, lines)] : once;
}

/** One parser error or warning as a problem. `isWarning`: the parser could go on without loss. */
function syntaxProblem(error: YAMLError, isWarning: boolean, lines: LineIndex): Problem {
  const [from, to] = error.pos;
  const range = lines.range(from, Math.max(to, Math.min(from + 1, lines.text.length)));
  if (error.code === 'RESOURCE_EXHAUSTION') return tooDeep(lines, from, from + 1);
  const bracket = /^Flow (sequence|map) in block collection/.exec(error.message);
  let message = PLAIN[error.code] ?? `This is not valid YAML: ${lowerFirst(error.message)}.`;
  if (bracket !== null) {
    const [open, close] = bracket[1] === 'map' ? ['{', '}'] : ['[', ']'];
    message = `The \`${open}\` opened above is not closed. Add \`${close}\`, indented deeper than the key that holds it.`;
  } else if (error.code === 'MISSING_CHAR' && /quote/.test(error.message)) {
    message = 'The quote opened here or above is not closed. Add the closing quote.';
  }
  return { rule: 'yaml-syntax', severity: isWarning ? 'warning' : 'error', message, range };
}

/** Nesting beyond what any deployment needs; deeper text is not read. */
export function tooDeep(lines: LineIndex, start: number, end: number): Problem {
  return {
    rule: 'yaml-too-deep',
    severity: 'error',
    message: 'Nested too deeply to be read (more than 100 levels). Check for stray brackets or runaway indentation.',
    range: lines.range(start, end),
  };
}

/** @param end offset where the document ends. */
function tabProblem(offset: number, end: number, lines: LineIndex): Problem {
  const first = lines.positionAt(offset).line;
  const last = lines.positionAt(end).line;
  const edits: Fix['edits'][number][] = [];
  for (let line = first; line <= last; line++) {
    const indent = /^[ \t]*/.exec(lines.line(line))?.[0] ?? '';
    // Behind spaces a tab may be content: of the later lines only those that begin with one are surely meant.
    if (line === first ? !indent.includes('\t') : !indent.startsWith('\t')) continue;
    const range = { start: { line, character: 0 }, end: { line, character: indent.length } };
    edits.push({ range, newText: indent.replaceAll('\t', '  ') });
  }
  const others = edits.length - 1;
  const lineWords = `${others} further line${others === 1 ? '' : 's'}`;
  const title =
    others < 1 ? 'Replace the tabs of this line by spaces' : `Replace the tabs of all ${edits.length} lines by spaces`;
  return {
    rule: 'tab-indentation',
    severity: 'error',
    message: `YAML does not allow tabs as indentation${others < 1 ? '' : ` (here and on ${lineWords})`}. Use spaces, two per level.`,
    range: edits[0]?.range ?? lines.range(offset, offset + 1),
    ...(edits.length === 0 ? {} : { fixes: [{ title, edits }] }),
  };
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');
}
