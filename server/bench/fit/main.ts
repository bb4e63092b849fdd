/**
 * Entry of `npm run fit -- FOLDER`: fits the kernel laws to the measurements in FOLDER and writes the coefficients, with
 * how well they fit, to `server/src/engine/cost/kernelTable.json`.
 */
import { writeFileSync } from 'node:fs';
import type { CsvRow } from './csv.ts';
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

const TABLE = 'server/src/engine/cost/kernelTable.json';

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

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Name the folder of kernel measurements: npm run fit -- FOLDER');
  process.exitCode = 3;
} else {
  const families = FAMILIES.map((family) => {
    console.error(`fitting ${family.name}`);
    return [family.name, fitFamily(folder, family)] as const;
  });
  const table = {
    about:
      'Coefficients of the laws in kernels.ts, fitted by `npm run fit`. Seconds; shares are of the datasheet peak. samples, medianError and p90Error say how well each fits its measurements.',
    sources: [
      'github.com/ai-dynamo/aiconfigurator, systems/data, commit 095f58a5: products, experts, attention, collectives (vLLM 0.14 to 0.22 kernels)',
      'github.com/microsoft/vidur, data/profiling, commit 7d475133: norms and activations at large batches (A100, H100)',
    'github.com/casys-kaist/LLMServingSim, profiler/perf, commit 5daddb21: layers on RTX 4090 and RTX PRO 6000 (vLLM 0.19)',
    ],
    families: Object.fromEntries(families),
  };
  writeFileSync(TABLE, `${JSON.stringify(table, null, 2)}\n`);
  console.error(`written to ${TABLE}`);
}

function fitFamily(from: string, family: Family): object {
  const products = fitProducts(from, family);
  const nothing = Object.keys(products).length === 0;
  return {
    gpus: family.gpus,
    productsQuantise: QUANTISED.includes(family.name),
    products: nothing ? fitLayerProducts(from, family.gpus[0] ?? '') : products,
    experts: fitExperts(from, family),
    prefillAttention: fitPrefillAttention(from, family),
    decodeAttention: fitDecodeAttention(from, family, 'bfloat16'),
    decodeAttentionFp8: fitDecodeAttention(from, family, 'fp8'),
    elementwise: fitElementwise(from, family, VIDUR[family.name] ?? null),
    nvlink: fitAllReduce(from, family, isCustomInGraph, ({ nvlinkBytesPerS }) => nvlinkBytesPerS),
    pcie: PCIE.includes(family.name) ? fitAllReduce(from, family, isNccl, ({ hostLinkBytesPerS }) => hostLinkBytesPerS) : null,
  };
}

/** vLLM's own all-reduce inside a CUDA graph, as decode steps use it over NVLink. */
function isCustomInGraph(row: CsvRow): boolean {
  return row.text('library').endsWith('vLLM_custom_graph');
}

function isNccl(row: CsvRow): boolean {
  return row.text('library').startsWith('NCCL');
}
