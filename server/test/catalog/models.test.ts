import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inlineModel } from '../../src/catalog/modelShape.ts';
import { models } from '../../src/catalog/models.json';
import {
  allModels,
  findModel,
  modelFactsLine,
  modelFromObject,
  modelRow,
  suggestModels,
} from '../../src/catalog/models.ts';
import { kvElementsPerTokenPerLayer } from '../../src/engine/shape.ts';
import { hasShared, SHARED } from '../shared.ts';

describe('catalogue of models', () => {
  it('finds a model by id, without its owner, in any case and spelling', () => {
    for (const name of [
      'meta-llama/Llama-2-7b-hf',
      'Llama-2-7b-hf',
      'LLAMA_2_7B_HF',
      'meta-llama/Llama-2-7b-chat-hf',
      'llama-2-7b',
    ]) {
      assert.equal(findModel(name)?.id, 'meta-llama/Llama-2-7b-hf', name);
    }
    assert.equal(findModel('meta-llama/Llama-3.1-8B')?.id, 'meta-llama/Llama-3.1-8B-Instruct');
    assert.equal(findModel('meta-llama/Llama-3.3-70B-Instruct')?.id, 'meta-llama/Llama-3.1-70B-Instruct');
    assert.equal(findModel('qwen3-32b')?.id, 'Qwen/Qwen3-32B');
  });

  it('does not guess quantised repositories or siblings of another shape', () => {
    for (const name of [
      'Qwen/Qwen3-32B-FP8',
      'nvidia/Llama-3.3-70B-Instruct-NVFP4',
      'Qwen/Qwen2.5-7B',
      'mistralai/Mistral-7B-Instruct-v0.3',
      '',
    ]) {
      assert.equal(findModel(name), undefined, name);
    }
  });

  it('suggests what was meant', () => {
    assert.equal(suggestModels('meta-llama/Lama-2-7b-hf')[0], 'meta-llama/Llama-2-7b-hf');
    assert.equal(suggestModels('Qwen3-32')[0], 'Qwen/Qwen3-32B');
    assert.ok(suggestModels('Qwen/Qwen3-32B-FP8').includes('Qwen/Qwen3-32B'));
    assert.ok(suggestModels('llama').length <= 3);
    assert.deepEqual(suggestModels('zzzzzzzzzzzzzzzzzzzzz'), []);
  });

  it('gives no name to two models', () => {
    for (const model of allModels()) {
      for (const name of [model.id, ...(modelRow(model.id)?.aliases ?? [])]) {
        assert.equal(findModel(name)?.id, model.id, name);
        assert.equal(findModel(name.slice(name.lastIndexOf('/') + 1))?.id, model.id, name);
      }
    }
  });

  it('holds every row of the reference facts unchanged', function () {
    if (!hasShared()) return this.skip();
    const facts = JSON.parse(readFileSync(join(SHARED, 'data/facts/models.json'), 'utf8')) as {
      models: Record<string, unknown>[];
    };
    assert.equal(facts.models.length, allModels().length);
    for (const expected of facts.models) {
      const row = modelRow(String(expected['model'])) as Record<string, unknown> | undefined;
      assert.ok(row, String(expected['model']));
      for (const [key, value] of Object.entries(expected)) {
        if (key !== 'corrected') assert.deepEqual(row[key], value, `${expected['model']} ${key}`);
      }
    }
  });

  it('has shapes whose KV and parameters come out as published', () => {
    for (const { id, shape, paramsTotal, paramsActive } of allModels()) {
      const row = models.find(({ model }) => model === id);
      assert.equal(kvElementsPerTokenPerLayer(shape) * shape.layers * 2, row?.kvBytesPerTokenBf16, id);
      const counted = inlineModel(id, shape, '');
      // Published totals are rounded or leave out small parts; Gemma 3 12B is the widest apart (vision tower).
      assert.ok(Math.abs(counted.paramsTotal / paramsTotal - 1) < 0.04, `${id} ${counted.paramsTotal}`);
      // gpt-oss and GLM publish active counts without embeddings.
      assert.ok(Math.abs(counted.paramsActive / paramsActive - 1) < 0.17, `${id} ${counted.paramsActive}`);
    }
  });

  it('tells a model in one line', () => {
    const moe = findModel('Qwen3-30B-A3B');
    assert.ok(moe);
    assert.equal(
      modelFactsLine(moe),
      '30.5 B parameters, 3.3 B active · 48 layers · GQA, 4 KV heads for 32 · 8 of 128 experts · 40960 tokens · bf16',
    );
  });
});

describe('an inline model', () => {
  it('equals the catalogue when it holds a whole row', () => {
    for (const model of allModels()) {
      const made = modelFromObject(modelRow(model.id));
      assert.ok(made.ok, model.id);
      assert.deepEqual(made.value.shape, model.shape);
    }
  });

  it('derives heads, attention and head size', () => {
    const made = modelFromObject({
      layers: 2,
      hiddenSize: 64,
      queryHeads: 4,
      ffnSize: 128,
      vocabSize: 100,
      ropeMax: 512,
    });
    assert.ok(made.ok);
    assert.equal(made.value.shape.attentionType, 'mha');
    assert.equal(made.value.shape.kvHeads, 4);
    assert.equal(made.value.shape.headDim, 16);
  });

  it('names everything that is missing or wrong, and never throws', () => {
    const made = modelFromObject({
      layers: 0,
      hiddenSize: 64,
      queryHeads: 6,
      kvHeads: 4,
      attentionType: 'mla',
      moe: 3,
    });
    assert.ok(!made.ok);
    const text = made.faults.map((fault) => fault.message).join(' ');
    for (const word of [
      '`layers`',
      '`kvHeads` (4)',
      '`mla` is missing',
      '`moe`',
      '`vocabSize` is missing',
      '`ropeMax` is missing',
    ]) {
      assert.ok(text.includes(word), `${word} in ${text}`);
    }
    for (const value of [null, undefined, 3, 'x', [], {}, { mla: [], slidingWindow: 'x' }]) {
      assert.equal(modelFromObject(value).ok, false);
    }
  });
});
