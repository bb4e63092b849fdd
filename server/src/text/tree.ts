/** YAML as a tree that knows where each piece stands. Aliases and merge keys are already resolved. */
import { contains } from './lines.ts';
import type { Position, Problem, Range } from './types.ts';

export type YamlNode = YamlScalar | YamlMap | YamlSequence;

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As it stands in the text, quotes and all; `0.10` stays distinguishable from `0.1`. */
  readonly source: string;
  /** Without quotes, `|` or `>`. */
  readonly plain: boolean;
  readonly range: Range;
}

export interface YamlEntry {
  readonly key: string;
  readonly keyRange: Range;
  readonly value: YamlNode;
  /** Key start to value end. */
  readonly range: Range;
  /** Brought in by `<<`, so that it does not stand in this map's own lines. */
  readonly merged: boolean;
}

export interface YamlMap {
  readonly kind: 'map';
  readonly entries: readonly YamlEntry[];
  /** Written as `{…}`. */
  readonly flow: boolean;
  readonly range: Range;
}

export interface YamlSequence {
  readonly kind: 'sequence';
  readonly items: readonly YamlNode[];
  readonly flow: boolean;
  readonly range: Range;
}

/** One document of a file. */
export interface ParsedDocument {
  /** 0-based, all documents of the file counted. */
  readonly index: number;
  /** Null for a document without content. */
  readonly root: YamlNode | null;
  /** From its first content to its end. */
  readonly range: Range;
  /** The document's own part of the text, comments around its content included. */
  readonly extent: Range;
  /** Syntax problems of this document. */
  readonly problems: readonly Problem[];
}

/** A key or an index, from the root. */
export type Path = readonly (string | number)[];

/** The entry of `key`, where `node` is a map that has it. */
export function entryOf(node: YamlNode | null | undefined, key: string): YamlEntry | undefined {
  return node?.kind === 'map' ? node.entries.find((entry) => entry.key === key) : undefined;
}

/** The value of `key`, where `node` is a map that has it. */
function childOf(node: YamlNode | null | undefined, key: string): YamlNode | undefined {
  return entryOf(node, key)?.value;
}

/** The value at `path`, where there is one. */
export function nodeAtPath(root: YamlNode | null, path: Path): YamlNode | undefined {
  let node: YamlNode | undefined = root ?? undefined;
  for (const step of path) {
    if (node?.kind === 'sequence') node = node.items[Number(step)];
    else node = childOf(node, String(step));
  }
  return node;
}

/** The entry whose value `path` leads to; undefined for items of sequences and for the root. */
export function entryAtPath(root: YamlNode | null, path: Path): YamlEntry | undefined {
  const last = path.at(-1);
  return last === undefined ? undefined : entryOf(nodeAtPath(root, path.slice(0, -1)), String(last));
}

/** Where a position stands in a document. */
export interface Place {
  readonly path: Path;
  /** On the key itself, or in its value. */
  readonly on: 'key' | 'value';
  readonly entry: YamlEntry | null;
  readonly node: YamlNode;
}

/** The innermost key or value at `position`. Keys brought in by `<<` do not count: they stand elsewhere. */
export function placeAt(root: YamlNode | null, position: Position): Place | null {
  if (root === null) return null;
  let place: Place | null = contains(root.range, position) ? { path: [], on: 'value', entry: null, node: root } : null;
  let node: YamlNode | undefined = root;
  while (node !== undefined) {
    let next: YamlNode | undefined;
    const path: Path = place?.path ?? [];
    if (node.kind === 'map') {
      const entry: YamlEntry | undefined = node.entries.find(
        (each) => !each.merged && (contains(each.keyRange, position) || contains(each.value.range, position)),
      );
      if (entry !== undefined) {
        const on: Place['on'] = contains(entry.keyRange, position) ? 'key' : 'value';
        place = { path: [...path, entry.key], on, entry, node: entry.value };
        next = on === 'value' ? entry.value : undefined;
      }
    } else if (node.kind === 'sequence') {
      const index: number = node.items.findIndex((item) => contains(item.range, position));
      next = node.items[index];
      if (next !== undefined) place = { path: [...path, index], on: 'value', entry: null, node: next };
    }
    node = next;
  }
  return place;
}

/** Plain JavaScript data, for validators. Objects have no prototype, so that a key `__proto__` is only a key. */
export function toData(node: YamlNode | null): unknown {
  if (node === null) return null;
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'sequence') return node.items.map(toData);
  const data: Record<string, unknown> = Object.create(null);
  for (const entry of node.entries) data[entry.key] = toData(entry.value);
  return data;
}
