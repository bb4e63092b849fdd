/** Reads the catalogue's model keys (stated inline in a plan) into the engine's shape, noting every fault. */
import { activeParameters, countParameters } from '../engine/shape.ts';
import type { ModelShape } from '../engine/types.ts';
import type { CatalogModel } from '../plan/types.ts';
import { type Fault, fieldReader, isRecord, type Outcome } from './outcome.ts';

const DTYPES = ['bf16', 'fp16', 'fp8', 'int8', 'int4', 'mxfp4', 'nvfp4'] as const;
const ATTENTION = ['mha', 'gqa', 'mla'] as const;
const COUNT = { min: 1, whole: true } as const;
const SIZE = { min: 0, whole: true } as const;
/** Layers are gone through one by one; the deepest models have some 130. */
const LAYERS = { min: 1, max: 10_000, whole: true } as const;

type Fields = Readonly<Record<string, unknown>>;

/** @param fields keys as in `models.json`; others are ignored here (the schema refuses them). */
export function shapeFromFields(fields: Fields): Outcome<ModelShape> {
  const faults: Fault[] = [];
  const read = fieldReader(fields, faults);
  const mlaFields = group(fields, 'mla', faults);
  const hiddenSize = read.number('hiddenSize', COUNT) ?? 0;
  const queryHeads = read.number('queryHeads', COUNT) ?? 1;
  const kvHeads = read.number('kvHeads', { ...COUNT, fallback: mlaFields === null ? queryHeads : 1 }) ?? 1;
  const mla = mlaFields === null ? undefined : readMla(mlaFields, faults);
  const implied = mla === undefined ? (kvHeads === queryHeads ? 'mha' : 'gqa') : 'mla';
  const attentionType = read.text('attentionType', ATTENTION, implied) ?? implied;
  if (attentionType === 'mla' && mlaFields === null) {
    faults.push({ path: [], message: '`mla` is missing: multi-head latent attention needs its ranks and dimensions.' });
  }
  if (kvHeads > queryHeads || queryHeads % kvHeads !== 0) {
    faults.push({ path: ['kvHeads'], message: `\`kvHeads\` (${kvHeads}) must divide \`queryHeads\` (${queryHeads}).` });
  }
  const wholeHeads = mla === undefined ? Math.round(hiddenSize / queryHeads) : mla.qkNopeHeadDim + mla.qkRopeHeadDim;
  const moeFields = group(fields, 'moe', faults);
  const windowFields = group(fields, 'slidingWindow', faults);
  const shape: ModelShape = {
    layers: read.number('layers', LAYERS) ?? 0,
    hiddenSize,
    attentionType,
    queryHeads,
    kvHeads,
    headDim: read.number('headDim', { ...COUNT, fallback: wholeHeads }) ?? 0,
    ffnSize: read.number('ffnSize', COUNT) ?? 0,
    vocabSize: read.number('vocabSize', COUNT) ?? 0,
    maxPositionTokens: read.number('ropeMax', COUNT) ?? 0,
    tieEmbeddings: read.flag('tieEmbeddings', false),
    ...(mla === undefined ? {} : { mla }),
    ...(moeFields === null ? {} : { moe: readMoe(moeFields, faults) }),
    ...(windowFields === null ? {} : { slidingWindow: readWindow(windowFields, faults) }),
    nativeWeightDtype: read.text('nativeWeightDtype', DTYPES, 'bf16') ?? 'bf16',
    ...(read.flag('nativeExpertsOnly', false) ? { nativeExpertsOnly: true } : {}),
    ...(read.flag('fp8Blocks', false) ? { fp8Blocks: true } : {}),
  };
  if (shape.moe !== undefined && shape.moe.topK > shape.moe.experts) {
    faults.push({ path: ['moe', 'topK'], message: '`moe.topK` must not exceed `moe.experts`.' });
  }
  if (shape.moe !== undefined && shape.moe.firstDenseLayers > shape.layers) {
    faults.push({ path: ['moe', 'firstDenseLayers'], message: '`moe.firstDenseLayers` must not exceed `layers`.' });
  }
  const window = shape.slidingWindow;
  if (window !== undefined && window.localLayers + window.globalLayers !== shape.layers) {
    faults.push({
      path: ['slidingWindow'],
      message: '`slidingWindow.localLayers` and `slidingWindow.globalLayers` must add up to `layers`.',
    });
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: shape };
}

function group(fields: Fields, key: string, faults: Fault[]): Fields | null {
  const value = fields[key];
  if (value === undefined || value === null) return null;
  if (isRecord(value)) return value;
  faults.push({ path: [key], message: `\`${key}\` must be a group of keys.` });
  return null;
}

function readMla(fields: Fields, faults: Fault[]): NonNullable<ModelShape['mla']> {
  const read = fieldReader(fields, faults, ['mla']);
  const qLoraRank = fields['qLoraRank'] == null ? null : read.number('qLoraRank', COUNT);
  return {
    kvLoraRank: read.number('kvLoraRank', COUNT) ?? 0,
    ...(qLoraRank === null ? {} : { qLoraRank }),
    qkNopeHeadDim: read.number('qkNopeHeadDim', COUNT) ?? 0,
    qkRopeHeadDim: read.number('qkRopeHeadDim', COUNT) ?? 0,
    vHeadDim: read.number('vHeadDim', COUNT) ?? 0,
  };
}

function readMoe(fields: Fields, faults: Fault[]): NonNullable<ModelShape['moe']> {
  const read = fieldReader(fields, faults, ['moe']);
  return {
    experts: read.number('experts', COUNT) ?? 1,
    topK: read.number('topK', COUNT) ?? 1,
    expertFfn: read.number('expertFfn', COUNT) ?? 0,
    sharedFfnTotal: read.number('sharedFfnTotal', { ...SIZE, fallback: 0 }) ?? 0,
    firstDenseLayers: read.number('firstDenseLayers', { ...SIZE, fallback: 0 }) ?? 0,
    moeEvery: read.number('moeEvery', { ...COUNT, fallback: 1 }) ?? 1,
  };
}

function readWindow(fields: Fields, faults: Fault[]): NonNullable<ModelShape['slidingWindow']> {
  const read = fieldReader(fields, faults, ['slidingWindow']);
  return {
    tokens: read.number('tokens', COUNT) ?? 1,
    kind: read.text('kind', ['sliding', 'chunked'], 'sliding') ?? 'sliding',
    localLayers: read.number('localLayers', SIZE) ?? 0,
    globalLayers: read.number('globalLayers', SIZE) ?? 0,
  };
}

/** A model that the catalogue does not hold: parameters are counted from the shape (no norms, no biases). */
export function inlineModel(id: string, shape: ModelShape, source: string): CatalogModel {
  const counts = countParameters(shape);
  const rest = shape.layers * counts.attentionPerLayer + counts.denseFfn + counts.routers + counts.embeddings;
  const embedding = counts.embeddings - counts.lmHead;
  return {
    id,
    shape,
    paramsTotal: rest + counts.routedExperts,
    // Published "active" counts include the embedding table.
    paramsActive: activeParameters(shape) + embedding,
    source,
  };
}
