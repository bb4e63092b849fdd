/** A published measurement (one line of a validation file) as the engine takes it, or why it cannot be run. */
import { engineDefaults } from '../../src/catalog/engineDefaults.ts';
import { findGpu } from '../../src/catalog/gpus.ts';
import { memoryLaw } from '../../src/catalog/memoryLaws.ts';
import { findModel } from '../../src/catalog/models.ts';
import { KV_BYTES, nativeActivation, WEIGHT_BYTES } from '../../src/engine/dtypes.ts';
import { memoryModel } from '../../src/engine/memory.ts';
import type { EngineInput, KvDtype, WeightDtype } from '../../src/engine/types.ts';
import { rowWorkload } from './workload.ts';

/** Milliseconds by statistic, as published: which of them is there differs by source. */
export interface PublishedTimes {
  readonly mean?: number;
  readonly p50?: number;
  readonly p90?: number;
  readonly p99?: number;
  readonly unspecified?: number;
}

export interface RowLengths {
  readonly kind: 'fixed' | 'uniform' | 'mean';
  readonly tokens?: number;
  readonly min?: number;
  readonly max?: number;
  readonly p25?: number;
  readonly p50?: number;
  readonly p75?: number;
  readonly p90?: number;
  readonly p99?: number;
}

/** The fields of a line that a simulation needs; times in ms, rates per second, lengths in tokens. */
export interface ValidationRow {
  readonly id: string;
  readonly source: string;
  readonly quality: string;
  readonly engineVersion: string;
  readonly scheduler: string;
  readonly model: string;
  readonly gpu: string;
  readonly tp: number;
  readonly pp: number;
  readonly dp: number;
  readonly ep: number;
  readonly replicas?: number;
  readonly nodes?: number;
  readonly weightDtype: string;
  readonly activationDtype?: string;
  readonly kvDtype: string;
  readonly maxModelLen?: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly numGpuBlocks?: number;
  readonly blockSize?: number;
  readonly gpuMemoryUtilization?: number;
  readonly prefixCaching?: boolean;
  readonly enforceEager?: boolean;
  readonly asyncScheduling?: boolean;
  readonly load: {
    readonly kind: string;
    readonly concurrency?: number;
    readonly rate?: number;
    readonly numRequests?: number;
  };
  readonly input: RowLengths;
  readonly output: RowLengths;
  /** Traces: arrival s, input tokens, output tokens, TTFT ms, end to end ms. */
  readonly requests?: readonly (readonly number[])[];
  readonly measured: {
    readonly ttftMs?: PublishedTimes;
    readonly tpotMs?: PublishedTimes;
    readonly outputTokS?: number;
    readonly reqS?: number;
  };
  readonly caveats?: readonly string[];
}

export type RowInput =
  | { readonly ok: true; readonly input: EngineInput }
  | { readonly ok: false; readonly reason: string };

/** Versions that a source leaves open ('unknown (2025)') are read as the middle of that year. */
const VERSION_WHERE_UNKNOWN = '0.9';

/** What a row leaves open, and how it is filled. */
interface Filled {
  readonly gpuMemoryUtilization: number | null;
  readonly maxModelLenTokens: number | null;
}

/**
 * @returns the engine's input, with vLLM's defaults of that version where the row is silent. What was measured had
 * started, so where the defaults leave no room for the row's longest request, its operator had set what start-up then
 * asks for: a larger share of memory, or a shorter maximum length.
 */
export function rowInput(row: ValidationRow): RowInput {
  const enough = Math.max(8192, 2 * longest(row));
  const attempts: readonly Filled[] = [
    { gpuMemoryUtilization: null, maxModelLenTokens: null },
    { gpuMemoryUtilization: 0.95, maxModelLenTokens: null },
    { gpuMemoryUtilization: 0.95, maxModelLenTokens: enough },
    { gpuMemoryUtilization: 0.98, maxModelLenTokens: enough },
  ];
  let first: RowInput | null = null;
  let runs: RowInput | null = null;
  for (const attempt of attempts) {
    const built = inputOf(row, attempt);
    if (!built.ok) return built;
    const { kvTokens } = memoryModel(built.input);
    const { maxModelLenTokens } = built.input.limits;
    const needed = Math.min(longest(row), maxModelLenTokens);
    // vLLM does not start with a pool below the maximum length.
    if (kvTokens >= (row.maxModelLen === undefined ? maxModelLenTokens : needed)) return built;
    if (kvTokens >= needed) runs ??= built;
    first ??= {
      ok: false,
      reason: `the KV pool holds ${Math.max(0, kvTokens)} tokens by our reckoning, a request needs ${needed}`,
    };
  }
  return runs ?? first ?? { ok: false, reason: 'the row cannot be run' };
}

