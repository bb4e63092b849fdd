// `node scripts/paper.mjs`: runs the LayerKV paper's experiments and writes docs/figure-1.md with its plots.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildScript } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = await buildScript('server/bench/paper/main.ts');
process.exitCode = spawnSync(process.execPath, [join(root, file)], { cwd: root, stdio: 'inherit' }).status ?? 1;
