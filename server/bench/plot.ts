/** Small plots as SVG text, readable in light and dark. Deterministic: the same numbers give the same bytes. */

/** Series of one look each: published points, the two policies and the ablation, and reference lines. */
type BaseLook = 'published' | 'vllm' | 'layerkv' | 'ablation' | 'reference';

/** Further looks, light and dark: colours of Okabe and Ito, which readers of all kinds of sight tell apart. */
const FURTHER = {
  ampere: ['#0072b2', '#58a6ff'],
  hopper: ['#d55e00', '#f0883e'],
  blackwell: ['#00805f', '#3fb68b'],
  ada: ['#b3478d', '#e29bc4'],
  older: ['#6e7781', '#a0a8b0'],
} as const;

export type Look = BaseLook | keyof typeof FURTHER;

export interface Series {
  readonly look: Look;
  /** A line with its points if absent; `curve`: the line alone; `cloud`: many small points alone. */
  readonly shape?: 'curve' | 'cloud';
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly low?: number; readonly high?: number }[];
}

export interface Axis {
  readonly kind: 'linear' | 'log';
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
  /** Shown under a horizontal axis. */
  readonly title?: string;
}

/** A place of the plot that a short text speaks of. */
export interface Note {
  readonly x: number;
  /** Span that the note measures, in units of y. */
  readonly low: number;
  readonly high: number;
  readonly text: string;
}

export interface Panel {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** A horizontal line with its name. */
  readonly limit?: { readonly y: number; readonly label: string };
  readonly notes?: readonly Note[];
}

const MARGIN = { left: 58, right: 18, top: 34, bottom: 46 };
const LEGEND_HEIGHT = 34;
const PANEL_HEIGHT = 330;

const STYLE = `
  .card { fill: #ffffff; stroke: #d0d7de; }
  text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #57606a; }
  .title { font-size: 13px; font-weight: 600; fill: #1f2328; }
  .legend { fill: #1f2328; }
  .grid { stroke: #d8dee4; stroke-width: 1; }
  .axis { stroke: #8c959f; stroke-width: 1; }
  .limit { stroke: #cf222e; stroke-width: 1; stroke-dasharray: 2 3; }
  .limit-name { fill: #cf222e; }
  .note { stroke: #57606a; stroke-width: 1.2; fill: none; }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .band { opacity: 0.18; }
  .published { color: #424a53; } .vllm { color: #b35900; } .layerkv { color: #0969da; }
  .ablation { color: #8250df; } .reference { color: #8c959f; }
  .line { stroke: currentColor; } .dot, .band { fill: currentColor; } .ring { fill: #ffffff; stroke: currentColor; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d; }
    text { fill: #9198a1; }
    .title, .legend { fill: #f0f6fc; }
    .grid { stroke: #262c36; } .axis { stroke: #6e7681; }
    .limit { stroke: #ff7b72; } .limit-name { fill: #ff7b72; } .note { stroke: #9198a1; }
    .band { opacity: 0.25; } .ring { fill: #0d1117; }
    .published { color: #d1d9e0; } .vllm { color: #f0a04b; } .layerkv { color: #58a6ff; }
    .ablation { color: #bc8cff; } .reference { color: #6e7681; }
  }`;

/** What stands around the panels. */
export interface About {
  readonly title: string;
  readonly description: string;
  /** What all vertical axes show, at the right of the legend. */
  readonly vertical?: string;
}

