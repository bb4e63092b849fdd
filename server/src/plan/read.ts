/** Reads typed, located values out of a YAML tree, and says what is wrong with those that cannot be read. */
import { nearest } from '../text/nearest.ts';
import { entryOf, type YamlEntry, type YamlMap, type YamlNode } from '../text/tree.ts';
import type { Fix, Problem, Range } from '../text/types.ts';
import {
  formatBytes,
  formatDurationMs,
  formatTokens,
  parseBytes,
  parseDurationMs,
  parseTokens,
  type QuantityResult,
} from './quantity.ts';
import type { Located } from './types.ts';

/** A value, or why there is none. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | Failure;

export interface Failure {
  readonly ok: false;
  readonly rule: string;
  readonly message: string;
  /** Where the value's own range is not the place. */
  readonly range?: Range;
  readonly fixes?: readonly Fix[];
}

export type Parser<T> = (node: YamlNode) => Parsed<T>;

/** Allowed numbers, both ends included; `unit` for the message. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
}

/** Collects problems while a document is read. */
export class Reader {
  readonly problems: Problem[] = [];

  /** The map under `key`; null where it is absent or something else (the schema says so). */
  section(parent: YamlNode | null | undefined, key: string): YamlMap | null {
    const value = entryOf(parent, key)?.value;
    return value?.kind === 'map' ? value : null;
  }

  /**
   * The value of `key`: as stated, or `fallback` where the key is absent or empty, or null where what is stated
   * cannot be read. A wrong value never silently becomes the default: the prediction would be of another plan.
   */
  value<T>(
    parent: YamlNode | null | undefined,
    key: string,
    parse: Parser<T>,
    fallback: Located<T> | null,
  ): Located<T> | null {
    const entry = entryOf(parent, key);
    if (entry === undefined || isEmpty(entry.value)) return fallback;
    return this.stated(entry, parse);
  }

  /** The value of an entry that is there. */
  stated<T>(entry: YamlEntry, parse: Parser<T>): Located<T> | null {
    const parsed = parse(entry.value);
    if (parsed.ok) return { value: parsed.value, range: entry.value.range, keyRange: entry.keyRange, origin: 'stated' };
    // What is missing is nowhere in the value: the key that lacks it is the place.
    this.fail(parsed, parsed.rule === 'missing-key' ? entry.keyRange : entry.value.range);
    return null;
  }

  /**
   * Says which of the keys are not there: all absent ones at `place`, an empty one at itself.
   * @param examples key → what to write, in words.
   * @param otherwise what to write in place of them all.
   */
  require(parent: YamlMap, examples: Readonly<Record<string, string>>, place: Range, otherwise = ''): void {
    const absent: string[] = [];
    for (const [key, example] of Object.entries(examples)) {
      const entry = entryOf(parent, key);
      if (entry === undefined) absent.push(key);
      else if (isEmpty(entry.value)) {
        const message = `\`${key}\` has no value. Write ${example}.`;
        this.fail({ ok: false, rule: 'missing-key', message }, entry.keyRange);
      }
    }
    if (absent.length === 0) return;
    const what = list(
      absent.map((key) => examples[key] ?? key),
      'and',
    );
    const rest = absent.length === Object.keys(examples).length ? otherwise : '';
    this.fail({ ok: false, rule: 'missing-key', message: `${areMissing(absent)} Add ${what}${rest}.` }, place);
  }

  fail(failure: Failure, range: Range): void {
    this.problems.push({
      rule: failure.rule,
      severity: 'error',
      message: failure.message,
      range: failure.range ?? range,
      ...(failure.fixes === undefined ? {} : { fixes: failure.fixes }),
    });
  }
}

/** `key:` with nothing after it. */
export function isEmpty(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === null && node.source.trim() === '';
}

/** A plain number within bounds. */
export function numberIn(bounds: Bounds): Parser<number> {
  return (node) => {
    if (node.kind !== 'scalar' || typeof node.value !== 'number') return wrongType(node, 'a number');
    return inBounds(node.value, bounds, String);
  };
}

/** A whole number within bounds. */
export function integerIn(bounds: Bounds): Parser<number> {
  return (node) => {
    if (node.kind !== 'scalar' || typeof node.value !== 'number') return wrongType(node, 'a whole number');
    if (!Number.isInteger(node.value) && Number.isFinite(node.value)) {
      return { ok: false, rule: 'wrong-type', message: `Write a whole number instead of ${node.source}.` };
    }
    return inBounds(node.value, bounds, String);
  };
}

/** A duration (`3s`, `200ms`), in milliseconds. */
export function durationIn(bounds: Bounds): Parser<number> {
  return quantity(parseDurationMs, bounds, formatDurationMs, 'a duration such as 3s or 200ms');
}

/** A size (`256GiB`), in bytes. */
export function bytesIn(bounds: Bounds): Parser<number> {
  return quantity(parseBytes, bounds, formatBytes, 'a size such as 256GiB');
}

/** A token count (`2048`, `2k`). */
export function tokensIn(bounds: Bounds): Parser<number> {
  return quantity(parseTokens, bounds, formatTokens, 'a number of tokens such as 2048 or 2k');
}

