import assert from 'node:assert/strict';
import fc from 'fast-check';
import { modelFromHfConfig } from '../../src/catalog/models.ts';
import type { Outcome } from '../../src/catalog/outcome.ts';
import type { CatalogModel } from '../../src/plan/types.ts';
import { models } from './hfConfigs.json';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 400);

type Config = Readonly<Record<string, unknown>>;

function configOf(name: string): Config {
  const found = models.find(({ model }) => model.endsWith(name));
  assert.ok(found, name);
  return found.config;
}

/** The group that the shape stands in, replaced. */
function edited(config: Config, edit: (part: Config) => Config): Config {
  const text = config['text_config'];
  return text === undefined ? edit(config) : { ...config, text_config: edit(text as Config) };
}

function without(config: Config, key: string): Config {
  return Object.fromEntries(Object.entries(config).filter(([each]) => each !== key));
}

function messages(made: Outcome<CatalogModel>): string {
  return made.ok ? '' : made.faults.map((fault) => fault.message).join(' ');
}

function refused(config: Config, message: RegExp): void {
  const made = modelFromHfConfig(config);
  assert.ok(!made.ok, `taken: ${JSON.stringify(config).slice(0, 300)}`);
  assert.match(messages(made), message);
}

const SMALL: Config = {
  model_type: 'llama',
  num_hidden_layers: 4,
  hidden_size: 64,
  num_attention_heads: 4,
  intermediate_size: 128,
  vocab_size: 100,
  max_position_embeddings: 4096,
};

