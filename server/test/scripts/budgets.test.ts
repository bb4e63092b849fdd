/** What the built product may weigh (design: budgets of the editor). Start-up parses a bundle, an install loads all. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const KB = 1000;
const BUNDLE_BYTES = 600 * KB;
const REPORT_BYTES = 150 * KB;
const PACKAGE_BYTES = 1500 * KB;
const BUNDLES = ['cli.js', 'extension.js', 'server.js', 'worker.js'];

const weight = (path: string): number => statSync(path).size;

describe('weight of the build', () => {
  it(`keeps every bundle below ${BUNDLE_BYTES / KB} kB`, () => {
    const found = readdirSync('dist').filter((file) => /\.[cm]?js$/.test(file));
    for (const name of BUNDLES) assert.ok(found.includes(name), `dist/${name} is missing: npm run build`);
    const heavy = found.filter((file) => weight(join('dist', file)) >= BUNDLE_BYTES);
    assert.deepEqual(
      heavy.map((file) => `${file}: ${weight(join('dist', file))} bytes`),
      [],
    );
  });

  it(`keeps the report page below ${REPORT_BYTES / KB} kB`, () => {
    const parts = readdirSync('dist/report', { recursive: true, encoding: 'utf8' });
    assert.ok(
      parts.some((file) => file.endsWith('.js')),
      'dist/report holds no script: npm run build',
    );
    const all = parts.map((file) => weight(join('dist/report', file))).reduce((a, b) => a + b);
    assert.ok(all < REPORT_BYTES, `${all} bytes`);
  });

  it(`keeps the package below ${PACKAGE_BYTES / KB} kB, where it was built`, function () {
    const { name, version } = JSON.parse(readFileSync('package.json', 'utf8')) as { name: string; version: string };
    const file = `${name}-${version}.vsix`;
    if (!existsSync(file)) this.skip();
    assert.ok(weight(file) < PACKAGE_BYTES, `${file}: ${weight(file)} bytes`);
  });
});
