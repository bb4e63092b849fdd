/**
 * How sure a prediction is: where published measurements lay, relative to predictions like it. Which measurements are
 * alike is decided here, once, for the plan and for those that make the bands (`npm run validate -- FILE --bands`).
 */
import { families } from '../engine/cost/kernelTable.json';
import { type Violations, violations } from '../engine/metrics.ts';
import type { Records } from '../engine/schedule/records.ts';
import type { EngineInput, ModelShape } from '../engine/types.ts';
import { cells } from './errorBands.json';
import type { Band, Cell, Confidence, LoadKind, ModelKind } from './types.ts';

export type ErrorFigure = 'ttft' | 'tpot' | 'throughput';
export const ERROR_FIGURES = ['ttft', 'tpot', 'throughput'] as const satisfies readonly ErrorFigure[];

/** What a run tells of its load. */
export interface ServedLoad {
  /** Mean time before the prefill starts over mean TTFT. */
  readonly queueShare: number;
  /** Requests come over time, whether or not earlier ones are answered: not closed loops, and not all at once. */
  readonly open: boolean;
}

/** A band as the data file has it: measurements, sources, 10th percentile, median and 90th of measured over predicted. */
export type BandRow = readonly [number, number, number, number, number];
/** By name of the cell (`cellName`). Cells with too few measurements are not there, and neither are such figures. */
export type BandTable = Readonly<Record<string, Partial<Record<ErrorFigure, BandRow>>>>;

const COMMITTED = cells as unknown as BandTable;

/**
 * A queue adds up the errors of those ahead. It grows by the difference of two rates where arrivals wait for nobody, so
 * that a few per cent of speed make a multiple of TTFT; with so many users, or so many requests, it cannot.
 */
export function loadKind({ queueShare, open }: ServedLoad): LoadKind {
  if (queueShare < 1 / 3) return 'light';
  if (queueShare <= 2 / 3) return 'loaded';
  return open ? 'backlogged' : 'crowded';
}

export function modelKind({ mla, moe }: ModelShape): ModelKind {
  if (mla !== undefined) return 'mla';
  return moe === undefined ? 'dense' : 'moe';
}

/**
 * The cells that a prediction belongs to, narrowest first; none where no measurement says anything: times that the plan
 * states itself, and the throughput of open arrivals that are kept up with, which is their rate.
 */
export function cellsOf(input: EngineInput, load: ServedLoad, figure: ErrorFigure): readonly Cell[] {
  const kind = loadKind(load);
  if (input.cost.kind === 'linear') return [];
  if (figure === 'throughput' && load.open && kind !== 'backlogged') return [];
  if (input.costScale !== undefined) return widest('calibrated', kind);
  const gpu = input.gpu.kernels?.family ?? 'other';
  // 'other' is no family: what stands in for one GPU of it says nothing of the next.
  const own: readonly Cell[] =
    gpu === 'other'
      ? []
      : [
          { basis: 'published', gpu, model: modelKind(input.model), load: kind },
          { basis: 'published', gpu, model: null, load: kind },
        ];
  return [...own, ...widest(gpu in families ? 'published' : 'standIn', kind)];
}

/** The cells over all GPUs and models. */
export function widest(basis: Cell['basis'], load: LoadKind): readonly Cell[] {
  return [
    { basis, gpu: null, model: null, load },
    { basis, gpu: null, model: null, load: null },
  ];
}

/** Its key in the data file: 'hopper dense light', 'light', 'standIn light', 'all'. */
export function cellName({ basis, gpu, model, load }: Cell): string {
  const parts = [basis === 'published' ? null : basis, gpu, model, load].filter((part) => part !== null);
  return parts.length === 0 ? 'all' : parts.join(' ');
}

/** The band of the first of the cells that has one; null where none has. */
export function bandOf(candidates: readonly Cell[], figure: ErrorFigure, table: BandTable = COMMITTED): Band | null {
  for (const cell of candidates) {
    const row = table[cellName(cell)]?.[figure];
    if (row === undefined) continue;
    const [measurements, sources, low, median, high] = row;
    return { low, median, high, measurements, sources, cell };
  }
  return null;
}

/** @returns null for times that the plan states itself. */
export function confidenceOf(input: EngineInput, load: ServedLoad): Confidence | null {
  if (input.cost.kind === 'linear') return null;
  const band = (figure: ErrorFigure): Band | null => bandOf(cellsOf(input, load, figure), figure);
  return { measuredPolicy: 'vllm', ttft: band('ttft'), tpot: band('tpot'), throughput: band('throughput') };
}

/**
 * Shares of the requests that break the SLO if every TTFT and TPOT is off by as much as the ends of their bands say.
 * Null without an SLO or a band.
 */
export function violationsWithin(
  records: Records,
  slo: EngineInput['slo'],
  { ttft, tpot }: Confidence,
): Readonly<Record<keyof Violations, readonly [number, number]>> | null {
  if (ttft === null || tpot === null) return null;
  const at = (end: 'low' | 'high'): Violations | null =>
    violations(records, {
      ...slo,
      ttftS: slo.ttftS === null ? null : slo.ttftS / ttft[end],
      tpotS: slo.tpotS === null ? null : slo.tpotS / tpot[end],
    });
  const low = at('low');
  const high = at('high');
  if (low === null || high === null) return null;
  return { ttft: [low.ttft, high.ttft], tpot: [low.tpot, high.tpot], any: [low.any, high.any] };
}
