/** The report's sections, from top to bottom. */
import { POLICY_NAMES, plainNumber } from '../../../../server/src/language/words.ts';
import { formatDurationMs, formatPercent } from '../../../../server/src/plan/quantity.ts';
import type { ReportModel } from '../model.ts';
import { latencyTable, numbersTable, partsTable, type Table, ttftParts, ttftTable } from '../tables.ts';
import { type Timeline, timelineSummary, timelineTable } from '../timeline.ts';
import { backlogNotes, errorNotes, headline, verdictText, whyText } from '../wording.ts';
import { element } from './dom.ts';
import type { Plot } from './plot.ts';
import { mark, tableView } from './tableView.ts';
import type { TimelineView } from './timelineView.ts';

/** What the page can ask for. */
export interface Actions {
  readonly run: (what: 'simulate' | 'compare') => void;
  /** Table twins that are open, by id. */
  readonly open: ReadonlySet<string>;
  readonly toggled: (id: string, open: boolean) => void;
}

/** The plan in one line. */
function subtitle({ plan }: ReportModel): string {
  const gpus = plan.gpusPerReplica * plan.replicas;
  return [`${plan.model}, ${plan.weightDtype}`, `${gpus} × ${plan.gpu}`, plan.arrivals].join(' · ');
}

/** Title, headline, set-up, buttons. */
export function headSection(model: ReportModel, stale: boolean, { run }: Actions): HTMLElement {
  const button = (text: string, what: 'simulate' | 'compare', kind: string): HTMLElement => {
    const view = element('button', { type: 'button', class: kind, 'data-run': what }, text);
    view.addEventListener('click', () => run(what));
    return view;
  };
  const isComparison = model.policies.length > 1;
  const outdated = element('p', { class: 'stale', role: 'status' });
  if (stale) outdated.textContent = 'The file has changed since: run again for current figures.';
  return element(
    'header',
    {},
    element('h1', {}, model.plan.name),
    element('p', { class: 'lead' }, subtitle(model)),
    element('p', { class: 'headline' }, headline(model)),
    ...backlogNotes(model).map((note) => element('p', { class: 'behind' }, note)),
    ...errorNotes(model).map((note) => element('p', { class: 'within-error' }, note)),
    outdated,
    element(
      'p',
      { class: 'buttons' },
      isComparison
        ? button('Compare again', 'compare', 'primary')
        : button('Compare vLLM and LayerKV', 'compare', 'primary'),
      button(isComparison ? 'Simulate as planned' : 'Simulate again', 'simulate', 'secondary'),
    ),
  );
}

/** One card a policy: the few figures that decide. */
export function cardsSection({ policies }: ReportModel): HTMLElement {
  const cards = policies.map(({ policy, prediction }, index) => {
    const verdict = verdictText(prediction);
    const figures: readonly (readonly [string, string])[] = [
      ['TTFT p99', prediction.ttftMs === null ? '–' : formatDurationMs(prediction.ttftMs.p99)],
      ['TPOT p99', prediction.tpotMs === null ? '–' : formatDurationMs(prediction.tpotMs.p99)],
      ['Miss an SLO', prediction.violationRate === null ? '–' : formatPercent(prediction.violationRate.any)],
      ['Output tokens/s', prediction.throughput === null ? '–' : plainNumber(prediction.throughput.outputTokensPerS)],
    ];
    return element(
      'section',
      { class: `card policy-${index}`, 'aria-label': POLICY_NAMES[policy] },
      element(
        'h2',
        {},
        mark(index),
        POLICY_NAMES[policy],
        element('span', { class: `verdict ${verdict.tone}` }, verdict.text),
      ),
      element(
        'dl',
        {},
        ...figures.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
      ),
    );
  });
  return element('div', { class: 'cards' }, ...cards);
}

function twin(id: string, table: Table, { open, toggled }: Actions): HTMLElement {
  const details = element('details', { id }, element('summary', {}, 'Show as a table'), tableView(table, false));
  details.open = open.has(id);
  details.addEventListener('toggle', () => toggled(id, details.open));
  return details;
}

function policyLegend({ policies }: ReportModel): HTMLElement {
  const items = policies.map(({ policy }, index) => element('li', {}, mark(index), POLICY_NAMES[policy]));
  return element('ul', { class: 'legend' }, ...items);
}

/** The distribution of TTFT, and its table twin. */
export function distributionSection(model: ReportModel, plot: Plot, actions: Actions): HTMLElement {
  return element(
    'section',
    { id: 'distribution' },
    element('h2', {}, 'Time to first token'),
    element(
      'p',
      { class: 'lead' },
      'Share of the requests that have their first token within a time. Further left is better.',
    ),
    policyLegend(model),
    plot.view,
    twin('ttft-table', ttftTable(model), actions),
  );
}

