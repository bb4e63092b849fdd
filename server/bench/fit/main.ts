/**
 * Entry of `npm run fit -- FOLDER [ROWS.jsonl]`: fits the kernel laws to the kernel measurements in FOLDER, and where
 * published end-to-end rows are given, the CPU's work to those at low load. Coefficients are written to
 * `server/src/engine/cost`, how well they fit to `docs/fit.json`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { CsvRow } from './csv.ts';
import { fitHost } from './host.ts';
import {
  type Family,
  fitAllReduce,
  fitDecodeAttention,
  fitElementwise,
  fitExperts,
  fitLayerProducts,
  fitPrefillAttention,
  fitProducts,
} from './kernels.ts';

const KERNELS = 'server/src/engine/cost/kernelTable.json';
const HOST = 'server/src/engine/cost/hostTable.json';
const REPORT = 'docs/fit.json';

/** GPUs whose kernels were measured, by family: those that share an architecture and a kind of memory. */
const FAMILIES: readonly Family[] = [
  { name: 'ampere', gpus: ['A100 80GB SXM4'] },
  { name: 'hopper', gpus: ['H100 80GB SXM5', 'H200 141GB SXM'] },
  { name: 'blackwell', gpus: ['B200 180GB (HGX/DGX)'] },
  { name: 'adaEcc', gpus: ['L40S'] },
  { name: 'ada', gpus: ['RTX 4090'] },
  { name: 'blackwellGddr', gpus: ['RTX PRO 6000 Blackwell Server'] },
];

/** Families whose 8-bit and 4-bit products were timed together with the quantisation of their inputs. */
const QUANTISED: readonly string[] = ['blackwell'];

/** How Vidur's table calls a GPU of the family. */
const VIDUR: Readonly<Record<string, string>> = { ampere: 'a100', hopper: 'h100' };

/** The L40S host of the measurements has no peer-to-peer across its sockets; this one is the better reference for PCIe. */
const PCIE: readonly string[] = ['blackwellGddr'];

/**
 * Measurements of kernels that today's releases no longer run there, or that measure something else beside: fp8 products
 * of B200 include quantising their inputs one by one, which vLLM fuses into the kernel before; its experts in fp8 blocks
 * were timed with the Triton kernel, in whose place vLLM takes FlashInfer's. Shares then follow Hopper's.
 */
const SET_ASIDE: Readonly<
  Record<string, { readonly products: readonly string[]; readonly experts: readonly string[] }>
> = {
  blackwell: { products: ['fp8'], experts: ['fp8Block'] },
};

const SOURCES: readonly string[] = [
  'github.com/ai-dynamo/aiconfigurator, systems/data, commit 095f58a5: products, experts, attention, collectives (vLLM 0.14 to 0.22 kernels)',
  'github.com/microsoft/vidur, data/profiling, commit 7d475133: norms and activations at large batches (A100, H100)',
  'github.com/casys-kaist/LLMServingSim, profiler/perf, commit 5daddb21: layers on RTX 4090 and RTX PRO 6000 (vLLM 0.19)',
];

/** What says how well a fit is, beside its coefficients. */
const QUALITY: readonly string[] = ['samples', 'medianError', 'p90Error'];

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
  const host = rowsFile === undefined ? null : fitHost(rowsFile);
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

function fitFamily(from: string, family: Family): object {
  const products = fitProducts(from, family);
  const nothing = Object.keys(products).length === 0;
  const aside = SET_ASIDE[family.name];
  return {
    gpus: family.gpus,
    productsQuantise: QUANTISED.includes(family.name),
    products: nothing ? fitLayerProducts(from, family.gpus[0] ?? '') : without(products, aside?.products),
    experts: without(fitExperts(from, family), aside?.experts),
    prefillAttention: fitPrefillAttention(from, family),
    decodeAttention: fitDecodeAttention(from, family, 'bfloat16'),
    decodeAttentionFp8: fitDecodeAttention(from, family, 'fp8'),
    elementwise: fitElementwise(from, family, VIDUR[family.name] ?? null),
    nvlink: fitAllReduce(from, family, isCustomInGraph, ({ nvlinkBytesPerS }) => nvlinkBytesPerS),
    pcie: PCIE.includes(family.name)
      ? fitAllReduce(from, family, isNccl, ({ hostLinkBytesPerS }) => hostLinkBytesPerS)
      : null,
  };
}

/** vLLM's own all-reduce inside a CUDA graph, as decode steps use it over NVLink. */
function isCustomInGraph(row: CsvRow): boolean {
  return row.text('library').endsWith('vLLM_custom_graph');
}

function isNccl(row: CsvRow): boolean {
  return row.text('library').startsWith('NCCL');
}

function without<T>(record: Readonly<Record<string, T>>, names: readonly string[] = []): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}

/** @returns the fits without their quality. */
function coefficientsOf(fits: unknown): unknown {
  if (fits === null || typeof fits !== 'object' || Array.isArray(fits)) return fits;
  return Object.fromEntries(
    Object.entries(fits).flatMap(([name, value]) => (QUALITY.includes(name) ? [] : [[name, coefficientsOf(value)]])),
  );
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
