import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Document, type ParsedNode, parseAllDocuments, visit } from 'yaml';
import { parseText } from '../../src/text/parse.ts';
import { documentStarts } from '../../src/text/split.ts';

/** Everything that is read of a document, its offsets counted from the start of the whole text. */
interface Told {
  readonly range: readonly number[];
  readonly nodes: readonly unknown[];
  readonly findings: readonly unknown[];
}

function told(text: string, base: number): readonly Told[] {
  const parsed = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
  const documents: readonly Document.Parsed[] = Array.isArray(parsed) ? parsed : [];
  // Blank lines and comments behind a value belong to it or not, as it happens.
  const place = ([start, ...ends]: readonly number[]): readonly number[] => [
    (start ?? 0) + base,
    ...ends.map(
      (end) => Math.max(start ?? 0, text.slice(0, end).replace(/(?:\s|(?<![^\n])[ \t]*#[^\n]*)+$/, '').length) + base,
    ),
  ];
  return documents.map((document) => {
    const nodes: unknown[] = [];
    visit(document, {
      Node: (_, node) => {
        const { range, source, value } = node as ParsedNode & { source?: unknown; value?: unknown };
        nodes.push([place(range ?? []), source, typeof value === 'object' ? null : value]);
      },
    });
    const { errors, warnings, range } = document;
    const findings = [...errors, ...warnings].map(({ code, pos }) => [code, ...pos.map((offset) => offset + base)]);
    return { range: place(range), nodes, findings };
  });
}

function toldInParts(text: string): readonly Told[] {
  const starts = documentStarts(text);
  return starts.flatMap((start, i) => told(text.slice(start, starts[i + 1]), start));
}

const LINES = [
  '---', '--- ', '--- a: 1', '---\ta', '---a', '--- |', '--- # note', '--- &x b', '- a', '  - b', 'a: 1', 'b:', '  c: 2',
  '# comment', '  # comment', '', ' ', '\t', 'k: |', '  text', '  ---', 'q: "open', 'close"', "s: 'open", "close'", 'f: [1,',
  '2]', 'm: {', '}', '? x', ': y', '&anchor', '*anchor', 'plain', '\ttab: 1', '!tag v', '...', '%YAML 1.2', '@bad', '\uFEFFa: 1',
]; // biome-ignore format: a table of words

const texts = fc
  .tuple(fc.array(fc.constantFrom(...LINES), { maxLength: 14 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([lines, end, last]) => lines.join(end) + (last ? end : ''));

describe('parts of a text', () => {
  it('give the same documents as the whole, where that is valid', () => {
    let valid = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const whole = told(text, 0);
        // Of broken text the parser makes this or that; it takes a piece of `---` into a quote that is still open.
        if (whole.some(({ findings }) => findings.length > 0)) return;
        if (documentStarts(text).length > 1) valid++;
        assert.deepEqual(toldInParts(text), whole);
      }),
      { numRuns: 3000 },
    );
    assert.ok(valid > 50, `only ${valid} of the texts tried anything`);
  });

  it('end open quotes and brackets at the next document', () => {
    for (const open of ['"x', "'x", '[1,', '{a: 1', '|\n x']) {
      const parts = toldInParts(`a: ${open}\n---\nb: 2\n`);
      assert.equal(parts.length, 2, open);
      assert.deepEqual(parts[1]?.findings, [], open);
    }
  });

  it('begin at each document but the first', () => {
    const text = '# head\n---\na: 1\n---\nb: |\n  ---\n--- c\n---d\n';
    assert.deepEqual(
      documentStarts(text).map((start) => text.slice(start).split('\n')[0]),
      ['# head', '---', '--- c'],
    );
    assert.deepEqual(documentStarts(`%YAML 1.2\n${text}`), [0]);
    assert.deepEqual(documentStarts(text.replace('a: 1', '...')), [0]);
  });

  it('are taken from an earlier version where they stand unchanged', () => {
    const text = ['a: 1', 'b: 2', 'c: 3', 'd: 4'].join('\n---\n');
    const first = parseText(text);
    const again = (changed: string): readonly boolean[] => {
      const { documents } = parseText(changed, first);
      assert.deepEqual(documents, parseText(changed).documents);
      return documents.map((document) => first.documents.includes(document));
    };
    assert.deepEqual(again(text.replace('b: 2', 'b: 22')), [true, false, true, true]);
    assert.deepEqual(again(text.replace('b: 2', 'b: 2\nx: 1')), [true, false, false, false]);
    assert.deepEqual(again(text.replace('---\nb: 2', '# ---\nb: 2')), [false, false, false]);
    assert.deepEqual(again(`${text}\n---\ne: 5`), [true, true, true, false, false]);
    assert.deepEqual(again('a: 1\n'), [true]);
    assert.deepEqual(again('a: 1'), [false]);
  });
});
