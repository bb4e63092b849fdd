/** Models of the catalogue (`models.json`, one row a shape, source in the row), by id, alias or name without the owner. */
import type { ModelShape, WeightDtype } from '../engine/types.ts';
import type { CatalogModel } from '../plan/types.ts';
import { inlineModel, shapeFromFields } from './modelShape.ts';
import { models } from './models.json';
import { compact, similarNames } from './names.ts';
import { isRecord, type Outcome } from './outcome.ts';

export { modelFromHfConfig } from './hfConfig.ts';

/** A row of `models.json` without its notes; units as its `about` says. An inline `spec.model` has the same keys. */
export interface ModelRow {
  readonly model: string;
  readonly aliases?: readonly string[];
  readonly layers: number;
  readonly hiddenSize: number;
  readonly attentionType: 'mha' | 'gqa' | 'mla';
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffnSize: number;
  readonly vocabSize: number;
  readonly ropeMax: number;
  readonly tieEmbeddings: boolean;
  readonly mla?: NonNullable<ModelShape['mla']>;
  readonly moe?: NonNullable<ModelShape['moe']>;
  readonly slidingWindow?: NonNullable<ModelShape['slidingWindow']>;
  readonly nativeWeightDtype: WeightDtype;
  readonly nativeExpertsOnly?: boolean;
  readonly fp8Blocks?: boolean;
  readonly paramsTotalB: number;
  readonly paramsActiveB: number;
  readonly source: string;
}

const ROWS = models as readonly ModelRow[];
const MODELS: readonly CatalogModel[] = ROWS.map((row) => ({
  id: row.model,
  shape: rowShape(row),
  paramsTotal: row.paramsTotalB * 1e9,
  paramsActive: row.paramsActiveB * 1e9,
  source: row.source,
}));
const ROW_BY_ID = new Map(ROWS.map((row) => [row.model, row]));
const NAMES = ROWS.flatMap((row, index) => {
  const model = MODELS[index];
  if (model === undefined) return [];
  const names = [row.model, ...(row.aliases ?? [])];
  return [...names, ...names.map(withoutOwner)].map((name) => ({ key: compact(name), name: row.model, model }));
});
const MODEL_BY_KEY = new Map(NAMES.map(({ key, model }) => [key, model]));

/** Every model of the catalogue, in its order. */
export function allModels(): readonly CatalogModel[] {
  return MODELS;
}

/**
 * @param name Hugging Face id, an alias of the catalogue, or either without its owner. Case and separators do not
 * matter. Quantised repositories are other models: their dtype would have to be guessed.
 */
export function findModel(name: string): CatalogModel | undefined {
  return MODEL_BY_KEY.get(compact(name));
}

/** Catalogue ids that `name` may have meant, best first, at most three. */
export function suggestModels(name: string): readonly string[] {
  const whole = similarNames(compact(name), NAMES, 3);
  return whole.length > 0 ? whole : similarNames(compact(withoutOwner(name)), NAMES, 3);
}

/** The row of a model's id; undefined for inline ones. */
export function modelRow(id: string): ModelRow | undefined {
  return ROW_BY_ID.get(id);
}

/** `8.0 B parameters · 32 layers · GQA, 8 of 32 heads keep KV · 131072 tokens · bf16`: one line for completion and hover. */
export function modelFactsLine(model: CatalogModel): string {
  const { shape } = model;
  const total = billions(model.paramsTotal);
  const parts = [
    shape.moe === undefined ? `${total} parameters` : `${total} parameters, ${billions(model.paramsActive)} active`,
    `${shape.layers} layers`,
    attentionWords(shape),
  ];
  if (shape.moe !== undefined) parts.push(`${shape.moe.topK} of ${shape.moe.experts} experts`);
  if (shape.slidingWindow !== undefined) {
    parts.push(`${shape.slidingWindow.localLayers} layers see ${shape.slidingWindow.tokens} tokens`);
  }
  parts.push(`${shape.maxPositionTokens} tokens`, shape.nativeWeightDtype);
  return parts.join(' · ');
}

function attentionWords(shape: ModelShape): string {
  if (shape.attentionType === 'mla') return `MLA, latent ${shape.mla?.kvLoraRank ?? 0}`;
  if (shape.attentionType === 'mha') return `MHA, ${shape.queryHeads} heads`;
  return `GQA, ${shape.kvHeads} KV heads for ${shape.queryHeads}`;
}

function billions(count: number): string {
  const b = count / 1e9;
  return `${b < 100 ? b.toFixed(1) : b.toFixed(0)} B`;
}

function withoutOwner(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1);
}

function rowShape(row: ModelRow): ModelShape {
  return {
    layers: row.layers,
    hiddenSize: row.hiddenSize,
    attentionType: row.attentionType,
    queryHeads: row.queryHeads,
    kvHeads: row.kvHeads,
    headDim: row.headDim,
    ffnSize: row.ffnSize,
    vocabSize: row.vocabSize,
    maxPositionTokens: row.ropeMax,
    tieEmbeddings: row.tieEmbeddings,
    ...(row.mla === undefined ? {} : { mla: row.mla }),
    ...(row.moe === undefined ? {} : { moe: expertsOf(row.moe) }),
    ...(row.slidingWindow === undefined ? {} : { slidingWindow: windowOf(row.slidingWindow) }),
    nativeWeightDtype: row.nativeWeightDtype,
    ...(row.nativeExpertsOnly === true ? { nativeExpertsOnly: true } : {}),
    ...(row.fp8Blocks === true ? { fp8Blocks: true } : {}),
  };
}

// The rows carry more than the engine's types name (notes, counts); only what is named goes on.
function expertsOf(moe: NonNullable<ModelRow['moe']>): NonNullable<ModelShape['moe']> {
  const { experts, topK, expertFfn, sharedFfnTotal, firstDenseLayers, moeEvery } = moe;
  return { experts, topK, expertFfn, sharedFfnTotal, firstDenseLayers, moeEvery };
}

function windowOf(window: NonNullable<ModelRow['slidingWindow']>): NonNullable<ModelShape['slidingWindow']> {
  const { tokens, kind, localLayers, globalLayers } = window;
  return { tokens, kind, localLayers, globalLayers };
}

/** A model whose shape stands inline in a plan: the catalogue's keys, and `id` as a free name. */
export function modelFromObject(value: unknown): Outcome<CatalogModel> {
  if (!isRecord(value)) {
    return { ok: false, faults: [{ path: [], message: 'A model is a name or a group of keys.' }] };
  }
  const shape = shapeFromFields(value);
  if (!shape.ok) return shape;
  const id = typeof value['id'] === 'string' ? value['id'] : 'inline model';
  return { ok: true, value: inlineModel(id, shape.value, 'stated in the plan') };
}
