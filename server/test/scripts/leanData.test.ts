/** The bundles hold data without what no program reads (`scripts/build.mjs`): nothing that is read may be among it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gpuFromObject } from '../../src/catalog/gpus.ts';
import { modelFromObject } from '../../src/catalog/models.ts';
import { type JsonSchema, knownKeys, schemasAt } from '../../src/plan/schemaWalk.ts';

type Row = Readonly<Record<string, unknown>>;

describe('the catalogue without its notes', () => {
  let build: { withoutNotes(json: string): string; asTable(json: string, name: string): string };

  before(async () => {
    build = (await import(pathToFileURL(resolve('scripts/build.mjs')).href)) as typeof build;
  });

  for (const [name, read] of [
    ['models', modelFromObject],
    ['gpus', gpuFromObject],
  ] as const) {
    it(`has the same ${name} as a table`, async () => {
      const text = readFileSync(`server/src/catalog/${name}.json`, 'utf8');
      const code = build.asTable(text, name);
      const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as Record<string, unknown>;
      assert.deepEqual(module[name], (JSON.parse(build.withoutNotes(text)) as Record<string, unknown>)[name]);
      assert.ok(code.length < 0.8 * build.withoutNotes(text).length);
    });

    it(`says the same of all ${name}`, () => {
      const text = readFileSync(`server/src/catalog/${name}.json`, 'utf8');
      const rows = (json: string): readonly Row[] => (JSON.parse(json) as Record<string, readonly Row[]>)[name] ?? [];
      const whole = rows(text);
      const lean = rows(build.withoutNotes(text));
      assert.equal(lean.length, whole.length);
      assert.ok(JSON.stringify(lean).length < 0.9 * JSON.stringify(whole).length);
      for (const [i, row] of whole.entries()) {
        const made = read(lean[i]);
        assert.ok(made.ok, JSON.stringify(lean[i]));
        assert.deepEqual(made, read(row));
        for (const key of ['model', 'gpu', 'aliases', 'source', 'paramsTotalB', 'paramsActiveB']) {
          assert.deepEqual(lean[i]?.[key], row[key]);
        }
      }
    });
  }
});

describe("the plan's schema without its checks", () => {
  it('knows the same keys, and says the same of each', async () => {
    const script = pathToFileURL(resolve('scripts/build.mjs')).href;
    const { withoutChecks } = (await import(script)) as { withoutChecks: (json: string) => string };
    const text = readFileSync('schemas/plan.schema.json', 'utf8');
    const whole = JSON.parse(text) as JsonSchema;
    const lean = JSON.parse(withoutChecks(text)) as JsonSchema;
    let seen = 0;
    const compare = (path: readonly string[]): void => {
      const keys = knownKeys(whole, path);
      assert.deepEqual(knownKeys(lean, path), keys);
      const said = (root: JsonSchema): unknown =>
        schemasAt(root, path).map(({ description, type, enum: values, examples, default: usual }) => [
          description,
          type,
          values,
          examples,
          usual,
        ]);
      assert.deepEqual(said(lean), said(whole));
      for (const key of keys) {
        seen += 1;
        compare([...path, key]);
      }
    };
    compare([]);
    assert.ok(seen > 100, `${seen} keys`);
    assert.ok(knownKeys(lean, ['spec', 'model', 'slidingWindow']).includes('pattern'));
  });
});
