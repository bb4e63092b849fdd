/** GPUs of the catalogue (`gpus.json`, one row a board, source in the row), by any usual spelling of their name. */

import kernelTable from '../engine/cost/kernelTable.json';
import type { CatalogGpu } from '../plan/types.ts';
import { gpus } from './gpus.json';
import { effectiveHostLinkGBs } from './hostLink.ts';
import { compact, similarNames } from './names.ts';
import { type Fault, fieldReader, isRecord, type Outcome } from './outcome.ts';

/** A row of `gpus.json` without its notes; units as its `about` says. An inline `hardware.gpu` object has the same keys. */
export interface GpuRow {
  readonly gpu: string;
  readonly aliases?: readonly string[];
  readonly vendor?: string;
  readonly computeCapability: string;
  readonly memoryGB: number;
  readonly memoryType?: string;
  readonly visibleMemoryMiB?: number;
  readonly programMemoryMiB?: number;
  readonly memoryUsableGB?: number;
  readonly memoryBandwidthGBs: number;
  readonly denseBf16Tflops: number;
  readonly denseFp8Tflops?: number;
  readonly denseInt8Tops?: number;
  readonly denseFp4Tflops?: number;
  readonly pcieGen: number;
  readonly pcieLanes?: number;
  readonly nvlinkGBs: number;
  readonly linkTopology: string;
  readonly source: string;
  readonly priceUsdPerHour?: number;
  readonly priceDate?: string;
}

/**
 * Share of the datasheet's size (read as GiB, which is how memory is built) that the driver does not list, where a
 * row has no `visibleMemoryMiB`: NVIDIA's HBM boards list 99.5 % (H100 81559 of 81920 MiB, B200 183359 of 184320),
 * AMD's all but a hundredth of a percent (MI300X 196592 of 196608).
 */
const UNLISTED_SHARE = { NVIDIA: 0.005, AMD: 0.0001 } as const;

/** GPUs whose kernels were timed (`npm run fit`); an inline object that changes a board's numbers is no longer one of them. */
const MEASURED: ReadonlySet<string> = new Set(Object.values(kernelTable.families).flatMap(({ gpus }) => gpus));

/**
 * What the driver keeps of the memory that it lists, where a row has no `programMemoryMiB`: the median of the rows that
 * have both, 0.47 GiB (0.26 on a V100 to 0.86 on an A100 80GB); AMD's keeps 0.29 GiB of an MI300X.
 */
const DRIVER_KEEPS_MIB = { NVIDIA: 480, AMD: 300 } as const;

const ROWS = gpus as readonly GpuRow[];
const GPUS: readonly CatalogGpu[] = ROWS.map(toGpu);
const ROW_BY_ID = new Map(ROWS.map((row) => [row.gpu, row]));
const NAMES = ROWS.flatMap((row, index) => {
  const gpu = GPUS[index];
  return gpu === undefined
    ? []
    : [row.gpu, ...(row.aliases ?? [])].map((name) => ({ key: gpuKey(name), name: row.gpu, gpu }));
});
const GPU_BY_KEY = new Map(NAMES.map(({ key, gpu }) => [key, gpu]));

/**
 * Spellings that clouds use for a board without naming its exact model: GKE's `nvidia-tesla-a100` is the 40 GB SXM4.
 * https://cloud.google.com/kubernetes-engine/docs/how-to/gpus
 */
const WHOLE_LABELS = new Map([['nvidiateslaa100', 'A100 40GB SXM4']]);

/** Case, separators and the vendor's words in front carry no meaning. */
function gpuKey(name: string): string {
  return compact(name).replace(/^(?:(?:nvidia|amd|tesla|geforce|instinct|radeon)+)/, '');
}

/** Every GPU of the catalogue, in its order. */
export function allGpus(): readonly CatalogGpu[] {
  return GPUS;
}

/**
 * @param name catalogue id, alias, cloud or driver label (`A100 80GB SXM4`, `a100-80gb`, `NVIDIA-A100-SXM4-80GB`).
 * @returns undefined when unknown or not one board: a bare `A100` may have 40 or 80 GB.
 */
export function findGpu(name: string): CatalogGpu | undefined {
  const label = WHOLE_LABELS.get(compact(name));
  return label === undefined ? GPU_BY_KEY.get(gpuKey(name)) : GPU_BY_KEY.get(gpuKey(label));
}

