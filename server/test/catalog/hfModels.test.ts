import assert from 'node:assert/strict';
import { findModel, modelFromHfConfig } from '../../src/catalog/models.ts';
import { kvElementsPerTokenPerLayer } from '../../src/engine/shape.ts';
import type { ModelShape } from '../../src/engine/types.ts';
import type { CatalogModel } from '../../src/plan/types.ts';
import { models } from './hfConfigs.json';

const BY_ID = new Map(models.map((each) => [each.model, each]));

function read(id: string): CatalogModel {
  const made = modelFromHfConfig(BY_ID.get(id)?.config);
  assert.ok(made.ok, `${id}: ${made.ok ? '' : made.faults.map((fault) => fault.message).join(' ')}`);
  return made.value;
}

/** What a catalogue's row says beside its own config.json: one 16-bit type for both, and the owner's fp8 repository. */
function comparable({ fp8Blocks: _, ...shape }: ModelShape): object {
  return shape.nativeWeightDtype === 'fp16' ? { ...shape, nativeWeightDtype: 'bf16' } : shape;
}

describe('published config.json files', () => {
  it('are enough to mean something', () => {
    assert.ok(models.length >= 50);
    assert.equal(BY_ID.size, models.length);
    assert.ok(models.filter(({ model }) => findModel(model) !== undefined).length >= 20);
  });

  for (const { model, params, kvBytes } of models) {
    it(`count the parameters of ${model} as published, and its KV`, () => {
      const { shape, paramsTotal } = read(model);
      assert.ok(Math.abs(paramsTotal / params - 1) < 0.01, `${paramsTotal} beside ${params}`);
      assert.equal(kvElementsPerTokenPerLayer(shape) * shape.layers * 2, kvBytes);
      const known = findModel(model);
      if (known !== undefined) assert.deepEqual(comparable(shape), comparable(known.shape));
    });
  }

  it('count to a few parts in ten thousand where neither draft layers nor pictures are counted', () => {
    const apart = models.filter(({ model, params }) => Math.abs(read(model).paramsTotal / params - 1) > 5e-4);
    const names = apart.map(({ model }) => model.slice(model.lastIndexOf('/') + 1));
    assert.deepEqual(names.sort(), [
      'GLM-4.5',
      'GLM-4.5-Air',
      'Llama-4-Maverick-17B-128E-Instruct',
      'Llama-4-Scout-17B-16E-Instruct',
      'gemma-3-4b-it',
    ]);
  });

  it('say which layers look back over a window', () => {
    const found = models.flatMap(({ model }) => {
      const window = read(model).shape.slidingWindow;
      if (window === undefined) return [];
      const name = model.slice(model.lastIndexOf('/') + 1);
      return [`${name}: ${window.kind} ${window.tokens}, ${window.localLayers} + ${window.globalLayers}`];
    });
    assert.deepEqual(found.sort(), [
      'Llama-4-Maverick-17B-128E-Instruct: chunked 8192, 36 + 12',
      'Llama-4-Scout-17B-16E-Instruct: chunked 8192, 36 + 12',
      'Mistral-7B-v0.1: sliding 4096, 32 + 0',
      'Phi-3-mini-4k-instruct: sliding 2047, 32 + 0',
      'c4ai-command-r7b-12-2024: sliding 4096, 24 + 8',
      'gemma-2-2b-it: sliding 4096, 13 + 13',
      'gemma-2-9b-it: sliding 4096, 21 + 21',
      'gemma-3-1b-it: sliding 512, 22 + 4',
      'gemma-3-27b-it: sliding 1024, 52 + 10',
      'gemma-3-4b-it: sliding 1024, 29 + 5',
      'gpt-oss-120b: sliding 128, 18 + 18',
      'gpt-oss-20b: sliding 128, 12 + 12',
    ]);
  });

  it('say how the weights are stored', () => {
    const found = models.flatMap(({ model }) => {
      const { shape, storedDtype } = read(model);
      if (storedDtype === 'bf16' || storedDtype === 'fp16') return [];
      return [
        `${model}: ${storedDtype}, made in ${shape.nativeWeightDtype}${shape.nativeExpertsOnly ? ', experts' : ''}`,
      ];
    });
    assert.deepEqual(found.sort(), [
      'MiniMaxAI/MiniMax-M2: fp8, made in fp8',
      'Qwen/Qwen3-235B-A22B-FP8: fp8, made in fp8',
      'deepseek-ai/DeepSeek-V3: fp8, made in fp8',
      'moonshotai/Kimi-K2-Instruct: fp8, made in fp8',
      'openai/gpt-oss-120b: mxfp4, made in mxfp4, experts',
      'openai/gpt-oss-20b: mxfp4, made in mxfp4, experts',
    ]);
  });

  it('name the text part of a model with pictures', () => {
    assert.match(read('google/gemma-3-27b-it').source, /text part alone/);
    assert.doesNotMatch(read('google/gemma-3-1b-it').source, /text part/);
  });
});
