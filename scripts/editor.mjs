// `npm run editor`: the samples in a real VS Code in the browser, the extension installed. This machine only; Linux x64.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installWorkbench } from '../extension/test/workbench/install.mjs';
import { startWorkbench } from '../extension/test/workbench/workbench.mjs';
import { buildProduct } from './build.mjs';
import { packageExtension } from './package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'layerkv-editor-'));
const folder = join(scratch, 'samples');
const vsix = join(scratch, 'layerkv-planner.vsix');

let workbench;
let isStopping = false;
async function stop() {
  if (isStopping) return;
  isStopping = true;
  await workbench?.stop();
  rmSync(scratch, { recursive: true, force: true });
}

try {
  await installWorkbench();
  await buildProduct();
  await packageExtension(vsix);
  // A copy: whoever plays with the samples there leaves the repository as it is.
  cpSync(join(root, 'samples'), folder, { recursive: true, filter: (path) => !path.endsWith('golden') });
  workbench = await startWorkbench({ vsix });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
  console.log(`\nOpen ${workbench.urlOf(folder)}\nThe samples are a copy: edit them as you like. Ctrl-C stops it.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
  await stop();
}
