/** What the plots show, without naming rows. */
import type { ComparedRow } from '../validate/predict.ts';
import { quantile } from '../validate/summary.ts';
import { type Cut, familyOf, type Judged } from './leaveOut.ts';
import { judgedError } from './residuals.ts';
import type { ConcurrencyBin, PlotData, PlottedFamily, PlottedFigure } from './types.ts';

/** @param without the rows as predicted with one of these left out. */
export function plotData(judged: readonly Judged[], without: (what: Cut['what']) => readonly ComparedRow[]): PlotData {
  const shipped = judged.map(({ compared }) => compared);
  return {
    points: byFigure((figure) => pointsOf(judged, figure)),
    byConcurrency: { tpotMs: binsOf(judged, 'tpotMs'), ttftMs: binsOf(judged, 'ttftMs') },
    curves: byFigure((figure) => ({
      shipped: curveOf(shipped, figure),
      model: curveOf(without('model'), figure),
      gpu: curveOf(without('GPU'), figure),
      family: curveOf(without('family'), figure),
    })),
  };
}

function byFigure<T>(of: (figure: PlottedFigure) => T): Readonly<Record<PlottedFigure, T>> {
  return { tpotMs: of('tpotMs'), ttftMs: of('ttftMs'), outputTokS: of('outputTokS') };
}

/** Families of kernels as the plots colour them. */
const PLOTTED: Readonly<Record<string, PlottedFamily>> = {
  ampere: 'ampere',
  ampereGddr: 'ampere',
  ampereGddrEcc: 'ampere',
  hopper: 'hopper',
  blackwell: 'blackwell',
  blackwellGddr: 'blackwell',
  ada: 'ada',
  adaEcc: 'ada',
};

function pointsOf(judged: readonly Judged[], figure: PlottedFigure): PlotData['points'][PlottedFigure] {
  const points: Record<PlottedFamily, [number, number][]> = {
    ampere: [],
    hopper: [],
    blackwell: [],
    ada: [],
    older: [],
  };
  for (const { row, compared } of judged) {
    const measured = compared.measured[figure];
    const predicted = compared.predicted?.[figure] ?? null;
    if (measured === null || predicted === null || judgedError(compared, figure) === null) continue;
    points[PLOTTED[familyOf(row)] ?? 'older'].push([measured, predicted]);
  }
  // In no order that would tell which row is which.
  for (const family of Object.values(points)) family.sort(([a], [b]) => a - b);
  return points;
}

/** Numbers of users, each with those nearest to it; below four there are hardly any rows. */
const USERS = [4, 8, 16, 32, 64, 128, 256, 512] as const;
const FEWEST_ROWS = 4;

function binsOf(judged: readonly Judged[], figure: 'tpotMs' | 'ttftMs'): readonly ConcurrencyBin[] {
  return USERS.flatMap((users) => {
    const errors = judged
      .filter(({ row }) => {
        const { kind, concurrency = 0 } = row.load;
        return kind === 'closed' && concurrency >= users / Math.SQRT2 && concurrency < users * Math.SQRT2;
      })
      .flatMap(({ compared }) => judgedError(compared, figure) ?? [])
      .sort((a, b) => a - b);
    if (errors.length < FEWEST_ROWS) return [];
    const at = (share: number): number => quantile(errors, share);
    return [{ users, rows: errors.length, p10: at(0.1), median: at(0.5), p90: at(0.9) }];
  });
}

const CURVE_STEPS = 50;

function curveOf(rows: readonly ComparedRow[], figure: PlottedFigure): readonly number[] {
  const errors = rows
    .flatMap((row) => judgedError(row, figure) ?? [])
    .map(Math.abs)
    .sort((a, b) => a - b);
  return Array.from({ length: CURVE_STEPS + 1 }, (_, k) => quantile(errors, k / CURVE_STEPS));
}
