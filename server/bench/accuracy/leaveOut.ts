/** Leave-one-out studies: rows predicted with coefficients from whose fit they, and all like them, were kept away. */
import { findGpu } from '../../src/catalog/gpus.ts';
import type { KernelFamilies } from '../../src/engine/cost/kernelFamily.ts';
import kernelTable from '../../src/engine/cost/kernelTable.json';
import { stepCost } from '../../src/engine/cost/stepCost.ts';
import { coefficientsOf, FAMILIES, fitFamily, fitPcie } from '../fit/families.ts';
import { type HostPlane, hostCoefficients } from '../fit/host.ts';
import { STAND_INS } from '../validate/bands.ts';
import { type ComparedRow, compareRow } from '../validate/predict.ts';
import type { ValidationRow } from '../validate/row.ts';
import { summarize } from '../validate/summary.ts';
import type { LeftOut, LeftOutStudy } from './types.ts';

/** A row beside what the shipped coefficients make of it. */
export interface Judged {
  readonly row: ValidationRow;
  readonly compared: ComparedRow;
}

/** One way to leave rows out. */
export interface Cut {
  readonly title: string;
  readonly what: 'model' | 'source' | 'GPU' | 'family';
  readonly of: (row: ValidationRow) => string;
  /** Kernel laws without the measurements of what `name` stands for; absent where these have nothing to do with it. */
  readonly kernels?: (name: string) => { readonly families: KernelFamilies; readonly note: string };
}

/** @param micro folder of kernel measurements. */
export function cuts(micro: string): readonly Cut[] {
  return [
    { title: 'One model left out', what: 'model', of: ({ model }) => model },
    { title: 'One source left out', what: 'source', of: ({ source }) => source },
    {
      title: 'One GPU left out',
      what: 'GPU',
      of: ({ gpu }) => gpu,
      kernels: (name) => kernelsWithout(micro, (gpu) => gpu === name),
    },
    {
      title: 'One family of GPUs left out',
      what: 'family',
      of: familyOf,
      kernels: (name) => kernelsWithout(micro, (gpu) => familyOfGpu(gpu) === name),
    },
  ];
}

/** @returns the study, and each row's prediction in the order of `judged`. */
export function leaveOut(
  judged: readonly Judged[],
  planes: readonly HostPlane[],
  cut: Cut,
): { readonly study: LeftOutStudy; readonly rows: readonly ComparedRow[] } {
  const names = [...new Set(judged.map(({ row }) => cut.of(row)))].sort();
  const predicted = new Map<ValidationRow, ComparedRow>();
  const each = names.map((name): LeftOut => {
    const own = judged.filter(({ row }) => cut.of(row) === name);
    const rest = planes.filter(({ row }) => cut.of(row) !== name);
    const kernels = cut.kernels?.(name);
    const after = refitted(own, rest, kernels?.families);
    own.forEach(({ row }, index) => {
      const compared = after[index];
      if (compared !== undefined) predicted.set(row, compared);
    });
    return {
      name,
      samplesLeftOut: planes.length - rest.length,
      kernels: kernels?.note ?? '',
      before: summarize(own.map(({ compared }) => compared)),
      after: summarize(after),
    };
  });
  const rows = judged.flatMap(({ row }) => predicted.get(row) ?? []);
  return {
    study: {
      title: cut.title,
      what: cut.what,
      before: summarize(judged.map(({ compared }) => compared)),
      after: summarize(rows),
      each,
    },
    rows,
  };
}

/** The rows as predicted by host coefficients fitted to these planes. */
export function refitted(
  judged: readonly Judged[],
  planes: readonly HostPlane[],
  families?: KernelFamilies,
): readonly ComparedRow[] {
  const host = hostCoefficients(planes);
  return judged.map(({ row }) => compareRow(row, { cost: (input) => stepCost(input, host, families) }));
}

export function familyOf({ gpu }: ValidationRow): string {
  return familyOfGpu(gpu);
}

function familyOfGpu(gpu: string): string {
  return findGpu(gpu)?.facts.kernels?.family ?? 'other';
}

const SHIPPED = kernelTable.families as unknown as KernelFamilies;

/** The families with all measurements of some GPUs left out; where that leaves a family none, the nearest other stands in. */
function kernelsWithout(
  micro: string,
  isOut: (gpu: string) => boolean,
): { readonly families: KernelFamilies; readonly note: string } {
  const notes: string[] = [];
  const kept: Record<string, object> = { ...SHIPPED };
  for (const { name, gpus } of FAMILIES) {
    const rest = gpus.filter((gpu) => !isOut(gpu));
    if (rest.length === gpus.length) continue;
    notes.push(rest.length === 0 ? 'next family' : `${rest.join(', ')} alone`);
    if (rest.length === 0) delete kept[name];
    else kept[name] = coefficientsOf(fitFamily(micro, { name, gpus: rest })) as object;
  }
  // PCIe is measured on one family; without it the L40S' host, set aside because its sockets hinder it, is all there is.
  const l40s = FAMILIES.find(({ name }) => name === 'adaEcc');
  if (kept['blackwellGddr'] === undefined && l40s !== undefined) {
    kept['adaEcc'] = { ...kept['adaEcc'], pcie: coefficientsOf(fitPcie(micro, l40s)) };
  }
  return { families: stoodIn(kept), note: notes.join('; ') };
}

/** Puts the nearest family in the place of each that is missing, and any other's laws where that one has none either. */
export function stoodIn(kept: Readonly<Record<string, object>>): KernelFamilies {
  const others = Object.values(kept).toReversed();
  const all = Object.keys(SHIPPED).map((name) => {
    const own = kept[name];
    if (own !== undefined) return [name, own] as const;
    const laws = [...others, kept[STAND_INS[name] ?? ''] ?? {}].map((row) =>
      Object.fromEntries(Object.entries(row).filter(([, law]) => law !== null)),
    );
    return [name, Object.assign({}, ...laws)] as const;
  });
  return Object.fromEntries(all) as unknown as KernelFamilies;
}
