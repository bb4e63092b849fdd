/** The plan file with the predictions as comments beside the keys they belong to. */
import type { Prediction } from '../forecast/types.ts';
import { inlayHints } from '../language/inlayHints.ts';
import type { DocumentView, WorkloadView } from '../language/view.ts';
import { headline, POLICY_NAMES, perSecond } from '../language/words.ts';
import { formatDurationMs } from '../plan/quantity.ts';
import type { Analysis, Located } from '../plan/types.ts';
import { DEFAULT_SETTINGS } from '../protocol.ts';
import type { LineIndex } from '../text/lines.ts';
import type { SimulatedPlan } from './figures.ts';
import type { Layout } from './problems.ts';
import { printable, wrap } from './style.ts';

interface Note {
  readonly line: number;
  readonly text: string;
}

/** Notes begin right of the text, but not further right than this: beyond it they get lines of their own. */
const rightmostNote = 44;

/** Lines of the whole file. The same words and figures as the editor's lens and hints. */
export function annotate(
  file: string,
  lines: LineIndex,
  analysis: Analysis,
  plans: readonly SimulatedPlan[],
  { paint, columns }: Layout,
): readonly string[] {
  const headlines = plans.flatMap(({ plan, assessment, predictions }) =>
    predictions.map((prediction) => ({ line: plan.anchor.start.line, text: headline(prediction, assessment) })),
  );
  const notes = [...hintNotes(file, lines, analysis, plans), ...plans.flatMap(resultNotes)];
  // A line too long for a note beside it gets the note below, and pushes nobody else's to the right.
  const lengths = notes.map(({ line }) => lines.line(line).length + 2).filter((length) => length <= rightmostNote);
  const column = Math.max(24, ...lengths);
  const comment = (text: string): string => paint('cyan', text);
  // The line break that ends the last line starts none.
  const count = lines.line(lines.lineCount - 1) === '' ? lines.lineCount - 1 : lines.lineCount;
  return Array.from({ length: count }, (_, line) => {
    const source = printable(lines.line(line));
    const above = headlines.filter((note) => note.line === line).map(({ text }) => comment(`# ▸ ${printable(text)}`));
    const beside = notes
      .filter((note) => note.line === line)
      .flatMap(({ text }) => beginWithMark(printable(text), columns - column));
    const [first, ...more] = beside;
    if (first === undefined) return [...above, source];
    const blank = ' '.repeat(column);
    const shown =
      source.length + 2 > column ? [source, blank + comment(first)] : [source.padEnd(column) + comment(first)];
    return [...above, ...shown, ...more.map((text) => blank + comment(text))];
  }).flat();
}

function beginWithMark(text: string, columns: number): readonly string[] {
  return wrap(text, columns - 4).map((line, index) => (index === 0 ? `# ◂ ${line}` : `#   ${line}`));
}

/** The editor's inlay hints: memory, weights, layers kept. */
function hintNotes(
  file: string,
  lines: LineIndex,
  analysis: Analysis,
  plans: readonly SimulatedPlan[],
): readonly Note[] {
  const workloads = plans.map(({ plan, assessment, predictions }): WorkloadView => {
    const prediction = predictions.at(-1);
    const simulation: WorkloadView['simulation'] =
      prediction === undefined ? { kind: 'off' } : { kind: 'ready', prediction, intervalPending: false };
    return { plan, assessment, simulation };
  });
  const view: DocumentView = { uri: file, version: 0, text: lines.text, analysis, workloads };
  const everywhere = lines.range(0, lines.text.length);
  return inlayHints(view, everywhere, DEFAULT_SETTINGS.inlayHints).map(({ position, label }) => ({
    line: position.line,
    text: typeof label === 'string' ? label : label.map(({ value }) => value).join(''),
  }));
}

/** What came of the run beside what was asked for: SLOs and the request rate. */
function resultNotes({ plan, predictions }: SimulatedPlan): readonly Note[] {
  const ran = predictions.filter(({ verdict }) => verdict !== 'does-not-fit');
  if (ran.length === 0) return [];
  return [
    ...noteAt(
      plan.slo.ttftMs,
      each(ran, ({ ttftMs }) => sloNote(ttftMs?.p99, plan.slo.ttftMs.value)),
      'p99: ',
    ),
    ...noteAt(
      plan.slo.tpotMs,
      each(ran, ({ tpotMs }) => sloNote(tpotMs?.p99, plan.slo.tpotMs.value)),
      'p99: ',
    ),
    ...noteAt(
      plan.workload.arrivals,
      each(ran, ({ throughput }) => (throughput === null ? null : perSecond(throughput.requestsPerS))),
      'carried: ',
    ),
  ];
}

function sloNote(valueMs: number | undefined, limitMs: number | null): string | null {
  if (valueMs === undefined) return null;
  const mark = limitMs === null ? '' : valueMs <= limitMs ? ' ✓' : ' ✗';
  return `${formatDurationMs(valueMs)}${mark}`;
}

function each(predictions: readonly Prediction[], say: (prediction: Prediction) => string | null): string {
  return predictions
    .flatMap((prediction) => {
      const text = say(prediction);
      if (text === null) return [];
      return predictions.length === 1 ? [text] : [`${POLICY_NAMES[prediction.policy]} ${text}`];
    })
    .join(', ');
}

function noteAt(located: Located<unknown>, text: string, before: string): readonly Note[] {
  const line = (located.keyRange ?? located.range)?.start.line;
  return text === '' || line === undefined || located.origin !== 'stated' ? [] : [{ line, text: before + text }];
}
