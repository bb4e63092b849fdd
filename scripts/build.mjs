// Builds the bundles: `node scripts/build.mjs [--tests]`. The one place for esbuild options.
import { rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { writeNotices } from './notices.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const shared = { absWorkingDir: root, bundle: true, logLevel: 'warning', legalComments: 'none', target: 'node20' };
// esbuild would pick the UMD build of vscode-languageserver-types and friends, whose dynamic requires do not bundle.
const node = { ...shared, platform: 'node', format: 'cjs', mainFields: ['module', 'main'] };

/** What tests and readers of the data files want to know, and no program reads. */
const NOTES = [
  ...['about', 'sources', 'heldOut'],
  ...['smCount', 'tdpW', 'denseFp16Fp16AccumulateTflops', 'denseFp8Fp16AccumulateTflops', 'memoryBandwidthMaxGBs'],
  ...['checkedAgainst', 'crossCheckedWith', 'uncertain', 'attentionNote', 'nativeWeightNote', 'linkNote', 'pcieNote'],
  ...['paramsTotalComputedB', 'paramsActiveComputedB', 'paramsRoutedExpertsB', 'kvBytesPerTokenBf16'],
  ...[
    'kvBytesPerTokenGlobalLayersBf16',
    'kvReplicatedAcrossTp',
    'qkvBias',
    'qkNorm',
    'sharedExperts',
    'note',
    'pattern',
  ],
];

/** @returns the rows as JSON, less their notes. */
export function withoutNotes(json) {
  return JSON.stringify(JSON.parse(json, (key, value) => (NOTES.includes(key) ? undefined : value)));
}

/** @returns a module whose export `name` is the JSON's rows of that name: the names of their keys are written once. */
export function asTable(json, name) {
  const rows = JSON.parse(withoutNotes(json))[name];
  const keys = [...new Set(rows.flatMap(Object.keys))];
  const lines = rows.map((row) => keys.map((key) => (key in row ? JSON.stringify(row[key]) : '')).join(','));
  return `const keys = ${JSON.stringify(keys)};
export const ${name} = [${lines.map((line) => `[${line}]`)}].map((row) =>
  Object.fromEntries(keys.map((key, k) => [key, row[k]]).filter((_, k) => k in row)),
);`;
}

/** What only validators look at, and those are generated from the whole schema. Keys of plans may be called so too. */
const CHECKS = [
  'pattern',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'minLength',
  'minItems',
  'minProperties',
  '$schema',
];

/** @returns a JSON Schema for looking up what keys mean. */
export function withoutChecks(json) {
  const isCheck = (key, value) => CHECKS.includes(key) && typeof value !== 'object';
  return JSON.stringify(JSON.parse(json, (key, value) => (isCheck(key, value) ? undefined : value)));
}

const leanData = {
  name: 'lean-data',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]plan\.schema\.json$/ }, async ({ path }) => ({
      contents: withoutChecks(await readFile(path, 'utf8')),
      loader: 'json',
    }));
    for (const name of ['models', 'gpus']) {
      onLoad({ filter: new RegExp(`[\\\\/]${name}\\.json$`) }, async ({ path }) => ({
        contents: asTable(await readFile(path, 'utf8'), name),
        loader: 'js',
      }));
    }
    onLoad({ filter: /[\\/](?:kernelTable|hostTable|errorBands)\.json$/ }, async ({ path }) => ({
      contents: withoutNotes(await readFile(path, 'utf8')),
      loader: 'json',
    }));
  },
};

const minified = {
  plugins: [leanData],
  minify: true,
  keepNames: false,
  // For Node `yaml` offers CommonJS only. Its ES modules are the same code, a quarter faster once bundled, and lighter.
  alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
};

/** The terminal program alone, for those who want no more than to run it. */
export function buildTerminal() {
  return build({
    ...node,
    ...minified,
    metafile: true,
    entryPoints: ['server/src/cli.ts'],
    outfile: 'dist/cli.js',
    banner: { js: '#!/usr/bin/env node' },
  });
}

/** What ships. */
export async function buildProduct() {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const product = { ...minified, metafile: true };
  const results = await Promise.all([
    build({
      ...node,
      ...product,
      entryPoints: ['extension/src/extension.ts'],
      outfile: 'dist/extension.js',
      external: ['vscode'],
    }),
    build({ ...node, ...product, entryPoints: ['server/src/server.ts'], outfile: 'dist/server.js' }),
    build({ ...node, ...product, entryPoints: ['server/src/worker.ts'], outfile: 'dist/worker.js' }),
    buildTerminal(),
    build({
      ...shared,
      ...product,
      platform: 'browser',
      format: 'iife',
      target: 'es2022',
      entryPoints: ['extension/src/report/page/report.ts', 'extension/src/report/page/report.css'],
      outdir: 'dist/report',
    }),
  ]);
  writeNotices(
    root,
    results.map(({ metafile }) => metafile),
    'dist/THIRD_PARTY_NOTICES.txt',
  );
}

/** Every `*.test.ts` as a bundle of its own under `out/test`, packages left outside. */
export async function buildTests() {
  rmSync(join(root, 'out/test'), { recursive: true, force: true });
  const files = await readdir(join(root, 'server/test'), { recursive: true });
  const entryPoints = files.filter((file) => file.endsWith('.test.ts')).map((file) => join('server/test', file));
  await build({
    ...node,
    entryPoints,
    outdir: 'out/test',
    outbase: 'server/test',
    outExtension: { '.js': '.cjs' },
    packages: 'external',
    sourcemap: 'inline',
  });
}

/** A program of the repository's own (bench, paper), to be run from the root. Answers its path. */
export async function buildScript(entryPoint) {
  const outfile = join('out/programs', entryPoint.replace(/^server\//, '').replace(/\.ts$/, '.mjs'));
  await build({ ...node, format: 'esm', entryPoints: [entryPoint], outfile, packages: 'external' });
  return outfile;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildProduct();
  if (process.argv.includes('--tests')) await buildTests();
}
