/** Everything that the report page and the editor's side say to each other. */
import type { ReportModel } from './model.ts';

/** Editor → page. */
export type ToPage =
  | { readonly kind: 'show'; readonly model: ReportModel; readonly stale: boolean }
  /** The file has changed since it was simulated. */
  | { readonly kind: 'stale' };

/** Page → editor. */
export type FromPage =
  /** The page is loaded and listens; the editor's side answers with `show`. */
  { readonly kind: 'ready' } | { readonly kind: 'run'; readonly what: 'simulate' | 'compare' };

/** What the page keeps over hide and restore. */
export interface PageState {
  /** Lets the editor's side restore the panel after a reload of the window. */
  readonly model: ReportModel;
  /** Ids of the opened table twins. */
  readonly open: readonly string[];
  readonly scrollTop: number;
}
