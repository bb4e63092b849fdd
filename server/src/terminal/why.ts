/** Why the figures are what they are, in a few sentences that follow from the result itself. */
import type { Prediction } from '../forecast/types.ts';
import { backlogText, fallsBehind, POLICY_NAMES, perSecond, plainNumber } from '../language/words.ts';
import { formatDurationMs, formatPercent, formatTokens } from '../plan/quantity.ts';
import { times } from './comparison.ts';
import type { SimulatedPlan } from './figures.ts';

/** Above this share of the mean TTFT, waiting is what there is to explain. */
const mostlyQueue = 0.5;
/** Above this share of the KV pool in use on average, the pool is what requests wait for. */
const poolIsFull = 0.5;
/** Factors closer to 1 than this are no change worth a sentence. */
const noChange = 1.1;

/** Sentences, one an entry: first what each policy does, then what changes from one to the other. */
export function explain(simulated: SimulatedPlan): readonly string[] {
  const [first, second] = simulated.predictions;
  if (first === undefined) return [];
  if (first.verdict === 'does-not-fit') {
    return ['Nothing was simulated: weights and activations leave no room for KV cache on this GPU.'];
  }
  return [
    ...explainWaiting(simulated, first),
    ...(second === undefined ? [] : explainChange(simulated, first, second)),
    ...simulated.predictions.flatMap(explainBacklog),
  ];
}

/** A short queue is no proof that the load is carried. */
function explainBacklog(prediction: Prediction): readonly string[] {
  const { policy, backlog, throughput } = prediction;
  if (backlog === undefined || throughput === null || !fallsBehind(prediction)) return [];
  return [
    `${POLICY_NAMES[policy]} does not keep up: ${backlogText(backlog)}. It carries about ` +
      `${perSecond(throughput.requestsPerS)}, and the longer the load lasts the longer requests wait.`,
  ];
}

function explainWaiting(simulated: SimulatedPlan, prediction: Prediction): readonly string[] {
  const { queueShare, ttftMs } = prediction;
  if (queueShare === null || ttftMs === null) return [];
  const name = POLICY_NAMES[prediction.policy];
  const share = formatPercent(queueShare);
  if (queueShare < mostlyQueue) {
    return [`${name}: ${share} of the mean TTFT is queueing; the rest is the prefill itself.`];
  }
  const { plan, assessment } = simulated;
  const layers = plan.model.value.shape.layers;
  const held = tokensOfARequest(simulated, prediction);
  const poolTokens = prediction.memory.kvTokens;
  if (prediction.preemptions === 0 && poolShareInUse(simulated, prediction) < poolIsFull) {
    return [
      `${name}: ${share} of the mean TTFT is queueing, and not for want of memory: prompts wait for the GPU's time ` +
        `(one prefill of ${formatTokens(assessment.meanPromptTokens)} tokens takes ` +
        `${formatDurationMs(assessment.lonePrefillS * 1000)}).`,
    ];
  }
  if (prediction.policy !== 'vllm') {
    return [
      `${name}: ${share} of the mean TTFT is still queueing: the KV pool of ${formatTokens(poolTokens)} tokens is full.`,
    ];
  }
  return [
    `${name}: ${share} of the mean TTFT is queueing: a prompt needs KV blocks for all ${layers} layers at once, and ` +
      `the pool of ${formatTokens(poolTokens)} tokens holds ${plainNumber(Math.floor(poolTokens / held))} requests of ` +
      `${formatTokens(held)} tokens.`,
  ];
}

