import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

describe('generated files', () => {
  it('are what scripts/generate.mjs makes of the schema (else run `npm run generate`)', async function () {
    this.timeout(60_000);
    const script = pathToFileURL(join(process.cwd(), 'scripts/generate.mjs')).href;
    const { generateAll } = (await import(script)) as { generateAll: () => Promise<Record<string, string>> };
    const files = Object.entries(await generateAll());
    assert.ok(files.length >= 4);
    for (const [path, text] of files) assert.equal(readFileSync(path, 'utf8') === text, true, `${path} is out of date`);
  });
});