function inputOf(row: ValidationRow, filled: Filled): RowInput {
  const no = (reason: string): RowInput => ({ ok: false, reason });
  const model = findModel(row.model);
  if (model === undefined) return no(`model ${row.model} is not in the catalogue`);
  const gpu = findGpu(row.gpu);
  if (gpu === undefined) return no(`GPU ${row.gpu} is not in the catalogue`);
  const weightDtype = weightDtypeOf(row.weightDtype);
  if (weightDtype === null) return no(`weights in ${row.weightDtype} are not known`);
  if (!(row.kvDtype in KV_BYTES)) return no(`KV in ${row.kvDtype} is not known`);
  const workload = rowWorkload(row);
  if (typeof workload === 'string') return no(workload);
  const scheduler = row.scheduler.startsWith('v0') ? 'v0' : 'v1';
  const maxModelLenTokens =
    row.maxModelLen ?? filled.maxModelLenTokens ?? Math.max(model.shape.maxPositionTokens, longest(row));
  const version = versionOf(row.engineVersion);
  const found = engineDefaults(version, gpu, maxModelLenTokens, scheduler);
  if (!found.ok) return no(found.message);
  const defaults = found.value;
  const input: EngineInput = {
    model: model.shape,
    weightDtype,
    kvDtype: row.kvDtype as KvDtype,
    activationDtype: activationOf(row) ?? nativeActivation(gpu.facts, weightDtype),
    gpu: gpu.facts,
    parallelism: { tensor: row.tp, pipeline: row.pp, data: row.dp, expert: row.ep },
    interconnect: gpu.facts.nvlinkBytesPerS > 0 ? 'nvlink' : 'pcie',
    hostLinkBytesPerS: gpu.facts.hostLinkBytesPerS,
    replicas: row.replicas ?? 1,
    routing: 'roundRobin',
    scheduler,
    policy: 'vllm',
    limits: {
      blockSizeTokens: row.blockSize ?? defaults.blockSizeTokens,
      maxModelLenTokens,
      maxNumSeqs: row.maxNumSeqs ?? defaults.maxNumSeqs,
      maxNumBatchedTokens: row.maxNumBatchedTokens ?? defaults.maxNumBatchedTokens,
      reserveFullSequence: defaults.reserveFullSequence,
    },
    gpuMemoryUtilization: row.gpuMemoryUtilization ?? filled.gpuMemoryUtilization ?? defaults.gpuMemoryUtilization,
    numGpuBlocks: row.numGpuBlocks ?? null,
    memoryLaw: memoryLaw(version, scheduler, model.shape.moe !== undefined).law,
    fullDecodeGraphs: defaults.fullDecodeGraphs || fullGraphsByScript(row),
    enforceEager: row.enforceEager ?? (row.caveats ?? []).includes('CUDA graphs off'),
    asyncScheduling: scheduler === 'v1' && row.pp === 1 && (row.asyncScheduling ?? defaults.asyncScheduling),
    ...((row.caveats ?? []).some((caveat) => /in.process/.test(caveat)) || row.source.startsWith('accelmark')
      ? { harness: row.load.kind === 'burst' ? 'batch' : 'inProcess' }
      : {}),
    // Prompts of a synthetic workload are each their own, but who is preempted finds its own beginning again.
    prefixCaching: row.prefixCaching ?? defaults.prefixCaching,
    hybridKvCache: defaults.hybridKvCache,
    layerkv: LAYERKV_OFF,
    slo: { ttftS: null, tpotS: null, attainment: 1 },
    cost: { kind: 'roofline' },
    workload,
  };
  return { ok: true, input };
}

/**
 * InferenceMAX starts Llama 70B with cudagraph_mode FULL_DECODE_ONLY from the first (its benchmarks/70b_* scripts), gpt-oss
 * with PIECEWISE.
 */
function fullGraphsByScript({ source, model }: ValidationRow): boolean {
  return source === 'aic_silicon_aggregated' && model.includes('70B');
}

/** Policy `vllm` does not look at them. */
export const LAYERKV_OFF: EngineInput['layerkv'] = {
  hostPoolBytes: 0,
  residency: 'reload',
  alpha: 1,
  transientLayers: 2,
  growthReserve: 0.01,
  offloadThreshold: 0.02,
  chunkBytes: 4 * 2 ** 20,
  lostRequests: 'block',
  countReloadWait: false,
  predictor: { buckets: 5, accuracy: 0.6 },
};

function weightDtypeOf(published: string): WeightDtype | null {
  if (published === 'fp4') return 'nvfp4';
  return published in WEIGHT_BYTES ? (published as WeightDtype) : null;
}

function activationOf(row: ValidationRow): EngineInput['activationDtype'] | null {
  const stated = row.activationDtype;
  return stated === 'bf16' || stated === 'fp8' || stated === 'int8' ? stated : null;
}

function versionOf(published: string): string {
  return /\d+\.\d+(\.\d+)?/.exec(published)?.[0] ?? VERSION_WHERE_UNKNOWN;
}

/** Tokens of the longest request. */
function longest(row: ValidationRow): number {
  if (row.requests !== undefined) return Math.max(...row.requests.map(([, input = 0, output = 0]) => input + output));
  return Math.ceil(upper(row.input) + upper(row.output));
}

function upper({ max, tokens }: RowLengths): number {
  return max ?? tokens ?? 1;
}
