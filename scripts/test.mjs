// `npm test`: installs what is missing, checks, builds, runs every test, and ends with a line `N passed, N failed`.
// `--unit` leaves out what needs a browser. Each check (types, lint, build, package) counts as one.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { install, requireNode } from './install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const countsFile = join(root, 'out/test-counts.json');
const unitOnly = process.argv.includes('--unit');
const total = { passed: 0, failed: 0, skipped: 0 };

const add = (counts) => {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped ?? 0;
};

/** Runs a tool of `node_modules` (or a script of ours) with the Node that runs now, on any system. */
function runNode(script, args, env = {}) {
  const { status } = spawnSync(process.execPath, [join(root, script), ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status === 0;
}

/** One check: passes where `run` says true, fails where it says false or throws. */
async function check(name, run) {
  const started = performance.now();
  let ok = false;
  try {
    ok = await run();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  add(ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
  console.log(`${ok ? '✔' : '✘'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return ok;
}

function finish() {
  const { passed, failed, skipped } = total;
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  // Set, not called: output to a pipe is still being written.
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Every TypeScript project: the product with its tests, and the report page, which lives in a browser. */
const projects = ['tsconfig.json', 'extension/src/report/page/tsconfig.json'];

const tsc = (project) => runNode('node_modules/typescript/bin/tsc', ['-p', project]);
// In a file or a pipe its colours would be thousands of escape sequences.
const biome = () =>
  runNode('node_modules/@biomejs/biome/bin/biome', ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off'])]);

async function build() {
  const { buildProduct, buildTests } = await import('./build.mjs');
  await buildProduct();
  await buildTests();
  return true;
}

function unitTests() {
  rmSync(countsFile, { force: true });
  const ok = runNode('node_modules/mocha/bin/mocha.js', ['--reporter', 'scripts/mocha-reporter.mjs'], {
    LAYERKV_TEST_COUNTS: countsFile,
  });
  if (!existsSync(countsFile)) {
    console.error('The unit tests ended before they could be counted: see the message above.');
    add({ passed: 0, failed: 1 });
    return;
  }
  const counts = JSON.parse(readFileSync(countsFile, 'utf8'));
  // A run that ends badly with every test green (a broken hook, no test found) is a failure all the same.
  const isGreen = ok && counts.passed > 0;
  add(counts.failed === 0 && !isGreen ? { ...counts, failed: 1 } : counts);
}

async function workbenchTests() {
  try {
    const { runWorkbench } = await import(pathToFileURL(join(root, 'extension/test/workbench/run.mjs')).href);
    add(await runWorkbench());
  } catch (error) {
    console.error(`The workbench suite could not run: ${error instanceof Error ? error.message : error}`);
    add({ passed: 0, failed: 1 });
  }
}

requireNode();
if (!(await check('packages installed', () => install()))) {
  finish();
} else {
  for (const project of projects) await check(`types: ${project}`, () => tsc(project));
  await check('lint and format', biome);
  if (await check('build', build)) {
    unitTests();
    if (!unitOnly && (await check('package', () => runNode('scripts/package.mjs', [])))) await workbenchTests();
  }
  finish();
}
