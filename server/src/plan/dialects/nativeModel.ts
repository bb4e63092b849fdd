/** `spec.model` and `spec.hardware` of a plan: names looked up in the catalogue, or facts given in place. */
import { findGpu, gpuFromObject, suggestGpus } from '../../catalog/gpus.ts';
import { findModel, modelFromHfConfig, modelFromObject, suggestModels } from '../../catalog/models.ts';
import type { Outcome } from '../../catalog/outcome.ts';
import type { WeightDtype } from '../../engine/types.ts';
import {
  entryOf,
  nodeAtPath,
  toData,
  type YamlEntry,
  type YamlMap,
  type YamlNode,
  type YamlScalar,
} from '../../text/tree.ts';
import type { Files } from '../../text/types.ts';
import { byDefault, inferred } from '../draft.ts';
import {
  bytesIn,
  type Failure,
  integerIn,
  isEmpty,
  list,
  numberIn,
  oneOf,
  type Reader,
  replaceFix,
  shorten,
  text,
} from '../read.ts';
import type { CatalogGpu, CatalogModel, Located } from '../types.ts';

const WEIGHT_DTYPES: Readonly<Record<string, WeightDtype>> = {
  bf16: 'bf16',
  bfloat16: 'bf16',
  fp16: 'fp16',
  float16: 'fp16',
  half: 'fp16',
  fp8: 'fp8',
  int8: 'int8',
  int4: 'int4',
  awq: 'int4',
  gptq: 'int4',
  mxfp4: 'mxfp4',
  nvfp4: 'nvfp4',
};
const SHOWN_DTYPES = ['bf16', 'fp16', 'fp8', 'int8', 'int4', 'mxfp4', 'nvfp4'];

/** Keys of `model` that say how the weights are stored, not which model it is. */
const NOT_SHAPE = new Set(['id', 'config', 'dtype']);

export interface ModelReading {
  readonly model: Located<CatalogModel> | null;
  readonly weightDtype: Located<WeightDtype> | null;
}

/** Which model, in which number format. */
export async function readModel(reader: Reader, spec: YamlMap, files: Files): Promise<ModelReading> {
  const entry = entryOf(spec, 'model');
  const model = entry === undefined ? null : await readShape(reader, entry, files);
  const section = reader.section(spec, 'model');
  const native = model?.value.storedDtype ?? model?.value.shape.nativeWeightDtype;
  const weightDtype = reader.value(
    section,
    'dtype',
    oneOf(WEIGHT_DTYPES, SHOWN_DTYPES),
    native === undefined ? null : byDefault(native, 'the format the model is published in'),
  );
  return { model, weightDtype };
}

/** A bare name where a block of keys belongs: `model: X` for `model: {id: X}`. */
export function asBlock(node: YamlScalar, key: string): Failure {
  const block = `{${key}: ${node.source}}`;
  return {
    ok: false,
    rule: 'wrong-type',
    message: `Write this as a block of keys: \`${shorten(block)}\`.`,
    fixes: node.plain ? [replaceFix(node.range, block)] : [],
  };
}

async function readShape(reader: Reader, entry: YamlEntry, files: Files): Promise<Located<CatalogModel> | null> {
  const section = entry.value;
  if (section.kind !== 'map') {
    if (section.kind === 'scalar' && !isEmpty(section)) reader.fail(asBlock(section, 'id'), section.range);
    return null;
  }
  const id = entryOf(section, 'id');
  if (id !== undefined && !isEmpty(id.value)) return reader.stated(id, modelByName);
  const config = entryOf(section, 'config');
  if (config !== undefined && !isEmpty(config.value)) {
    const dtype = entryOf(section, 'dtype');
    return readConfig(reader, config, dtype !== undefined && !isEmpty(dtype.value), files);
  }
  const shapeKeys = section.entries.filter((each) => !NOT_SHAPE.has(each.key));
  if (shapeKeys.length === 0) {
    reader.fail(
      {
        ok: false,
        rule: 'missing-key',
        message:
          'Say which model it is: `id: meta-llama/Llama-3.1-8B-Instruct`, `config: ./config.json`, or its shape (layers, hiddenSize, …).',
      },
      entry.keyRange,
    );
    return null;
  }
  const made = modelFromObject(data(section, NOT_SHAPE));
  return located(reader, entry, made, 'model-incomplete', 'The shape of this model');
}

function modelByName(node: YamlNode): { ok: true; value: CatalogModel } | Failure {
  const name = text(node);
  if (!name.ok) return name;
  const model = findModel(name.value);
  if (model !== undefined) return { ok: true, value: model };
  return unknown(
    'unknown-model',
    'model',
    name.value,
    node,
    suggestModels(name.value),
    'its shape in place of `id` (layers, hiddenSize, queryHeads, …)',
  );
}

