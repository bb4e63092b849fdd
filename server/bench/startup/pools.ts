/** Published start-up logs beside what the memory model makes of the same deployment. */
import { engineDefaults } from '../../src/catalog/engineDefaults.ts';
import { findGpu } from '../../src/catalog/gpus.ts';
import { memoryLaw } from '../../src/catalog/memoryLaws.ts';
import { findModel } from '../../src/catalog/models.ts';
import { type MemoryInput, type MemoryModel, memoryModel } from '../../src/engine/memory.ts';
import { LAYERKV_OFF } from '../validate/row.ts';
import { STARTUP_LOGS } from './logs.ts';
import type { StartupLog } from './types.ts';

export const GIB = 2 ** 30;

/** What requests look like matters to the pool only where they begin alike. */
const ANY_REQUESTS: MemoryInput['workload']['source'] = {
  kind: 'synthetic',
  arrivals: { kind: 'serial' },
  input: { kind: 'fixed', tokens: 1 },
  output: { kind: 'fixed', tokens: 1 },
};

/** @throws where the catalogue lacks what the log names. */
export function inputOf(log: StartupLog): MemoryInput {
  const gpu = findGpu(log.gpu);
  const model = typeof log.model === 'string' ? findModel(log.model)?.shape : log.model;
  if (gpu === undefined || model === undefined) throw new Error(`${log.name}: GPU or model is not in the catalogue`);
  const defaults = engineDefaults(log.version, gpu, log.maxModelLen, log.scheduler);
  if (!defaults.ok) throw new Error(`${log.name}: ${defaults.message}`);
  const { scheduler, maxNumSeqs, maxNumBatchedTokens, blockSizeTokens, hybridKvCache } = defaults.value;
  const from = log.flashInfer === true ? 'image' : 'package';
  const { law } = memoryLaw(log.version, scheduler, model.moe !== undefined, from);
  const programMemoryBytes = log.totalGiB === undefined ? gpu.facts.programMemoryBytes : log.totalGiB * GIB;
  return {
    model,
    weightDtype: log.weightDtype ?? 'bf16',
    kvDtype: log.kvDtype ?? 'bf16',
    gpu: { ...gpu.facts, programMemoryBytes },
    parallelism: { tensor: log.tensor ?? 1, pipeline: 1, data: 1, expert: 1 },
    interconnect: log.interconnect ?? 'pcie',
    scheduler,
    limits: {
      blockSizeTokens,
      maxModelLenTokens: log.maxModelLen,
      maxNumSeqs: log.maxNumSeqs ?? maxNumSeqs,
      maxNumBatchedTokens: log.maxNumBatchedTokens ?? maxNumBatchedTokens,
    },
    gpuMemoryUtilization: log.utilization,
    enforceEager: log.enforceEager ?? false,
    hybridKvCache,
    memoryLaw: law,
    numGpuBlocks: null,
    policy: 'vllm',
    layerkv: LAYERKV_OFF,
    hostLinkBytesPerS: gpu.facts.hostLinkBytesPerS,
    workload: { source: ANY_REQUESTS },
  };
}

export interface CheckedLog {
  readonly log: StartupLog;
  readonly memory: MemoryModel;
  /** Published pool, bytes a GPU. */
  readonly poolBytes: number | null;
}

/** Every log beside what our memory model makes of it. */
export const CHECKED_LOGS: readonly CheckedLog[] = STARTUP_LOGS.map((log) => {
  const input = inputOf(log);
  const memory = memoryModel(input);
  const { blocks, tokens, kvBytes, kvGiB } = log.published;
  const exactTokens = tokens ?? (blocks === undefined ? undefined : blocks * input.limits.blockSizeTokens);
  const printed = kvBytes ?? (kvGiB === undefined ? null : kvGiB * GIB);
  const poolBytes = exactTokens === undefined ? printed : exactTokens * memory.kvBytesPerTokenPerGpu;
  return { log, memory, poolBytes };
});

/** Logs whose pool can be compared. */
export function logsWithPools(): readonly CheckedLog[] {
  return CHECKED_LOGS.filter(({ log, poolBytes }) => log.notAPool === undefined && poolBytes !== null);
}

/** Signed relative error of the predicted pool. */
export function poolError({ memory, poolBytes }: CheckedLog): number {
  return memory.kvBudgetBytesPerGpu / (poolBytes ?? 0) - 1;
}
