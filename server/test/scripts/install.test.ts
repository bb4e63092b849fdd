/** Whether packages must be installed is told from npm's own record, without running npm. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

interface Entry {
  readonly version: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}
type Packages = Readonly<Record<string, Entry>>;

describe('scripts: install', () => {
  let folder = '';
  let isInstalled: (folder: string) => boolean;

  before(async () => {
    const script = pathToFileURL(resolve('scripts/install.mjs')).href;
    isInstalled = ((await import(script)) as { isInstalled: typeof isInstalled }).isInstalled;
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'layerkv-install-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function check(lock: Packages, installed: Packages | null): boolean {
    const root = { version: '1.0.0' };
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: { '': root, ...lock } }));
    if (installed !== null) {
      mkdirSync(join(folder, 'node_modules'));
      writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
    }
    return isInstalled(folder);
  }

  const a = { version: '1.0.0' };
  const here = { version: '1.0.0', optional: true, os: [process.platform], cpu: [process.arch] };
  const elsewhere = { ...here, os: ['plan9'] };
  const table: readonly [string, Packages, Packages | null, boolean][] = [
    ['a fresh clone', { 'node_modules/a': a }, null, false],
    ['all that is locked', { 'node_modules/a': a }, { 'node_modules/a': a }, true],
    ['one missing', { 'node_modules/a': a, 'node_modules/b': a }, { 'node_modules/a': a }, false],
    ['another version', { 'node_modules/a': { version: '2.0.0' } }, { 'node_modules/a': a }, false],
    ['one too many', {}, { 'node_modules/a': a }, false],
    ['a binary for another system left out', { 'node_modules/a': elsewhere }, {}, true],
    ['a binary for this system missing', { 'node_modules/a': here }, {}, false],
    ['an optional package left out', { 'node_modules/a': { ...a, optional: true } }, {}, true],
  ];
  for (const [name, lock, installed, expected] of table) {
    it(`${name}: ${expected ? 'nothing to do' : 'installs'}`, () => assert.equal(check(lock, installed), expected));
  }
});
