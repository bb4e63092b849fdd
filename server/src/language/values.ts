/** Effective values of a plan in words: what a key amounts to here, with units. Plain text, not yet escaped. */
import { engineDefaults } from '../catalog/engineDefaults.ts';
import { gpuFactsLine } from '../catalog/gpus.ts';
import { modelFactsLine } from '../catalog/models.ts';
import { locatedAt } from '../plan/keyHelp.ts';
import { formatBytes, formatDurationMs, formatPercent } from '../plan/quantity.ts';
import type { Located, Plan } from '../plan/types.ts';
import type { Path } from '../text/tree.ts';
import { describeArrivals, describeLength, describeScales } from './words.ts';

/** Paths whose values need more than `String(value)`. */
const WORDS: Readonly<Record<string, (plan: Plan) => string>> = {
  'spec.model': (plan) => `${plan.model.value.id} (${modelFactsLine(plan.model.value)})`,
  'spec.model.id': (plan) => `${plan.model.value.id} (${modelFactsLine(plan.model.value)})`,
  'spec.model.config': (plan) => `${plan.model.value.id} (${modelFactsLine(plan.model.value)})`,
  'spec.hardware.gpu': (plan) => `${plan.gpu.value.id} (${gpuFactsLine(plan.gpu.value)})`,
  'spec.hardware.hostLink': (plan) => `${plan.hostLinkGBs.value} GB/s each way, per GPU`,
  'spec.hardware.hostLink.bandwidthGBs': (plan) => `${plan.hostLinkGBs.value} GB/s each way, per GPU`,
  'spec.hardware.hostMemory': (plan) => orNotSet(plan.hostMemoryBytes.value, formatBytes),
  'spec.engine.maxModelLen': (plan) => `${plan.engine.maxModelLen.value} tokens`,
  'spec.engine.maxNumBatchedTokens': (plan) => `${plan.engine.maxNumBatchedTokens.value} tokens a step`,
  'spec.engine.blockSize': (plan) => `${plan.engine.blockSize.value} tokens a block`,
  'spec.engine.kvOffload.hostPool': (plan) => orNotSet(plan.engine.kvOffloadHostPoolBytes.value, formatBytes),
  'spec.engine.kvOffload.chunkTokens': (plan) => `${plan.engine.kvOffloadChunkTokens.value} tokens a chunk`,
  'spec.engine.layerkv.hostPool': (plan) => formatBytes(plan.layerkv.hostPoolBytes.value),
  'spec.engine.layerkv.chunkBytes': (plan) => formatBytes(plan.layerkv.chunkBytes.value),
  'spec.workload.arrivals': (plan) => describeArrivals(plan.workload.arrivals.value),
  'spec.workload.input': (plan) => describeLength(plan.workload.input.value),
  'spec.workload.output': (plan) => describeLength(plan.workload.output.value),
  'spec.workload.trace': (plan) =>
    orNotSet(plan.workload.trace.value, ({ path, columns }) => `${path}, ${columns.arrivalS.length} requests`),
  'spec.slo.ttft': (plan) => orNotSet(plan.slo.ttftMs.value, formatDurationMs),
  'spec.slo.tpot': (plan) => orNotSet(plan.slo.tpotMs.value, formatDurationMs),
  'spec.slo.attainment': (plan) => formatPercent(plan.slo.attainment.value),
  'spec.calibration': (plan) =>
    orNotSet(plan.calibration.value, ({ path, scales }) => `${path}: ${describeScales(scales)}`),
  'spec.cost': (plan) => (plan.cost.value === null ? 'roofline' : 'linear, as written here'),
  'spec.cost.linear': (plan) => (plan.cost.value === null ? 'not set' : 'used instead of the roofline'),
};

export interface EffectiveValue {
  readonly text: string;
  readonly origin: Located<unknown>['origin'];
  readonly source: string | null;
}

/** What a key amounts to in this plan, and who said so; null for keys that hold no single value. */
export function effectiveValue(plan: Plan, path: Path): EffectiveValue | null {
  const located = locatedAt(plan, path);
  if (located === null) return null;
  const text = WORDS[path.join('.')]?.(plan) ?? orNotSet(located.value, (value) => String(value));
  return { text, origin: located.origin, source: located.source ?? null };
}

export interface VersionDefault {
  readonly text: string;
  readonly release: string;
  /** Of the table of defaults. */
  readonly row: string;
}

/** vLLM's own default of a key for this plan's version and GPU; null where the table has none. */
export function versionDefault(plan: Plan, path: Path): VersionDefault | null {
  const { version, maxModelLen, scheduler } = plan.engine;
  const stated = scheduler.origin === 'stated' ? scheduler.value : undefined;
  const result = engineDefaults(version.value, plan.gpu.value, maxModelLen.value, stated);
  if (!result.ok) return null;
  const defaults = result.value;
  const values: Readonly<Record<string, unknown>> = {
    'spec.engine.scheduler': defaults.scheduler,
    'spec.engine.gpuMemoryUtilization': defaults.gpuMemoryUtilization,
    'spec.engine.blockSize': defaults.blockSizeTokens,
    'spec.engine.maxNumSeqs': defaults.maxNumSeqs,
    'spec.engine.maxNumBatchedTokens': defaults.maxNumBatchedTokens,
    'spec.engine.prefixCaching': defaults.prefixCaching,
    'spec.engine.asyncScheduling': defaults.asyncScheduling,
  };
  const value = values[path.join('.')];
  return value === undefined ? null : { text: String(value), release: defaults.release, row: defaults.row };
}

function orNotSet<T>(value: T | null, words: (value: T) => string): string {
  return value === null ? 'not set' : words(value);
}
