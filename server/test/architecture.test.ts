/** The invariants of the house, held by reading the sources: who may import whom, what may not appear where. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

interface Source {
  /** Path from the repository root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

/** Rooms in the order in which data flows; a room may use those before it, never those after it. */
const rooms = ['text', 'engine', 'catalog', 'plan', 'forecast', 'simulation', 'language', 'calibrate'] as const;
/** Where a room touches the process it runs in: these stand at its door, and no other room may import them. */
const isDoor = (path: string): boolean => /^server\/src\/simulation\/node[A-Z]\w*\.ts$/.test(path);
type Room = (typeof rooms)[number];

const earlier: Readonly<Record<Room, readonly Room[]>> = {
  text: [],
  engine: [],
  catalog: ['text', 'engine'],
  plan: ['text', 'engine', 'catalog'],
  forecast: ['text', 'engine', 'catalog', 'plan'],
  simulation: ['text', 'engine', 'catalog', 'plan', 'forecast'],
  language: ['text', 'engine', 'catalog', 'plan', 'forecast', 'simulation'],
  calibrate: ['text', 'engine', 'catalog', 'plan', 'forecast', 'language'],
};

/** Packages that run in a web worker as well as in Node. */
const portablePackages: Readonly<Partial<Record<Room, readonly string[]>>> = {
  text: ['yaml'],
  plan: ['yaml'],
  language: ['vscode-languageserver-types', 'yaml'],
};

function importsOf(text: string): readonly Import[] {
  const statements = text.matchAll(/^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm);
  const calls = text.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g);
  return [
    ...[...statements].map(([, type, from]) => ({ from: from ?? '', typeOnly: type !== undefined })),
    ...[...calls].map(([, from]) => ({ from: from ?? '', typeOnly: false })),
  ];
}

function roomOf(path: string): string {
  return /^server\/src\/([^/]+)\//.exec(path)?.[1] ?? '';
}

const isRoom = (name: string): name is Room => (rooms as readonly string[]).includes(name);

/** Where a relative import leads, from the repository root. */
const target = (path: string, from: string): string => posix.join(posix.dirname(path), from);

function importViolations({ path, text }: Source): readonly string[] {
  const room = roomOf(path);
  if (!isRoom(room) || isDoor(path)) return [];
  return importsOf(text).flatMap(({ from, typeOnly }) => {
    const complaint = `${path} imports ${from}`;
    if (!from.startsWith('.')) return portablePackages[room]?.includes(from) ? [] : [complaint];
    const to = target(path, from);
    const there = roomOf(to);
    if (isDoor(to)) return [complaint];
    if (there === room || (isRoom(there) && earlier[room].includes(there))) return [];
    // What both sides say to each other and the repository's data are no room.
    if ((room === 'language' || room === 'simulation') && to === 'server/src/protocol.ts') return [];
    if (room !== 'engine' && to.startsWith('schemas/')) return [];
    // The vocabulary of a later room may be spoken; the engine speaks its own only.
    if (room !== 'engine' && typeOnly && /\/(?:types|view)\.ts$/.test(to)) return [];
    return [complaint];
  });
}

function editorViolations({ path, text }: Source): readonly string[] {
  const isEditors = path.startsWith('extension/');
  return importsOf(text)
    .filter(({ from }) => !isEditors && (from === 'vscode' || from.startsWith('vscode-languageclient')))
    .map(({ from }) => `${path} imports ${from}`);
}

/** No network, no other program: what the product says in PRIVACY.md. */
function reachViolations({ path, text }: Source): readonly string[] {
  const forbidden = /^(?:node:)?(?:https?|http2|net|tls|dgram|dns|child_process|cluster)(?:\/|$)/;
  return [
    ...importsOf(text)
      .filter(({ from, typeOnly }) => !typeOnly && forbidden.test(from))
      .map(({ from }) => `${path} imports ${from}`),
    ...(/\b(?:fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon)\s*\(/.test(code(text))
      ? [`${path} reaches out`]
      : []),
  ];
}

/** Same input, same seed → the same bytes: neither a clock nor chance from outside. */
function clockViolations({ path, text }: Source): readonly string[] {
  if (!isRoom(roomOf(path)) || isDoor(path)) return [];
  const found = code(text).match(/\b(?:Math\.random|Date\.now|new Date|performance\.now|setTimeout|setInterval)\b/);
  return found === null ? [] : [`${path} uses ${found[0]}`];
}

function unfinishedViolations({ path, text }: Source): readonly string[] {
  const found = text.match(/\b(?:TODO|FIXME|XXX|HACK)\b|not (?:built|implemented) yet/i);
  return found === null ? [] : [`${path}: ${found[0]}`];
}

const longest = 300;
/** Tables of cases are longer, and no harder to read for it. */
const longestTest = 500;

function lengthViolations({ path, text }: Source): readonly string[] {
  const lines = text.split('\n').length;
  // A little slack, so that nobody cuts a function in two for the sake of a line.
  const most = path.includes('/test/') ? longestTest : longest * 1.1;
  return lines > most ? [`${path} has ${lines} lines`] : [];
}

/** Exported names that no other file mentions. */
function deadExports(sources: readonly Source[], readers: readonly Source[]): readonly string[] {
  const words = new Map<string, Set<string>>();
  for (const { path, text } of [...sources, ...readers]) {
    for (const word of text.match(/[A-Za-z_$][\w$]*/g) ?? []) words.set(word, (words.get(word) ?? new Set()).add(path));
  }
  return sources.flatMap(({ path, text }) =>
    [...text.matchAll(/^export (?:async )?(?:function|const|let|class|enum|type|interface) ([\w$]+)/gm)]
      .map(([, name]) => name ?? '')
      // A name with no other reader may still be the type of an exported signature here: used twice in its own file.
      .filter((name) => words.get(name)?.size === 1 && text.split(new RegExp(`\\b${name}\\b`)).length <= 2)
      .map((name) => `${path}: ${name}`),
  );
}

/** Text without comments and string contents (roughly: enough to look for calls). */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, ' ');
}

