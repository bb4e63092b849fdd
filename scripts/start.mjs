// `npm start` (`npm start -- FILE`): installs what is missing, builds the terminal program, simulates the sample of
// the paper's figure 1 (or FILE) and prints the annotated file and the comparison vLLM / LayerKV.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, requireNode } from './install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const sample = 'samples/llama-2-7b-l20-figure-1.layerkv.yaml';

requireNode();
if (!install()) process.exit(1);
const { buildTerminal } = await import('./build.mjs');
await buildTerminal();

const given = process.argv.slice(2);
const args = given.length === 0 ? [sample] : given;
// A path is meant from where the user stands, which npm tells in INIT_CWD; the sample, from the repository.
const cwd = given.length === 0 ? root : (process.env.INIT_CWD ?? process.cwd());
const cli = [join(root, 'dist/cli.js'), 'simulate', '--policy', 'compare', '--annotated', ...args];
const { status } = spawnSync(process.execPath, cli, { cwd, stdio: 'inherit' });
process.exitCode = status ?? 1;
