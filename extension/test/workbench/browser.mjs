// Finds a Chromium: $CHROMIUM, else one on PATH, else Debian's by apt when that needs no password.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const missing =
  'No browser found for the workbench test: install Chromium (Debian, Ubuntu: `sudo apt-get install chromium`) or set CHROMIUM to the path of one.';

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath() {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of names) {
      const candidate = join(folder, name);
      if (folder !== '' && isExecutable(candidate)) return candidate;
    }
  }
  return null;
}

/** The words to put before `apt-get`; null where installing would ask for a password or there is no apt. */
function aptPrefix() {
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) return null;
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : null;
}

/** Path of a Chromium. Throws an error of one line that says what to install. */
export function findBrowser(log = console.log) {
  const chosen = process.env.CHROMIUM;
  if (chosen) {
    if (isExecutable(chosen)) return chosen;
    throw new Error(`CHROMIUM names ${chosen}, which is not a program: set it to the path of a Chromium or unset it.`);
  }
  const found = onPath();
  if (found !== null) return found;
  const prefix = aptPrefix();
  if (prefix === null) throw new Error(missing);
  log('Installing Chromium (apt) …');
  try {
    for (const args of [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'],
    ]) {
      const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
      execFileSync(command, rest, { stdio: ['ignore', 'ignore', 'inherit'] });
    }
  } catch {
    throw new Error(missing);
  }
  const installed = onPath();
  if (installed === null) throw new Error(missing);
  return installed;
}