/** Catalogue ids that `name` may have meant, best first, at most three. */
export function suggestGpus(name: string): readonly string[] {
  return similarNames(gpuKey(name), NAMES, 3);
}

/** What the catalogue says of a GPU beyond the engine's numbers (notes, uncertainty, price); undefined for inline ones. */
export function gpuRow(id: string): GpuRow | undefined {
  return ROW_BY_ID.get(id);
}

/** `48 GB GDDR6 · 864 GB/s · 119.5 TFLOPS bf16 · PCIe 4`: one line for completion and hover. */
export function gpuFactsLine(gpu: CatalogGpu): string {
  const row = gpuRow(gpu.id);
  const { facts } = gpu;
  const memoryGB = row?.memoryGB ?? Math.round(facts.memoryBytes / 2 ** 30);
  const parts = [
    `${memoryGB} GB${row?.memoryType === undefined ? '' : ` ${row.memoryType}`}`,
    `${trim(facts.memoryBandwidthBytesPerS / 1e9)} GB/s`,
    `${trim(facts.bf16FlopsPerS / 1e12)} TFLOPS bf16`,
  ];
  if (facts.fp8FlopsPerS > 0) parts.push(`${trim(facts.fp8FlopsPerS / 1e12)} fp8`);
  parts.push(`PCIe ${gpu.pcieGen}`);
  if (facts.nvlinkBytesPerS > 0) {
    parts.push(
      `${row?.vendor === 'AMD' ? 'Infinity Fabric' : 'NVLink'} ${trim((2 * facts.nvlinkBytesPerS) / 1e9)} GB/s`,
    );
  }
  return parts.join(' · ');
}

function trim(value: number): string {
  return String(Number(value.toFixed(1)));
}

function toGpu(row: GpuRow): CatalogGpu {
  return {
    id: row.gpu,
    facts: {
      memoryBytes: memoryBytes(row),
      programMemoryBytes: programMemoryBytes(row),
      memoryKind: memoryKind(row),
      memoryBandwidthBytesPerS: row.memoryBandwidthGBs * 1e9,
      bf16FlopsPerS: row.denseBf16Tflops * 1e12,
      fp8FlopsPerS: (row.denseFp8Tflops ?? 0) * 1e12,
      int8OpsPerS: (row.denseInt8Tops ?? 0) * 1e12,
      fp4FlopsPerS: (row.denseFp4Tflops ?? 0) * 1e12,
      // The datasheets sum both directions.
      nvlinkBytesPerS: (row.nvlinkGBs / 2) * 1e9,
      hostLinkBytesPerS: effectiveHostLinkGBs(row.gpu, row.pcieGen, row.pcieLanes ?? 16) * 1e9,
      computeCapability: row.computeCapability,
      kernels: { family: kernelFamily(row), measured: MEASURED.has(row.gpu) },
    },
    linkTopology: row.linkTopology,
    pcieGen: row.pcieGen,
    source: row.source,
  };
}

function memoryBytes(row: GpuRow): number {
  if (row.visibleMemoryMiB !== undefined) return row.visibleMemoryMiB * 2 ** 20;
  const unlisted = row.vendor === 'AMD' ? UNLISTED_SHARE.AMD : UNLISTED_SHARE.NVIDIA;
  return Math.round((row.memoryUsableGB ?? row.memoryGB) * 2 ** 30 * (1 - unlisted));
}

function programMemoryBytes(row: GpuRow): number {
  if (row.programMemoryMiB !== undefined) return row.programMemoryMiB * 2 ** 20;
  const kept = row.vendor === 'AMD' ? DRIVER_KEEPS_MIB.AMD : DRIVER_KEEPS_MIB.NVIDIA;
  return Math.max(0, memoryBytes(row) - kept * 2 ** 20);
}

/** Where an inline GPU does not say: no GDDR board but one passes 1500 GB/s, every HBM one but the V100's HBM2 does. */
function memoryKind(row: GpuRow): 'hbm' | 'gddr' {
  if (row.memoryType !== undefined) return /^GDDR/i.test(row.memoryType) ? 'gddr' : 'hbm';
  return row.memoryBandwidthGBs >= 1500 ? 'hbm' : 'gddr';
}

