/** Which coefficients a GPU's kernels have: those measured on its family, and what stands in where nothing was. */
import type { GpuFacts } from '../types.ts';
import type {
  AllReduceCoefficients,
  DecodeAttentionCoefficients,
  ElementwiseCoefficients,
  ExpertCoefficients,
  PrefillAttentionCoefficients,
  ProductCoefficients,
} from './kernels.ts';
import table from './kernelTable.json';

/** How weights are stored and multiplied. `weightOnly`: unpacked to 16 bit on the way into a 16-bit product. */
export type ProductFormat = 'bf16' | 'fp8' | 'fp8Block' | 'int8' | 'nvfp4' | 'weightOnly';

/** The laws of one GPU. */
export interface Kernels {
  /** Whether this very family was measured; otherwise shares of its peaks are guessed. */
  readonly measured: boolean;
  /** Whether products in 8 and 4 bit include quantising what goes into them. */
  readonly productsQuantise: boolean;
  product(format: ProductFormat): ProductCoefficients;
  experts(format: ProductFormat): ExpertCoefficients;
  readonly prefillAttention: PrefillAttentionCoefficients;
  /** Query rows that a decode occupies beside prompts, per query head or per KV head; null: decodes run by themselves. */
  readonly mixedTile: MixedTile | null;
  readonly decodeAttention: DecodeAttentionCoefficients;
  readonly decodeAttentionFp8: DecodeAttentionCoefficients;
  readonly elementwise: ElementwiseCoefficients;
  readonly nvlink: AllReduceCoefficients;
  readonly pcie: AllReduceCoefficients;
}

export interface MixedTile {
  readonly rows: number;
  readonly perKvHead: boolean;
}

/**
 * FlashAttention 2 over paged KV has tiles of 64 query rows and one head (vllm-project/flash-attention,
 * csrc/flash_attn/src/flash_fwd_launch_template.h, run_mha_fwd_splitkv_dispatch: kBlockM = 64); FlashAttention 3 of 128
 * rows, into which it packs the query heads of a KV head (hopper/tile_size.h, heuristics.h: should_pack_gqa). FlashInfer,
 * vLLM's choice on B200, runs decodes and prompts apart.
 */
const MIXED_TILES: Readonly<Record<string, MixedTile | null>> = {
  hopper: { rows: 128, perKvHead: true },
  blackwell: null,
};
const FLASH_ATTENTION_2: MixedTile = { rows: 64, perKvHead: false };

/** As `kernelTable.json` holds it. */
interface FamilyRow {
  readonly productsQuantise: boolean;
  readonly products: Partial<Record<ProductFormat, ProductCoefficients>>;
  readonly experts: Partial<Record<ProductFormat, ExpertCoefficients>>;
  readonly prefillAttention: PrefillAttentionCoefficients | null;
  readonly decodeAttention: DecodeAttentionCoefficients | null;
  readonly decodeAttentionFp8: DecodeAttentionCoefficients | null;
  readonly elementwise: ElementwiseCoefficients | null;
  readonly nvlink: AllReduceCoefficients | null;
  readonly pcie: AllReduceCoefficients | null;
}

type FamilyName = keyof typeof table.families;
export type KernelFamilies = Readonly<Record<FamilyName, FamilyRow>>;
const FAMILIES = table.families as unknown as KernelFamilies;

/**
 * Families that a GPU's own lacks a measurement in, in the order they are asked. The last is any GPU: shares of peak in
 * the middle of those measured.
 */
const NEAREST: Readonly<Record<string, readonly FamilyName[]>> = {
  ampere: ['ampere', 'hopper', 'blackwellGddr'],
  hopper: ['hopper', 'blackwellGddr'],
  blackwell: ['blackwell', 'hopper', 'blackwellGddr'],
  adaEcc: ['adaEcc', 'blackwellGddr', 'hopper'],
  ada: ['ada', 'adaEcc', 'blackwellGddr', 'hopper'],
  blackwellGddr: ['blackwellGddr', 'hopper'],
  ampereGddr: ['ada', 'adaEcc', 'ampere', 'blackwellGddr', 'hopper'],
  ampereGddrEcc: ['adaEcc', 'ampere', 'blackwellGddr', 'hopper'],
  other: ['ampere', 'hopper', 'blackwellGddr'],
};

