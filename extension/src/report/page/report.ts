/** The report page's script: shows what the editor's side sends and keeps it as the page's state. */
import type { FromPage, PageState, ToPage } from '../messages.ts';
import { isReportModel } from '../model.ts';
import { timelineOf } from '../timeline.ts';
import { type Plot, plotView } from './plot.ts';
import {
  type Actions,
  cardsSection,
  distributionSection,
  headSection,
  numbersSection,
  partsSection,
  planSection,
  timelineSection,
} from './sections.ts';
import { type TimelineView, timelineView } from './timelineView.ts';

interface VsCodeApi {
  postMessage(message: FromPage): void;
  getState(): unknown;
  setState(state: PageState): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

const vscode = acquireVsCodeApi();
const root = document.getElementById('report')!;
const open = new Set<string>();
let state: PageState | undefined;
let plot: Plot | null = null;
let drawn: TimelineView | null = null;

function keep(change: Partial<PageState>): void {
  if (state === undefined) return;
  state = { ...state, ...change };
  vscode.setState(state);
}

const actions: Actions = {
  run: (what) => vscode.postMessage({ kind: 'run', what }),
  open,
  toggled: (id, isOpen) => {
    if (isOpen) open.add(id);
    else open.delete(id);
    keep({ open: [...open] });
  },
};

function show(model: PageState['model'], stale: boolean): void {
  plot?.destroy();
  plot = plotView(model);
  drawn?.destroy();
  const timeline = timelineOf(model);
  drawn = timeline === null ? null : timelineView(model, timeline);
  const parts = partsSection(model, actions);
  const scrollTop = document.documentElement.scrollTop;
  // A button that was just pressed is replaced: keep the keyboard where it was.
  const focused = document.activeElement?.getAttribute('data-run');
  root.replaceChildren(
    headSection(model, stale, actions),
    cardsSection(model),
    ...(plot === null ? [] : [distributionSection(model, plot, actions)]),
    ...(parts === null ? [] : [parts]),
    ...(timeline === null || drawn === null ? [] : [timelineSection(model, timeline, drawn, actions)]),
    numbersSection(model),
    planSection(model),
  );
  if (focused) root.querySelector<HTMLElement>(`[data-run="${focused}"]`)?.focus();
  document.documentElement.scrollTop = scrollTop;
  state = { model, open: [...open], scrollTop };
  vscode.setState(state);
}

function restore(kept: unknown): void {
  if (typeof kept !== 'object' || kept === null || !('model' in kept) || !isReportModel(kept.model)) return;
  const { model, open: wasOpen, scrollTop } = kept as PageState;
  for (const id of wasOpen) open.add(id);
  show(model, false);
  document.documentElement.scrollTop = scrollTop;
}

window.addEventListener('message', ({ data }: MessageEvent<ToPage>) => {
  if (data.kind === 'show') show(data.model, data.stale);
  else root.querySelector('.stale')?.replaceChildren('The file has changed since: run again for current figures.');
});
document.addEventListener('scroll', () => keep({ scrollTop: document.documentElement.scrollTop }));
// VS Code tells of a new theme by the classes of the body.
new MutationObserver(() => plot?.repaint()).observe(document.body, { attributes: true, attributeFilter: ['class'] });

restore(vscode.getState());
vscode.postMessage({ kind: 'ready' });
