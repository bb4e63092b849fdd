// Installs the packages of package-lock.json when they are missing or do not match it: `node scripts/install.mjs`.
// Runs before anything is installed, so it imports only what Node brings.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const oldest = [20, 19];

/** Ends the process with one clear line where this Node is too old to run the tools. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  console.error(`Node ${oldest.join('.')} or newer is needed; this is ${process.version}. Install it from nodejs.org.`);
  process.exit(1);
}

/** Arguments that run npm by the Node that runs now, whatever the system's shell. */
function npmCommand() {
  const nodeFolder = dirname(process.execPath);
  const candidates = [
    process.env.npm_execpath,
    join(nodeFolder, 'node_modules/npm/bin/npm-cli.js'),
    join(nodeFolder, '../lib/node_modules/npm/bin/npm-cli.js'),
  ];
  const cli = candidates.find((path) => path !== undefined && basename(path) === 'npm-cli.js' && existsSync(path));
  return cli === undefined ? ['npm'] : [process.execPath, cli];
}

/** Whether an optional package of the lock file is meant for this system. */
function isForThisSystem(entry) {
  const allows = (list, value) =>
    list === undefined || (list.some((item) => item === value) && !list.includes(`!${value}`));
  // Which C library this is takes a report to find out: such packages are left to npm.
  return entry.libc === undefined && allows(entry.os, process.platform) && allows(entry.cpu, process.arch);
}

/** True where `node_modules` holds what `package-lock.json` names, by npm's own record of the last install. */
export function isInstalled(folder = root) {
  const record = join(folder, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages;
  const found = JSON.parse(readFileSync(record, 'utf8')).packages;
  const isRight = ([path, entry]) => {
    if (path === '' || entry.link) return true;
    const there = found[path];
    if (there === undefined) return entry.optional === true && !(isPlatformPackage(entry) && isForThisSystem(entry));
    return there.version === entry.version && there.integrity === entry.integrity;
  };
  return Object.entries(wanted).every(isRight) && Object.keys(found).every((path) => path in wanted);
}

const isPlatformPackage = (entry) => entry.os !== undefined || entry.cpu !== undefined;

/** Makes `node_modules` match the lock file. Silent where it does already. Returns whether it worked. */
export function install(folder = root) {
  if (isInstalled(folder)) return true;
  console.error('Installing the packages of package-lock.json (once; a minute or less) …');
  const [command, ...before] = npmCommand();
  const args = [...before, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // Only the last resort, `npm` by name, needs the shell: on Windows it is a .cmd file.
  const shell = before.length === 0 && process.platform === 'win32';
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: ['ignore', 2, 2], shell });
  if (status === 0) return true;
  console.error(
    `npm ci failed${error ? `: ${error.message}` : ''}. Check the network (or npm's proxy settings) and run it again.`,
  );
  return false;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  requireNode();
  process.exitCode = install() ? 0 : 1;
}
