/** The validation report for a terminal. */
import type { CalibratedGroup } from './calibrated.ts';
import type { ComparedRow } from './predict.ts';
import { type ErrorStats, errorOf, GROUPINGS, type GroupSummary, groups, summarize, worst } from './summary.ts';

const WORST = 15;

/** @param rows all rows of the files. The targets look at high and medium quality together, so that comes first. */
export function report(rows: readonly ComparedRow[]): string {
  const judged = rows.filter(({ quality }) => quality !== 'low');
  const parts = [
    section('high and medium quality', [['all', summarize(judged)]]),
    section(
      'by quality, all rows',
      groups(rows, ({ quality }) => quality),
    ),
    ...GROUPINGS.filter(({ by }) => by !== 'quality').map(({ by, key }) =>
      section(`by ${by}, high and medium quality`, groups(judged, key)),
    ),
    worstRows(judged),
    notCovered(rows),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** Errors of rows predicted from one other row of their configuration, without and with calibration. */
export function reportCalibrated(groups: ReadonlyMap<string, CalibratedGroup>): string {
  const header = ['predicted from one other row', 'TPOT before', 'TPOT', 'TTFT before', 'TTFT'];
  const body = [...groups].map(([name, group]) => [
    name,
    cell(group.tpotBefore),
    cell(group.tpot),
    cell(group.ttftBefore),
    cell(group.ttft),
  ]);
  return columns([header, ...body]);
}

function section(title: string, lines: readonly (readonly [string, GroupSummary])[]): string {
  const header = [title, 'rows', 'covered', 'TPOT', 'TTFT unsaturated', 'TTFT saturated', 'throughput'];
  const body = lines.map(([name, group]) => [
    name,
    String(group.rows),
    String(group.covered),
    cell(group.tpot),
    cell(group.ttft),
    cell(group.ttftSaturated),
    cell(group.throughput),
  ]);
  return columns([header, ...body]);
}

/** median |error| · mean |error| · P90 (bias) n. */
function cell(stats: ErrorStats | null): string {
  if (stats === null) return '';
  return `${percent(stats.medianAbs)} ·${percent(stats.meanAbs)} ·${percent(stats.p90Abs)} (${signed(stats.bias)}) ${stats.rows}`;
}

function worstRows(rows: readonly ComparedRow[]): string {
  const header = ['worst rows', 'GPU', 'model', 'load', 'TPOT', 'TTFT', 'throughput'];
  const body = worst(rows, WORST).map((row) => [
    row.id,
    row.gpu,
    row.model,
    row.load,
    error(errorOf(row, 'tpotMs')),
    error(errorOf(row, 'ttftMs')),
    error(errorOf(row, 'outputTokS')),
  ]);
  return columns([header, ...body]);
}

function notCovered(rows: readonly ComparedRow[]): string {
  const missing = rows.filter(({ covered }) => !covered);
  if (missing.length === 0) return `all ${rows.length} rows covered`;
  const lines = missing.map(({ id, gpu, model, reason }) => `  ${id}  ${gpu}  ${model}: ${reason}`);
  return [`not covered: ${missing.length} of ${rows.length}`, ...lines].join('\n');
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`.padStart(7);
const signed = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(share * 100).toFixed(1)} %`;
const error = (share: number | null): string => (share === null ? '' : signed(share));

function columns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  return lines
    .map((cells) =>
      cells
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
