// `npm run accuracy -- MICRO ROWS.jsonl`: how near predictions come, written to docs/accuracy.md. Without arguments the page
// is made again of docs/accuracy.json.
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildScript } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const from = process.env.INIT_CWD ?? process.cwd();
const file = await buildScript('server/bench/accuracy/main.ts');
const args = process.argv.slice(2).map((word) => resolve(from, word));
process.exitCode =
  spawnSync(process.execPath, [join(root, file), ...args], { cwd: root, stdio: 'inherit' }).status ?? 1;
