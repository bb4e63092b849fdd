/** Plan → prediction(s). Synchronous and pure; runs in a worker. */
import { layerKvCanAct, prefixCachingApplies } from '../engine/applies.ts';
import type { CostModel } from '../engine/cost/types.ts';
import { hybridGroups } from '../engine/kv/hybrid.ts';
import { latencies, percentiles, shareInterval, tInterval, violations } from '../engine/metrics.ts';
import { backlogOf, isSaturated } from '../engine/saturation.ts';
import type { Timeline } from '../engine/schedule/timeline.ts';
import { costModel, hostTierApplies, type Run, simulate } from '../engine/simulate.ts';
import type { EngineInput, Policy } from '../engine/types.ts';
import type { Plan } from '../plan/types.ts';
import { type Assessment, assessInput } from './assess.ts';
import { confidenceOf, violationsWithin } from './confidence.ts';
import { engineInput, planPolicy } from './input.ts';
import type {
  Distribution,
  ForecastOptions,
  OffloadReport,
  Prediction,
  PrefixCacheReport,
  ReportProgress,
  RequestRecord,
  Series,
  Verdict,
  Versus,
} from './types.ts';

/** Seeds of the interval: this many after the plan's own. */
const INTERVAL_SEEDS = 10;

/**
 * Simulates the plan under the chosen policies. All policies see the same arrivals and lengths.
 * @param report called after each run with the share of runs done.
 */
export function forecast(
  plan: Plan,
  options: ForecastOptions,
  report: ReportProgress = () => {},
): readonly Prediction[] {
  const policies: readonly Policy[] =
    options.policy === 'compare' ? ['vllm', 'layerkv'] : [options.policy ?? planPolicy(plan)];
  const runs = policies.length * (options.interval ? 1 + INTERVAL_SEEDS : 1);
  let done = 0;
  const tick = (): void => report(++done / runs);
  const simulated = policies.map((policy) => predict(plan, policy, options, tick));
  const [first, second] = simulated;
  if (first === undefined || second === undefined) return simulated.map(({ prediction }) => prediction);
  const versus = compare(first, second);
  return [first.prediction, versus === null ? second.prediction : { ...second.prediction, versus }];
}

interface Simulated {
  readonly prediction: Prediction;
  /** Share of requests that break an SLO, by further seed; null where it was not asked for or nothing ran. */
  readonly rates: readonly number[] | null;
}

function predict(plan: Plan, policy: Policy, options: ForecastOptions, tick: () => void): Simulated {
  const input = engineInput(plan, { policy, seed: options.seed, requests: options.requests });
  // One law for all seeds: what it has looked up once it knows.
  const cost = costModel(input);
  const assessment = assessInput(input, cost);
  const known = header(plan, input, assessment, cost);
  if (!assessment.fits || !assessment.oneSequenceFits) return { prediction: withoutRun(known, input), rates: null };
  const run = simulate(input, { record: options.perRequest ? 'all' : 'gaps', cost });
  tick();
  const rates = options.interval ? violationRates(plan, input, cost, tick) : null;
  const interval = rates === null ? null : shareInterval(rates);
  return { prediction: fromRun(known, input, assessment, run, interval, options.perRequest), rates };
}

/** Share of requests that break an SLO, over further seeds; null without SLO. */
function violationRates(plan: Plan, input: EngineInput, cost: CostModel, tick: () => void): readonly number[] | null {
  if (input.slo.ttftS === null && input.slo.tpotS === null) return null;
  return Array.from({ length: INTERVAL_SEEDS }, (_, k) => {
    const { policy, workload } = input;
    const seeded = engineInput(plan, { policy, seed: workload.seed + k + 1, requests: workload.requests });
    const rate = violations(simulate(seeded, { cost }).records, input.slo)?.any ?? 0;
    tick();
    return rate;
  });
}

