// Packs the extension: `node scripts/package.mjs` builds and writes layerkv-planner-<version>.vsix. Works offline.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVSIX } from '@vscode/vsce';

const root = fileURLToPath(new URL('..', import.meta.url));
const kB = 1000;

/** Budgets: what an install may weigh, and what start-up may have to parse, bytes. */
const budgets = [
  { files: ['dist/extension.js'], bytes: 600 * kB },
  { files: ['dist/server.js'], bytes: 600 * kB },
  { files: ['dist/worker.js'], bytes: 600 * kB },
  { files: ['dist/cli.js'], bytes: 600 * kB },
  { files: ['dist/report/report.js', 'dist/report/report.css'], bytes: 150 * kB },
];
const packageBudgetBytes = 1500 * kB;

function weigh(label, bytes, limitBytes) {
  const text = `${label}: ${Math.round(bytes / kB)} of ${Math.round(limitBytes / kB)} kB`;
  if (bytes >= limitBytes) throw new Error(`Too heavy. ${text}: find what was added, or raise the budget on purpose.`);
  return text;
}

/** Packs what lies in `dist/` into `file`; throws where a part is over its budget. Returns the weights as lines. */
export async function packageExtension(file) {
  const lines = budgets.map(({ files, bytes }) =>
    weigh(
      files.join(' + '),
      files.map((name) => statSync(join(root, name)).size).reduce((a, b) => a + b),
      bytes,
    ),
  );
  await createVSIX({
    cwd: root,
    packagePath: file,
    dependencies: false,
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
  });
  return [...lines, weigh(file, statSync(file).size, packageBudgetBytes)];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { buildProduct } = await import('./build.mjs');
  await buildProduct();
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const line of await packageExtension(join(root, `${name}-${version}.vsix`))) console.log(line);
}
