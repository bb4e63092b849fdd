import assert from 'node:assert/strict';
import fc from 'fast-check';
import { indexLines } from '../../src/text/lines.ts';
import { nearest } from '../../src/text/nearest.ts';
import { parseText } from '../../src/text/parse.ts';
import { isNativeFileName, isPossiblyOurs } from '../../src/text/sniff.ts';
import { nodeAtPath, placeAt, toData, type YamlNode } from '../../src/text/tree.ts';

describe('located YAML', () => {
  it('keeps the place of each key and value', () => {
    const { documents } = parseText('a: 1\nb:\n  - "x" # note\n  - {k: 2}\n');
    const root = documents[0]?.root ?? null;
    assert.deepEqual(nodeAtPath(root, ['b', 0])?.range, {
      start: { line: 2, character: 4 },
      end: { line: 2, character: 7 },
    });
    assert.deepEqual(nodeAtPath(root, ['b', 1, 'k'])?.range, {
      start: { line: 3, character: 8 },
      end: { line: 3, character: 9 },
    });
    assert.deepEqual(documents[0]?.range, { start: { line: 0, character: 0 }, end: { line: 3, character: 10 } });
  });

  it('gives the data of any JSON back', () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(value, (json) => {
        const { documents } = parseText(JSON.stringify(json, null, 1));
        const data: unknown = JSON.parse(JSON.stringify(toData(documents[0]?.root ?? null)));
        assert.deepEqual(data, JSON.parse(JSON.stringify(json)));
      }),
    );
  });

  it('has every node inside its parent', () => {
    const inside = (node: YamlNode, text: string): void => {
      const lines = indexLines(text);
      const children =
        node.kind === 'map' ? node.entries.map((entry) => entry.value) : node.kind === 'sequence' ? node.items : [];
      for (const child of children) {
        assert.ok(lines.offsetAt(child.range.start) >= lines.offsetAt(node.range.start));
        assert.ok(lines.offsetAt(child.range.end) <= lines.offsetAt(node.range.end));
        inside(child, text);
      }
    };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 2), (json, indent) => {
        const text = JSON.stringify(json, null, indent);
        const root = parseText(text).documents[0]?.root;
        if (root) inside(root, text);
      }),
    );
  });

  it('takes __proto__ for a key like any other', () => {
    const data = toData(parseText('__proto__: {polluted: 1}\n').documents[0]?.root ?? null) as Record<string, unknown>;
    assert.deepEqual(Object.keys(data), ['__proto__']);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  it('ends an alias that names its own value', () => {
    const [document] = parseText('a: &s [*s]\n').documents;
    assert.deepEqual(
      document?.problems.map((problem) => problem.rule),
      ['yaml-syntax'],
    );
  });

  it('lets stated keys win over merged ones', () => {
    const root = parseText('base: &b {x: 1, y: 2}\nmine:\n  x: 3\n  <<: *b\n').documents[0]?.root ?? null;
    assert.equal(JSON.stringify(toData(nodeAtPath(root, ['mine']) ?? null)), '{"x":3,"y":2}');
  });

  it('finds the innermost place at a position', () => {
    const root = parseText('a:\n  b: [1, {c: 2}]\n').documents[0]?.root ?? null;
    assert.deepEqual(placeAt(root, { line: 1, character: 14 })?.path, ['a', 'b', 1, 'c']);
    assert.equal(placeAt(root, { line: 1, character: 2 })?.on, 'key');
    assert.equal(placeAt(root, { line: 7, character: 0 }), null);
  });

  it('numbers documents as they stand in the file', () => {
    assert.deepEqual(
      parseText('a: 1\n---\n# nothing\n---\nb: 2\n').documents.map(({ index, root }) => [index, root === null]),
      [
        [0, false],
        [1, true],
        [2, false],
      ],
    );
  });
});

describe('lines', () => {
  it('count LF, CRLF and CR', () => {
    const lines = indexLines('a\nbb\r\nccc\rd');
    assert.deepEqual(
      [0, 1, 2, 3].map((line) => lines.line(line)),
      ['a', 'bb', 'ccc', 'd'],
    );
    assert.deepEqual(lines.positionAt(8), { line: 2, character: 2 });
    assert.equal(lines.line(-1), '');
    assert.equal(lines.offsetAt({ line: 1, character: 99 }), 4);
    assert.equal(lines.offsetAt({ line: 99, character: 0 }), 11);
  });

  it('turn positions back into offsets', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\n', '\r', '🚀', ' ') });
    fc.assert(
      fc.property(text, fc.nat(), (content, n) => {
        const lines = indexLines(content);
        const position = lines.positionAt(n % (content.length + 1));
        assert.deepEqual(lines.positionAt(lines.offsetAt(position)), position);
      }),
    );
  });
});

describe('sniffing', () => {
  it('knows our files by name or content', () => {
    for (const name of ['x.layerkv.yaml', 'a/b/x.layerkv.yml', 'layerkv.yaml', 'c:\\d\\layerkv.yaml'])
      assert.ok(isNativeFileName(name), name);
    for (const name of ['x.yaml', 'mylayerkv.yaml', 'layerkv.json', 'x.layerkv.yaml.bak'])
      assert.ok(!isNativeFileName(name), name);
    for (const text of [
      'apiVersion: layerkv/v1',
      '{"apiVersion": "layerkv/v1"}',
      "a: 1\n---\napiVersion: 'layerkv/v1'",
    ])
      assert.ok(isPossiblyOurs(text, 'x.yaml'), text);
    for (const text of ['', 'apiVersion: v1', '# see layerkv/docs', 'image: layerkv/server'])
      assert.ok(!isPossiblyOurs(text, 'x.yaml'), text);
  });
});

describe('did you mean', () => {
  it('finds near words and refuses far ones', () => {
    const keys = ['maxModelLen', 'maxNumSeqs', 'blockSize'];
    assert.equal(nearest('max_model_len', keys), 'maxModelLen');
    assert.equal(nearest('maxModelLenght', keys), 'maxModelLen');
    assert.equal(nearest('blokcSize', keys), 'blockSize');
    assert.equal(nearest('temperature', keys), undefined);
    assert.equal(nearest('', keys), undefined);
  });
});
