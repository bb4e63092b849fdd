/** Errors of many compared rows: how large, which way, and where the worst are. */
import type { ComparedRow, Figures } from './predict.ts';

export const FIGURES = ['ttftMs', 'tpotMs', 'outputTokS'] as const satisfies readonly (keyof Figures)[];

/** Relative errors, as shares: 0.1 is 10 %. */
export interface ErrorStats {
  readonly rows: number;
  readonly medianAbs: number;
  readonly meanAbs: number;
  readonly p90Abs: number;
  /** Median signed error: above 0 means that we predict too much. */
  readonly bias: number;
}

export interface GroupSummary {
  readonly rows: number;
  readonly covered: number;
  /** TTFT of rows that are not saturated; the saturated ones measure throughput and stand beside it. */
  readonly ttft: ErrorStats | null;
  readonly ttftSaturated: ErrorStats | null;
  readonly tpot: ErrorStats | null;
  readonly throughput: ErrorStats | null;
}

/** Signed relative error of one figure, or null where it is not comparable. */
export function errorOf(row: ComparedRow, figure: keyof Figures): number | null {
  const measured = row.measured[figure];
  const predicted = row.predicted?.[figure] ?? null;
  return measured === null || measured <= 0 || predicted === null ? null : predicted / measured - 1;
}

export function summarize(rows: readonly ComparedRow[]): GroupSummary {
  const errors = (of: readonly ComparedRow[], figure: keyof Figures): ErrorStats | null =>
    statsOf(of.flatMap((row) => errorOf(row, figure) ?? []));
  return {
    rows: rows.length,
    covered: rows.filter(({ covered }) => covered).length,
    ttft: errors(
      rows.filter(({ saturated }) => !saturated),
      'ttftMs',
    ),
    ttftSaturated: errors(
      rows.filter(({ saturated }) => saturated),
      'ttftMs',
    ),
    tpot: errors(rows, 'tpotMs'),
    throughput: errors(rows, 'outputTokS'),
  };
}

/** @param errors signed shares; null for none. */
export function statsOf(errors: readonly number[]): ErrorStats | null {
  if (errors.length === 0) return null;
  const signed = errors.toSorted((a, b) => a - b);
  const absolute = errors.map(Math.abs).sort((a, b) => a - b);
  return {
    rows: errors.length,
    medianAbs: quantile(absolute, 0.5),
    meanAbs: absolute.reduce((sum, each) => sum + each, 0) / absolute.length,
    p90Abs: quantile(absolute, 0.9),
    bias: quantile(signed, 0.5),
  };
}

/** @param sorted ascending. Type 7, as everywhere in the project. */
export function quantile(sorted: readonly number[], p: number): number {
  const rank = p * (sorted.length - 1);
  const low = sorted[Math.floor(rank)] ?? 0;
  const high = sorted[Math.ceil(rank)] ?? low;
  return low + (high - low) * (rank - Math.floor(rank));
}

/** The kinds of groups that the report prints, in this order. */
export const GROUPINGS: readonly { readonly by: string; readonly key: (row: ComparedRow) => string }[] = [
  { by: 'quality', key: ({ quality }) => quality },
  { by: 'source', key: ({ source }) => source },
  { by: 'gpu', key: ({ gpu }) => gpu },
  { by: 'model', key: ({ model }) => model },
  { by: 'load', key: ({ load }) => load },
];

/** Groups of one kind by name, in order of their names. */
export function groups(
  rows: readonly ComparedRow[],
  key: (row: ComparedRow) => string,
): readonly (readonly [string, GroupSummary])[] {
  const names = [...new Set(rows.map(key))].sort();
  return names.map((name) => [name, summarize(rows.filter((row) => key(row) === name))] as const);
}

/** The rows furthest off, by the larger of |ln predicted/measured| of TPOT and throughput (and TTFT where unsaturated). */
export function worst(rows: readonly ComparedRow[], count: number): readonly ComparedRow[] {
  const badness = (row: ComparedRow): number =>
    Math.max(
      ...FIGURES.map((figure) => {
        const error = figure === 'ttftMs' && row.saturated ? null : errorOf(row, figure);
        return error === null ? 0 : Math.abs(Math.log(Math.max(1e-9, 1 + error)));
      }),
    );
  return rows
    .filter(({ covered }) => covered)
    .toSorted((a, b) => badness(b) - badness(a))
    .slice(0, count);
}
