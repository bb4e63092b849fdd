/**
 * Where the cursor stands while the text is being typed, which mostly is while it is no valid YAML. Read from
 * indentation and brackets alone, so that it works in broken documents.
 */
import type { Path } from '../text/tree.ts';
import type { Position, Range } from '../text/types.ts';

export interface CompletionPlace {
  /** Of the map that the key stands in; for values, of the value itself. */
  readonly path: Path;
  readonly on: 'key' | 'value';
  /** Inside `{…}`: no line breaks may be inserted. */
  readonly flow: boolean;
  /** What a chosen item replaces. */
  readonly replace: Range;
  /** Keys that already stand beside it. */
  readonly siblings: readonly string[];
}

const KEY = /^(\s*)((?:-\s+)*)(?:(["']?)([^\s#:"'{}[\],]+)\3\s*:(?=\s|$))?/;

/** Null in comments, and where lists or running text are written. */
export function completionPlace(text: string, position: Position): CompletionPlace | null {
  const lines = text.split(/\r\n|\r|\n/);
  const line = lines[position.line] ?? '';
  const before = line.slice(0, position.character);
  if (/(?:^|\s)#/.test(before)) return null;
  const after = /^[^\s,#}\]]*/.exec(line.slice(position.character))?.[0].length ?? 0;
  const flow = openBrackets(before);
  if (flow === null) return null;
  const place = flow.length > 0 ? inFlow(lines, position.line, before, flow) : inBlock(lines, position.line, before);
  if (place === null) return null;
  const start = { line: position.line, character: position.character - place.typed };
  const end = { line: position.line, character: position.character + after };
  return { ...place, replace: { start, end } };
}

interface Found extends Omit<CompletionPlace, 'replace'> {
  /** Length of what is already typed of the word. */
  readonly typed: number;
}

function inBlock(lines: readonly string[], at: number, before: string): Found | null {
  const match = KEY.exec(before);
  const dashes = match?.[2] ?? '';
  const indent = (match?.[1] ?? '').length + dashes.length;
  const parents = blockParents(lines, at, indent);
  if (parents === null) return null;
  const key = match?.[4];
  const items: Path = dashes === '' ? [] : [0];
  if (key === undefined) {
    const typed = before.slice(indent);
    if (/\s/.test(typed)) return null;
    return {
      path: [...parents, ...items],
      on: 'key',
      flow: false,
      typed: typed.length,
      siblings: siblings(lines, at, indent),
    };
  }
  const value = before.slice(match?.[0].length ?? 0).trimStart();
  return { path: [...parents, ...items, key], on: 'value', flow: false, typed: value.length, siblings: [] };
}

/** Keys of the enclosing blocks, outermost first; null inside a block of running text. */
function blockParents(lines: readonly string[], at: number, indent: number): Path | null {
  const path: (string | number)[] = [];
  let limit = indent;
  for (let i = at - 1; i >= 0 && limit > 0; i--) {
    const line = lines[i] ?? '';
    if (/^(?:---|\.\.\.)(?:\s|$)/.test(line)) break;
    const match = KEY.exec(line);
    const key = match?.[4];
    if (match === null || key === undefined) continue;
    const dashes = match[2] ?? '';
    const column = (match[1] ?? '').length + dashes.length;
    if (column >= limit) continue;
    if (/:\s*[|>][-+\d]*\s*(?:#.*)?$/.test(line)) return null;
    path.unshift(key);
    if (dashes !== '') path.unshift(0);
    limit = dashes === '' ? column : (match[1] ?? '').length;
  }
  return path;
}

function siblings(lines: readonly string[], at: number, indent: number): string[] {
  const found: string[] = [];
  for (const step of [-1, 1]) {
    for (let i = at + step; i >= 0 && i < lines.length; i += step) {
      const line = lines[i] ?? '';
      if (/^(?:---|\.\.\.)(?:\s|$)/.test(line)) break;
      if (/^\s*(?:#|$)/.test(line)) continue;
      const match = KEY.exec(line);
      const column = (match?.[1] ?? '').length + (match?.[2] ?? '').length;
      if (column < indent) break;
      if (column === indent && match?.[4] !== undefined) found.push(match[4]);
    }
  }
  return found;
}

interface Bracket {
  readonly open: '{' | '[';
  readonly offset: number;
}

/** The brackets that are open at the end of a line's beginning; null inside quotes. */
function openBrackets(before: string): readonly Bracket[] | null {
  const open: Bracket[] = [];
  let quote: string | null = null;
  for (let i = 0; i < before.length; i++) {
    const char = before.charAt(i);
    if (quote !== null) {
      if (char === quote) quote = null;
    } else if ((char === '"' || char === "'") && /[\s[{,:]/.test(before.charAt(i - 1) || ' ')) quote = char;
    else if (char === '{' || char === '[') open.push({ open: char, offset: i });
    else if (char === '}' || char === ']') open.pop();
  }
  return quote === null ? open : null;
}

function inFlow(lines: readonly string[], at: number, before: string, brackets: readonly Bracket[]): Found | null {
  if (brackets.some(({ open }) => open === '[')) return null;
  const first = KEY.exec(before);
  const parents = blockParents(lines, at, (first?.[1] ?? '').length + (first?.[2] ?? '').length);
  if (parents === null) return null;
  const path: (string | number)[] = [...parents];
  for (const [i, { offset }] of brackets.entries()) {
    const from = i === 0 ? 0 : (brackets[i - 1]?.offset ?? 0) + 1;
    const key = /([^\s,{}:"']+)["']?\s*:\s*$/.exec(before.slice(from, offset))?.[1];
    if (key === undefined) return null;
    path.push(key);
  }
  const inside = before.slice((brackets.at(-1)?.offset ?? 0) + 1);
  const level = topLevelParts(inside);
  const current = level.at(-1) ?? '';
  const pair = /^\s*["']?([^\s,{}:"']+)["']?\s*:\s+(.*)$/.exec(current);
  const keys = level.slice(0, -1).flatMap((part) => /^\s*["']?([^\s:"']+)["']?\s*:/.exec(part)?.[1] ?? []);
  if (pair === null) {
    const typed = current.trimStart();
    return /[\s:]/.test(typed) ? null : { path, on: 'key', flow: true, typed: typed.length, siblings: keys };
  }
  return { path: [...path, pair[1] ?? ''], on: 'value', flow: true, typed: (pair[2] ?? '').length, siblings: [] };
}

/** Split at commas outside of closed brackets. */
function topLevelParts(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of text) {
    if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    if (char === ',' && depth === 0) parts.push('');
    else parts.push((parts.pop() ?? '') + char);
  }
  return parts;
}
