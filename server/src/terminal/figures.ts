/** One prediction as a table with what lies behind it. */
import type { Assessment } from '../forecast/assess.ts';
import type { Distribution, Prediction } from '../forecast/types.ts';
import { costWords, defaultsWords, likelyText, withinErrorText } from '../language/confidence.ts';
import { fallsBehind, missShare, POLICY_NAMES, perSecond, plainNumber, VERDICT_WORDS } from '../language/words.ts';
import { formatBytes, formatDurationMs, formatPercent, formatTokens } from '../plan/quantity.ts';
import type { Plan } from '../plan/types.ts';
import type { Layout } from './problems.ts';
import { type Cell, printable, type Style, table, wrap } from './style.ts';

/** A plan, what memory says of it, and the prediction(s) asked for. */
export interface SimulatedPlan {
  readonly plan: Plan;
  readonly assessment: Assessment;
  readonly predictions: readonly Prediction[];
}

const columnsOfTable = ['mean', 'p50', 'p90', 'p95', 'p99', 'max'] as const;

/** Colour of a verdict: green only where a longer run keeps it. */
export function verdictStyle(prediction: Prediction): Style {
  if (prediction.verdict === 'met') return fallsBehind(prediction) ? 'yellow' : 'green';
  return prediction.verdict === 'violated' ? 'yellow' : 'red';
}

/** "Yi-34B-200K on 2 × L20": the deployment in a line. */
export function describeDeployment({ model, gpu, gpusPerReplica, replicas }: Plan): string {
  const gpus = gpusPerReplica.value === 1 ? gpu.value.id : `${gpusPerReplica.value} × ${gpu.value.id}`;
  const copies = replicas.value === 1 ? '' : `, ${replicas.value} replicas`;
  return printable(`${model.value.id} on ${gpus}${copies}`);
}

/** "100 requests", or how many of them were finished. */
export function describeRequests({ requests, finished }: Prediction): string {
  const noun = requests === 1 ? 'request' : 'requests';
  return finished === requests ? `${requests} ${noun}` : `${finished} of ${requests} ${noun} finished`;
}

/** Lines: headline, table of latencies, then memory, throughput, offload, provenance. */
export function describePrediction(plan: Plan, prediction: Prediction, layout: Layout): readonly string[] {
  const { paint } = layout;
  const title = [
    POLICY_NAMES[prediction.policy],
    `scheduler ${prediction.scheduler}`,
    describeRequests(prediction),
    `seed ${prediction.seed}`,
  ];
  const verdict = paint(verdictStyle(prediction), VERDICT_WORDS[prediction.verdict]);
  if (prediction.verdict === 'does-not-fit')
    return [paint('bold', title.join(' · ')), verdict, '', ...details(prediction, layout)];
  const miss = prediction.violationRate;
  const doubt = withinErrorText(prediction, plan.slo.attainment.value);
  const share = miss === null ? '' : ` · ${missShare(miss)} of the requests miss the SLO`;
  return [
    paint('bold', title.join(' · ')),
    `${verdict}${share}${fallsBehind(prediction) ? ' · the backlog grows' : ''}`,
    ...(doubt === null ? [] : wrap(doubt, layout.columns)),
    '',
    ...latencies(plan, prediction, layout),
    '',
    ...details(prediction, layout),
  ];
}

function latencies({ slo }: Plan, prediction: Prediction, { paint }: Layout): readonly string[] {
  const miss = prediction.violationRate;
  const rows: (readonly [string, Distribution | null, number | null, number | null])[] = [
    ['TTFT', prediction.ttftMs, slo.ttftMs.value, miss?.ttft ?? null],
    ['TPOT', prediction.tpotMs, slo.tpotMs.value, miss?.tpot ?? null],
    ['E2E', prediction.e2eMs, null, null],
  ];
  const hasSlo = slo.ttftMs.value !== null || slo.tpotMs.value !== null;
  const head: Cell[] = ['', ...columnsOfTable, ...(hasSlo ? ['SLO', 'miss'] : [])].map((text) => ({
    text,
    style: 'dim',
  }));
  const body = rows.map(([name, distribution, limitMs, missed]) => [
    { text: name },
    ...columnsOfTable.map((column): Cell => {
      const value = distribution?.[column];
      if (value === undefined) return { text: '–' };
      const text = formatDurationMs(value);
      return limitMs !== null && value > limitMs ? { text, style: 'yellow' } : { text };
    }),
    ...(hasSlo
      ? [
          { text: limitMs === null ? '' : formatDurationMs(limitMs) },
          { text: limitMs === null || missed === null ? '' : formatPercent(missed) },
        ]
      : []),
  ]);
  return table([head, ...body], paint);
}

function details(prediction: Prediction, layout: Layout): readonly string[] {
  const { memory, throughput, offload, ttftParts } = prediction;
  const rows: (readonly [string, string])[] = [];
  if (ttftParts !== null && prediction.queueShare !== null) {
    rows.push([
      'TTFT goes to',
      `queue ${formatDurationMs(ttftParts.queueMs)} (${formatPercent(prediction.queueShare)}), ` +
        `prefill ${formatDurationMs(ttftParts.prefillMs)}, offload not hidden ${formatDurationMs(ttftParts.offloadMs)}`,
    ]);
  }
  if (throughput !== null) {
    const good = prediction.violationRate === null ? '' : `, ${plainNumber(throughput.goodputPerS)}/s within the SLO`;
    rows.push([
      'Throughput',
      `${perSecond(throughput.requestsPerS)}, ${plainNumber(throughput.outputTokensPerS)} output tokens/s${good}`,
    ]);
  }
  rows.push([
    'GPU memory',
    `weights ${formatBytes(memory.weightsBytesPerGpu)}, activations ${formatBytes(memory.activationBytesPerGpu)} per GPU; ` +
      `KV pool ${formatTokens(memory.kvTokens)} tokens = ${plainNumber(memory.fullLengthSequences)} full-length sequences`,
  ]);
  if (offload !== null) {
    const hidden = offload.hiddenShare === null ? '' : `, ${formatPercent(offload.hiddenShare)} of it hidden`;
    rows.push([
      'LayerKV',
      `${offload.retainedLayers} of ${offload.layers} layers kept on the GPU during prefill; ` +
        `${formatBytes(offload.deviceToHostBytes)} to the host${hidden}, ${formatBytes(offload.hostToDeviceBytes)} back`,
    ]);
  }
  if (prediction.makespanS !== null) {
    const preempted = `${prediction.preemptions} preemption${prediction.preemptions === 1 ? '' : 's'}`;
    rows.push(['Run', `${formatDurationMs(prediction.makespanS * 1000)}, ${preempted}`]);
  }
  const likely = likelyText(prediction);
  if (likely !== null) rows.push(['How sure', likely]);
  return definitions([...rows, computedFrom(prediction)], layout);
}

/** Which law the times follow, and whose defaults count where the plan is silent. */
export function computedFrom({ provenance }: Prediction): readonly [string, string] {
  return ['Computed from', `cost model: ${costWords(provenance)}; defaults of ${defaultsWords(provenance)}`];
}

/** Lines: each name once, its text beside it, wrapped. */
export function definitions(
  rows: readonly (readonly [string, string])[],
  { paint, columns }: Layout,
): readonly string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.flatMap(([name, text]) => {
    const lines = wrap(printable(text), columns - width - 4);
    return lines.map((line, index) => `  ${paint('dim', (index === 0 ? name : '').padEnd(width))}  ${line}`);
  });
}
