/** The prediction of one plan as Markdown: headline, table, where the time goes, memory, provenance. */
import type { Assessment } from '../forecast/assess.ts';
import type { Distribution, Prediction } from '../forecast/types.ts';
import { formatBytes, formatDurationMs, formatPercent, formatTokens } from '../plan/quantity.ts';
import type { Plan } from '../plan/types.ts';
import { costWords, defaultsWords, likelyText, withinErrorText } from './confidence.ts';
import { predictionOf, type WorkloadView } from './view.ts';
import { backlogText, escapeMarkdown, fallsBehind, headlineOf, perSecond, plainNumber } from './words.ts';

/** Works before and without a simulation: what memory tells needs none. */
export function predictionCard(workload: WorkloadView): string {
  const prediction = predictionOf(workload);
  const { plan, assessment } = workload;
  return [
    `**${escapeMarkdown(headlineOf(workload))}**`,
    ...(prediction === null ? [] : figures(plan, prediction)),
    ...(assessment === null ? [] : [memory(plan, assessment)]),
    ...(prediction === null ? [] : [provenance(workload, prediction)]),
  ].join('\n\n');
}

function figures(plan: Plan, prediction: Prediction): string[] {
  const { ttftMs, tpotMs, e2eMs, violationRate, verdict } = prediction;
  if (ttftMs === null) return [];
  const rows = [
    '| | mean | p50 | p95 | p99 | SLO | over it |',
    '|:--|--:|--:|--:|--:|--:|--:|',
    row('TTFT', ttftMs, plan.slo.ttftMs.value, violationRate?.ttft),
    row('TPOT', tpotMs, plan.slo.tpotMs.value, violationRate?.tpot),
    row('E2E', e2eMs, null, undefined),
  ];
  const allowed = 1 - plan.slo.attainment.value;
  const goal =
    violationRate === null
      ? 'No SLO is stated, so nothing counts as missed.'
      : `${formatPercent(violationRate.any)} of ${prediction.requests} requests break the SLO, ` +
        `${formatPercent(allowed)} may: **${verdict}**.`;
  const doubt = withinErrorText(prediction, plan.slo.attainment.value);
  return [
    rows.join('\n'),
    goal,
    ...behind(prediction),
    ...likely(prediction),
    ...(doubt === null ? [] : [`**${doubt}**`]),
    ...timeParts(prediction),
    ...served(prediction),
  ];
}

function likely(prediction: Prediction): string[] {
  const text = likelyText(prediction);
  return text === null ? [] : [escapeMarkdown(text)];
}

function behind(prediction: Prediction): string[] {
  const { backlog } = prediction;
  if (backlog === undefined || !fallsBehind(prediction)) return [];
  return [`**The backlog grows**: ${backlogText(backlog)}. A longer run serves worse than this one.`];
}

function row(name: string, figure: Distribution | null, sloMs: number | null, over: number | undefined): string {
  const cells =
    figure === null ? ['–', '–', '–', '–'] : [figure.mean, figure.p50, figure.p95, figure.p99].map(formatDurationMs);
  const slo = sloMs === null ? '–' : formatDurationMs(sloMs);
  const share = sloMs === null || over === undefined ? '–' : formatPercent(over);
  return `| ${[name, ...cells, slo, share].join(' | ')} |`;
}

function timeParts({ ttftParts, ttftMs, offload, policy }: Prediction): string[] {
  if (ttftParts === null || ttftMs === null) return [];
  const part = (ms: number): string =>
    ttftMs.mean > 0 ? `${formatDurationMs(ms)} (${formatPercent(ms / ttftMs.mean)})` : formatDurationMs(ms);
  const parts = [`queue ${part(ttftParts.queueMs)}`, `prefill ${part(ttftParts.prefillMs)}`];
  if (policy !== 'vllm') parts.push(`offload not hidden ${part(ttftParts.offloadMs)}`);
  const lines = [`Where the mean TTFT goes: ${parts.join(' · ')}`];
  if (policy !== 'vllm' && offload !== null) {
    const hidden = offload.hiddenShare === null ? '' : ` · ${formatPercent(offload.hiddenShare)} of the offload hidden`;
    lines.push(`LayerKV: ${offload.retainedLayers} of ${offload.layers} layers kept during the prefill${hidden}`);
  }
  return lines;
}

function served({ throughput, preemptions, finished, requests }: Prediction): string[] {
  if (throughput === null) return [];
  const parts = [
    perSecond(throughput.requestsPerS),
    `${plainNumber(throughput.outputTokensPerS)} output tokens/s`,
    `goodput ${perSecond(throughput.goodputPerS)}`,
  ];
  if (preemptions > 0) parts.push(`${preemptions} preemptions`);
  if (finished < requests) parts.push(`${requests - finished} requests never served`);
  return [`Throughput: ${parts.join(' · ')}`];
}

function memory(
  plan: Plan,
  { memory: report, fits, shortfallBytesPerGpu, usableBytesPerGpu, overheadBytesPerGpu }: Assessment,
): string {
  const parts = [
    `weights ${formatBytes(report.weightsBytesPerGpu)}`,
    `activations ${formatBytes(report.activationBytesPerGpu)}`,
    `runtime ${formatBytes(overheadBytesPerGpu)}`,
    `of ${formatBytes(usableBytesPerGpu)} usable`,
  ];
  const pool = fits
    ? `KV cache ${formatTokens(report.kvTokens)} tokens (${plainNumber(report.fullLengthSequences)} sequences of ` +
      `${plan.engine.maxModelLen.value})`
    : `**${formatBytes(shortfallBytesPerGpu)} missing**`;
  const host = report.hostPoolTokens === null ? '' : ` · host pool ${formatTokens(report.hostPoolTokens)} tokens`;
  return `Memory of each GPU: ${parts.join(' · ')} · ${pool}${host}`;
}

function provenance({ simulation }: WorkloadView, { provenance: from, violationRate, scheduler }: Prediction): string {
  const waiting = simulation.kind === 'ready' && simulation.intervalPending;
  const interval = violationRate?.interval ?? null;
  const parts = [
    `cost: ${costWords(from)}`,
    `defaults of ${defaultsWords(from)}, scheduler ${scheduler}`,
    `seed ${from.seed}`,
    ...(interval === null
      ? waiting && violationRate !== null
        ? ['interval: ten further seeds are running']
        : []
      : [
          `95 % interval of the misses over ten further seeds: ${formatPercent(Math.max(interval[0], 0))} to ${formatPercent(Math.min(interval[1], 1))}`,
        ]),
  ];
  return `*${escapeMarkdown(parts.join(' · '))}*`;
}
