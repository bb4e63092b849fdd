// `npm run validate -- FILE.jsonl …`: prediction error against published measurements. Build first. `--json` prints
// JSON, `--calibrated` the error once calibrated; `--bands` rewrites the error bands that predictions carry.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

if (existsSync(join(root, 'node_modules/esbuild'))) {
  const { buildScript } = await import('./build.mjs');
  const file = await buildScript('server/bench/validate/main.ts');
  // npm runs scripts in the repository's root; files are named from where the user stands.
  const from = process.env.INIT_CWD ?? process.cwd();
  const args = process.argv.slice(2).map((word) => (word.startsWith('-') ? word : resolve(from, word)));
  process.exitCode =
    spawnSync(process.execPath, [join(root, file), ...args], { cwd: root, stdio: 'inherit' }).status ?? 1;
} else {
  console.error('Nothing is installed yet: run `npm run build` first, then `npm run validate` again.');
  process.exitCode = 3;
}
