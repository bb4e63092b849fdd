/**
 * How well one measurement of a deployment, once calibrated on, predicts the others: every row of a configuration in turn
 * calibrates, all its other rows are predicted.
 */
import { fitScales, type Measured, type Observation } from '../../src/calibrate/fit.ts';
import type { CostScale } from '../../src/engine/types.ts';
import { type ComparedRow, compareRow, isSaturatedRow, publishedFigures } from './predict.ts';
import { type PublishedTimes, rowInput, type ValidationRow } from './row.ts';
import { type ErrorStats, errorOf, statsOf } from './summary.ts';

/** Errors of one group of predictions, before and after. */
export interface CalibratedGroup {
  readonly tpotBefore: ErrorStats | null;
  readonly tpot: ErrorStats | null;
  readonly ttftBefore: ErrorStats | null;
  readonly ttft: ErrorStats | null;
}

/** One row predicted once calibrated on one other row of its configuration. */
export interface Pair {
  readonly row: ValidationRow;
  readonly rowsOfConfiguration: number;
  readonly distance: string;
  readonly before: ComparedRow;
  readonly after: ComparedRow;
  /** What the other row says of the step times. */
  readonly costScale: CostScale;
}

/** What makes two rows the same deployment under other loads. */
const CONFIGURATION: readonly (keyof ValidationRow)[] = [
  'source',
  'model',
  'gpu',
  'tp',
  'pp',
  'dp',
  'ep',
  'replicas',
  'nodes',
  'weightDtype',
  'activationDtype',
  'kvDtype',
  'engineVersion',
  'scheduler',
  'gpuMemoryUtilization',
  'prefixCaching',
  'enforceEager',
  'asyncScheduling',
];

/** @param report called with the share of configurations done. @returns every two rows of one deployment, either way. */
export function calibratedPairs(rows: readonly ValidationRow[], report: (fraction: number) => void): readonly Pair[] {
  const configurations = new Map<string, ValidationRow[]>();
  for (const row of rows) {
    if (row.quality === 'low' || !compareRow(row).covered) continue;
    const key = JSON.stringify(CONFIGURATION.map((field) => row[field] ?? null));
    configurations.set(key, [...(configurations.get(key) ?? []), row]);
  }
  const several = [...configurations.values()].filter((members) => members.length > 1);
  return several.flatMap((members, index) => {
    report(index / several.length);
    return pairsOf(members);
  });
}

/** Errors by what may matter, each group by its name. */
export function calibratedStudy(pairs: readonly Pair[]): ReadonlyMap<string, CalibratedGroup> {
  const groups: readonly (readonly [string, (pair: Pair) => string])[] = [
    ['all', () => ''],
    ['rows of the configuration: ', ({ rowsOfConfiguration: n }) => (n <= 2 ? '2' : n <= 5 ? '3 to 5' : '6 and more')],
    ['load: ', ({ distance }) => distance],
    ['source: ', ({ row }) => row.source],
  ];
  return new Map(
    groups.flatMap(([prefix, key]) =>
      [...new Set(pairs.map(key))].sort().map((name) => {
        const members = pairs.filter((pair) => key(pair) === name);
        return [prefix + name, groupOf(members)] as const;
      }),
    ),
  );
}

function pairsOf(members: readonly ValidationRow[]): readonly Pair[] {
  const before = members.map((row) => ({ row, compared: compareRow(row) }));
  return members.flatMap((own) => {
    const observation = observe(own);
    if (observation === null) return [];
    const costScale = fitScales([observation]);
    return before
      .filter(({ row }) => row !== own)
      .map(({ row, compared }) => ({
        row,
        rowsOfConfiguration: members.length,
        distance: distanceOf(own, row),
        before: compared,
        after: compareRow(row, { change: (input) => ({ ...input, costScale }) }),
        costScale,
      }));
  });
}

/** The row as a measurement to calibrate on; null where it does not tell both times of an unsaturated load. */
function observe(row: ValidationRow): Observation | null {
  const built = rowInput(row);
  const { ttftMs, tpotMs } = publishedFigures(row);
  if (!built.ok || ttftMs === null || tpotMs === null || isSaturatedRow(row)) return null;
  const figure = (value: number, times: PublishedTimes | undefined): Measured => ({
    statistic: times?.mean === undefined && times?.p50 !== undefined ? 'median' : 'mean',
    value,
  });
  return {
    input: built.input,
    seeds: row.load.kind === 'poisson' ? 3 : 1,
    ttftMs: figure(ttftMs, row.measured.ttftMs),
    tpotMs: figure(tpotMs, row.measured.tpotMs),
    outputTokensPerS: null,
    saturated: false,
  };
}

function distanceOf(a: ValidationRow, b: ValidationRow): string {
  if (a.load.kind !== b.load.kind) return 'of another kind';
  const size = ({ load }: ValidationRow): number => load.concurrency ?? load.rate ?? 1;
  const factor = Math.max(size(a) / size(b), size(b) / size(a));
  const near = factor <= 2 ? 'up to 2 times' : factor <= 8 ? '2 to 8 times' : 'more than 8 times';
  const lengths = (row: ValidationRow): string => JSON.stringify([row.input, row.output]);
  return `${lengths(a) === lengths(b) ? 'same lengths' : 'other lengths'}, ${near}`;
}

function groupOf(pairs: readonly Pair[]): CalibratedGroup {
  const stats = (when: 'before' | 'after', figure: 'tpotMs' | 'ttftMs'): ErrorStats | null =>
    statsOf(
      pairs
        .map((pair) => pair[when])
        .filter(({ saturated }) => figure === 'tpotMs' || !saturated)
        .flatMap((compared) => errorOf(compared, figure) ?? []),
    );
  return {
    tpotBefore: stats('before', 'tpotMs'),
    tpot: stats('after', 'tpotMs'),
    ttftBefore: stats('before', 'ttftMs'),
    ttft: stats('after', 'ttftMs'),
  };
}