function read(folder: string): readonly Source[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => join(folder, file).replaceAll('\\', '/'))
    .filter((path) => /\.(?:ts|mts|mjs)$/.test(path) && !/\/(?:generated|node_modules)\//.test(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

describe('architecture', () => {
  const server = read('server/src');
  const extension = read('extension/src');
  const product = [...server, ...extension];
  const tests = [...read('server/test'), ...read('scripts'), ...read('server/bench')];

  it('finds the sources it reads', () => {
    for (const room of rooms)
      assert.ok(
        server.some(({ path }) => roomOf(path) === room),
        `no file in ${room}/`,
      );
    assert.ok(extension.some(({ path }) => path === 'extension/src/extension.ts'));
  });

  it('lets rooms use earlier rooms and portable packages only', () => {
    assert.deepEqual(server.flatMap(importViolations), []);
  });

  it('keeps the editor in extension/', () => {
    assert.deepEqual([...product, ...tests].flatMap(editorViolations), []);
  });

  it('reaches neither the network nor other programs', () => {
    assert.deepEqual(product.flatMap(reachViolations), []);
  });

  it('keeps clocks and chance out of what must be repeatable', () => {
    assert.deepEqual(server.flatMap(clockViolations), []);
  });

  it('has no unfinished business', () => {
    assert.deepEqual(product.flatMap(unfinishedViolations), []);
  });

  it(`keeps files at about ${longest} lines`, () => {
    assert.deepEqual([...product, ...tests].flatMap(lengthViolations), []);
  });

  it('exports nothing that nobody uses', () => {
    // VS Code itself calls these two.
    const calledByEditor = ['extension/src/extension.ts: activate', 'extension/src/extension.ts: deactivate'];
    const dead = deadExports(product, tests).filter((entry) => !calledByEditor.includes(entry));
    assert.deepEqual(dead, []);
  });

  describe('would notice', () => {
    const cases: readonly [string, (source: Source) => readonly string[], string, string][] = [
      ['Node in the plan', importViolations, 'server/src/plan/a.ts', "import { readFile } from 'node:fs/promises';"],
      ['Node in a type import', importViolations, 'server/src/text/a.ts', "import type { Stats } from 'node:fs';"],
      [
        'the plan in the engine',
        importViolations,
        'server/src/engine/a.ts',
        "import type { Plan } from '../plan/types.ts';",
      ],
      [
        'a later room',
        importViolations,
        'server/src/plan/rules/a.ts',
        "import { assess } from '../../forecast/assess.ts';",
      ],
      ['a door', importViolations, 'server/src/language/a.ts', "import { nodePort } from '../simulation/nodePort.ts';"],
      ['a re-export', importViolations, 'server/src/text/a.ts', "export { hover } from '../language/hover.ts';"],
      ['a lazy import', importViolations, 'server/src/text/a.ts', "const fs = await import('node:fs');"],
      [
        'several lines',
        importViolations,
        'server/src/text/a.ts',
        "import {\n  a,\n  b,\n} from 'vscode-languageserver/node';",
      ],
      ['the editor in the server', editorViolations, 'server/src/server.ts', "import * as vscode from 'vscode';"],
      ['a request', reachViolations, 'server/src/plan/a.ts', 'const x = await fetch(url);'],
      ['a socket', reachViolations, 'extension/src/a.ts', "import { connect } from 'node:net';"],
      ['chance', clockViolations, 'server/src/engine/workload/a.ts', 'const u = Math.random();'],
      ['unfinished work', unfinishedViolations, 'server/src/a.ts', `throw new Error('not ${'built'} yet');`],
      ['a long file', lengthViolations, 'server/src/a.ts', '\n'.repeat(400)],
      ['a dead export', (source) => deadExports([source], []), 'server/src/a.ts', 'export const lonely = 1;'],
    ];
    for (const [name, find, path, text] of cases) {
      it(name, () => assert.equal(find({ path, text }).length, 1));
    }

    it('nothing where all is well', () => {
      const text =
        "import { parseDocument } from 'yaml';\nimport type { Range } from '../text/types.ts';\n// fetch(it)\n";
      const source = { path: 'server/src/plan/a.ts', text };
      const finders = [importViolations, editorViolations, reachViolations, clockViolations, unfinishedViolations];
      assert.deepEqual(
        finders.flatMap((find) => find(source)),
        [],
      );
    });
  });
});
