/** Text → located YAML. Never throws: what the parser cannot read becomes problems, and the rest is still there. */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml';
import { before, indexLines, type LineIndex } from './lines.ts';
import { documentStarts } from './split.ts';
import { syntaxProblems, tooDeep } from './syntax.ts';
import type { ParsedDocument, YamlEntry, YamlMap, YamlNode, YamlScalar } from './tree.ts';
import type { Problem, Range } from './types.ts';

/** A text and its documents. */
export interface ParsedText {
  readonly lines: LineIndex;
  readonly documents: readonly ParsedDocument[];
  /** What `documents` were parsed from, piece by piece. */
  readonly parts: readonly ParsedPart[];
}

/** A piece of a text that was parsed by itself. */
interface ParsedPart {
  readonly text: string;
  readonly firstLine: number;
  readonly firstIndex: number;
  readonly documents: readonly ParsedDocument[];
}

/** Deeper nesting than any deployment has; keeps every later walk from overflowing the stack. */
const MAX_DEPTH = 100;
/** Nodes that aliases may add to one document: usual files need tens, a bomb millions. */
const MAX_ALIAS_NODES = 10_000;

/**
 * Parses every document of `text`. Callers check the size first (`MAX_TEXT_LENGTH`).
 * @param previous an earlier version: documents that stand there unchanged, on the same lines, are taken from it.
 */
export function parseText(text: string, previous?: ParsedText | null): ParsedText {
  const lines = indexLines(text);
  const known = new Map(previous?.parts.map((part) => [part.firstLine, part]));
  const starts = documentStarts(text);
  const parts: ParsedPart[] = [];
  let firstIndex = 0;
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? text.length;
    const firstLine = lines.positionAt(start).line;
    const earlier = known.get(firstLine);
    const isKnown =
      earlier?.firstIndex === firstIndex && earlier.text.length === end - start && text.startsWith(earlier.text, start);
    const part = isKnown ? earlier : parsePart(text.slice(start, end), firstLine, firstIndex);
    parts.push(part);
    firstIndex += part.documents.length;
  }
  return { lines, parts, documents: parts.flatMap((part) => part.documents) };
}

function parsePart(text: string, firstLine: number, firstIndex: number): ParsedPart {
  const lines = indexLines(text, firstLine);
  const documents = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
  const list: readonly Document.Parsed[] = Array.isArray(documents) ? documents : [];
  return {
    text,
    firstLine,
    firstIndex,
    documents: list.map((document, i) => convertDocument(document, firstIndex + i, lines)),
  };
}

function convertDocument(document: Document.Parsed, index: number, lines: LineIndex): ParsedDocument {
  const problems: Problem[] = [...syntaxProblems(document, lines)];
  const builder = new TreeBuilder(lines, problems);
  const contents: Node | null = document.contents;
  const empty = contents === null || (isScalar(contents) && contents.source === '' && contents.value === null);
  const root = empty || contents === null ? null : builder.convert(contents, 0).node;
  const [start, , end] = document.range;
  const extent = lines.range(start, end);
  return { index, root, range: root?.range ?? extent, extent, problems: told(problems) };
}

/** Nesting beyond the limit is one mistake, which explains whatever brackets the parser misses because of it. */
function told(problems: readonly Problem[]): readonly Problem[] {
  const [first, ...others] = problems.filter(({ rule }) => rule === 'yaml-too-deep');
  if (first === undefined) return problems;
  const outermost = others.reduce((a, b) => (before(b.range.start, a.range.start) ? b : a), first);
  return [outermost, ...problems.filter(({ rule }) => !rule.startsWith('yaml-'))];
}

/** A node and how many nodes it stands for once aliases are expanded. */
interface Built {
  readonly node: YamlNode;
  readonly size: number;
}

/** Builds one document's tree; holds the anchors seen so far. */
class TreeBuilder {
  readonly #lines: LineIndex;
  readonly #problems: Problem[];
  readonly #anchors = new Map<string, Built>();
  #aliasNodes = 0;
  #bombReported = false;
  #depthReported = false;

  constructor(lines: LineIndex, problems: Problem[]) {
    this.#lines = lines;
    this.#problems = problems;
  }