/** Both policies saw the same requests for each seed: the difference is taken seed by seed. */
function compare(first: Simulated, second: Simulated): Versus | null {
  const { rates } = second;
  if (first.rates === null || rates === null) return null;
  const differences = first.rates.map((rate, k) => rates[k]! - rate);
  const interval = tInterval(differences);
  return {
    policy: first.prediction.policy,
    anyDifference: differences.reduce((sum, difference) => sum + difference, 0) / differences.length,
    interval,
    distinguishable: interval[0] > 0 || interval[1] < 0,
  };
}

/** What does not start has no figures, only the memory that says why. */
function withoutRun(known: Header, input: EngineInput): Prediction {
  return {
    ...known,
    requests: input.workload.requests,
    finished: 0,
    ttftMs: null,
    tpotMs: null,
    e2eMs: null,
    queueShare: null,
    ttftParts: null,
    violationRate: null,
    throughput: null,
    makespanS: null,
    preemptions: 0,
    offload: null,
    verdict: 'does-not-fit',
  };
}

type Header = ReturnType<typeof header>;

function header(plan: Plan, input: EngineInput, assessment: Assessment, cost: CostModel) {
  return {
    name: plan.name.value,
    document: plan.documentIndex,
    policy: input.policy,
    scheduler: input.scheduler,
    seed: input.workload.seed,
    memory: assessment.memory,
    provenance: {
      cost: input.costScale === undefined ? cost.provenance : 'calibrated',
      ...(input.costScale === undefined ? {} : { calibration: plan.calibration.value?.path ?? '' }),
      engineDefaults: plan.engine.defaults.release,
      engineDefaultsRow: plan.engine.defaults.row,
      seed: input.workload.seed,
    },
  };
}

function fromRun(
  { provenance, ...known }: Header,
  input: EngineInput,
  assessment: Assessment,
  run: Run,
  interval: readonly [number, number] | null,
  perRequest: boolean,
): Prediction {
  const { records } = run;
  const times = latencies(records);
  const rates = violations(records, input.slo);
  const ttftMs = percentiles(times.ttftS, 1000);
  const queueMs = times.meanQueueS * 1000;
  const offloadMs = times.meanExposedS * 1000;
  const timeline = run.recording?.timeline ?? null;
  const backlog = backlogOf(run);
  const queueShare = ttftMs === null || ttftMs.mean === 0 ? null : queueMs / ttftMs.mean;
  const confidence =
    ttftMs === null ? null : confidenceOf(input, { queueShare: queueShare ?? 0, open: run.workload.open });
  const withinError = confidence === null ? null : violationsWithin(records, input.slo, confidence);
  return {
    ...known,
    provenance: { ...provenance, ...(confidence === null ? {} : { confidence }) },
    requests: records.count,
    finished: records.finished,
    ttftMs,
    tpotMs: percentiles(times.tpotS, 1000),
    e2eMs: percentiles(times.e2eS, 1000),
    itlMs: gapPercentiles(run),
    queueShare,
    ttftParts: ttftMs === null ? null : { queueMs, prefillMs: ttftMs.mean - queueMs - offloadMs, offloadMs },
    violationRate: rates === null ? null : { ...rates, interval, ...(withinError === null ? {} : { withinError }) },
    throughput: throughput(run, rates === null ? null : 1 - rates.any),
    makespanS: run.makespanS,
    preemptions: records.preemptions,
    offload: input.policy === 'vllm' || !layerKvCanAct(input) ? null : offloadReport(run, assessment),
    ...(prefixCachingApplies(input) ? { prefixCache: prefixCacheReport(run, input) } : {}),
    ...(backlog === null ? {} : { backlog }),
    verdict: verdictOf(run, rates?.any ?? null, input.slo.attainment),
    ...(perRequest ? { perRequest: requestRecords(run) } : {}),
    ...(timeline === null ? {} : { series: series(timeline, input, assessment) }),
  };
}

