/** Whether benchmarks and logs are of the deployment that the plan describes. */
import { findGpu } from '../catalog/gpus.ts';
import { findModel } from '../catalog/models.ts';
import { compact } from '../catalog/names.ts';
import { minor } from '../catalog/versions.ts';
import { meanLength } from '../engine/workload/lengths.ts';
import { plainNumber } from '../language/words.ts';
import type { Plan } from '../plan/types.ts';
import type { StartupLog } from './startupLog.ts';
import type { BenchmarkRun, Named } from './types.ts';

/** PyTorch sees a little less than the driver lists. */
const MEMORY_TOLERANCE = 0.06;

/** @returns why the log is none of this plan; null where it may be. Doubts go to `notes`. */
export function checkLog(plan: Plan, { file, value: log }: Named<StartupLog>, notes: string[]): string | null {
  const wrong = (what: string): string =>
    `${file} is the log of another deployment: ${what}. Give the log of the server that this plan describes, or mend the plan.`;
  if (log.model !== null) {
    const same = isSameModel(log.model, plan);
    if (same === false) return wrong(`it started ${log.model}, the plan has ${plan.model.value.id}`);
    if (same === null)
      notes.push(`${file} speaks of a model "${log.model}"; whether that is ${plan.model.value.id} cannot be told.`);
  }
  const ranks = [
    ['tensor', log.tensor, plan.tensor.value],
    ['pipeline', log.pipeline, plan.pipeline.value],
    ['data', log.data, plan.data.value],
  ] as const;
  for (const [kind, there, here] of ranks) {
    if (there !== null && there !== here) return wrong(`its ${kind}-parallel size is ${there}, the plan's is ${here}`);
  }
  const otherGpu = gpuMisfit(plan, log.gpuName);
  if (otherGpu !== null) return wrong(otherGpu);
  const planGiB = plan.gpu.value.facts.memoryBytes / 2 ** 30;
  if (log.gpuMemoryGiB !== null && Math.abs(log.gpuMemoryGiB / planGiB - 1) > MEMORY_TOLERANCE) {
    return wrong(
      `its GPU has ${plainNumber(log.gpuMemoryGiB)} GiB, the plan's ${plan.gpu.value.id} has ${plainNumber(planGiB)} GiB`,
    );
  }
  const settings = [
    ['max-model-len', log.maxModelLen, plan.engine.maxModelLen.value],
    ['block size', log.blockSize, plan.engine.blockSize.value],
  ] as const;
  for (const [name, there, here] of settings) {
    if (there !== null && there !== here) return wrong(`its ${name} is ${there}, the plan's is ${here}`);
  }
  const version = log.engineVersion;
  if (version !== null && minor(plan.engine.version.value) !== minor(version)) {
    notes.push(
      `${file} is of vLLM ${version}, the plan says ${plan.engine.version.value}. State the version that runs.`,
    );
  }
  return null;
}

/** The same of a benchmark. */
export function checkBenchmark(plan: Plan, { file, value: run }: Named<BenchmarkRun>, notes: string[]): string | null {
  if (run.modelName !== null) {
    const same = isSameModel(run.modelName, plan);
    if (same === false)
      return `It measured ${run.modelName}, the plan has ${plan.model.value.id}. Give a benchmark of this plan.`;
    if (same === null)
      notes.push(`${file} calls its model "${run.modelName}"; whether that is ${plan.model.value.id} cannot be told.`);
  }
  const otherGpu = gpuMisfit(plan, run.gpuName);
  if (otherGpu !== null) return `It ran on other hardware: ${otherGpu}. Give a benchmark of this plan.`;
  const tokens = meanLength(run.input) + meanLength(run.output);
  const most = plan.engine.maxModelLen.value;
  return tokens <= most
    ? null
    : `Its requests have ${Math.round(tokens)} tokens on average, but the plan's max-model-len is ${most}. Is the plan the one that was started?`;
}

/** Null: the name is nobody's in the catalogue (a served name, a folder), so nothing can be said. */
function isSameModel(name: string, plan: Plan): boolean | null {
  const own = plan.model.value.id;
  const last = (path: string): string =>
    compact(
      path
        .replace(/[/\\]+$/, '')
        .split(/[/\\]/)
        .at(-1) ?? path,
    );
  if (last(name) === last(own)) return true;
  const known = findModel(name) ?? findModel(name.split(/[/\\]/).at(-1) ?? name);
  return known === undefined ? null : known.id === own;
}

function gpuMisfit(plan: Plan, name: string | null): string | null {
  const known = name === null ? undefined : findGpu(name);
  return known === undefined || known.id === plan.gpu.value.id
    ? null
    : `its GPU is ${name}, the plan's is ${plan.gpu.value.id}`;
}
