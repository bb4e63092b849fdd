// The workbench suite: `node extension/test/workbench/run.mjs` packs the extension and drives it in a real VS Code.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Mocha from 'mocha';
import { findBrowser } from './browser.mjs';
import { installWorkbench } from './install.mjs';
import { session } from './session.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));

function packedExtension() {
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return join(root, `${name}-${version}.vsix`);
}

/**
 * Runs the suite against the packed extension in the repository's root; throws one line that says what is missing
 * where it cannot run. Prints as it goes and returns the counts.
 */
export async function runWorkbench({ vsix = packedExtension() } = {}) {
  if (!existsSync(vsix)) throw new Error(`${vsix} is missing: run \`npm run package\` first.`);
  session.executablePath = findBrowser();
  await installWorkbench();
  session.vsix = vsix;
  const mocha = new Mocha({ reporter: 'spec', timeout: 120_000, slow: 10_000 });
  // As an order in time: later steps build on a workbench that is up, not on each other's results.
  mocha.addFile(join(here, 'tests/workbench.test.mjs'));
  await mocha.loadFilesAsync();
  return new Promise((done) => {
    const counts = { passed: 0, failed: 0 };
    mocha
      .run(() => done(counts))
      .on('pass', () => {
        counts.passed++;
      })
      .on('fail', () => {
        counts.failed++;
      });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { buildProduct } = await import('../../../scripts/build.mjs');
  const { packageExtension } = await import('../../../scripts/package.mjs');
  await buildProduct();
  await packageExtension(packedExtension());
  const { failed } = await runWorkbench();
  process.exitCode = failed === 0 ? 0 : 1;
}
