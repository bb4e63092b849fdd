/** Which GPUs are one family, which measurements count for it, and the fit of all its laws. */
import type { CsvRow } from './csv.ts';
import {
  type Family,
  type Fitted,
  fitAllReduce,
  fitDecodeAttention,
  fitElementwise,
  fitExperts,
  fitLayerProducts,
  fitPrefillAttention,
  fitProducts,
} from './kernels.ts';

/** GPUs whose kernels were measured, by family: those that share an architecture and a kind of memory. */
export const FAMILIES: readonly Family[] = [
  { name: 'ampere', gpus: ['A100 80GB SXM4'] },
  { name: 'hopper', gpus: ['H100 80GB SXM5', 'H200 141GB SXM'] },
  { name: 'blackwell', gpus: ['B200 180GB (HGX/DGX)'] },
  { name: 'adaEcc', gpus: ['L40S'] },
  { name: 'ada', gpus: ['RTX 4090'] },
  { name: 'blackwellGddr', gpus: ['RTX PRO 6000 Blackwell Server'] },
];

/** Families whose 8-bit and 4-bit products were timed together with the quantisation of their inputs. */
const QUANTISED: readonly string[] = ['blackwell'];

/** How Vidur's table calls a GPU. */
const VIDUR: Readonly<Record<string, string>> = { 'A100 80GB SXM4': 'a100', 'H100 80GB SXM5': 'h100' };

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

/** What says how well a fit is, beside its coefficients. */
export const QUALITY: readonly string[] = ['samples', 'medianError', 'p90Error'];

/** @returns the family's laws as `kernelTable.json` holds them, each beside how well it fits. */
export function fitFamily(from: string, family: Family): object {
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
    elementwise: fitElementwise(from, family, VIDUR[family.gpus[0] ?? ''] ?? null),
    nvlink: fitAllReduce(from, family, isCustomInGraph, ({ nvlinkBytesPerS }) => nvlinkBytesPerS),
    pcie: PCIE.includes(family.name) ? fitPcie(from, family) : null,
  };
}

/** NCCL over the host link. */
export function fitPcie(from: string, family: Family): Fitted | null {
  return fitAllReduce(from, family, isNccl, ({ hostLinkBytesPerS }) => hostLinkBytesPerS);
}

/** vLLM's own all-reduce inside a CUDA graph, as decode steps use it over NVLink. */
function isCustomInGraph(row: CsvRow): boolean {
  return row.text('library').endsWith('vLLM_custom_graph');
}

function isNccl(row: CsvRow): boolean {
  return row.text('library').startsWith('NCCL');
}

/** @returns the fits without their quality. */
export function coefficientsOf(fits: unknown): unknown {
  if (fits === null || typeof fits !== 'object' || Array.isArray(fits)) return fits;
  return Object.fromEntries(
    Object.entries(fits).flatMap(([name, value]) => (QUALITY.includes(name) ? [] : [[name, coefficientsOf(value)]])),
  );
}

function without<T>(record: Readonly<Record<string, T>>, names: readonly string[] = []): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}
