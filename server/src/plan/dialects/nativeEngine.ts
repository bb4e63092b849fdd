/** `spec.engine` of a plan: stated settings, and vLLM's own defaults of that version for the rest. */
import { DEFAULT_VERSION, type EngineDefaults, engineDefaults } from '../../catalog/engineDefaults.ts';
import { memoryLaw } from '../../catalog/memoryLaws.ts';
import { nativeActivation } from '../../engine/dtypes.ts';
import type { KvConnector, KvDtype, MemoryLaw, SchedulerKind, WeightDtype } from '../../engine/types.ts';
import { entryOf, type YamlMap } from '../../text/tree.ts';
import { byDefault, type Draft } from '../draft.ts';
import { boolean, bytesIn, integerIn, numberIn, oneOf, type Parser, type Reader, text, tokensIn } from '../read.ts';
import type { CatalogGpu, CatalogModel, Located } from '../types.ts';

type Activation = 'bf16' | 'fp8' | 'int8';

const KV_DTYPES: Readonly<Record<string, KvDtype>> = {
  auto: 'bf16',
  bf16: 'bf16',
  bfloat16: 'bf16',
  fp16: 'bf16',
  float16: 'bf16',
  fp8: 'fp8',
  fp8_e4m3: 'fp8',
  fp8_e5m2: 'fp8',
  int8: 'int8',
  nvfp4: 'nvfp4',
};

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  bf16: 'bf16',
  bfloat16: 'bf16',
  fp16: 'bf16',
  float16: 'bf16',
  fp8: 'fp8',
  int8: 'int8',
};

export interface EngineNeeds {
  readonly model: Located<CatalogModel> | null;
  readonly gpu: Located<CatalogGpu> | null;
  readonly weightDtype: Located<WeightDtype> | null;
}

/** Reads `engine` but for its `layerkv` block. */
export function readEngine(reader: Reader, spec: YamlMap, needs: EngineNeeds): Draft['engine'] {
  const section = reader.section(spec, 'engine');
  const version = reader.value(
    section,
    'version',
    text,
    byDefault(DEFAULT_VERSION, 'the newest row of the table of defaults'),
  );
  const limit = needs.model?.value.shape.maxPositionTokens;
  const maxModelLen = reader.value(
    section,
    'maxModelLen',
    tokensIn({ min: 1, max: 100_000_000 }),
    limit === undefined ? null : byDefault(limit, "the model's own limit"),
  );
  const statedScheduler = reader.value<SchedulerKind | null>(
    section,
    'scheduler',
    oneOf<SchedulerKind>({ v0: 'v0', v1: 'v1' }, ['v0', 'v1']),
    byDefault(null, ''),
  );
  const row = defaultsRow(reader, section, { version, gpu: needs.gpu, maxModelLen, scheduler: statedScheduler?.value });
  const fromRow = <T>(pick: (row: EngineDefaults) => T): Located<T> | null =>
    row === null ? null : byDefault(pick(row), row.release);
  const whole = (key: string, max: number, fallback: Located<number> | null): Located<number> | null =>
    reader.value(section, key, integerIn({ min: 1, max }), fallback);
  return {
    version,
    defaults: { release: row?.release ?? '', row: row?.row ?? '' },
    scheduler: statedScheduler === null ? null : chosenScheduler(statedScheduler, row),
    blockSize: whole(
      'blockSize',
      4096,
      fromRow((each) => each.blockSizeTokens),
    ),
    gpuMemoryUtilization: reader.value(
      section,
      'gpuMemoryUtilization',
      utilization,
      fromRow((each) => each.gpuMemoryUtilization),
    ),
    maxModelLen,
    maxNumSeqs: whole(
      'maxNumSeqs',
      1_000_000,
      fromRow((each) => each.maxNumSeqs),
    ),
    maxNumBatchedTokens: reader.value(
      section,
      'maxNumBatchedTokens',
      tokensIn({ min: 1, max: 100_000_000 }),
      fromRow((each) => each.maxNumBatchedTokens),
    ),
    kvCacheDtype: reader.value(
      section,
      'kvCacheDtype',
      oneOf(KV_DTYPES, ['auto', 'bf16', 'fp8', 'int8', 'nvfp4']),
      byDefault<KvDtype>('bf16', 'auto: as the activations, 16 bit'),
    ),
    activationDtype: reader.value(
      section,
      'activationDtype',
      oneOf(ACTIVATIONS, ['bf16', 'fp8', 'int8']),
      activationDefault(needs),
    ),
    numGpuBlocks: reader.value<number | null>(
      section,
      'numGpuBlocks',
      integerIn({ min: 1, max: 1e9 }),
      byDefault(null, 'from the memory model'),
    ),
    enforceEager: reader.value(
      section,
      'enforceEager',
      boolean,
      byDefault(false, 'vLLM captures CUDA graphs unless told otherwise'),
    ),
    asyncScheduling: reader.value(
      section,
      'asyncScheduling',
      boolean,
      fromRow((each) => each.asyncScheduling),
    ),
    reserveFullSequence: fromRow((each) => each.reserveFullSequence),
    hybridKvCache: fromRow((each) => each.hybridKvCache),
    fullDecodeGraphs: fromRow((each) => each.fullDecodeGraphs),
    memoryLaw: row === null || needs.model === null ? null : lawOf(row, needs.model.value),
    prefixCaching: reader.value(
      section,
      'prefixCaching',
      boolean,
      fromRow((each) => each.prefixCaching),
    ),
    ...readKvOffload(reader, reader.section(section, 'kvOffload')),
  };
}