/**
 * Arithmetic of a product that unpacks weights on the way, over that in 16 bit, at thousands of tokens. Those who timed
 * Marlin found 0.61 (A100, January 2024, vllm-project/vllm/pull/2497), 0.82 (RTX 6000 Ada, April 2024,
 * IST-DASLab/marlin/issues/21) and 1.16 (Turing, December 2025, vllm-project/vllm/pull/29901): the middle one.
 */
const UNPACKED_SHARE = 0.82;

/** Marlin takes tiles of 8 rows where an expert has few (vLLM fused_marlin_moe.py: block_size_m from 8). */
const UNPACKED_PAD_TOKENS = 7;

/**
 * Kernels that unpack weights are written for Ampere's instructions. From Hopper on these reach only a part of the peak,
 * by compute capability: 62 % on H100 (arXiv 2402.13499, table of mma against wgmma), and the same rate per SM and clock
 * on B200, whose peak is twice as high.
 */
const AMPERE_INSTRUCTIONS: Readonly<Record<string, number>> = { '9': 0.62, '10': 0.31 };

/** @param families other than the fitted ones, to see what a GPU's own measurements are worth. */
export function kernelsOf(gpu: GpuFacts, families = FAMILIES): Kernels {
  const family = familyOf(gpu);
  const rows = (NEAREST[family] ?? NEAREST['other'] ?? []).map((name) => families[name]);
  const first = <T>(pick: (row: FamilyRow) => T | null | undefined, what: string): T => {
    for (const row of rows) {
      const found = pick(row);
      if (found !== null && found !== undefined) return found;
    }
    throw new Error(`no GPU family has coefficients for ${what}`);
  };
  const { hopper, blackwellGddr } = families;
  const ampereInstructions = AMPERE_INSTRUCTIONS[gpu.computeCapability.split('.')[0] ?? ''];
  const own = <C extends ProductCoefficients>(
    pick: (row: FamilyRow) => Partial<Record<ProductFormat, C>>,
    format: ProductFormat,
  ): C => {
    const bf16 = (): C => first((row) => pick(row).bf16, 'products');
    if (format === 'weightOnly') return unpacking(pick, bf16());
    if (format === 'int8') return own(pick, 'fp8');
    return pick(rows[0] ?? hopper)[format] ?? (format === 'bf16' ? bf16() : likeHopper(pick, format, bf16()));
  };
  const unpacking = <C extends ProductCoefficients>(
    pick: (row: FamilyRow) => Partial<Record<ProductFormat, C>>,
    bf16: C,
  ): C => {
    const ampere = pick(families.ampere).bf16?.flopsShare ?? 1;
    const flopsShare = ampereInstructions === undefined ? bf16.flopsShare : ampere * ampereInstructions;
    const tiles = 'padTokens' in bf16 ? { padTokens: UNPACKED_PAD_TOKENS } : {};
    return { ...bf16, ...tiles, flopsShare: flopsShare * UNPACKED_SHARE };
  };
  /** A format that the family was not measured in: its own 16-bit shares, moved as Hopper's are. */
  const likeHopper = <C extends ProductCoefficients>(
    pick: (row: FamilyRow) => Partial<Record<ProductFormat, C>>,
    format: ProductFormat,
    bf16: C,
  ): C => {
    const from = pick(hopper)[format] ?? pick(blackwellGddr)[format];
    const base = pick(hopper).bf16;
    if (from === undefined || base === undefined) return bf16;
    return {
      ...from,
      flopsShare: Math.min(1, (from.flopsShare / base.flopsShare) * bf16.flopsShare),
      streamShare: Math.min(1, (from.streamShare / base.streamShare) * bf16.streamShare),
    };
  };
  return {
    measured: gpu.kernels?.measured ?? false,
    productsQuantise: rows[0]?.productsQuantise ?? false,
    product: (format) => own((row) => row.products, format),
    experts: (format) => own((row) => row.experts, format),
    prefillAttention: first((row) => row.prefillAttention, 'prefill attention'),
    mixedTile: MIXED_TILES[family] === undefined ? FLASH_ATTENTION_2 : MIXED_TILES[family],
    decodeAttention: first((row) => row.decodeAttention, 'decode attention'),
    decodeAttentionFp8: first((row) => row.decodeAttentionFp8, 'decode attention over fp8'),
    elementwise: first((row) => row.elementwise, 'elementwise'),
    nvlink: first((row) => row.nvlink, 'all-reduce over NVLink'),
    pcie: first((row) => row.pcie, 'all-reduce over PCIe'),
  };
}

function familyOf(gpu: GpuFacts): string {
  return gpu.kernels?.family ?? 'other';
}
