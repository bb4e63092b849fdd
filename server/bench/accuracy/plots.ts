/** The plots of `docs/accuracy.md`. */
import { type Axis, type Panel, plot, type Series } from '../plot.ts';
import type { PlotData, PlottedFamily, PlottedFigure } from './types.ts';

const FAMILY_LABELS: Readonly<Record<PlottedFamily, string>> = {
  ampere: 'Ampere',
  hopper: 'Hopper',
  blackwell: 'Blackwell',
  ada: 'Ada',
  older: 'older',
};
const FAMILIES = Object.keys(FAMILY_LABELS) as readonly PlottedFamily[];

/** Predicted against measured, a panel a figure. */
export function scatterPlot({ points }: PlotData): string {
  const panel = (figure: PlottedFigure, title: string, axis: Axis): Panel => ({
    title,
    x: { ...axis, ticks: axis.ticks.filter(({ at }) => Number.isInteger(Math.log10(at))), title: 'measured' },
    y: axis,
    series: [
      {
        look: 'reference',
        label: 'equal, ±30 %',
        shape: 'curve',
        // Also where the band meets the edges, so that it keeps its width up to there.
        points: [axis.min, axis.min / 0.7, axis.max / 1.3, axis.max].map((at) => ({
          x: at,
          y: at,
          low: Math.max(axis.min, at * 0.7),
          high: Math.min(axis.max, at * 1.3),
        })),
      },
      ...FAMILIES.map(
        (family): Series => ({
          look: family,
          label: FAMILY_LABELS[family],
          shape: 'cloud',
          points: points[figure][family].map(([x, y]) => ({ x: inside(axis, x), y: inside(axis, y) })),
        }),
      ).filter((series) => series.points.length > 0),
    ],
  });
  const ms = (values: readonly number[]): Axis => ({
    kind: 'log',
    min: values[0] ?? 1,
    max: values.at(-1) ?? 1,
    ticks: values.map((at) => ({ at, label: at < 1000 ? `${at} ms` : `${at / 1000} s` })),
  });
  const rate: Axis = {
    kind: 'log',
    min: 10,
    max: 30_000,
    ticks: [10, 100, 1000, 10_000].map((at) => ({ at, label: at < 1000 ? `${at}/s` : `${at / 1000}k/s` })),
  };
  return plot(
    [
      panel('tpotMs', 'Time per output token', ms([2, 5, 10, 20, 50, 100, 200, 500, 1000])),
      panel('ttftMs', 'Time to first token, unsaturated', ms([10, 30, 100, 300, 1000, 3000, 10_000])),
      panel('outputTokS', 'Output tokens a second', rate),
    ],
    {
      title: 'Predicted against measured',
      vertical: 'vertical: predicted',
      description:
        'Predicted against measured TPOT, TTFT and throughput of published vLLM measurements, by family of GPUs, with a band of 30 % either way.',
    },
  );
}

const inside = ({ min, max }: Axis, value: number): number => Math.min(max, Math.max(min, value));

const SIGNED_LIMIT = 60;

/** Signed errors of closed loops over their number of users. */
export function concurrencyPlot({ byConcurrency }: PlotData): string {
  const percent = (share: number): number => Math.max(-SIGNED_LIMIT, Math.min(SIGNED_LIMIT, 100 * share));
  const panel = (figure: 'tpotMs' | 'ttftMs', title: string): Panel => ({
    title,
    x: {
      kind: 'log',
      min: 3.2,
      max: 640,
      ticks: [4, 8, 16, 32, 64, 128, 256, 512].map((at) => ({ at, label: String(at) })),
      title: 'users of the closed loop',
    },
    y: {
      kind: 'linear',
      min: -SIGNED_LIMIT,
      max: SIGNED_LIMIT,
      ticks: [-60, -30, 0, 30, 60].map((at) => ({ at, label: `${at > 0 ? '+' : at < 0 ? '−' : ''}${Math.abs(at)} %` })),
    },
    series: [
      {
        look: 'layerkv',
        label: 'median, and the band that leaves out a tenth of the rows on either side',
        points: byConcurrency[figure].map(({ users, p10, median, p90 }) => ({
          x: users,
          y: percent(median),
          low: percent(p10),
          high: percent(p90),
        })),
      },
    ],
  });
  return plot([panel('tpotMs', 'Time per output token'), panel('ttftMs', 'Time to first token, unsaturated')], {
    title: 'Error by number of users',
    vertical: `predicted / measured − 1, cut off at ${SIGNED_LIMIT} %`,
    description:
      'Median and P10 to P90 of the signed error of TPOT and TTFT against the number of users of closed loops.',
  });
}

const CURVE_MOST = 0.6;

/** Shares of rows within an error: as shipped, and predicted without their model's or GPU's measurements. */
export function curvePlot({ curves }: PlotData): string {
  const panel = (figure: PlottedFigure, title: string): Panel => {
    const series = (look: Series['look'], label: string, errors: readonly number[]): Series => ({
      look,
      label,
      shape: 'curve',
      points: errors
        .map((error, k) => ({ x: 100 * error, y: (100 * k) / (errors.length - 1) }))
        .filter(({ x }) => x <= 100 * CURVE_MOST),
    });
    const { shipped, model, gpu, family } = curves[figure];
    return {
      title,
      x: {
        kind: 'linear',
        min: 0,
        max: 100 * CURVE_MOST,
        ticks: [0, 10, 20, 30, 40, 50, 60].map((at) => ({ at, label: `${at} %` })),
        title: 'absolute error, at most',
      },
      y: {
        kind: 'linear',
        min: 0,
        max: 100,
        ticks: [0, 25, 50, 75, 90, 100].map((at) => ({ at, label: `${at} %` })),
      },
      series: [
        series('layerkv', 'as shipped', shipped),
        series('hopper', 'its model left out', model),
        series('blackwell', 'its GPU left out', gpu),
        series('ada', 'its whole family of GPUs left out', family),
      ],
    };
  };
  return plot(
    [
      panel('tpotMs', 'Time per output token'),
      panel('ttftMs', 'Time to first token, unsaturated'),
      panel('outputTokS', 'Output tokens a second'),
    ],
    {
      title: 'Share of rows within an error',
      vertical: 'share of rows',
      description:
        'Cumulative distribution of the absolute error of TPOT, TTFT and throughput: as shipped, with the row’s model left out of all fits, with its GPU left out, and with its family of GPUs left out.',
    },
  );
}