function readKvOffload(
  reader: Reader,
  section: YamlMap | null,
): Pick<Draft['engine'], 'kvOffloadHostPoolBytes' | 'kvOffloadConnector' | 'kvOffloadChunkTokens'> {
  return {
    kvOffloadHostPoolBytes: reader.value<number | null>(
      section,
      'hostPool',
      bytesIn({ min: 0, max: 1e15 }),
      byDefault(null, 'not stated'),
    ),
    kvOffloadConnector: reader.value<KvConnector>(
      section,
      'connector',
      oneOf<KvConnector>({ offloading: 'offloading', lmcache: 'lmcache' }, ['offloading', 'lmcache']),
      byDefault<KvConnector>('offloading', "vLLM's own"),
    ),
    kvOffloadChunkTokens: reader.value(
      section,
      'chunkTokens',
      integerIn({ min: 1, max: 1_000_000 }),
      byDefault(256, "LMCache's default of chunk_size"),
    ),
  };
}

const utilization: Parser<number> = (node) => {
  const parsed = numberIn({ min: -1e9, max: 1e9 })(node);
  if (!parsed.ok || (parsed.value > 0 && parsed.value <= 1)) return parsed;
  const percent = parsed.value >= 5 && parsed.value <= 100 ? ` Did you mean ${parsed.value / 100}?` : '';
  return {
    ok: false,
    rule: 'utilization-out-of-range',
    message: `The share of GPU memory that vLLM may use lies above 0 and up to 1 (0.9 is 90 %); found ${parsed.value}.${percent}`,
    fixes:
      percent === ''
        ? []
        : [
            {
              title: `Change to ${parsed.value / 100}`,
              edits: [{ range: node.range, newText: String(parsed.value / 100) }],
            },
          ],
  };
};

function chosenScheduler(
  stated: Located<SchedulerKind | null>,
  row: EngineDefaults | null,
): Located<SchedulerKind> | null {
  if (stated.value !== null) return { ...stated, value: stated.value };
  return row === null ? null : byDefault(row.scheduler, row.release);
}

function lawOf(row: EngineDefaults, model: CatalogModel): Located<MemoryLaw> {
  const { law, since } = memoryLaw(row.version, row.scheduler, model.shape.moe !== undefined);
  return byDefault(law, `${row.release}: start-up memory as of ${since}`);
}

interface RowKey {
  readonly version: Located<string> | null;
  readonly gpu: Located<CatalogGpu> | null;
  readonly maxModelLen: Located<number> | null;
  readonly scheduler: SchedulerKind | null | undefined;
}

function defaultsRow(reader: Reader, section: YamlMap | null, key: RowKey): EngineDefaults | null {
  if (key.version === null || key.gpu === null) return null;
  const defaults = engineDefaults(
    key.version.value,
    key.gpu.value,
    key.maxModelLen?.value ?? 0,
    key.scheduler ?? undefined,
  );
  if (defaults.ok) return key.maxModelLen === null ? null : defaults.value;
  const entry = entryOf(section, 'version');
  if (entry !== undefined) {
    reader.fail({ ok: false, rule: 'unknown-engine-version', message: defaults.message }, entry.value.range);
  }
  return null;
}

/** vLLM computes in the weights' narrow format where the GPU can, else it unpacks to 16 bit. */
function activationDefault({ gpu, weightDtype }: EngineNeeds): Located<Activation> | null {
  if (gpu === null || weightDtype === null) return null;
  const activation = nativeActivation(gpu.value.facts, weightDtype.value);
  const why = activation === 'bf16' ? '16 bit' : `${weightDtype.value} weights on a GPU with that arithmetic`;
  return byDefault(activation, why);
}
