/** It starts: does it serve? What the prediction says against the load and the service-level objectives. */
import type { Distribution, Prediction } from '../forecast/types.ts';
import { formatDurationMs, formatPercent } from '../plan/quantity.ts';
import type { Located, Plan } from '../plan/types.ts';
import type { Problem, Range } from '../text/types.ts';
import { withinErrorText } from './confidence.ts';
import { relatedPlaces, valuePlace } from './place.ts';
import { backlogText, describeArrivals, fallsBehind, missShare, POLICY_NAMES, perSecond } from './words.ts';

/** Below this share of hidden transfer time the offload costs more TTFT than it is worth ignoring. */
const HIDDEN_ENOUGH = 0.9;
/** Preemptions per request above which recomputation is a cost that shows. */
const PREEMPTIONS_PER_REQUEST = 0.1;

/** `named`: several policies were simulated, so that each problem has to say which one it is about. */
export function sloProblems(plan: Plan, prediction: Prediction, named: boolean): Problem[] {
  if (prediction.verdict === 'does-not-fit') return [];
  const problems = [
    ...unserved(plan, prediction),
    ...saturated(plan, prediction),
    ...fallingBehind(plan, prediction),
    ...missed(plan, prediction),
    ...offload(plan, prediction),
    ...preemptions(plan, prediction),
  ];
  if (!named) return problems;
  const prefix = `With ${POLICY_NAMES[prediction.policy]}: `;
  return problems.map((problem) => ({ ...problem, message: prefix + problem.message }));
}

function loadPlace(plan: Plan): Range {
  return valuePlace(plan, plan.workload.trace, plan.workload.arrivals);
}

function unserved(plan: Plan, { finished, requests }: Prediction): Problem[] {
  const missing = requests - finished;
  if (missing <= 0) return [];
  return [
    {
      rule: 'requests-not-served',
      severity: 'warning',
      message:
        `${missing} of ${requests} requests are never served: they are longer than the engine takes, or than the KV cache ` +
        'holds. Raise engine.maxModelLen and engine.maxNumBatchedTokens, give the cache more memory, or shorten the prompts.',
      range: valuePlace(plan, plan.workload.trace, plan.workload.input),
      related: relatedPlaces(plan.anchor, {
        located: plan.engine.maxModelLen,
        message: `Prompts of ${plan.engine.maxModelLen.value} tokens and more are refused.`,
      }),
    },
  ];
}

function offeredLoad({ workload: { arrivals, trace } }: Plan): string {
  return trace.value === null ? describeArrivals(arrivals.value) : 'the trace';
}

function saturated(plan: Plan, prediction: Prediction): Problem[] {
  if (prediction.verdict !== 'saturated') return [];
  const served =
    prediction.throughput === null ? '' : `, and only ${perSecond(prediction.throughput.requestsPerS)} are finished`;
  return [
    {
      rule: 'saturated',
      severity: 'warning',
      message:
        `More arrives than the deployment can serve (${offeredLoad(plan)}${served}): the queue grows for as long as the load ` +
        `lasts, and so does TTFT. ${relief(prediction, 'Lower the rate, add replicas')}`,
      range: loadPlace(plan),
    },
  ];
}

/** What the verdict cannot see: it looks at the queue, and LayerKV keeps that short by parking requests instead. */
function fallingBehind(plan: Plan, prediction: Prediction): Problem[] {
  const { backlog, requests, throughput, violationRate, verdict } = prediction;
  if (backlog === undefined || throughput === null || !fallsBehind(prediction)) return [];
  const longer =
    violationRate === null
      ? 'In a longer run requests wait longer.'
      : verdict === 'met'
        ? `The SLO holds for ${requests} requests; a longer run will break it.`
        : 'A longer run will break the SLO more often.';
  return [
    {
      rule: 'backlog-grows',
      severity: 'warning',
      message:
        `The backlog grows (${offeredLoad(plan)}): ${backlogText(backlog)}; this plan carries about ` +
        `${perSecond(throughput.requestsPerS)}. ${longer} Lower the rate, or add replicas.`,
      range: loadPlace(plan),
    },
  ];
}

