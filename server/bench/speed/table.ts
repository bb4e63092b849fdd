/** The bench's results as a table for a terminal. */
import type { Measurement, PEERS, Target } from './list.ts';
import type { Task } from './tasks.ts';

/** A measured row; `samples` are the task's values, ascending (absent for what follows from other rows). */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: Measurement['unit'];
  readonly value: number;
  /** Least and most of single runs, in the same unit; absent for what follows from other rows. */
  readonly range?: readonly number[];
  readonly target: Target | null;
  /** Null without a target. */
  readonly met: boolean | null;
  readonly w1: boolean;
  readonly task?: Task;
  readonly samples?: readonly number[];
}

/** Columns: what, value, range of single runs, target, verdict, and for W1 how many times as fast as the peers. */
export function table(rows: readonly Row[], peers: typeof PEERS): string {
  const lines = rows.map(({ title, unit, value, range, target, met, w1 }) => [
    title,
    withUnit(value, unit),
    range === undefined || range[0] === range[1] ? '' : range.map((end) => withUnit(end, unit)).join(' – '),
    target === null
      ? ''
      : 'atLeast' in target
        ? `≥ ${withUnit(target.atLeast, unit)}`
        : `≤ ${withUnit(target.atMost, unit)}`,
    met === null ? '' : met ? 'met' : 'MISSED',
    w1 ? peers.map(({ requestsPerS }) => times(value / requestsPerS)).join('  ') : '',
  ]);
  const header = [
    'measured',
    'value',
    'least – most',
    'target',
    '',
    `over ${peers.map(({ name }) => name).join(', ')}`,
  ];
  const all = [header, ...lines];
  const widths = header.map((_, column) => Math.max(...all.map((cells) => [...cells[column]!].length)));
  return all
    .map((cells) =>
      cells
        .map((cell, k) => (k >= 1 && k <= 3 ? cell.padStart(widths[k]!) : cell.padEnd(widths[k]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function withUnit(value: number, unit: Row['unit']): string {
  switch (unit) {
    case 'requests/s':
      return value >= 1e6 ? `${(value / 1e6).toFixed(2)} M/s` : `${(value / 1e3).toFixed(value >= 1e4 ? 0 : 1)} k/s`;
    case 'ratio':
      return `${value.toFixed(2)}×`;
    case 'MB':
      return `${value.toFixed(0)} MB`;
    case 'ms':
      return `${value.toFixed(value >= 10 ? 0 : 2)} ms`;
    case 'ns':
      return `${value.toFixed(1)} ns`;
  }
}

function times(ratio: number): string {
  return ratio >= 10 ? `${ratio.toFixed(0)}×` : `${ratio.toFixed(2)}×`;
}
