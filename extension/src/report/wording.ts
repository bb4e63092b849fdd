/** The sentences of the report: what came out, said in one line. */
import type { Prediction } from '../../../server/src/forecast/types.ts';
import { POLICY_NAMES, VERDICT_WORDS } from '../../../server/src/language/words.ts';
import { formatDurationMs, formatPercent } from '../../../server/src/plan/quantity.ts';
import type { PolicyReport, ReportModel } from './model.ts';

type Figures = Omit<Prediction, 'perRequest'>;

/** A verdict in words, and how bad it is. */
export function verdictText(prediction: Figures): { readonly text: string; readonly tone: 'good' | 'bad' | 'neutral' } {
  if (prediction.verdict === 'met' && prediction.violationRate === null)
    return { text: 'no SLO stated', tone: 'neutral' };
  return { text: VERDICT_WORDS[prediction.verdict], tone: prediction.verdict === 'met' ? 'good' : 'bad' };
}

/** "1.8× shorter", "as long", "3.2× longer". */
export function change(from: number, to: number): string {
  if (from <= 0 || to <= 0)
    return from === to ? 'the same' : `from ${formatDurationMs(from)} to ${formatDurationMs(to)}`;
  const factor = Math.max(from, to) / Math.min(from, to);
  if (factor < 1.02) return 'about the same';
  const times = factor < 10 ? factor.toFixed(1) : factor.toFixed(0);
  return `${times}× ${to < from ? 'shorter' : 'longer'}`;
}

/** The report's first line. */
export function headline({ policies }: ReportModel): string {
  const [first, second] = policies;
  if (first === undefined) return 'Nothing was simulated.';
  if (second === undefined) return alone(first);
  const before = first.prediction.ttftMs;
  const after = second.prediction.ttftMs;
  if (before === null || after === null) return `${alone(first)} ${alone(second)}`;
  const factor = change(before.p99, after.p99);
  const name = POLICY_NAMES[second.policy];
  const from = `${formatDurationMs(before.p99)} under ${POLICY_NAMES[first.policy]}`;
  if (factor === 'about the same') {
    return `${name} changes little: time to first token p99 ${formatDurationMs(after.p99)}, ${from}.`;
  }
  return `${name} makes the wait for the first token ${factor}: p99 ${formatDurationMs(after.p99)}, ${from}.`;
}

function alone({ policy, prediction }: PolicyReport): string {
  const name = POLICY_NAMES[policy];
  if (prediction.verdict === 'does-not-fit') {
    return `${name} does not start: weights and activations leave no room for the KV cache.`;
  }
  if (prediction.ttftMs === null) return `Under ${name} no request got a first token.`;
  const wait = `Under ${name} the wait for the first token is ${formatDurationMs(prediction.ttftMs.p99)} at p99`;
  const rate = prediction.violationRate;
  if (rate === null) return `${wait}.`;
  return rate.any === 0
    ? `${wait}; every request keeps its SLO.`
    : `${wait}; ${formatPercent(rate.any)} of the requests miss an SLO.`;
}

/** Where the mean wait for the first token goes, as a sentence; null without figures. */
export function whyText({ policy, prediction }: PolicyReport): string | null {
  const parts = prediction.ttftParts;
  const mean = prediction.ttftMs?.mean;
  if (parts === null || mean === undefined || mean <= 0) return null;
  const share = formatPercent(parts.queueMs / mean);
  return `${POLICY_NAMES[policy]}: ${share} of the mean ${formatDurationMs(mean)} is spent in the queue.`;
}
