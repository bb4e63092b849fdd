/**
 * Entry of `npm run fit -- FOLDER [ROWS.jsonl]`: fits the kernel laws to the kernel measurements in FOLDER, and where
 * published end-to-end rows are given, the CPU's work to those at low load. Coefficients are written to
 * `server/src/engine/cost`, how well they fit to `docs/fit.json`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { readRows } from '../validate/rowFile.ts';
import { coefficientsOf, FAMILIES, fitFamily, QUALITY } from './families.ts';
import { fitHost } from './host.ts';

const KERNELS = 'server/src/engine/cost/kernelTable.json';
const HOST = 'server/src/engine/cost/hostTable.json';
const REPORT = 'docs/fit.json';

const SOURCES: readonly string[] = [
  'github.com/ai-dynamo/aiconfigurator, systems/data, commit 095f58a5: products, experts, attention, collectives (vLLM 0.14 to 0.22 kernels)',
  'github.com/microsoft/vidur, data/profiling, commit 7d475133: norms and activations at large batches (A100, H100)',
  'github.com/casys-kaist/LLMServingSim, profiler/perf, commit 5daddb21: layers on RTX 4090 and RTX PRO 6000 (vLLM 0.19)',
];

const [folder, rowsFile] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Name the folder of kernel measurements: npm run fit -- FOLDER [ROWS.jsonl]');
  process.exitCode = 3;
} else {
  const families = FAMILIES.map((family) => {
    console.error(`fitting ${family.name}`);
    return [family.name, fitFamily(folder, family)] as const;
  });
  const fitted = Object.fromEntries(families);
  write(KERNELS, {
    about: `Coefficients of the laws in kernels.ts, written by npm run fit; how well they fit is in ${REPORT}. Seconds; shares are of the datasheet peak.`,
    sources: SOURCES,
    families: coefficientsOf(fitted),
  });
  const host = rowsFile === undefined ? null : fitHost(readRows(rowsFile));
  if (host !== null) {
    write(HOST, {
      about: `CPU time of serving in seconds, written by npm run fit from published measurements at low load; how well it fits is in ${REPORT}.`,
      ...host.coefficients,
    });
  }
  const before = JSON.parse(readFileSync(REPORT, 'utf8')) as { readonly host: unknown };
  write(REPORT, {
    about: 'How well each law fits the measurements it was fitted to: written by npm run fit.',
    sources: SOURCES,
    host: host?.report ?? before.host,
    kernels: qualityOf(fitted),
  });
}

function write(file: string, content: object): void {
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
  console.error(`written to ${file}`);
}

/** @returns `family/law/format` with the quality of its fit. */
function qualityOf(fits: object, path = ''): Readonly<Record<string, object>> {
  const found: Record<string, object> = {};
  for (const [name, value] of Object.entries(fits)) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) continue;
    const at = path === '' ? name : `${path}/${name}`;
    if ('samples' in value)
      found[at] = Object.fromEntries(QUALITY.map((key) => [key, value[key as keyof typeof value]]));
    else Object.assign(found, qualityOf(value, at));
  }
  return found;
}
