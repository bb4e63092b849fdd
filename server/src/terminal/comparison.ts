/** Two policies side by side, over identical arrivals and lengths. */
import type { Distribution, Prediction } from '../forecast/types.ts';
import { likelyText, withinErrorText } from '../language/confidence.ts';
import { fallsBehind, POLICY_NAMES, plainNumber, VERDICT_WORDS, versusText } from '../language/words.ts';
import { formatDurationMs, formatPercent } from '../plan/quantity.ts';
import type { Plan } from '../plan/types.ts';
import { computedFrom, definitions, describeRequests, verdictStyle } from './figures.ts';
import type { Layout } from './problems.ts';
import { type Cell, table } from './style.ts';

type Latency = 'ttftMs' | 'tpotMs' | 'e2eMs';
type Row = readonly (Cell | string)[];

const latencyRows: readonly (readonly [string, Latency, keyof Distribution])[] = [
  ['TTFT mean', 'ttftMs', 'mean'],
  ['     p50', 'ttftMs', 'p50'],
  ['     p90', 'ttftMs', 'p90'],
  ['     p95', 'ttftMs', 'p95'],
  ['     p99', 'ttftMs', 'p99'],
  ['     max', 'ttftMs', 'max'],
  ['TPOT mean', 'tpotMs', 'mean'],
  ['     p50', 'tpotMs', 'p50'],
  ['     p99', 'tpotMs', 'p99'],
  ['     max', 'tpotMs', 'max'],
  ['E2E  mean', 'e2eMs', 'mean'],
  ['     p99', 'e2eMs', 'p99'],
  ['     max', 'e2eMs', 'max'],
];

/** Lines: a table with a column for each policy and one for the change. */
export function describeComparison(
  { slo }: Plan,
  before: Prediction,
  after: Prediction,
  layout: Layout,
): readonly string[] {
  const { paint } = layout;
  const head: Row = ['', POLICY_NAMES[before.policy], POLICY_NAMES[after.policy], 'change'].map(
    (text): Cell => ({ text, style: 'bold' }),
  );
  const latency = latencyRows.map(([name, key, column]) =>
    compared(name, before[key]?.[column], after[key]?.[column], formatDurationMs, timesAsLong),
  );
  const title = `${describeRequests(before)} · scheduler ${before.scheduler} · seed ${before.seed}`;
  return [
    paint('dim', `  ${title}`),
    ...table(
      [
        head,
        ...latency,
        ...missRows(before, after),
        ...throughputRows(before, after),
        verdictRow(before, after),
        ...backlogRows(before, after),
      ],
      paint,
    ),
    '',
    ...definitions([...howSure(before, slo), ...howSure(after, slo), computedFrom(before)], layout),
  ];
}

/** Both policies follow the same step times, so that much of the error is common to them: the ranges say nothing of the change. */
function howSure(prediction: Prediction, slo: Plan['slo']): readonly (readonly [string, string])[] {
  const likely = likelyText(prediction);
  const doubt = withinErrorText(prediction, slo.attainment.value);
  const text = [...(likely === null ? [] : [`${likely}.`]), ...(doubt === null ? [] : [doubt])];
  return text.length === 0 ? [] : [[POLICY_NAMES[prediction.policy], text.join(' ')]];
}

function missRows(before: Prediction, after: Prediction): readonly Row[] {
  const parts = [
    ['Miss the TTFT SLO', 'ttft'],
    ['Miss the TPOT SLO', 'tpot'],
    ['Miss either', 'any'],
  ] as const;
  if (before.violationRate === null && after.violationRate === null) return [];
  const rows = parts.map(([name, key]) =>
    compared(name, before.violationRate?.[key], after.violationRate?.[key], formatPercent, percentagePoints),
  );
  const spread = [before, after].map((prediction) => formatInterval(prediction.violationRate?.interval ?? null));
  return spread.every((text) => text === '')
    ? rows
    : [...rows, ['  10 more seeds', ...spread, after.versus ? versusText(after.versus) : '']];
}

/** The 95 % interval over ten further seeds, kept within what a share can be. */
function formatInterval(interval: readonly [number, number] | null): string {
  if (interval === null) return '';
  const [low, high] = interval.map((bound) => formatPercent(Math.min(Math.max(bound, 0), 1)));
  return low === undefined || low === high ? (high ?? '') : `${low.replace(/ %$/, '')}–${high}`;
}

function throughputRows(before: Prediction, after: Prediction): readonly Row[] {
  const hasSlo = before.violationRate !== null;
  const parts = [
    ['Requests/s', 'requestsPerS'],
    ['Output tokens/s', 'outputTokensPerS'],
    ...(hasSlo ? ([['Requests/s within SLO', 'goodputPerS']] as const) : []),
  ] as const;
  return [
    ...parts.map(([name, key]) =>
      compared(name, before.throughput?.[key], after.throughput?.[key], plainNumber, relativeChange),
    ),
    ['Preemptions', String(before.preemptions), String(after.preemptions), ''],
  ];
}

function verdictRow(before: Prediction, after: Prediction): Row {
  const cell = (prediction: Prediction): Cell => ({
    text: VERDICT_WORDS[prediction.verdict],
    style: verdictStyle(prediction),
  });
  return ['Verdict', cell(before), cell(after), ''];
}

/** Only where the verdict hides that a policy falls behind: requests not served half-way and at the last arrival. */
function backlogRows(before: Prediction, after: Prediction): readonly Row[] {
  if (!fallsBehind(before) && !fallsBehind(after)) return [];
  const cell = (prediction: Prediction): Cell => {
    const { backlog } = prediction;
    if (backlog === undefined) return { text: '–' };
    const text = `${backlog.atHalf} → ${backlog.atEnd}`;
    return fallsBehind(prediction) ? { text, style: 'yellow' } : { text };
  };
  return [['  waiting, half → end', cell(before), cell(after), '']];
}

function compared(
  name: string,
  before: number | undefined,
  after: number | undefined,
  format: (value: number) => string,
  change: (before: number, after: number) => string,
): Row {
  const show = (value: number | undefined) => (value === undefined ? '–' : format(value));
  return [name, show(before), show(after), before === undefined || after === undefined ? '' : change(before, after)];
}

/** "46× shorter", "2.3× longer", "same" where they differ by less than 2 %. */
export function timesAsLong(before: number, after: number): string {
  if (Math.abs(before - after) <= 0.02 * Math.max(before, after)) return 'same';
  if (before === 0 || after === 0) return '';
  return before > after ? `${times(before / after)} shorter` : `${times(after / before)} longer`;
}

/** A ratio of at least 1 as a factor: `1.07×`, `2.3×`, `46×`. */
export function times(ratio: number): string {
  const digits = ratio < 1.1 ? 2 : ratio < 9.95 ? 1 : 0;
  return `${ratio.toFixed(digits)}×`;
}

function percentagePoints(before: number, after: number): string {
  const points = (after - before) * 100;
  if (points === 0) return 'same';
  const text = signed(points, Math.abs(points) < 0.95 ? 1 : 0);
  return `${text} ${text.slice(1) === '1' ? 'point' : 'points'}`;
}

function relativeChange(before: number, after: number): string {
  if (before === after) return 'same';
  if (before === 0 || after === 0) return '';
  if (after >= 2 * before) return `${times(after / before)} more`;
  const percent = (after / before - 1) * 100;
  return Math.abs(percent) < 0.5 ? 'same' : `${signed(percent, 0)} %`;
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
}