/** How the runs went, its words, and its table twin. */
export function timelineSection(
  model: ReportModel,
  timeline: Timeline,
  { view }: TimelineView,
  actions: Actions,
): HTMLElement {
  return element(
    'section',
    { id: 'timeline' },
    element('h2', {}, 'The run over time'),
    element('p', { class: 'lead' }, timelineSummary(model, timeline).join(' ')),
    policyLegend(model),
    view,
    twin('timeline-table', timelineTable(model, timeline), actions),
  );
}

/** Where the mean TTFT goes, as bars, and its table twin. Null without figures. */
export function partsSection(model: ReportModel, actions: Actions): HTMLElement | null {
  const rows = model.policies.flatMap((policy, index) => {
    const parts = ttftParts(policy);
    return parts === null ? [] : [{ policy, index, parts }];
  });
  const first = rows[0];
  if (first === undefined) return null;
  const bars = rows.map(({ policy, index, parts }) => {
    const bar = element('div', { class: 'bar', 'aria-hidden': 'true' });
    for (const [at, part] of parts.entries()) {
      const piece = element('span', { class: `part-${at}`, title: `${part.name}: ${formatDurationMs(part.ms)}` });
      piece.style.flexGrow = String(part.share);
      if (part.share > 0.12) piece.textContent = formatDurationMs(part.ms);
      if (part.share > 0) bar.append(piece);
    }
    const mean = policy.prediction.ttftMs;
    const name = element(
      'p',
      {},
      mark(index),
      POLICY_NAMES[policy.policy],
      mean === null ? '' : `, mean ${formatDurationMs(mean.mean)}`,
    );
    return element('div', { class: 'barRow' }, name, bar);
  });
  const legend = first.parts.map((part, at) =>
    element('li', {}, element('span', { class: `mark part-${at}`, 'aria-hidden': 'true' }), part.name),
  );
  const why = model.policies.map(whyText).filter((text) => text !== null);
  return element(
    'section',
    { id: 'parts' },
    element('h2', {}, 'Where the wait goes'),
    element('p', { class: 'lead' }, why.join(' ')),
    element('ul', { class: 'legend' }, ...legend),
    ...bars,
    twin('parts-table', partsTable(model), actions),
  );
}

/** All figures; no latency table where no request got a first token. */
export function numbersSection(model: ReportModel): HTMLElement {
  const hasLatency = model.policies.some(({ prediction }) => prediction.ttftMs !== null);
  const latency = hasLatency ? [element('h2', {}, 'Latency'), tableView(latencyTable(model), false)] : [];
  return element(
    'section',
    { id: 'numbers' },
    ...latency,
    element('h2', {}, 'All figures'),
    tableView(numbersTable(model), false),
  );
}

/** What was simulated. */
export function planSection({ plan, fileName }: ReportModel): HTMLElement {
  const gpus = plan.gpusPerReplica * plan.replicas;
  const ranks = [
    ...(plan.tensor > 1 ? [`tensor parallel ${plan.tensor}`] : []),
    ...(plan.pipeline > 1 ? [`pipeline parallel ${plan.pipeline}`] : []),
    ...(plan.replicas > 1 ? [`${plan.replicas} replicas`] : []),
  ];
  const slo = [
    ...(plan.slo.ttftMs === null ? [] : [`TTFT ${formatDurationMs(plan.slo.ttftMs)}`]),
    ...(plan.slo.tpotMs === null ? [] : [`TPOT ${formatDurationMs(plan.slo.tpotMs)}`]),
  ];
  const facts: readonly (readonly [string, string])[] = [
    ['File', fileName],
    ['Model', `${plan.model}, ${plan.weightDtype}`],
    ['GPUs', [`${gpus} × ${plan.gpu}`, ...ranks].join(', ')],
    ['Engine', `vLLM ${plan.engineVersion}, max-model-len ${plan.maxModelLenTokens.toLocaleString('en-US')}`],
    ['Load', `${plan.arrivals}; in: ${plan.input}; out: ${plan.output}`],
    [
      'SLO',
      slo.length === 0 ? 'none stated' : `${slo.join(', ')} for ${formatPercent(plan.slo.attainment)} of requests`,
    ],
  ];
  const items = facts.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]);
  return element('section', { id: 'plan' }, element('h2', {}, 'The plan'), element('dl', { class: 'setup' }, ...items));
}
