/** How the runs went over time, ready to be drawn in small multiples over one time axis, and in words. No DOM here. */
import type { Series } from '../../../server/src/forecast/types.ts';
import { POLICY_NAMES, plainNumber } from '../../../server/src/language/words.ts';
import { formatDurationMs, formatPercent } from '../../../server/src/plan/quantity.ts';
import type { ReportModel } from './model.ts';
import type { Table } from './tables.ts';

/** One policy's course of a quantity: averages over spans of `stepS`, the last one cut off at `endS`. */
export interface Course {
  /** Index of the policy in the report. */
  readonly policy: number;
  readonly stepS: number;
  readonly endS: number;
  readonly values: readonly number[];
}

/** One quantity, for all policies on one scale. */
export interface Panel {
  readonly title: string;
  /** "waiting", after a number. */
  readonly noun: string;
  /** True: values are shares, 0 to 1; else requests. */
  readonly share: boolean;
  /** Ends of the scale are 0 and the last tick. */
  readonly ticks: readonly number[];
  readonly courses: readonly Course[];
}

export interface Timeline {
  /** End of the longest run, s. */
  readonly endS: number;
  readonly ticksS: readonly number[];
  /** When the last request arrives, s; null where that depends on the policy (closed loops). */
  readonly arrivalsEndS: number | null;
  readonly panels: readonly Panel[];
}

type Column = Exclude<keyof Series, 'stepS'>;

interface Quantity {
  readonly column: Column;
  readonly title: string;
  readonly noun: string;
  readonly share: boolean;
  /** False: left out where it is zero throughout. */
  readonly always: boolean;
}

const QUANTITIES: readonly Quantity[] = [
  { column: 'queue', title: 'Requests waiting for their prefill', noun: 'waiting', share: false, always: true },
  { column: 'decoding', title: 'Requests decoding', noun: 'decoding', share: false, always: true },
  { column: 'parked', title: 'Requests parked after their first token', noun: 'parked', share: false, always: false },
  { column: 'gpuKvShare', title: 'KV cache in use on the GPUs', noun: 'of the KV cache', share: true, always: true },
  { column: 'hostKvShare', title: 'KV cache in use on the host', noun: 'of the host pool', share: true, always: false },
  {
    column: 'linkBusy',
    title: 'Host links in use, of both directions',
    noun: 'of the links',
    share: true,
    always: false,
  },
];

/** The figures over time of all policies that ran; null where none did. */
export function timelineOf(model: ReportModel): Timeline | null {
  const runs = model.policies.flatMap(({ series, endS, arrivalsEndS }, policy) =>
    series === null ? [] : [{ policy, series, endS, arrivalsEndS }],
  );
  const first = runs[0];
  const endS = Math.max(...runs.map((run) => run.endS));
  // Nothing was served: there is no time to draw.
  if (first === undefined || endS === 0) return null;
  const { replicas, gpusPerReplica, tensor, pipeline } = model.plan;
  // The series counts busy directions of every data-parallel rank.
  const directions = (2 * replicas * gpusPerReplica) / (tensor * pipeline);
  const panels = QUANTITIES.flatMap(({ column, title, noun, share, always }) => {
    const courses = runs.map(({ policy, series, endS }) => ({
      policy,
      stepS: series.stepS,
      endS,
      values: column === 'linkBusy' ? series[column].map((busy) => busy / directions) : series[column],
    }));
    const most = Math.max(0, ...courses.flatMap(({ values }) => values));
    if (most === 0 && !always) return [];
    const ticks = column === 'gpuKvShare' ? [0, 0.5, 1] : roundTicks(most, 3);
    return [{ title, noun, share, courses, ticks }];
  });
  const arrivesAlike = runs.every(({ arrivalsEndS }) => arrivalsEndS === first.arrivalsEndS);
  return {
    endS,
    ticksS: roundTicks(endS, 8).filter((tick) => tick <= endS),
    arrivalsEndS: arrivesAlike ? first.arrivalsEndS : null,
    panels,
  };
}