function throughput(run: Run, goodShare: number | null): Prediction['throughput'] {
  const { records, makespanS } = run;
  if (makespanS <= 0) return null;
  const { finishS, count } = records;
  let outputTokens = 0;
  for (let k = 0; k < count; k++) if (!Number.isNaN(finishS[k]!)) outputTokens += records.outputTokens[k]!;
  const requestsPerS = records.finished / makespanS;
  return {
    requestsPerS,
    outputTokensPerS: outputTokens / makespanS,
    // Without an SLO every finished request is a good one.
    goodputPerS: goodShare === null ? requestsPerS : (goodShare * records.count) / makespanS,
  };
}

function offloadReport(run: Run, assessment: Assessment): OffloadReport {
  const { records } = run;
  return {
    layers: assessment.layerkv.layers,
    retainedLayers: assessment.layerkv.retainedLayers,
    hiddenShare: records.transferS > 0 ? 1 - records.exposedTransferS / records.transferS : null,
    deviceToHostBytes: records.deviceToHostBytes,
    hostToDeviceBytes: records.hostToDeviceBytes,
    parkedS: records.parkedS,
  };
}

function prefixCacheReport(run: Run, input: EngineInput): PrefixCacheReport {
  const { admittedTokens, cachedTokens, loadedTokens } = run.records;
  const share = (tokens: number): number => (admittedTokens === 0 ? 0 : tokens / admittedTokens);
  return { gpuHitShare: share(cachedTokens), hostHitShare: hostTierApplies(input) ? share(loadedTokens) : null };
}

function verdictOf(run: Run, anyViolation: number | null, attainment: number): Verdict {
  if (isSaturated(run)) return 'saturated';
  return anyViolation !== null && 1 - anyViolation < attainment ? 'violated' : 'met';
}

function gapPercentiles(run: Run): Distribution | null {
  const gaps = run.recording?.gaps;
  if (gaps === undefined || gaps.count === 0) return null;
  const at = (p: number): number => gaps.quantileS(p) * 1000;
  const [p50, p90, p95, p99] = [at(0.5), at(0.9), at(0.95), at(0.99)];
  return { mean: gaps.meanS() * 1000, p50, p90, p95, p99, max: gaps.maxS() * 1000 };
}

function series(timeline: Timeline, input: EngineInput, assessment: Assessment): Series {
  const { stepS, columns } = timeline.averages();
  const { gpuBlocks, hostPoolTokens } = assessment.memory;
  const hybrid = hybridGroups(input);
  const groups = hybrid === null ? 1 : hybrid.globalGroups + hybrid.localGroups;
  const engines = input.replicas * input.parallelism.data;
  const hostBlocks = ((hostPoolTokens ?? 0) * input.replicas) / input.limits.blockSizeTokens;
  return {
    stepS,
    queue: columns.queue,
    decoding: columns.decoding,
    parked: columns.parked,
    gpuKvShare: columns.gpuKvBlocks.map((blocks) => (blocks * groups) / (gpuBlocks * engines)),
    hostKvShare: columns.hostKvBlocks.map((blocks) => (hostBlocks > 0 ? Math.min(1, blocks / hostBlocks) : 0)),
    linkBusy: columns.linkBusy,
  };
}

function requestRecords(run: Run): readonly RequestRecord[] {
  const { records } = run;
  const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
  // Users of several engines are simulated one engine after the other.
  const order = Array.from({ length: records.count }, (_, k) => k);
  return order
    .sort((a, b) => records.arrivalS[a]! - records.arrivalS[b]!)
    .map((k) => ({
      arrivalS: records.arrivalS[k]!,
      inputTokens: records.inputTokens[k]!,
      outputTokens: records.outputTokens[k]!,
      prefillStartS: orNull(records.prefillStartS[k]!),
      firstTokenS: orNull(records.firstTokenS[k]!),
      finishS: orNull(records.finishS[k]!),
    }));
}
