/** Every sample's whole output, compared byte for byte. `UPDATE_GOLDEN=1` rewrites; CI forbids that. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { layerkv } from './harness.ts';

const folder = 'samples';
const goldenFolder = `${folder}/golden`;
const ending = '.layerkv.yaml';
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';
const names = readdirSync(folder)
  .filter((file) => file.endsWith(ending))
  .map((file) => file.slice(0, -ending.length))
  .sort();

/** What lies beside a sample, and what prints it. */
const outputs: readonly (readonly [string, readonly string[]])[] = [
  ['.txt', ['simulate', '--policy', 'compare', '--annotated']],
  ['.json', ['simulate', '--json']],
  ['.facts.json', ['extract', '--json']],
];

describe('samples', () => {
  before(() => {
    assert.ok(!(isUpdate && process.env['CI']), 'UPDATE_GOLDEN is for people: CI compares.');
    if (isUpdate) mkdirSync(goldenFolder, { recursive: true });
  });

  it('are the nine deployments and more', () => assert.ok(names.length >= 9));

  for (const name of names) {
    const file = `${folder}/${name}${ending}`;
    const text = readFileSync(file, 'utf8');

    it(`${name} says in its first lines what it shows`, () => {
      const comment = text.split('\n').findIndex((line) => !line.startsWith('# '));
      assert.ok(comment >= 2 && comment <= 4, `${comment} lines of comment`);
    });

    for (const [suffix, argv] of outputs) {
      it(`${name}${suffix} is as recorded`, async () => {
        const { out } = await layerkv([...argv, file], { [file]: text });
        const golden = `${goldenFolder}/${name}${suffix}`;
        if (isUpdate) writeFileSync(golden, out);
        assert.ok(existsSync(golden), `${golden} is missing: run UPDATE_GOLDEN=1 npm run test:unit`);
        assert.equal(out, readFileSync(golden, 'utf8').replaceAll('\r\n', '\n'));
      });
    }

    it(`${name} prints JSON that its schema accepts`, async () => {
      const ajv = new Ajv({ strict: false });
      const validate = ajv.compile(JSON.parse(readFileSync('schemas/result.schema.json', 'utf8')));
      const { out } = await layerkv(['simulate', '--json', '--per-request', '--policy', 'compare', file], {
        [file]: text,
      });
      assert.ok(validate(JSON.parse(out)), ajv.errorsText(validate.errors));
    });
  }

  it('leave no golden file without its sample', () => {
    const expected = names.flatMap((name) => outputs.map(([suffix]) => name + suffix)).sort();
    assert.deepEqual(readdirSync(goldenFolder).sort(), expected);
  });
});