  convert(node: Node, depth: number): Built {
    if (isAlias(node)) return this.#alias(node.source, this.#rangeOf(node));
    const built = depth > MAX_DEPTH ? this.#cut(node) : this.#collection(node, depth);
    // Only now: an alias inside the value that it names would never end.
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, built);
    return built;
  }

  #collection(node: Exclude<Node, { source: string; resolve: unknown }>, depth: number): Built {
    if (isMap(node)) return this.#map(node.items, node.flow === true, this.#rangeOf(node), depth);
    if (isSeq(node)) {
      const range = this.#rangeOf(node);
      const items = node.items.map((item) =>
        item === null ? leaf(nullAt(range)) : this.convert(item as Node, depth + 1),
      );
      const size = items.reduce((sum, item) => sum + item.size, 1);
      return {
        node: { kind: 'sequence', items: items.map((item) => item.node), flow: node.flow === true, range },
        size,
      };
    }
    const range = this.#rangeOf(node);
    const [start = 0, end = 0] = node.range ?? [];
    const plain = node.type === undefined || node.type === 'PLAIN';
    return leaf({
      kind: 'scalar',
      value: scalarValue(node.value),
      source: this.#lines.text.slice(start, end),
      plain,
      range,
    });
  }

  #map(items: readonly { key: unknown; value: unknown }[], flow: boolean, range: Range, depth: number): Built {
    const entries = new Map<string, YamlEntry>();
    const merges: YamlNode[] = [];
    let size = 1;
    for (const item of items) {
      const keyNode = item.key as Node | null;
      const keyRange = keyNode === null ? range : this.#rangeOf(keyNode);
      const key = this.#keyText(keyNode);
      const valueNode = item.value as Node | null;
      const built =
        valueNode === null
          ? leaf(nullAt({ start: keyRange.end, end: keyRange.end }))
          : this.convert(valueNode, depth + 1);
      size += built.size;
      if (key === '<<' && built.node.kind !== 'scalar') {
        merges.push(...(built.node.kind === 'sequence' ? built.node.items : [built.node]));
        continue;
      }
      const earlier = entries.get(key);
      if (earlier !== undefined) this.#duplicate(key, keyRange, earlier.keyRange);
      const entryRange = {
        start: keyRange.start,
        end: isAlias(valueNode) ? this.#rangeOf(valueNode).end : built.node.range.end,
      };
      entries.set(key, { key, keyRange, value: built.node, range: entryRange, merged: false });
    }
    for (const source of merges) {
      if (source.kind !== 'map') continue;
      for (const entry of source.entries)
        if (!entries.has(entry.key)) entries.set(entry.key, { ...entry, merged: true });
    }
    const node: YamlMap = { kind: 'map', entries: [...entries.values()], flow, range };
    return { node, size };
  }

  /** The value an alias names. Its pieces keep the ranges where they are written; the whole stands at the alias. */
  #alias(name: string, range: Range): Built {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      this.#problems.push({
        rule: 'yaml-syntax',
        severity: 'error',
        message: `No value is marked \`&${name}\` before this alias. Mark one, or write the value here.`,
        range,
      });
      return leaf(nullAt(range));
    }
    this.#aliasNodes += target.size;
    if (this.#aliasNodes > MAX_ALIAS_NODES) {
      if (!this.#bombReported) {
        this.#problems.push({
          rule: 'alias-expansion',
          severity: 'error',
          message: `Aliases blow this document up beyond ${MAX_ALIAS_NODES} values; it is not read. Write the values out, or use fewer aliases of aliases.`,
          range,
        });
      }
      this.#bombReported = true;
      return leaf(nullAt(range));
    }
    return { node: { ...target.node, range }, size: target.size };
  }

  #cut(node: Node): Built {
    const [start = 0, end = 0] = node.range ?? [];
    if (!this.#depthReported) this.#problems.push(tooDeep(this.#lines, start, Math.min(end, start + 1)));
    this.#depthReported = true;
    return leaf(nullAt(this.#lines.range(start, start)));
  }

  #duplicate(key: string, range: Range, first: Range): void {
    this.#problems.push({
      rule: 'duplicate-key',
      severity: 'error',
      message: `\`${key}\` is stated twice in this block (first on line ${first.start.line + 1}); only this last one counts. Remove one of them.`,
      range,
      related: [{ message: `\`${key}\` is first stated here`, range: first }],
    });
  }

  #keyText(key: Node | null): string {
    if (key === null) return '';
    if (isScalar(key) && typeof key.value === 'string') return key.value;
    const [start = 0, end = 0] = key.range ?? [];
    return this.#lines.text.slice(start, end);
  }

  /** Without the line breaks and comments that the parser counts into blocks. */
  #rangeOf(node: Node): Range {
    const [start = 0, valueEnd = start] = node.range ?? [];
    const text = this.#lines.text;
    let end = valueEnd;
    while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
    return this.#lines.range(start, end);
  }
}

/** Space, tab, LF, CR: what YAML counts as white space. */
function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 10 || code === 13;
}

function scalarValue(value: unknown): YamlScalar['value'] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return value === null || value === undefined ? null : String(value);
}

function nullAt(range: Range): YamlScalar {
  return { kind: 'scalar', value: null, source: '', plain: true, range };
}

function leaf(node: YamlScalar): Built {
  return { node, size: 1 };
}
