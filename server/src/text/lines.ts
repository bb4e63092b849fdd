import type { Position, Range } from './types.ts';

/** Turns offsets into positions and back. Line ends are those of the Language Server Protocol: LF, CRLF, CR. */
export interface LineIndex {
  readonly text: string;
  readonly lineCount: number;
  /** Clamped into the text. */
  positionAt(offset: number): Position;
  /** Clamped into the text, and to the end of its line (line break excluded). */
  offsetAt(position: Position): number;
  range(start: number, end: number): Range;
  /** The line without its line break; empty where there is no such line. */
  line(line: number): string;
}

const LF = 10;
const CR = 13;

/**
 * Counts the lines of `text` once; look-ups are binary searches.
 * @param firstLine number of the first line, where `text` is a part of a longer one that begins there.
 */
export function indexLines(text: string, firstLine = 0): LineIndex {
  const starts = [0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === CR) {
      if (text.charCodeAt(i + 1) === LF) i++;
      starts.push(i + 1);
    } else if (code === LF) starts.push(i + 1);
  }
  const contentEnd = (line: number): number => {
    let end = starts[line + 1] ?? text.length;
    const start = starts[line] ?? text.length;
    while (end > start && line + 1 < starts.length && isBreak(text.charCodeAt(end - 1))) end--;
    return end;
  };
  const positionAt = (offset: number): Position => {
    const at = Math.min(Math.max(offset, 0), text.length);
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    const line = low - 1;
    // An offset inside the line break (between CR and LF) belongs to the end of the line.
    return { line: line + firstLine, character: Math.min(at, contentEnd(line)) - (starts[line] ?? 0) };
  };
  return {
    text,
    lineCount: starts.length,
    positionAt,
    offsetAt: ({ line, character }) => {
      const own = line - firstLine;
      if (own < 0) return 0;
      const start = starts[own];
      if (start === undefined) return text.length;
      return Math.min(start + Math.max(character, 0), contentEnd(own));
    },
    range: (start, end) => ({ start: positionAt(start), end: positionAt(Math.max(start, end)) }),
    line: (line) => {
      const start = starts[line - firstLine];
      return start === undefined ? '' : text.slice(start, contentEnd(line - firstLine));
    },
  };
}

function isBreak(code: number): boolean {
  return code === LF || code === CR;
}

/** True where `position` lies in `range`, both ends included. */
export function contains(range: Range, position: Position): boolean {
  return !before(position, range.start) && !before(range.end, position);
}

/** True where `a` comes strictly before `b`. */
export function before(a: Position, b: Position): boolean {
  return a.line < b.line || (a.line === b.line && a.character < b.character);
}

/** Two ranges that start and end alike. */
export function sameRange(a: Range, b: Range): boolean {
  return (
    a.start.line === b.start.line &&
    a.start.character === b.start.character &&
    a.end.line === b.end.line &&
    a.end.character === b.end.character
  );
}