/**
 * Architecture by compute capability. GDDR boards with error correction on (the driver lists less than the board has)
 * stream a smaller share of their datasheet bandwidth than those without: L40S 0.75, RTX 4090 0.90.
 */
function kernelFamily(row: GpuRow): string {
  const gddr = memoryKind(row) === 'gddr';
  const corrected = gddr && memoryBytes(row) < row.memoryGB * 2 ** 30 * 0.985;
  switch (true) {
    case row.computeCapability.startsWith('10.'):
      return 'blackwell';
    case row.computeCapability.startsWith('12.'):
      return 'blackwellGddr';
    case row.computeCapability === '9.0':
      return 'hopper';
    case row.computeCapability === '8.9':
      return corrected ? 'adaEcc' : 'ada';
    case row.computeCapability === '8.0':
      return 'ampere';
    case row.computeCapability.startsWith('8.'):
      return corrected ? 'ampereGddrEcc' : 'ampereGddr';
    default:
      return 'other';
  }
}

const TOPOLOGIES = ['nvswitch', 'bridge', 'full-mesh', 'pcie'] as const;

/**
 * An inline `hardware.gpu` object: the catalogue's keys. When its `gpu` names a board of the catalogue, the object
 * needs to hold only what differs.
 */
export function gpuFromObject(value: unknown): Outcome<CatalogGpu> {
  if (!isRecord(value)) return { ok: false, faults: [{ path: [], message: 'A GPU is a name or a group of keys.' }] };
  const name = typeof value['gpu'] === 'string' ? value['gpu'] : null;
  const known = name === null ? undefined : findGpu(name);
  const base = known === undefined ? {} : { ...gpuRow(known.id) };
  // A stated memory size replaces the more exact ones of the row too, which would win otherwise.
  const sized = {
    ...('memoryGB' in value ? { visibleMemoryMiB: undefined, memoryUsableGB: undefined } : {}),
    ...('memoryGB' in value || 'visibleMemoryMiB' in value ? { programMemoryMiB: undefined } : {}),
  };
  const merged: Readonly<Record<string, unknown>> = { ...base, ...sized, ...value };
  const faults: Fault[] = [];
  const read = fieldReader(merged, faults);
  const nvlinkGBs = read.number('nvlinkGBs', { fallback: 0 }) ?? 0;
  const visible =
    'visibleMemoryMiB' in value ? read.number('visibleMemoryMiB', { min: 1 }) : merged['visibleMemoryMiB'];
  const sizeKnown = typeof visible === 'number';
  const capability = merged['computeCapability'];
  const row: GpuRow = {
    gpu: name ?? 'inline GPU',
    computeCapability: capability === undefined ? '8.0' : String(capability),
    memoryGB: read.number('memoryGB', { min: 1, ...(sizeKnown ? { fallback: Math.round(visible / 1024) } : {}) }) ?? 0,
    ...(sizeKnown ? { visibleMemoryMiB: visible } : {}),
    ...(typeof merged['programMemoryMiB'] === 'number' ? { programMemoryMiB: merged['programMemoryMiB'] } : {}),
    ...(typeof merged['memoryUsableGB'] === 'number' ? { memoryUsableGB: merged['memoryUsableGB'] } : {}),
    ...(typeof merged['vendor'] === 'string' ? { vendor: merged['vendor'] } : {}),
    ...(typeof merged['memoryType'] === 'string' ? { memoryType: merged['memoryType'] } : {}),
    memoryBandwidthGBs: read.number('memoryBandwidthGBs', { min: 1 }) ?? 0,
    denseBf16Tflops: read.number('denseBf16Tflops', { min: 0.1 }) ?? 0,
    denseFp8Tflops: read.number('denseFp8Tflops', { fallback: 0 }) ?? 0,
    denseInt8Tops: read.number('denseInt8Tops', { fallback: 0 }) ?? 0,
    denseFp4Tflops: read.number('denseFp4Tflops', { fallback: 0 }) ?? 0,
    pcieGen: read.number('pcieGen', { min: 1, fallback: 4 }) ?? 4,
    pcieLanes: read.number('pcieLanes', { min: 1, fallback: 16 }) ?? 16,
    nvlinkGBs,
    linkTopology: read.text('linkTopology', TOPOLOGIES, nvlinkGBs > 0 ? 'nvswitch' : 'pcie') ?? 'pcie',
    source: 'stated in the plan',
  };
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: toGpu(row) };
}
