/** The sentences that several features share, so that lens, hover, status and report say the same of the same thing. */
import type { ArrivalProcess, CostScale, LengthDistribution, Policy } from '../engine/types.ts';
import type { Assessment } from '../forecast/assess.ts';
import { planPolicy } from '../forecast/input.ts';
import type { Prediction, Verdict } from '../forecast/types.ts';
import { formatBytes, formatDurationMs, formatPercent, formatTokens } from '../plan/quantity.ts';
import type { WorkloadView } from './view.ts';

/** Makes text that came from a file safe inside Markdown: no links, no HTML, no emphasis, no table cells, one line. */
export function escapeMarkdown(text: string): string {
  return (
    text
      .replace(/\s+/g, ' ')
      .replace(/[\\`*_{}[\]<>&|~!$]/g, '\\$&')
      // Bare addresses become links in the dialect that editors speak.
      .replace(/:(?=\/\/)|@/g, '\\$&')
      .replace(/www\./gi, (word) => `${word.slice(0, -1)}\\.`)
  );
}

/** Text as inline code. Backticks cannot be escaped inside code, and a table cell ends at a bar: both are replaced. */
export function inlineCode(text: string): string {
  return `\`${text.replace(/\s+/g, ' ').replaceAll('`', 'ˋ').replaceAll('|', '∣')}\``;
}

export const POLICY_NAMES: Readonly<Record<Policy, string>> = {
  vllm: 'vLLM',
  layerkv: 'LayerKV',
  'layerkv-no-slo': 'LayerKV without SLO awareness',
};

export const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  'does-not-fit': 'does not fit',
  saturated: 'saturated',
  violated: 'SLO violated',
  met: 'SLO met',
};

/** "Poisson, 1 request/s". */
export function describeArrivals(process: ArrivalProcess): string {
  switch (process.kind) {
    case 'constant':
      return `evenly spaced, ${perSecond(process.ratePerS)}`;
    case 'poisson':
      return `Poisson, ${perSecond(process.ratePerS)}`;
    case 'gamma':
      return `gamma with cv ${plainNumber(process.cv)}, ${perSecond(process.ratePerS)}`;
    case 'closed':
      return `closed loop, ${process.concurrency} at a time`;
    case 'burst':
      return 'all at once';
    case 'serial':
      return 'one after the other';
  }
}

/** "2048 tokens". */
export function describeLength(length: LengthDistribution): string {
  switch (length.kind) {
    case 'fixed':
      return `${length.tokens} tokens`;
    case 'uniform':
      return `uniform ${length.min} to ${length.max} tokens`;
    case 'lognormal':
      return `lognormal, median ${length.median} tokens, sigma ${plainNumber(length.sigma)}`;
    case 'percentiles':
      return length.points
        .map(([p, tokens]) => (p === 1 ? `max ${tokens}` : `p${plainNumber(p * 100)} ${tokens}`))
        .join(', ');
  }
}

/** "prefill × 1.12, decode × 1.08, host work × 0.9". */
export function describeScales({ prefill, decode, overhead }: CostScale): string {
  return `prefill × ${plainNumber(prefill)}, decode × ${plainNumber(decode)}, host work × ${plainNumber(overhead)}`;
}

/** "0.58 requests/s". */
export function perSecond(rate: number): string {
  return `${plainNumber(rate)} request${rate === 1 ? '' : 's'}/s`;
}

/** Three significant digits, no exponent for usual sizes, no trailing zeros. */
export function plainNumber(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** "74 % (69–79 %)", or without the bracket while the interval is not known. */
export function missShare(rate: NonNullable<Prediction['violationRate']>): string {
  const share = formatPercent(rate.any);
  if (rate.interval === null) return share;
  const [low, high] = rate.interval.map((bound) => formatPercent(Math.min(Math.max(bound, 0), 1)));
  return low === undefined || low === high ? share : `${share} (${low.replace(/ %$/, '')}–${high})`;
}

/** What the further seeds say of a comparison: "−79 to −71 points", or that they cannot tell. */
export function versusText({ interval, distinguishable }: NonNullable<Prediction['versus']>): string {
  if (!distinguishable) return 'not distinguishable';
  const [low, high] = interval.map((bound) => points(bound));
  return low === high ? `${low} points` : `${low} to ${high} points`;
}

function points(share: number): string {
  const rounded = Math.round(share * 100);
  return `${rounded < 0 ? '−' : '+'}${Math.abs(rounded)}`;
}

/** One line on a finished prediction: "vLLM · TTFT p99 26.5 s · 74 % (69–79 %) miss SLO · saturated". */
export function headline(prediction: Prediction, assessment: Assessment | null): string {
  const parts: string[] = [POLICY_NAMES[prediction.policy]];
  if (prediction.verdict === 'does-not-fit') return [...parts, ...whyNotFitting(assessment)].join(' · ');
  if (prediction.ttftMs !== null) parts.push(`TTFT p99 ${formatDurationMs(prediction.ttftMs.p99)}`);
  if (prediction.violationRate === null) {
    if (prediction.tpotMs !== null) parts.push(`TPOT p99 ${formatDurationMs(prediction.tpotMs.p99)}`);
    parts.push('no SLO stated');
    if (prediction.verdict === 'saturated') parts.push(VERDICT_WORDS.saturated);
  } else {
    parts.push(`${missShare(prediction.violationRate)} miss SLO`);
    parts.push(VERDICT_WORDS[prediction.verdict]);
  }
  if (fallsBehind(prediction)) parts.push('backlog grows');
  return parts.join(' · ');
}

/** The verdict looks at the queue alone; a run that it calls met or violated may still put off more and more requests. */
export function fallsBehind({ verdict, backlog }: Pick<Prediction, 'verdict' | 'backlog'>): boolean {
  return (verdict === 'met' || verdict === 'violated') && backlog?.grows === true;
}

/** "47 requests were waiting when the last one arrived (46 of them parked), 12 half-way". */
export function backlogText({ atHalf, atEnd, parkedAtEnd }: NonNullable<Prediction['backlog']>): string {
  const parked =
    parkedAtEnd === 0 ? '' : ` (${parkedAtEnd === atEnd ? 'all' : parkedAtEnd} of them parked after their first token)`;
  return `${atEnd} requests were waiting when the last one arrived${parked}, ${atHalf} half-way`;
}

function whyNotFitting(assessment: Assessment | null): string[] {
  if (assessment === null || assessment.oneSequenceFits) return [VERDICT_WORDS['does-not-fit']];
  if (assessment.fits) return ['does not start', 'no room for one full-length sequence'];
  return [VERDICT_WORDS['does-not-fit'], `${formatBytes(assessment.shortfallBytesPerGpu)} missing per GPU`];
}

/** What the headline lens says, whatever the state of the simulation. */
export function headlineOf({ simulation, assessment, plan }: WorkloadView): string {
  switch (simulation.kind) {
    case 'ready':
      return headline(simulation.prediction, assessment);
    case 'pending':
      return simulation.last === null ? 'simulating…' : `${headline(simulation.last, assessment)} …`;
    case 'failed':
      return `simulation failed: ${simulation.message}`;
    case 'off':
      return assessment === null
        ? POLICY_NAMES[planPolicy(plan)]
        : `${POLICY_NAMES[planPolicy(plan)]} · room for ${formatTokens(assessment.memory.kvTokens)} tokens of KV cache`;
  }
}
