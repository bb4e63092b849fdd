/** The run over time as small multiples: one SVG, one time axis, one cursor. Colours are the style sheet's. */
import type { ReportModel } from '../model.ts';
import {
  type Course,
  type Panel,
  readAloud,
  type Timeline,
  timelineSummary,
  valuesAt,
  valueText,
} from '../timeline.ts';
import { element, svg } from './dom.ts';

const LEFT = 52;
const RIGHT = 12;
/** Heading of a panel, its plot, and the gap to the next. */
const HEADING = 22;
const PLOT = 64;
const GAP = 10;
const AXIS = 38;
const SMALLEST_WIDTH = 260;
/** Room that a label of the time axis needs. */
const LABEL_WIDTH = 56;
const IDLE = 'Point at the drawing, or focus it and use the arrow keys, to read it.';

/** A drawing that follows the width of the page. */
export interface TimelineView {
  readonly view: HTMLElement;
  readonly destroy: () => void;
}

interface Frame {
  readonly width: number;
  readonly x: (timeS: number) => number;
}

const topOf = (panel: number): number => panel * (HEADING + PLOT + GAP) + HEADING;

/** A step curve: each value holds for its span. */
function pathOf({ values, stepS, endS }: Course, x: Frame['x'], y: (value: number) => number): string {
  const parts = values.flatMap((value, k) => {
    const fromS = k * stepS;
    if (fromS >= endS) return [];
    const level = `V${y(value).toFixed(1)}H${x(Math.min(endS, fromS + stepS)).toFixed(1)}`;
    return [k === 0 ? `M${x(0).toFixed(1)},${y(value).toFixed(1)}${level}` : level];
  });
  return parts.join('');
}

function panelView(panel: Panel, index: number, count: number, { width, x }: Frame): SVGElement {
  const top = topOf(index);
  const most = panel.ticks.at(-1) ?? 1;
  const y = (value: number): number => top + PLOT * (1 - value / most);
  const grid = panel.ticks.flatMap((tick) => [
    svg('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
    svg('text', { class: 'tick', x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end' }, valueText(panel, tick)),
  ]);
  const curves = panel.courses.map((course) =>
    svg('path', {
      class: `curve policy-${course.policy}`,
      d: pathOf(course, x, y),
      // Not by colour alone.
      ...(course.policy === 0 && count > 1 ? { 'stroke-dasharray': '6 4' } : {}),
    }),
  );
  const title = svg('text', { class: 'panelTitle', x: 0, y: top - 8 }, panel.title);
  return svg('g', {}, title, ...grid, ...curves);
}

function timeAxis({ ticksS, arrivalsEndS, panels }: Timeline, { width, x }: Frame): readonly SVGElement[] {
  const bottom = topOf(panels.length - 1) + PLOT;
  const every = Math.max(1, Math.ceil((ticksS.length * LABEL_WIDTH) / (width - LEFT - RIGHT)));
  const labels = ticksS
    .filter((_, k) => k % every === 0)
    .map((tick) =>
      svg('text', { class: 'tick', x: x(tick), y: bottom + 16, 'text-anchor': 'middle' }, tick.toLocaleString('en-US')),
    );
  const lastArrival =
    arrivalsEndS === null || arrivalsEndS === 0
      ? []
      : [
          ...panels.map((_, k) =>
            svg('line', {
              class: 'lastArrival',
              x1: x(arrivalsEndS),
              x2: x(arrivalsEndS),
              y1: topOf(k),
              y2: topOf(k) + PLOT,
            }),
          ),
          svg(
            'text',
            {
              class: 'lastArrivalText',
              // On whichever side there is room.
              x: x(arrivalsEndS) + (x(arrivalsEndS) > width / 2 ? -5 : 5),
              y: topOf(0) + 10,
              'text-anchor': x(arrivalsEndS) > width / 2 ? 'end' : 'start',
            },
            'last arrival',
          ),
        ];
  const unit = svg(
    'text',
    { class: 'tick', x: (LEFT + width - RIGHT) / 2, y: bottom + 33, 'text-anchor': 'middle' },
    'seconds since the start',
  );
  return [...labels, unit, ...lastArrival];
}

/** The drawing. The cursor follows the pointer and the arrow keys. */
export function timelineView(model: ReportModel, timeline: Timeline): TimelineView {
  const readout = element('p', { class: 'readout', 'aria-live': 'polite' }, IDLE);
  const figure = element('div', {
    class: 'timeline',
    tabindex: '0',
    role: 'img',
    'aria-label': `${timelineSummary(model, timeline).join(' ')} The table below has the figures.`,
  });
  let width = 0;
  let cursorS: number | null = null;
  let cursor: SVGElement | null = null;
  let figures: readonly SVGElement[] = [];
  const plotWidth = (): number => width - LEFT - RIGHT;
  const x = (timeS: number): number => LEFT + (timeS / timeline.endS) * plotWidth();

  const point = (timeS: number | null): void => {
    cursorS = timeS;
    const at = timeS === null ? LEFT : x(timeS);
    cursor?.setAttribute('class', timeS === null ? 'cursor hidden' : 'cursor');
    for (const end of ['x1', 'x2']) cursor?.setAttribute(end, at.toFixed(1));
    timeline.panels.forEach((panel, k) => {
      figures[k]?.replaceChildren(timeS === null ? '' : valuesAt(model, panel, timeS));
    });
    readout.textContent = timeS === null ? IDLE : readAloud(model, timeline, timeS);
  };

  const draw = (): void => {
    const frame: Frame = { width, x };
    const { panels } = timeline;
    const bottom = topOf(panels.length - 1) + PLOT;
    cursor = svg('line', { class: 'cursor hidden', y1: topOf(0), y2: bottom });
    figures = panels.map((_, k) =>
      svg('text', { class: 'tick', x: width - RIGHT, y: topOf(k) - 8, 'text-anchor': 'end' }),
    );
    figure.replaceChildren(
      svg(
        'svg',
        { width, height: bottom + AXIS, viewBox: `0 0 ${width} ${bottom + AXIS}`, 'aria-hidden': 'true' },
        ...panels.map((panel, k) => panelView(panel, k, model.policies.length, frame)),
        ...timeAxis(timeline, frame),
        cursor,
        ...figures,
      ),
    );
    if (cursorS !== null) point(cursorS);
  };

  const resized = new ResizeObserver(() => {
    const room = Math.max(SMALLEST_WIDTH, figure.clientWidth);
    if (room === width) return;
    width = room;
    draw();
  });
  resized.observe(figure);

  const within = (timeS: number): number => Math.min(timeline.endS, Math.max(0, timeS));
  figure.addEventListener('pointermove', ({ clientX }) => {
    const at = clientX - figure.getBoundingClientRect().left - LEFT;
    point(at < 0 || at > plotWidth() ? null : within((at / plotWidth()) * timeline.endS));
  });
  figure.addEventListener('pointerleave', () => point(null));
  figure.addEventListener('blur', () => point(null));
  figure.addEventListener('keydown', (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -100, End: 100 }[event.key];
    if (steps === undefined) return;
    event.preventDefault();
    point(within((cursorS ?? timeline.endS / 2) + (steps * timeline.endS) / 100));
  });

  return { view: element('div', {}, figure, readout), destroy: () => resized.disconnect() };
}