async function readConfig(
  reader: Reader,
  entry: YamlEntry,
  dtypeStated: boolean,
  files: Files,
): Promise<Located<CatalogModel> | null> {
  const path = text(entry.value);
  if (!path.ok) {
    reader.fail(path, entry.value.range);
    return null;
  }
  const json = await files.readText(path.value);
  const failure = (message: string): null => {
    reader.fail({ ok: false, rule: 'model-config', message }, entry.value.range);
    return null;
  };
  if (json === null) {
    return failure(`Cannot read ${shorten(path.value)}. Check the path: it is taken from the folder of this file.`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return failure(
      `${shorten(path.value)} is not valid JSON. Put the config.json of the model's Hugging Face repository there.`,
    );
  }
  const made = modelFromHfConfig(parsed, dtypeStated);
  if (!made.ok)
    return failure(`${shorten(path.value)} cannot be used: ${made.faults.map((fault) => fault.message).join(' ')}`);
  return { value: made.value, range: entry.value.range, keyRange: entry.keyRange, origin: 'stated' };
}

export interface HardwareReading {
  readonly gpu: Located<CatalogGpu> | null;
  readonly interconnect: Located<'pcie' | 'nvlink'> | null;
  readonly hostLinkGBs: Located<number> | null;
  readonly hostMemoryBytes: Located<number | null> | null;
  readonly gpusPerReplica: Located<number> | null;
}

/** The GPU and what it is connected to. @param ranks tensor × pipeline × data, where known. */
export function readHardware(reader: Reader, spec: YamlMap, ranks: number | null): HardwareReading {
  const section = reader.section(spec, 'hardware');
  const gpu = readGpu(reader, section);
  const facts = gpu?.value.facts;
  const hasNvlink = (facts?.nvlinkBytesPerS ?? 0) > 0;
  const link = reader.section(section, 'hostLink');
  return {
    gpu,
    interconnect: reader.value(
      section,
      'interconnect',
      oneOf<'pcie' | 'nvlink'>({ pcie: 'pcie', nvlink: 'nvlink' }, ['pcie', 'nvlink']),
      gpu === null
        ? null
        : byDefault(hasNvlink ? 'nvlink' : 'pcie', `${gpu.value.id} ${hasNvlink ? 'has' : 'has no'} NVLink`),
    ),
    hostLinkGBs: reader.value(
      link,
      'bandwidthGBs',
      numberIn({ min: 0, max: 10_000 }),
      gpu === null || facts === undefined
        ? null
        : byDefault(facts.hostLinkBytesPerS / 1e9, `what a PCIe gen ${gpu.value.pcieGen} x16 link achieves one way`),
    ),
    hostMemoryBytes: reader.value<number | null>(
      section,
      'hostMemory',
      bytesIn({ min: 0, max: 1e15 }),
      byDefault(null, 'not stated'),
    ),
    gpusPerReplica: reader.value(
      section,
      'gpusPerReplica',
      integerIn({ min: 1, max: 65_536 }),
      ranks === null ? null : inferred(ranks, 'tensor × pipeline × data'),
    ),
  };
}

function readGpu(reader: Reader, hardware: YamlMap | null): Located<CatalogGpu> | null {
  const entry = entryOf(hardware, 'gpu');
  if (entry === undefined || isEmpty(entry.value)) return null;
  if (entry.value.kind === 'map') {
    return located(reader, entry, gpuFromObject(data(entry.value, new Set())), 'gpu-incomplete', 'This GPU');
  }
  return reader.stated(entry, (node) => {
    const name = text(node);
    if (!name.ok) return name;
    const gpu = findGpu(name.value);
    if (gpu !== undefined) return { ok: true, value: gpu };
    return unknown(
      'unknown-gpu',
      'GPU',
      name.value,
      node,
      suggestGpus(name.value),
      'its facts as an object (memoryGB, memoryBandwidthGBs, …)',
    );
  });
}

function unknown(
  rule: string,
  what: string,
  name: string,
  node: YamlNode,
  suggestions: readonly string[],
  other: string,
): Failure {
  const hint = suggestions.length === 0 ? '' : ` Did you mean ${list(suggestions.map((each) => `"${each}"`))}?`;
  return {
    ok: false,
    rule,
    message: `"${shorten(name)}" is no ${what} of the catalogue.${hint} Otherwise give ${other}.`,
    fixes: suggestions.map((each) => replaceFix(node.range, each)),
  };
}

function located<T>(reader: Reader, entry: YamlEntry, made: Outcome<T>, rule: string, what: string): Located<T> | null {
  if (made.ok) return { value: made.value, range: entry.value.range, keyRange: entry.keyRange, origin: 'stated' };
  const elsewhere: string[] = [];
  for (const fault of made.faults) {
    const place = fault.path.length === 0 ? undefined : nodeAtPath(entry.value, fault.path);
    if (place === undefined || place.kind === 'map') elsewhere.push(fault.message);
    else reader.fail({ ok: false, rule, message: fault.message }, place.range);
  }
  if (elsewhere.length > 0) {
    reader.fail({ ok: false, rule, message: `${what} cannot be used yet: ${elsewhere.join(' ')}` }, entry.keyRange);
  }
  return null;
}

function data(map: YamlMap, without: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(
    map.entries.filter((each) => !without.has(each.key)).map((each) => [each.key, toData(each.value)]),
  );
}