function missed(plan: Plan, prediction: Prediction): Problem[] {
  const rate = prediction.violationRate;
  if (rate === null || (prediction.verdict !== 'violated' && prediction.verdict !== 'saturated')) return [];
  const { ttftMs, tpotMs, attainment } = plan.slo;
  const allowed = 1 - attainment.value;
  if (rate.any <= allowed) return [];
  const goal = `at most ${formatPercent(allowed)} may (attainment ${formatPercent(attainment.value)})`;
  const error = withinErrorText(prediction, attainment.value);
  const doubt = error === null ? '' : ` ${error}`;
  const problems: Problem[] = [];
  const objective = (located: Located<number | null>, share: number, what: string, advice: string): void => {
    if (located.value === null || share <= allowed) return;
    // Where one objective is all that is missed, its share is the whole share, whose interval is known.
    const told = share === rate.any ? missShare(rate) : formatPercent(share);
    const both = share === rate.any ? '' : ` ${missShare(rate)} break one SLO or the other.`;
    problems.push({
      rule: 'slo-missed',
      severity: 'warning',
      message: `${told} of the requests ${what}; ${goal}.${both} ${advice}${doubt}`,
      range: valuePlace(plan, located, attainment),
      related: [{ message: 'The load that this was predicted for.', range: loadPlace(plan) }],
    });
  };
  objective(
    ttftMs,
    rate.ttft,
    `wait longer than ${formatDurationMs(ttftMs.value ?? 0)} for their first token${p99(prediction.ttftMs)}`,
    relief(prediction, 'Lower the rate, add replicas'),
  );
  objective(
    tpotMs,
    rate.tpot,
    `get their tokens slower than one per ${formatDurationMs(tpotMs.value ?? 0)}${p99(prediction.tpotMs)}`,
    'Lower engine.maxNumSeqs or the rate, or use more GPUs per replica.',
  );
  if (problems.length > 0) return problems;
  // Each objective alone is kept often enough; only both together are not.
  const range = valuePlace(plan, attainment, ttftMs, tpotMs);
  return [
    {
      rule: 'slo-missed',
      severity: 'warning',
      message: `${missShare(rate)} of the requests break one SLO or the other; ${goal}. ${relief(prediction, 'Lower the rate, add replicas')}${doubt}`,
      range,
    },
  ];
}

function p99(figure: Distribution | null): string {
  return figure === null ? '' : ` (p99 ${formatDurationMs(figure.p99)})`;
}

/** The next step: LayerKV where queueing for KV blocks is what costs, and it is not on yet. */
function relief(prediction: Prediction, otherwise: string): string {
  const queues = prediction.policy === 'vllm' && (prediction.queueShare ?? 0) > 0.5;
  return queues
    ? `${formatPercent(prediction.queueShare ?? 0)} of the mean TTFT is waiting in the queue. ${otherwise}, or compare with LayerKV.`
    : `${otherwise}, or use more GPU memory per replica.`;
}

function offload(plan: Plan, { offload: report, policy }: Prediction): Problem[] {
  if (policy === 'vllm' || report === null || report.hiddenShare === null || report.hiddenShare >= HIDDEN_ENOUGH)
    return [];
  return [
    {
      rule: 'offload-not-hidden',
      severity: 'information',
      message:
        `Only ${formatPercent(report.hiddenShare)} of the time that offloading takes is hidden behind computing; the rest ` +
        'delays first tokens. A faster host link, or longer prompts per step, would hide more.',
      range: valuePlace(plan, plan.hostLinkGBs, plan.layerkv.enabled),
    },
  ];
}

function preemptions(plan: Plan, { preemptions: count, requests }: Prediction): Problem[] {
  if (count <= requests * PREEMPTIONS_PER_REQUEST) return [];
  return [
    {
      rule: 'frequent-preemptions',
      severity: 'information',
      message:
        `The KV cache runs full ${count} times in ${requests} requests: each time a running request is thrown out and ` +
        'computed again. Lower engine.maxNumSeqs, or give the cache more memory.',
      range: valuePlace(plan, plan.engine.maxNumSeqs, plan.engine.gpuMemoryUtilization, plan.gpu),
    },
  ];
}