/** Round values from 0 to at least `most`, with about `steps` steps of 1, 2 or 5 × 10ⁿ between them. */
export function roundTicks(most: number, steps: number): readonly number[] {
  if (!(most > 0)) return [0, 1];
  const power = 10 ** Math.floor(Math.log10(most / steps));
  const step =
    [1, 2, 5, 10].map((digit) => digit * power).find((each) => each * steps >= most * (1 - 1e-9)) ?? 10 * power;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, k) => Number((k * step).toPrecision(6)));
}

/** The value at a time; null once the run is over. */
export function valueAt({ stepS, endS, values }: Course, timeS: number): number | null {
  if (timeS > endS) return null;
  return values[Math.min(values.length - 1, Math.floor(timeS / stepS))] ?? null;
}

/** A value of a panel as text: "12 %", "3.4". */
export function valueText({ share }: Panel, value: number | null): string {
  if (value === null) return '–';
  return share ? formatPercent(value) : plainNumber(value);
}

interface Peak {
  readonly value: number;
  readonly timeS: number;
}

function peakOf({ values, stepS }: Course): Peak {
  const value = Math.max(0, ...values);
  return { value, timeS: Math.max(0, values.indexOf(value)) * stepS };
}

function meanOf({ values, stepS, endS }: Course): number {
  const sum = values.reduce((total, value, k) => total + value * Math.max(0, Math.min(stepS, endS - k * stepS)), 0);
  return endS > 0 ? sum / endS : 0;
}

/** What the drawing shows: "vLLM: at most 34 waiting, …" for each policy, and what a point of it is. */
export function timelineSummary(model: ReportModel, { panels }: Timeline): readonly string[] {
  const sentences = model.policies.flatMap(({ policy, series }, index) => {
    if (series === null) return [];
    const parts = panels.flatMap((panel, k) => {
      const course = panel.courses.find((each) => each.policy === index);
      if (course === undefined) return [];
      const { value } = peakOf(course);
      return value === 0 && k > 0 ? [] : [`${valueText(panel, value)} ${panel.noun}`];
    });
    return [`${POLICY_NAMES[policy]}: at most ${parts.join(', ')}.`];
  });
  const spansS = panels.flatMap(({ courses }) => courses.map(({ stepS }) => stepS));
  return [...sentences, `Averages over ${formatDurationMs(Math.max(...spansS) * 1000)} at a time.`];
}

/** "At 49 s: waiting vLLM 12, LayerKV 0; …", for those who cannot see the drawing. */
export function readAloud(model: ReportModel, { panels }: Timeline, timeS: number): string {
  const parts = panels.map((panel) => `${panel.title}: ${valuesAt(model, panel, timeS)}`);
  return `At ${formatDurationMs(timeS * 1000)}. ${parts.join('; ')}.`;
}

/** "vLLM 12 · LayerKV 0". */
export function valuesAt(model: ReportModel, panel: Panel, timeS: number): string {
  return panel.courses
    .map((course) => {
      const policy = model.policies[course.policy]?.policy;
      return `${policy === undefined ? '' : POLICY_NAMES[policy]} ${valueText(panel, valueAt(course, timeS))}`.trim();
    })
    .join(' · ');
}

/** Table twin of the drawing. */
export function timelineTable(model: ReportModel, { panels, arrivalsEndS }: Timeline): Table {
  return {
    caption: 'The run over time',
    columns: ['', 'mean', 'most', 'at', ...(arrivalsEndS === null ? [] : ['at the last arrival'])],
    groups: panels.map((panel) => ({
      name: panel.title,
      rows: panel.courses.flatMap((course) => {
        const policy = model.policies[course.policy]?.policy;
        if (policy === undefined) return [];
        const peak = peakOf(course);
        return [
          {
            head: POLICY_NAMES[policy],
            policy: course.policy,
            cells: [
              valueText(panel, meanOf(course)),
              valueText(panel, peak.value),
              peak.value === 0 ? '–' : formatDurationMs(peak.timeS * 1000),
              ...(arrivalsEndS === null ? [] : [valueText(panel, valueAt(course, arrivalsEndS))]),
            ],
          },
        ];
      }),
    })),
  };
}
