/** The sentences of the report: what came out, said in one line. */
import { withinErrorText } from '../../../server/src/language/confidence.ts';
import {
  backlogText,
  fallsBehind,
  POLICY_NAMES,
  perSecond,
  VERDICT_WORDS,
} from '../../../server/src/language/words.ts';
import { formatDurationMs, formatPercent } from '../../../server/src/plan/quantity.ts';
import type { Figures, PolicyReport, ReportModel } from './model.ts';

/** A verdict in words, and how bad it is. */
export function verdictText(prediction: Figures): {
  readonly text: string;
  readonly tone: 'good' | 'warn' | 'bad' | 'neutral';
} {
  const { verdict } = prediction;
  const text = verdict === 'met' && prediction.violationRate === null ? 'no SLO stated' : VERDICT_WORDS[verdict];
  const behind = fallsBehind(prediction);
  const held = behind ? 'warn' : prediction.violationRate === null ? 'neutral' : 'good';
  return { text: behind ? `${text}, backlog grows` : text, tone: verdict === 'met' ? held : 'bad' };
}

/** A sentence for each policy that puts off more and more, whatever its verdict says. */
export function backlogNotes({ policies }: ReportModel): readonly string[] {
  return policies.flatMap(({ policy, prediction }) => {
    const { backlog, throughput } = prediction;
    if (backlog === undefined || throughput === null || !fallsBehind(prediction)) return [];
    return [
      `${POLICY_NAMES[policy]} does not keep up with the arrivals: ${backlogText(backlog)}. It carries about ` +
        `${perSecond(throughput.requestsPerS)}; a longer run serves worse than this one.`,
    ];
  });
}

/** A sentence for each policy whose verdict would be another one within the model's error. */
export function errorNotes({ policies, plan }: ReportModel): readonly string[] {
  return policies.flatMap(({ policy, prediction }) => {
    const text = withinErrorText(prediction, plan.slo.attainment);
    return text === null ? [] : [`${POLICY_NAMES[policy]}: ${text}`];
  });
}

const SAME = 'about as long';

/** "1.8× shorter", "about as long", "3.2× longer". */
export function change(before: number, after: number): string {
  // A first token at once, or a request of one token: no ratio says anything.
  if (before <= 0 || after <= 0) return before === after ? SAME : after < before ? 'shorter' : 'longer';
  const factor = Math.max(before, after) / Math.min(before, after);
  if (factor < 1.02) return SAME;
  const times = factor < 1.095 ? factor.toFixed(2) : factor < 9.95 ? factor.toFixed(1) : factor.toFixed(0);
  return `${times}× ${after < before ? 'shorter' : 'longer'}`;
}

/** The report's first lines: what is won, and what it costs. */
export function headline({ policies }: ReportModel): string {
  const [first, second] = policies;
  if (first === undefined) return 'Nothing was simulated.';
  if (second === undefined) return alone(first);
  const before = first.prediction.ttftMs;
  const after = second.prediction.ttftMs;
  if (policies.every(({ prediction }) => prediction.verdict === 'does-not-fit')) {
    return 'The deployment does not start under either policy: weights and activations leave no room for the KV cache.';
  }
  if (before === null || after === null) return `${alone(first)} ${alone(second)}`;
  const name = POLICY_NAMES[second.policy];
  const baseline = POLICY_NAMES[first.policy];
  const tokenBefore = first.prediction.tpotMs;
  const tokenAfter = second.prediction.tpotMs;
  const wait = change(before.p99, after.p99);
  const pace = tokenBefore === null || tokenAfter === null ? SAME : change(tokenBefore.p99, tokenAfter.p99);
  if (wait === SAME && pace === SAME) {
    return `${name} changes little here: the first token takes ${formatDurationMs(after.p99)} at p99, about as long as under ${baseline}.`;
  }
  const first99 = `${name} makes the wait for the first token ${instead(before.p99, after.p99)} under ${baseline}.`;
  if (tokenBefore === null || tokenAfter === null) return first99;
  return `${first99} Each further token takes ${instead(tokenBefore.p99, tokenAfter.p99)}.`;
}

function instead(before: number, after: number): string {
  const factor = change(before, after);
  if (factor === SAME) return `${SAME} at p99, ${formatDurationMs(after)} to ${formatDurationMs(before)}`;
  return `${factor} at p99: ${formatDurationMs(after)} instead of ${formatDurationMs(before)}`;
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
