/** The TTFT distribution of one policy or two: share of requests over waiting time. */
import uPlot from 'uplot';
import { POLICY_NAMES } from '../../../../server/src/language/words.ts';
import { formatDurationMs, formatPercent } from '../../../../server/src/plan/quantity.ts';
import type { Curve, ReportModel } from '../model.ts';
import { element } from './dom.ts';

const HEIGHT_PX = 240;
/** Waits spread wider than this are drawn on a logarithmic axis. */
const LOG_RATIO = 20;
/** A logarithmic axis has no zero; no first token takes less than this. */
const SMALLEST_MS = 0.1;

/** A drawn plot. */
export interface Plot {
  readonly view: HTMLElement;
  /** Draws again in the colours of the theme. */
  readonly repaint: () => void;
  readonly destroy: () => void;
}

/** Share of the requests that have their first token within `ms`. */
export function shareAt(curve: Curve, ms: number): number {
  let low = 0;
  let high = curve.ms.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((curve.ms[middle] ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : (curve.share[low - 1] ?? 0);
}

/** Round values (1, 2, 5 × 10ⁿ) from `min` to `max`. */
export function logSplits(min: number, max: number): number[] {
  const splits: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (const digit of [1, 2, 5]) {
      const value = digit * 10 ** power;
      if (value >= min && value <= max) splits.push(value);
    }
  }
  return splits;
}

function axisRange(model: ReportModel): { readonly min: number; readonly max: number; readonly log: boolean } | null {
  const all = model.policies.flatMap(({ ttft }) => [ttft.ms[0], ttft.ms.at(-1)]).filter((ms) => ms !== undefined);
  if (all.length === 0) return null;
  const slo = model.plan.slo.ttftMs;
  const reach = slo === null ? all : [...all, slo];
  const low = Math.max(SMALLEST_MS, Math.min(...reach));
  const high = Math.max(low, ...reach);
  const log = high / low > LOG_RATIO;
  return log ? { min: low / 1.3, max: high * 1.3, log } : { min: 0, max: high * 1.08, log };
}

/** The plot; null where no request got a first token. The cursor follows the mouse and the arrow keys. */
export function plotView(model: ReportModel): Plot | null {
  const range = axisRange(model);
  if (range === null) return null;
  const { min, max, log } = range;
  const curves = model.policies.map(({ ttft }) => ttft);
  const names = model.policies.map(({ policy }) => POLICY_NAMES[policy]);
  // One common axis of all kept values; a step function is exact between them.
  const xs = [...new Set([min, ...curves.flatMap(({ ms }) => ms.map((value) => Math.max(value, min))), max])].sort(
    (a, b) => a - b,
  );
  const data: uPlot.AlignedData = [xs, ...curves.map((curve) => xs.map((x) => shareAt(curve, x)))];

  const readout = element('p', { class: 'readout', 'aria-live': 'polite' });
  const idle = 'Point at the plot, or focus it and use the arrow keys, to read it.';
  readout.textContent = idle;
  const canvas = element('div', {
    class: 'plot',
    tabindex: '0',
    role: 'img',
    'aria-label': `Share of requests over time to first token, for ${names.join(' and ')}. The table below has the figures.`,
  });
  const view = element('div', {}, canvas, readout);

  const colours = (): {
    readonly text: string;
    readonly grid: string;
    readonly lines: readonly string[];
    readonly slo: string;
  } => {
    const style = getComputedStyle(document.body);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    return {
      text: colour('--text'),
      grid: colour('--grid'),
      lines: [colour('--policy-0'), colour('--policy-1')],
      slo: colour('--slo'),
    };
  };

  const drawSlo = (plot: uPlot): void => {
    const slo = model.plan.slo.ttftMs;
    if (slo === null) return;
    const { ctx, bbox } = plot;
    const x = plot.valToPos(slo, 'x', true);
    const paint = colours();
    ctx.save();
    ctx.strokeStyle = paint.slo;
    ctx.fillStyle = paint.slo;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    // On whichever side there is room.
    const onLeft = x > bbox.left + bbox.width / 2;
    ctx.textAlign = onLeft ? 'right' : 'left';
    ctx.textBaseline = 'bottom';
    const gap = 5 * devicePixelRatio;
    ctx.fillText(`SLO ${formatDurationMs(slo)}`, x + (onLeft ? -gap : gap), bbox.top + bbox.height - gap);
    ctx.restore();
  };

  const tell = (plot: uPlot): void => {
    const index = plot.cursor.idx;
    const x = index === null || index === undefined ? undefined : xs[index];
    if (x === undefined) {
      readout.textContent = idle;
      return;
    }
    const shares = curves.map((curve, series) => `${names[series]} ${formatPercent(shareAt(curve, x))}`);
    readout.textContent = `Within ${formatDurationMs(x)}: ${shares.join(', ')} of the requests have their first token.`;
  };

  const draw = (): uPlot => {
    const paint = colours();
    const axis = {
      stroke: paint.text,
      grid: { stroke: paint.grid, width: 1 },
      ticks: { stroke: paint.grid, width: 1, size: 4 },
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
    };
    return new uPlot(
      {
        width: Math.max(200, canvas.clientWidth),
        height: HEIGHT_PX,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: {
          x: log ? { time: false, distr: 3, range: () => [min, max] } : { time: false, range: () => [min, max] },
          y: { range: () => [0, 1.02] },
        },
        axes: [
          {
            ...axis,
            ...(log
              ? { splits: (plot: uPlot) => roomySplits(plot, min, max), filter: (_: uPlot, splits: number[]) => splits }
              : {}),
            values: (_: uPlot, splits: number[]) => splits.map(formatDurationMs),
            space: 60,
            size: 32,
          },
          {
            ...axis,
            splits: () => [0, 0.25, 0.5, 0.75, 1],
            values: (_: uPlot, splits: number[]) => splits.map(formatPercent),
            size: 52,
          },
        ],
        series: [
          {},
          ...names.map((label, index) => ({
            label,
            stroke: paint.lines[index] ?? paint.text,
            width: 2,
            // Not by colour alone.
            ...(index === 0 && names.length > 1 ? { dash: [6, 4] } : {}),
            paths: uPlot.paths.stepped!({ align: 1 }),
            points: { show: false },
          })),
        ],
        hooks: { draw: [drawSlo], setCursor: [tell] },
      },
      data,
      canvas,
    );
  };

  let plot: uPlot | undefined;
  const repaint = (): void => {
    plot?.destroy();
    plot = draw();
  };
  const resized = new ResizeObserver(() => {
    if (plot === undefined) repaint();
    else if (plot.width !== canvas.clientWidth)
      plot.setSize({ width: Math.max(200, canvas.clientWidth), height: HEIGHT_PX });
  });
  resized.observe(canvas);

  canvas.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (step === undefined || plot === undefined) return;
    event.preventDefault();
    const width = plot.over.clientWidth;
    const from = (plot.cursor.left ?? -1) < 0 ? width / 2 : plot.cursor.left!;
    plot.setCursor({
      left: Math.min(width, Math.max(0, from + (step * width) / 100)),
      top: plot.over.clientHeight / 2,
    });
  });
  canvas.addEventListener('blur', () => plot?.setCursor({ left: -10, top: -10 }));

  return {
    view,
    repaint,
    destroy: () => {
      resized.disconnect();
      plot?.destroy();
    },
  };
}

/** As many round values as the axis has room for. */
function roomySplits(plot: uPlot, min: number, max: number): number[] {
  const all = logSplits(min, max);
  const room = Math.max(2, Math.floor(plot.width / 70));
  if (all.length <= room) return all;
  const decades = all.filter((value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9);
  return decades.length >= 2 ? decades : all.filter((_, index) => index % 2 === 0);
}