describe('config.json of a Hugging Face model', () => {
  it('refuses families that are not modelled, and says why', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['mamba2', /`mamba2`.*a state in place of KV.*State the shape/],
      ['qwen3_next', /linear attention/],
      ['jamba', /Mamba/],
      ['minimax_m1', /linear attention/],
      ['t5', /encoder/],
      ['mllama', /cross-attention/],
      ['starcoder2', /without a gate/],
      ['falcon', /without a gate/],
      ['deepseek_v32', /sparse attention/],
      ['glm_moe_dsa', /indexer/],
      ['gemma3n', /differ in heads or width/],
      ['nemotron-nas', /differ in heads or width/],
      ['a_new_one', /`a_new_one` cannot be read from config.json yet/],
      ['constructor', /`constructor` cannot be read/],
    ];
    for (const [type, message] of cases) refused({ ...SMALL, model_type: type }, message);
  });

  it('refuses what does not decode text', () => {
    refused(
      { ...SMALL, architectures: ['LlamaForSequenceClassification'] },
      /LlamaForSequenceClassification does not generate/,
    );
    refused({ ...SMALL, architectures: ['EagleLlamaModel'] }, /does not generate text/);
    refused({ ...SMALL, is_encoder_decoder: true }, /`is_encoder_decoder`/);
  });

  it("names missing keys in config.json's own words", () => {
    refused(
      { model_type: 'llama', num_hidden_layers: 2, hidden_size: 64, num_attention_heads: 4 },
      /`intermediate_size` is missing.*`vocab_size` is missing.*`max_position_embeddings` is missing/,
    );
    refused(without(configOf('/DeepSeek-V3'), 'kv_lora_rank'), /`kv_lora_rank` is missing/);
    refused(without(configOf('/Mixtral-8x7B-v0.1'), 'num_local_experts'), /`num_local_experts` is missing/);
    refused(without(configOf('/Qwen3-30B-A3B'), 'moe_intermediate_size'), /`moe_intermediate_size` is missing/);
    refused(without(configOf('/Mistral-7B-v0.1'), 'num_key_value_heads'), /`num_key_value_heads` is missing/);
    refused(without(configOf('/Qwen3-8B'), 'head_dim'), /`head_dim` is missing/);
    refused({ ...SMALL, num_attention_heads: 5, num_key_value_heads: 5 }, /`head_dim` is missing/);
    refused(without(configOf('/gpt-oss-20b'), 'sliding_window'), /`sliding_window` is missing/);
  });

  it('refuses keys that it does not know, and names them', () => {
    for (const key of [
      'index_topk',
      'num_kv_shared_layers',
      'dual_chunk_attention_config',
      'quantization',
      'num_experts',
    ]) {
      refused({ ...SMALL, [key]: 8 }, new RegExp(`\`${key}\` of config.json is not known.*Take out of your copy`));
    }
    refused({ ...SMALL, one: 1, two: 2 }, /`one`, `two` of config.json are not known/);
    refused({ ...SMALL, 'b`ad': 1 }, /`bad`/);
    assert.ok(modelFromHfConfig({ ...SMALL, index_topk: null, _private: 1, attention_dropout: 0.1 }).ok);
  });

  it('refuses layers that are not alike', () => {
    const moe = configOf('/Qwen3-30B-A3B');
    refused({ ...moe, mlp_only_layers: [5] }, /Dense layers between/);
    refused({ ...configOf('/DeepSeek-V3'), moe_layer_freq: 2 }, /`moe_layer_freq`/);
    refused({ ...configOf('/MiniMax-M2'), attn_type_list: [1, 0] }, /linear attention/);
    refused({ ...configOf('/ERNIE-4.5-21B-A3B-PT'), moe_layer_end_index: 20 }, /`moe_layer_end_index`/);
    refused({ ...SMALL, layer_types: ['full_attention', 'linear_attention'] }, /linear_attention is not modelled/);
    refused({ ...SMALL, layer_types: ['full_attention'] }, /lists 1 layers, `num_hidden_layers` says 4/);
    refused({ ...SMALL, sliding_window: 512 }, /which layers have it is not known/);
    refused({ ...SMALL, num_layers: 5 }, /`num_hidden_layers` and `num_layers` say the same thing and differ/);
  });

  it('takes dense layers in front, and windows however they are told', () => {
    const first = modelFromHfConfig({ ...configOf('/Qwen3-30B-A3B'), mlp_only_layers: [0, 1] });
    assert.equal(first.ok && first.value.shape.moe?.firstDenseLayers, 2);
    const every = { ...configOf('/Llama-4-Maverick-17B-128E-Instruct') };
    const listed = modelFromHfConfig(
      edited(every, (part) => ({ ...part, moe_layers: range(48).filter((i) => i % 2 === 1) })),
    );
    const shape = listed.ok ? listed.value.shape : null;
    assert.deepEqual([shape?.moe?.moeEvery, shape?.moe?.firstDenseLayers], [2, 0]);
    const window = { ...SMALL, sliding_window: 512 };
    const locals: readonly (readonly [Config, number | undefined])[] = [
      [{ ...window, layer_types: ['sliding_attention', 'full_attention', 'sliding_attention', 'full_attention'] }, 2],
      [{ ...window, layer_types: Array(4).fill('full_attention') }, undefined],
      [{ ...window, model_type: 'qwen2', num_key_value_heads: 4, max_window_layers: 1, use_sliding_window: true }, 3],
      [{ ...window, model_type: 'qwen2', num_key_value_heads: 4, max_window_layers: 1 }, undefined],
      [{ ...window, model_type: 'mistral', num_key_value_heads: 4 }, 4],
      [{ ...window, model_type: 'mistral', num_key_value_heads: 4, sliding_window: 4096 }, undefined],
      [{ ...window, model_type: 'exaone4', num_key_value_heads: 4, sliding_window_pattern: 'LG' }, 2],
      [{ ...window, model_type: 'cohere2' }, 3],
    ];
    for (const [config, local] of locals) {
      const made = modelFromHfConfig(config);
      assert.ok(made.ok, messages(made));
      assert.equal(made.value.shape.slidingWindow?.localLayers, local, JSON.stringify(config));
    }
  });

  it('takes old files of models with pictures, which have no group for text', () => {
    const flat = {
      ...configOf('/Qwen2.5-7B-Instruct'),
      model_type: 'qwen2_5_vl',
      vision_config: { hidden_size: 1280 },
    };
    const made = modelFromHfConfig({ ...flat, vision_token_id: 151654, rope_scaling: { type: 'mrope' } });
    assert.ok(made.ok, messages(made));
    assert.match(made.value.source, /text part alone/);
  });

  it('derives the longest context as vLLM does', () => {
    const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 1024 };
    const cases: readonly (readonly [Config, number])[] = [
      [{}, 4096],
      [{ rope_scaling: yarn }, 4096],
      [{ rope_scaling: { ...yarn, factor: 8 } }, 8192],
      [{ rope_scaling: { type: 'dynamic', factor: 2 } }, 8192],
      [{ rope_scaling: { type: 'linear', factor: 2.5 } }, 10240],
      [{ rope_scaling: { rope_type: 'llama3', factor: 8 } }, 4096],
      [{ rope_scaling: { type: 'longrope', factor: 32 } }, 4096],
      [{ rope_scaling: { type: 'mrope', mrope_section: [1, 2] } }, 4096],
      [{ rope_parameters: { rope_type: 'default', rope_theta: 1e6 } }, 4096],
      [{ rope_parameters: { full_attention: { rope_type: 'linear', factor: 2 }, rope_theta: null } }, 8192],
      [{ model_max_length: 131072 }, 131072],
      [{ seq_length: 2048 }, 2048],
    ];
    for (const [more, tokens] of cases) {
      const made = modelFromHfConfig({ ...SMALL, ...more });
      assert.ok(made.ok, messages(made));
      assert.equal(made.value.shape.maxPositionTokens, tokens, JSON.stringify(more));
    }
    refused({ ...SMALL, rope_scaling: { type: 'yarn', factor: 4 } }, /original_max_position_embeddings` is missing/);
    for (const factor of ['x', -2, 0, 1e300]) {
      refused({ ...SMALL, rope_scaling: { type: 'linear', factor } }, /`rope_scaling.factor` must be a number above 0/);
    }
    const bare = [{ toString: null }];
    for (const key of ['num_hidden_layers', 'hidden_size', 'model_type', 'torch_dtype'])
      refused({ ...SMALL, [key]: bare }, /must be|is not known/);
    assert.doesNotThrow(() => modelFromHfConfig({ ...SMALL, rope_scaling: { type: bare, factor: 2 } }));
    refused({ ...SMALL, num_hidden_layers: 1e9 }, /`num_hidden_layers` must be 10000 or less/);
    refused({ ...SMALL, model_type: 5 }, /`model_type` must be a text/);
  });

  it('never throws', () => {
    for (const value of [null, 3, 'x', [], {}, { model_type: 3 }, { model_type: 'deepseek_v3', kv_lora_rank: [] }]) {
      assert.equal(modelFromHfConfig(value).ok, false);
    }
    fc.assert(
      fc.property(fc.constantFrom(...models), fc.dictionary(fc.string(), fc.jsonValue()), ({ config }, noise) => {
        modelFromHfConfig(edited(config, (part) => ({ ...noise, model_type: part['model_type'] })));
        modelFromHfConfig({ ...config, text_config: noise, quantization_config: noise });
      }),
      { numRuns: RUNS },
    );
  });

  it('takes no file that lacks what it needs', () => {
    const needed = [
      'layers',
      'num_hidden_layers',
      'hidden_size',
      'intermediate_size',
      'num_attention_heads',
      'd_model',
    ];
    const more = [
      'num_experts_per_tok',
      'moe_k',
      'n_routed_experts',
      'num_experts',
      'kv_lora_rank',
      'v_head_dim',
      'n_heads',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...models), fc.constantFrom(...needed, ...more), ({ model, config }, key) => {
        const text = config['text_config' as keyof typeof config] as Config | undefined;
        const part = text ?? (config as Config);
        // Listed twice, or filled in by the family's own class in a nested group.
        const twice =
          key in part && ['num_layers', 'experts_per_token'].some((other) => other in part && other !== key);
        fc.pre(key in part && !twice && !(part['model_type'] === 'gemma3_text' && text !== undefined));
        const made = modelFromHfConfig(edited(config, (each) => without(each, key)));
        assert.ok(!made.ok, `${model} without ${key}`);
        assert.match(messages(made), /is missing/);
      }),
      { numRuns: RUNS },
    );
  });

  it('takes no number that is none', () => {
    const keys = ['num_hidden_layers', 'hidden_size', 'intermediate_size', 'num_attention_heads', 'vocab_size'];
    const more = [
      'max_position_embeddings',
      'num_experts_per_tok',
      'sliding_window',
      'kv_lora_rank',
      'n_shared_experts',
    ];
    const lists = ['layer_types', 'mlp_only_layers', 'rope_scaling', 'use_sliding_window', 'attention_chunk_size'];
    const junk = fc.constantFrom<unknown>('x', -1, 1.5, true, [[]], 1e300, '');
    fc.assert(
      fc.property(
        fc.constantFrom(...models),
        fc.constantFrom(...keys, ...more, ...lists),
        junk,
        ({ model, config }, key, value) => {
          const part = ('text_config' in config ? config.text_config : config) as Config;
          fc.pre(key in part && part[key] !== null && !ignored(part, key, value));
          const made = modelFromHfConfig(edited(config, (each) => ({ ...each, [key]: value })));
          assert.ok(!made.ok, `${model} with ${key} ${JSON.stringify(value)}`);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('takes a changed file only for a shape that can be counted', () => {
    const edit = fc.record({ at: fc.nat(), value: fc.oneof(fc.jsonValue(), fc.integer({ min: 0, max: 200_000 })) });
    fc.assert(
      fc.property(fc.constantFrom(...models), fc.array(edit, { minLength: 1, maxLength: 3 }), ({ config }, edits) => {
        const made = modelFromHfConfig(
          edited(config, (part) => {
            const keys = Object.keys(part).filter((key) => key !== 'model_type');
            return Object.assign(
              {},
              part,
              ...edits.map(({ at, value }) => ({ [keys[at % keys.length] ?? '']: value })),
            );
          }),
        );
        if (!made.ok) return assert.ok(messages(made).length > 0);
        const { shape, paramsTotal, paramsActive } = made.value;
        for (const each of [shape.layers, shape.hiddenSize, shape.headDim, shape.vocabSize, shape.maxPositionTokens]) {
          assert.ok(Number.isSafeInteger(each) && each > 0, JSON.stringify(shape));
        }
        assert.ok(paramsTotal > 0 && paramsActive > 0 && Number.isFinite(paramsTotal), JSON.stringify(shape));
        const window = shape.slidingWindow;
        if (window !== undefined) assert.equal(window.localLayers + window.globalLayers, shape.layers);
      }),
      { numRuns: RUNS },
    );
  });
});

/** Where a value is another's to say: windows that are off, dense layers of a mixture, one true flag. */
function ignored(part: Config, key: string, value: unknown): boolean {
  const off = part['use_sliding_window'] === false;
  if (key === 'sliding_window') return off || value === 1e300;
  if (key === 'use_sliding_window') return value === true;
  if (key === 'max_position_embeddings') return part['model_max_length'] !== undefined;
  return Array.isArray(value) && (key === 'mlp_only_layers' || key === 'layer_types');
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}