/** @returns the panels side by side under one legend. */
export function plot(panels: readonly Panel[], about: About): string {
  const width = 960;
  const height = PANEL_HEIGHT + LEGEND_HEIGHT + 12;
  const panelWidth = (width - 16) / panels.length;
  const parts = panels.map((panel, k) => {
    const at = `translate(${round(8 + k * panelWidth)} ${LEGEND_HEIGHT})`;
    return `<g transform="${at}">${panelMarks(panel, panelWidth)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escapeXml(about.title)}</title>
<desc id="description">${escapeXml(about.description)}</desc>
<style>${STYLE}${furtherStyle(panels)}
</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${legend(panels)}
${about.vertical === undefined ? '' : `<text x="${width - 24}" y="28" text-anchor="end">${escapeXml(about.vertical)}</text>\n`}${parts.join('\n')}
</svg>
`;
}

/** Colours of the further looks that the panels use. */
function furtherStyle(panels: readonly Panel[]): string {
  const used = new Set<string>(panels.flatMap(({ series }) => series.map(({ look }) => look)));
  const names = Object.entries(FURTHER).filter(([name]) => used.has(name));
  if (names.length === 0) return '';
  const rules = (theme: 0 | 1): string =>
    names.map(([name, colours]) => `.${name} { color: ${colours[theme]}; }`).join(' ');
  return `
  .cloud { stroke: currentColor; stroke-width: 4; stroke-linecap: round; opacity: 0.65; fill: none; }
  ${rules(0)}
  @media (prefers-color-scheme: dark) { ${rules(1)} }`;
}

function legend(panels: readonly Panel[]): string {
  const entries = new Map(panels.flatMap(({ series }) => series.map((each) => [each.label, each] as const)));
  let x = 24;
  const marks = [...entries].map(([label, { look, shape }]) => {
    const mark =
      shape === 'cloud'
        ? `<g class="${look}">${cloud(`M${x + 13} 24h0`)}</g>`
        : `<g class="${look}">${line(look, `M${x} 24h26`)}${shape === undefined && hasDots(look) ? dot(look, x + 13, 24) : ''}</g>`;
    const text = `<text class="legend" x="${x + 33}" y="28">${escapeXml(label)}</text>`;
    // Widths of a proportional font, near enough to keep entries apart.
    x += 33 + label.length * 6.6 + 26;
    return mark + text;
  });
  return marks.join('');
}

function panelMarks(panel: Panel, width: number): string {
  const left = MARGIN.left;
  const right = width - MARGIN.right;
  const top = MARGIN.top;
  const bottom = PANEL_HEIGHT - MARGIN.bottom;
  const x = scale(panel.x, left, right);
  const y = scale(panel.y, bottom, top);
  const grid = panel.y.ticks.map(
    ({ at, label }) =>
      `<path class="grid" d="M${left} ${round(y(at))}H${round(right)}"/>` +
      `<text x="${left - 8}" y="${round(y(at) + 4)}" text-anchor="end">${escapeXml(label)}</text>`,
  );
  const ticks = panel.x.ticks.map(
    ({ at, label }) =>
      `<path class="axis" d="M${round(x(at))} ${bottom}v4"/>` +
      `<text x="${round(x(at))}" y="${bottom + 18}" text-anchor="middle">${escapeXml(label)}</text>`,
  );
  const parts = [
    `<text class="title" x="${left}" y="20">${escapeXml(panel.title)}</text>`,
    ...grid,
    `<path class="axis" d="M${left} ${bottom}H${round(right)}"/>`,
    ...ticks,
    `<text x="${round((left + right) / 2)}" y="${bottom + 38}" text-anchor="middle">${escapeXml(panel.x.title ?? '')}</text>`,
    ...panel.series.map((series) => seriesMarks(series, x, y)),
    ...(panel.notes ?? []).map((note) => noteMarks(note, x, y)),
  ];
  if (panel.limit !== undefined) {
    const at = round(y(panel.limit.y));
    parts.push(
      `<path class="limit" d="M${left} ${at}H${round(right)}"/>`,
      `<text class="limit-name" x="${left + 6}" y="${round(y(panel.limit.y) - 5)}">${escapeXml(panel.limit.label)}</text>`,
    );
  }
  return parts.join('\n');
}

type Scale = (value: number) => number;

function seriesMarks({ look, shape, points }: Series, x: Scale, y: Scale): string {
  const at = (px: number, py: number): string => `${round(x(px))} ${round(y(py))}`;
  if (shape === 'cloud')
    return `<g class="${look}">${cloud(points.map((point) => `M${at(point.x, point.y)}h0`).join(''))}</g>`;
  const path = `M${points.map((point) => at(point.x, point.y)).join('L')}`;
  const banded = points.every(({ low, high }) => low !== undefined && high !== undefined);
  const above = points.map((point) => at(point.x, point.high ?? point.y));
  const below = points.map((point) => at(point.x, point.low ?? point.y)).reverse();
  return [
    `<g class="${look}">`,
    banded ? `<path class="band" d="M${[...above, ...below].join('L')}Z"/>` : '',
    line(look, path),
    shape === undefined && hasDots(look)
      ? points.map((point) => dot(look, round(x(point.x)), round(y(point.y)))).join('')
      : '',
    '</g>',
  ].join('');
}

const cloud = (path: string): string => `<path class="cloud" d="${path}"/>`;

function noteMarks({ x: atX, low, high, text }: Note, x: Scale, y: Scale): string {
  const px = round(x(atX));
  const span = `M${px - 4} ${round(y(low))}h8M${px} ${round(y(low))}V${round(y(high))}M${px - 4} ${round(y(high))}h8`;
  return `<path class="note" d="${span}"/><text x="${px + 5}" y="${round(y((low + high) / 2) + 4)}">${escapeXml(text)}</text>`;
}

function line(look: Look, path: string): string {
  const dashes = {
    published: ' stroke-dasharray="6 4"',
    ablation: ' stroke-dasharray="2 3"',
    reference: ' stroke-dasharray="1 3"',
  };
  return `<path class="line" d="${path}"${look in dashes ? dashes[look as keyof typeof dashes] : ''}/>`;
}

const hasDots = (look: Look): boolean => look !== 'reference' && look !== 'ablation';

function dot(look: Look, x: number, y: number): string {
  return `<circle class="${look === 'published' ? 'ring' : 'dot'}" cx="${x}" cy="${y}" r="3.5"/>`;
}

function scale({ kind, min, max }: Axis, from: number, to: number): Scale {
  const law = kind === 'log' ? Math.log10 : (value: number): number => value;
  const span = law(max) - law(min);
  return (value) => from + ((law(value) - law(min)) / span) * (to - from);
}

/** A tenth of a pixel; also hides the last bits in which mathematical functions may differ between engines. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
