/** `spec.engine.layerkv` of a plan. Defaults are the method's published ones, or our named decisions where nothing is published. */
import { entryOf, type YamlMap } from '../../text/tree.ts';
import { byDefault, type Draft, inferred } from '../draft.ts';
import { boolean, bytesIn, integerIn, isEmpty, numberIn, oneOf, type Reader } from '../read.ts';
import type { Located } from '../types.ts';

/** Host memory a replica gets for offloaded layers where the plan says nothing of host memory: per GPU. */
const DEFAULT_POOL_BYTES_PER_GPU = 64 * 2 ** 30;
/** Share of the stated host memory that offloaded layers get by default. */
const DEFAULT_POOL_SHARE = 0.5;

/**
 * Reads the block. Stated without `enabled`, it is on: nobody tunes what they do not use. Absent, it is off, and the
 * defaults below serve the comparison of both policies.
 */
export function readLayerKv(
  reader: Reader,
  spec: YamlMap,
  hostMemoryBytes: Located<number | null> | null,
  gpusPerReplica: Located<number> | null,
): Draft['layerkv'] {
  const engine = reader.section(spec, 'engine');
  const entry = entryOf(engine, 'layerkv');
  const block = reader.section(engine, 'layerkv');
  const stated = entry !== undefined && !isEmpty(entry.value);
  const predictor = reader.section(block, 'predictor');
  const ours = <T>(value: T): Located<T> => byDefault(value, 'LayerKV default');
  const share = (key: string, value: number): Located<number> | null =>
    reader.value(block, key, numberIn({ min: 0, max: 1 }), ours(value));
  return {
    enabled: reader.value(
      block,
      'enabled',
      boolean,
      stated ? inferred(true, 'there is a layerkv block') : byDefault(false, 'there is no layerkv block'),
    ),
    sloAware: reader.value(block, 'sloAware', boolean, ours(true)),
    hostPoolBytes: reader.value(
      block,
      'hostPool',
      bytesIn({ min: 0, max: 1e15 }),
      hostPoolDefault(hostMemoryBytes, gpusPerReplica),
    ),
    residency: reader.value(
      block,
      'residency',
      oneOf<'reload' | 'stream'>({ reload: 'reload', stream: 'stream' }, ['reload', 'stream']),
      ours<'reload' | 'stream'>('reload'),
    ),
    alpha: reader.value(block, 'alpha', numberIn({ min: 0.001, max: 1000 }), ours(1)),
    transientLayers: reader.value(block, 'transientLayers', integerIn({ min: 1, max: 1000 }), ours(2)),
    growthReserve: share('growthReserve', 0.01),
    offloadThreshold: share('offloadThreshold', 0.02),
    chunkBytes: reader.value(block, 'chunkBytes', bytesIn({ min: 1024, max: 1e12 }), ours(4 * 2 ** 20)),
    lostRequests: reader.value(
      block,
      'lostRequests',
      oneOf<'block' | 'ignore'>({ block: 'block', ignore: 'ignore' }, ['block', 'ignore']),
      ours<'block' | 'ignore'>('block'),
    ),
    countReloadWait: reader.value(block, 'countReloadWait', boolean, ours(false)),
    predictorBuckets: reader.value(predictor, 'buckets', integerIn({ min: 1, max: 1000 }), ours(5)),
    predictorAccuracy: reader.value(predictor, 'accuracy', numberIn({ min: 0, max: 1 }), ours(0.6)),
  };
}

function hostPoolDefault(
  hostMemoryBytes: Located<number | null> | null,
  gpusPerReplica: Located<number> | null,
): Located<number> | null {
  if (hostMemoryBytes === null) return null;
  if (hostMemoryBytes.value !== null) {
    return inferred(Math.floor(hostMemoryBytes.value * DEFAULT_POOL_SHARE), 'half of hardware.hostMemory');
  }
  if (gpusPerReplica === null) return null;
  return byDefault(
    DEFAULT_POOL_BYTES_PER_GPU * gpusPerReplica.value,
    '64 GiB per GPU, as hardware.hostMemory is not stated',
  );
}
