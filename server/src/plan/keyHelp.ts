/** Help for the key at a position: what the schema says of it, and what the plan made of it. */
import planSchema from '../../../schemas/plan.schema.json';
import { contains } from '../text/lines.ts';
import type { ParsedText } from '../text/parse.ts';
import { type ParsedDocument, type Path, placeAt, type YamlNode } from '../text/tree.ts';
import type { Position, Range } from '../text/types.ts';
import { type JsonSchema, knownKeys, schemasAt } from './schemaWalk.ts';
import type { Located, Plan } from './types.ts';

/** The schema of plans, as data. */
export const PLAN_SCHEMA = planSchema as JsonSchema;

/** What there is to say of a key of the format. */
export interface KeyHelp {
  readonly path: Path;
  /** Markdown; empty where the schema says nothing. */
  readonly description: string;
  readonly defaultValue: unknown;
  readonly examples: readonly unknown[];
  /** Allowed words, where there are only some. */
  readonly allowed: readonly string[];
  /** Keys that may stand below it. */
  readonly keys: readonly string[];
}

/** A key of a plan's text, or a value of it. */
export interface KeyAt extends KeyHelp {
  readonly documentIndex: number;
  readonly on: 'key' | 'value';
  readonly keyRange: Range;
  readonly node: YamlNode;
}

/** The document whose own part of the text `position` lies in; between two, the earlier one. */
export function documentAt(parsed: ParsedText, position: Position): ParsedDocument | undefined {
  return parsed.documents.find((document) => contains(document.extent, position));
}

/** The key at `position`, where the text is a plan of our own format there. */
export function keyAt(parsed: ParsedText, position: Position): KeyAt | null {
  const document = documentAt(parsed, position);
  if (document === undefined) return null;
  const place = placeAt(document.root, position);
  if (place === null || place.entry === null) return null;
  const help = helpFor(place.path);
  if (help === null) return null;
  return { ...help, documentIndex: document.index, on: place.on, keyRange: place.entry.keyRange, node: place.node };
}

/** Help for a path of the plan format; null for keys that it does not have. */
export function helpFor(path: Path): KeyHelp | null {
  const here = schemasAt(PLAN_SCHEMA, path);
  if (here.length === 0) return null;
  const describing = here.find(
    (schema) => schema.markdownDescription !== undefined || schema.description !== undefined,
  );
  const words = here.flatMap((schema) => [
    ...(schema.enum ?? []),
    ...(schema.const === undefined ? [] : [schema.const]),
  ]);
  return {
    path,
    description: describing?.markdownDescription ?? describing?.description ?? '',
    defaultValue: here.find((schema) => schema.default !== undefined)?.default,
    examples: here.find((schema) => schema.examples !== undefined)?.examples ?? [],
    allowed: [...new Set(words.map(String))],
    keys: knownKeys(PLAN_SCHEMA, path),
  };
}

