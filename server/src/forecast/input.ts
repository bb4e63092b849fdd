/** The plan as the engine takes it: values without their places. */
import type { EngineInput, Policy, WorkloadSpec } from '../engine/types.ts';
import type { Plan } from '../plan/types.ts';

/** The policy that the plan itself asks for. */
export function planPolicy(plan: Plan): Policy {
  if (!plan.layerkv.enabled.value) return 'vllm';
  return plan.layerkv.sloAware.value ? 'layerkv' : 'layerkv-no-slo';
}

export interface InputOverrides {
  readonly policy?: Policy | undefined;
  readonly seed?: number | undefined;
  readonly requests?: number | undefined;
}

/** @returns the engine's input for one policy and seed. */
export function engineInput(plan: Plan, overrides: InputOverrides = {}): EngineInput {
  const { engine, layerkv, slo } = plan;
  return {
    model: plan.model.value.shape,
    weightDtype: plan.weightDtype.value,
    kvDtype: engine.kvCacheDtype.value,
    activationDtype: engine.activationDtype.value,
    gpu: plan.gpu.value.facts,
    parallelism: {
      tensor: plan.tensor.value,
      pipeline: plan.pipeline.value,
      data: plan.data.value,
      expert: plan.expert.value,
    },
    interconnect: plan.interconnect.value,
    hostLinkBytesPerS: plan.hostLinkGBs.value * 1e9,
    replicas: plan.replicas.value,
    routing: plan.routing.value,
    scheduler: engine.scheduler.value,
    policy: overrides.policy ?? planPolicy(plan),
    limits: {
      blockSizeTokens: engine.blockSize.value,
      maxModelLenTokens: engine.maxModelLen.value,
      maxNumSeqs: engine.maxNumSeqs.value,
      maxNumBatchedTokens: engine.maxNumBatchedTokens.value,
      reserveFullSequence: engine.reserveFullSequence.value,
    },
    gpuMemoryUtilization: engine.gpuMemoryUtilization.value,
    memoryLaw: engine.memoryLaw.value,
    numGpuBlocks: engine.numGpuBlocks.value,
    enforceEager: engine.enforceEager.value,
    prefixCaching: engine.prefixCaching.value,
    hybridKvCache: engine.hybridKvCache.value,
    fullDecodeGraphs: engine.fullDecodeGraphs.value,
    ...kvOffload(engine),
    asyncScheduling: engine.asyncScheduling.value,
    layerkv: {
      hostPoolBytes: layerkv.hostPoolBytes.value,
      residency: layerkv.residency.value,
      alpha: layerkv.alpha.value,
      transientLayers: layerkv.transientLayers.value,
      growthReserve: layerkv.growthReserve.value,
      offloadThreshold: layerkv.offloadThreshold.value,
      chunkBytes: layerkv.chunkBytes.value,
      lostRequests: layerkv.lostRequests.value,
      countReloadWait: layerkv.countReloadWait.value,
      predictor: { buckets: layerkv.predictorBuckets.value, accuracy: layerkv.predictorAccuracy.value },
    },
    slo: {
      ttftS: slo.ttftMs.value === null ? null : slo.ttftMs.value / 1000,
      tpotS: slo.tpotMs.value === null ? null : slo.tpotMs.value / 1000,
      attainment: slo.attainment.value,
    },
    ...costScale(plan),
    cost: plan.cost.value === null ? { kind: 'roofline' } : { kind: 'linear', linear: plan.cost.value },
    workload: workloadSpec(plan, overrides),
  };
}

function kvOffload({
  kvOffloadHostPoolBytes,
  kvOffloadConnector,
  kvOffloadChunkTokens,
}: Plan['engine']): Pick<EngineInput, 'kvOffload'> {
  const hostPoolBytes = kvOffloadHostPoolBytes.value;
  if (hostPoolBytes === null) return {};
  const connector = kvOffloadConnector.value;
  if (connector === 'offloading') return { kvOffload: { connector, hostPoolBytes } };
  return { kvOffload: { connector, hostPoolBytes, chunkTokens: kvOffloadChunkTokens.value } };
}

/** Factors are of the cost model; a hand-made law is meant as it stands. */
function costScale(plan: Plan): Pick<EngineInput, 'costScale'> {
  const { calibration, cost } = plan;
  return calibration.value === null || cost.value !== null ? {} : { costScale: calibration.value.scales };
}

function workloadSpec(plan: Plan, overrides: InputOverrides): WorkloadSpec {
  const { workload } = plan;
  const trace = workload.trace.value;
  return {
    source:
      trace === null
        ? {
            kind: 'synthetic',
            arrivals: workload.arrivals.value,
            input: workload.input.value,
            output: workload.output.value,
          }
        : { kind: 'trace', trace: trace.columns },
    ...(workload.sharedPrefixShare.value > 0 && workload.sharedPrefixTokens.value > 0
      ? { sharedPrefix: { tokens: workload.sharedPrefixTokens.value, share: workload.sharedPrefixShare.value } }
      : {}),
    requests: overrides.requests ?? workload.requests.value,
    seed: overrides.seed ?? workload.seed.value,
  };
}