function explainChange(simulated: SimulatedPlan, before: Prediction, after: Prediction): readonly string[] {
  const name = POLICY_NAMES[after.policy];
  if (!simulated.assessment.layerkv.canAct) {
    return [`${name} cannot act here: without a host link and a host pool it is the baseline.`];
  }
  if (before.ttftMs === null || after.ttftMs === null) return [];
  const gain = before.ttftMs.mean / after.ttftMs.mean;
  const sentences: string[] = [];
  const { offload } = after;
  if (offload !== null && offload.deviceToHostBytes === 0) {
    sentences.push(`${name} has nothing to move: every prompt finds room on the GPU.`);
  } else if (offload !== null) {
    const moved = offload.layers - offload.retainedLayers;
    const hidden =
      offload.hiddenShare === null
        ? ''
        : ` (${formatPercent(offload.hiddenShare)} of that hides behind the computation)`;
    sentences.push(
      `${name} keeps ${offload.retainedLayers} of ${offload.layers} layers of a mean prompt's KV on the GPU during its ` +
        `prefill and sends the other ${moved} to the host${hidden}, so that a prompt need not wait for room.`,
    );
  }
  const from = formatDurationMs(before.ttftMs.mean);
  const to = formatDurationMs(after.ttftMs.mean);
  if (gain >= noChange) sentences.push(`Mean TTFT falls from ${from} to ${to}, ${times(gain)} shorter.`);
  else if (gain <= 1 / noChange)
    sentences.push(`Mean TTFT rises from ${from} to ${to}${reasonForLoss(simulated, before, after)}.`);
  else sentences.push(`Mean TTFT stays about the same (${from}, ${to}): ${reasonForNoGain(before, after)}`);
  return [...sentences, ...explainPrice(simulated, before, after)];
}

function reasonForNoGain(before: Prediction, after: Prediction): string {
  if ((before.queueShare ?? 0) < mostlyQueue) return 'there is little queueing for LayerKV to remove.';
  if ((after.queueShare ?? 0) >= mostlyQueue) return 'the queue is too long for earlier prefills to drain it.';
  return 'what it saves in the queue it spends elsewhere.';
}

function reasonForLoss({ plan }: SimulatedPlan, before: Prediction, after: Prediction): string {
  const limitMs = plan.slo.tpotMs.value;
  if (after.policy !== 'layerkv' || limitMs === null || before.tpotMs === null || after.tpotMs === null) return '';
  if ((after.queueShare ?? 0) <= (before.queueShare ?? 0)) return '';
  return (
    `: its scheduler holds prefills back to protect the TPOT SLO of ${formatDurationMs(limitMs)} ` +
    `(p99 ${formatDurationMs(before.tpotMs.p99)} → ${formatDurationMs(after.tpotMs.p99)})`
  );
}

function explainPrice({ plan }: SimulatedPlan, before: Prediction, after: Prediction): readonly string[] {
  if (before.tpotMs === null || after.tpotMs === null) return [];
  const from = formatDurationMs(before.tpotMs.mean);
  const to = formatDurationMs(after.tpotMs.mean);
  if (after.tpotMs.mean < before.tpotMs.mean * noChange) return [];
  const limitMs = plan.slo.tpotMs.value;
  const missed = after.violationRate?.tpot ?? 0;
  const limit =
    limitMs === null
      ? ''
      : `; ${missed === 0 ? 'no request misses' : `${formatPercent(missed)} of the requests miss`} the SLO of ${formatDurationMs(limitMs)}`;
  const price = `The price is TPOT: ${from} → ${to} on average${limit}.`;
  const parkedS = after.offload === null || after.finished === 0 ? 0 : after.offload.parkedS / after.finished;
  if (parkedS === 0) return [price];
  return [
    price,
    `After its first token a request waits ${formatDurationMs(parkedS * 1000)} on average until its KV fits on the GPU again.`,
  ];
}

/** Mean prompt and mean output of the requests that were simulated, tokens. */
function tokensOfARequest({ assessment }: SimulatedPlan, { throughput }: Prediction): number {
  const output =
    throughput === null || throughput.requestsPerS === 0 ? 0 : throughput.outputTokensPerS / throughput.requestsPerS;
  return assessment.meanPromptTokens + output;
}

/**
 * Mean share of the KV pool in use, by Little's law: requests in service = their rate × the time from prefill to
 * finish, each holding its prompt and, on average, half of its output.
 */
function poolShareInUse(simulated: SimulatedPlan, prediction: Prediction): number {
  const { throughput, e2eMs, ttftParts, memory } = prediction;
  if (throughput === null || e2eMs === null || ttftParts === null || memory.kvTokens === 0) return 0;
  const inService = (throughput.requestsPerS * (e2eMs.mean - ttftParts.queueMs)) / 1000;
  const { meanPromptTokens } = simulated.assessment;
  const heldTokens = meanPromptTokens + (tokensOfARequest(simulated, prediction) - meanPromptTokens) / 2;
  return (inService * heldTokens) / (memory.kvTokens * simulated.plan.replicas.value);
}