/** Where the value of each path ends up in a plan. Paths that are absent hold no single value. */
const VALUES: Readonly<Record<string, (plan: Plan) => Located<unknown>>> = {
  'metadata.name': (plan) => plan.name,
  'spec.model': (plan) => plan.model,
  'spec.model.id': (plan) => plan.model,
  'spec.model.config': (plan) => plan.model,
  'spec.model.dtype': (plan) => plan.weightDtype,
  'spec.hardware.gpu': (plan) => plan.gpu,
  'spec.hardware.gpusPerReplica': (plan) => plan.gpusPerReplica,
  'spec.hardware.interconnect': (plan) => plan.interconnect,
  'spec.hardware.hostLink': (plan) => plan.hostLinkGBs,
  'spec.hardware.hostLink.bandwidthGBs': (plan) => plan.hostLinkGBs,
  'spec.hardware.hostMemory': (plan) => plan.hostMemoryBytes,
  'spec.parallelism.tensor': (plan) => plan.tensor,
  'spec.parallelism.pipeline': (plan) => plan.pipeline,
  'spec.parallelism.data': (plan) => plan.data,
  'spec.parallelism.expert': (plan) => plan.expert,
  'spec.replicas': (plan) => plan.replicas,
  'spec.routing': (plan) => plan.routing,
  'spec.engine.version': (plan) => plan.engine.version,
  'spec.engine.scheduler': (plan) => plan.engine.scheduler,
  'spec.engine.blockSize': (plan) => plan.engine.blockSize,
  'spec.engine.gpuMemoryUtilization': (plan) => plan.engine.gpuMemoryUtilization,
  'spec.engine.maxModelLen': (plan) => plan.engine.maxModelLen,
  'spec.engine.maxNumSeqs': (plan) => plan.engine.maxNumSeqs,
  'spec.engine.maxNumBatchedTokens': (plan) => plan.engine.maxNumBatchedTokens,
  'spec.engine.kvCacheDtype': (plan) => plan.engine.kvCacheDtype,
  'spec.engine.activationDtype': (plan) => plan.engine.activationDtype,
  'spec.engine.numGpuBlocks': (plan) => plan.engine.numGpuBlocks,
  'spec.engine.enforceEager': (plan) => plan.engine.enforceEager,
  'spec.engine.asyncScheduling': (plan) => plan.engine.asyncScheduling,
  'spec.engine.prefixCaching': (plan) => plan.engine.prefixCaching,
  'spec.engine.kvOffload.hostPool': (plan) => plan.engine.kvOffloadHostPoolBytes,
  'spec.engine.kvOffload.connector': (plan) => plan.engine.kvOffloadConnector,
  'spec.engine.kvOffload.chunkTokens': (plan) => plan.engine.kvOffloadChunkTokens,
  'spec.engine.layerkv.enabled': (plan) => plan.layerkv.enabled,
  'spec.engine.layerkv.sloAware': (plan) => plan.layerkv.sloAware,
  'spec.engine.layerkv.hostPool': (plan) => plan.layerkv.hostPoolBytes,
  'spec.engine.layerkv.residency': (plan) => plan.layerkv.residency,
  'spec.engine.layerkv.alpha': (plan) => plan.layerkv.alpha,
  'spec.engine.layerkv.transientLayers': (plan) => plan.layerkv.transientLayers,
  'spec.engine.layerkv.growthReserve': (plan) => plan.layerkv.growthReserve,
  'spec.engine.layerkv.offloadThreshold': (plan) => plan.layerkv.offloadThreshold,
  'spec.engine.layerkv.chunkBytes': (plan) => plan.layerkv.chunkBytes,
  'spec.engine.layerkv.lostRequests': (plan) => plan.layerkv.lostRequests,
  'spec.engine.layerkv.countReloadWait': (plan) => plan.layerkv.countReloadWait,
  'spec.engine.layerkv.predictor.buckets': (plan) => plan.layerkv.predictorBuckets,
  'spec.engine.layerkv.predictor.accuracy': (plan) => plan.layerkv.predictorAccuracy,
  'spec.workload.arrivals': (plan) => plan.workload.arrivals,
  'spec.workload.input': (plan) => plan.workload.input,
  'spec.workload.output': (plan) => plan.workload.output,
  'spec.workload.sharedPrefix.tokens': (plan) => plan.workload.sharedPrefixTokens,
  'spec.workload.sharedPrefix.share': (plan) => plan.workload.sharedPrefixShare,
  'spec.workload.trace': (plan) => plan.workload.trace,
  'spec.workload.requests': (plan) => plan.workload.requests,
  'spec.workload.seed': (plan) => plan.workload.seed,
  'spec.slo.ttft': (plan) => plan.slo.ttftMs,
  'spec.slo.tpot': (plan) => plan.slo.tpotMs,
  'spec.slo.attainment': (plan) => plan.slo.attainment,
  'spec.cost': (plan) => plan.cost,
  'spec.cost.linear': (plan) => plan.cost,
  'spec.calibration': (plan) => plan.calibration,
};

/** The effective value of a path and who said so; null where the path holds no single value. */
export function locatedAt(plan: Plan, path: Path): Located<unknown> | null {
  return VALUES[path.join('.')]?.(plan) ?? null;
}

/** Every path that `locatedAt` answers. */
export function locatedPaths(): readonly Path[] {
  return Object.keys(VALUES).map((path) => path.split('.'));
}
