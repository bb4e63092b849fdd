// `npm run bench`: how fast the built product is, against its targets. Build first. `--json` prints JSON alone, `--quick`
// only shows that everything runs, further words pick measurements by their id (`npm run bench -- memory`).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

if (existsSync(join(root, 'dist/worker.js')) && existsSync(join(root, 'dist/server.js'))) {
  const { buildScript } = await import('./build.mjs');
  await buildScript('server/bench/speed/child.ts');
  const file = await buildScript('server/bench/speed/main.ts');
  const args = [join(root, file), ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
} else {
  console.error('The product is not built yet: run `npm run build` first, then `npm run bench` again.');
  process.exitCode = 3;
}