/** true or false. */
export const boolean: Parser<boolean> = (node) =>
  node.kind === 'scalar' && typeof node.value === 'boolean'
    ? { ok: true, value: node.value }
    : wrongType(node, 'true or false');

/** A text that is not empty. Numbers are taken as they are written, so that a version `0.10` is not `0.1`. */
export const text: Parser<string> = (node) => {
  if (node.kind !== 'scalar' || node.value === null) return wrongType(node, 'a text');
  const value = typeof node.value === 'string' ? node.value : node.source;
  return value.trim() === ''
    ? { ok: false, rule: 'wrong-type', message: 'This text is empty. Write a value, or remove the line.' }
    : { ok: true, value };
};

/** One of the words of `table`, case and separators aside; several spellings may mean the same. */
export function oneOf<T>(table: Readonly<Record<string, T>>, shown: readonly string[]): Parser<T> {
  const fold = (word: string): string => word.toLowerCase().replace(/[-_\s]/g, '');
  return (node) => {
    if (node.kind !== 'scalar' || node.value === null) return wrongType(node, `one of ${list(shown)}`);
    const word = typeof node.value === 'string' ? node.value : node.source;
    const hit = Object.entries(table).find(([key]) => fold(key) === fold(word));
    if (hit !== undefined) return { ok: true, value: hit[1] };
    const meant = nearest(word, shown);
    return {
      ok: false,
      rule: 'invalid-value',
      message: `"${shorten(word)}" is not a value known here. Write one of ${list(shown)}.${meant === undefined ? '' : ` Did you mean "${meant}"?`}`,
      fixes: meant === undefined ? [] : [replaceFix(node.range, meant)],
    };
  };
}

/** A failure that names what was expected and what is there. */
export function wrongType(node: YamlNode, expected: string): Failure {
  const found =
    node.kind === 'map'
      ? 'a block of keys'
      : node.kind === 'sequence'
        ? 'a list'
        : node.value === null
          ? 'nothing'
          : typeof node.value === 'string'
            ? `the text "${shorten(node.value)}"`
            : shorten(node.source);
  return { ok: false, rule: 'wrong-type', message: `Write ${expected} here; found ${found}.` };
}

/** The edit that replaces a value. */
export function replaceFix(range: Range, newText: string): Fix {
  return { title: `Change to ${newText}`, edits: [{ range, newText }] };
}

/** "a, b or c". */
export function list(words: readonly string[], last: 'or' | 'and' = 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

/** "`a` and `b` are missing here." */
export function areMissing(keys: readonly string[]): string {
  const names = list(
    keys.map((key) => `\`${shorten(key)}\``),
    'and',
  );
  return `${names} ${keys.length === 1 ? 'is' : 'are'} missing here.`;
}

/** What a value that is read as a whole lacks, all of it at once; null where nothing is missing. */
export function lacking(map: YamlNode, keys: readonly string[]): Failure | null {
  const missing = keys.filter((key) => {
    const entry = entryOf(map, key);
    return entry === undefined || isEmpty(entry.value);
  });
  const [first] = missing;
  if (first === undefined) return null;
  const empty = missing.length === 1 ? entryOf(map, first)?.keyRange : undefined;
  const message = `${areMissing(missing)} Add ${missing.length === 1 ? `\`${first}: …\`` : 'them'}.`;
  return { ok: false, rule: 'missing-key', message, ...(empty === undefined ? {} : { range: empty }) };
}

/** Text of the user's for a message: one line, not longer than 60 characters. */
export function shorten(value: string): string {
  const line = value.replace(/\s+/g, ' ').trim();
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
}

/** A key inside a value that is read as a whole: failures carry their own place. */
export function field<T>(map: YamlNode, key: string, parse: Parser<T>): Parsed<T> {
  const missing = lacking(map, [key]);
  if (missing !== null) return missing;
  const { value } = entryOf(map, key)!;
  return located(value, parse(value));
}

/** The same, its failure placed at `node`. */
export function located<T>(node: YamlNode, parsed: Parsed<T>): Parsed<T> {
  return parsed.ok ? parsed : at(node, parsed);
}

/** A failure that has no place of its own yet, placed at `node`. */
export function at(node: YamlNode, failure: Failure): Failure {
  return { ...failure, range: failure.range ?? node.range };
}

function quantity(
  parse: (value: string | number) => QuantityResult,
  bounds: Bounds,
  show: (value: number) => string,
  expected: string,
): Parser<number> {
  return (node) => {
    if (node.kind !== 'scalar' || (typeof node.value !== 'string' && typeof node.value !== 'number')) {
      return wrongType(node, expected);
    }
    const parsed = parse(node.value);
    if (!parsed.ok) return { ok: false, rule: 'invalid-quantity', message: parsed.message };
    return inBounds(parsed.value, bounds, show);
  };
}

function inBounds(value: number, { min, max }: Bounds, show: (value: number) => string): Parsed<number> {
  if (Number.isFinite(value) && value >= min && value <= max) return { ok: true, value };
  const tooSmall = value < min;
  const message = Number.isFinite(value)
    ? `${show(value)} is too ${tooSmall ? 'small' : 'large'}: ${tooSmall ? `at least ${show(min)}` : `at most ${show(max)}`} makes sense here.`
    : 'This is not a finite number. Write one that is.';
  return { ok: false, rule: 'out-of-range', message };
}
