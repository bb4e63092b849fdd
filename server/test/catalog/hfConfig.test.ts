import assert from 'node:assert/strict';
import { findModel, modelFromHfConfig } from '../../src/catalog/models.ts';

/** Keys of the public config.json of each model that its shape depends on. */
const CONFIGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'meta-llama/Llama-3.1-8B-Instruct': {
    model_type: 'llama',
    num_hidden_layers: 32,
    hidden_size: 4096,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    intermediate_size: 14336,
    vocab_size: 128256,
    max_position_embeddings: 131072,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
  },
  'Qwen/Qwen2.5-7B-Instruct': {
    model_type: 'qwen2',
    num_hidden_layers: 28,
    hidden_size: 3584,
    num_attention_heads: 28,
    num_key_value_heads: 4,
    intermediate_size: 18944,
    vocab_size: 152064,
    max_position_embeddings: 32768,
    sliding_window: 131072,
    use_sliding_window: false,
    torch_dtype: 'bfloat16',
  },
  'Qwen/Qwen3-30B-A3B': {
    model_type: 'qwen3_moe',
    num_hidden_layers: 48,
    hidden_size: 2048,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    head_dim: 128,
    intermediate_size: 6144,
    moe_intermediate_size: 768,
    num_experts: 128,
    num_experts_per_tok: 8,
    decoder_sparse_step: 1,
    vocab_size: 151936,
    max_position_embeddings: 40960,
    sliding_window: null,
    torch_dtype: 'bfloat16',
  },
  'mistralai/Mixtral-8x7B-v0.1': {
    model_type: 'mixtral',
    num_hidden_layers: 32,
    hidden_size: 4096,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    intermediate_size: 14336,
    num_local_experts: 8,
    num_experts_per_tok: 2,
    vocab_size: 32000,
    max_position_embeddings: 32768,
    sliding_window: null,
    torch_dtype: 'bfloat16',
  },
  'google/gemma-2-9b-it': {
    model_type: 'gemma2',
    num_hidden_layers: 42,
    hidden_size: 3584,
    num_attention_heads: 16,
    num_key_value_heads: 8,
    head_dim: 256,
    intermediate_size: 14336,
    vocab_size: 256000,
    max_position_embeddings: 8192,
    sliding_window: 4096,
    torch_dtype: 'bfloat16',
  },
  'deepseek-ai/DeepSeek-V3': {
    model_type: 'deepseek_v3',
    num_hidden_layers: 61,
    hidden_size: 7168,
    num_attention_heads: 128,
    num_key_value_heads: 128,
    intermediate_size: 18432,
    moe_intermediate_size: 2048,
    n_routed_experts: 256,
    n_shared_experts: 1,
    num_experts_per_tok: 8,
    first_k_dense_replace: 3,
    moe_layer_freq: 1,
    kv_lora_rank: 512,
    q_lora_rank: 1536,
    qk_nope_head_dim: 128,
    qk_rope_head_dim: 64,
    v_head_dim: 128,
    vocab_size: 129280,
    max_position_embeddings: 163840,
    tie_word_embeddings: false,
    quantization_config: { quant_method: 'fp8' },
  },
};

describe('config.json of a Hugging Face model', () => {
  for (const [id, config] of Object.entries(CONFIGS)) {
    it(`reads ${id} as the catalogue has it`, () => {
      const made = modelFromHfConfig(config);
      assert.ok(made.ok);
      assert.deepEqual(made.value.shape, findModel(id)?.shape);
    });
  }

  it('refuses what it does not know by name', () => {
    const made = modelFromHfConfig({ model_type: 'mamba2' });
    assert.ok(!made.ok);
    assert.match(made.faults[0]?.message ?? '', /`mamba2`.*State the shape/);
  });

  it("names missing keys in config.json's own words", () => {
    const made = modelFromHfConfig({
      model_type: 'llama',
      num_hidden_layers: 2,
      hidden_size: 64,
      num_attention_heads: 4,
    });
    assert.ok(!made.ok);
    assert.match(made.faults.map((fault) => fault.message).join(' '), /`intermediate_size` is missing.*`vocab_size`/);
  });

  it('does not take an unknown quantisation for bf16', () => {
    const made = modelFromHfConfig({
      ...CONFIGS['meta-llama/Llama-3.1-8B-Instruct'],
      quantization_config: { quant_method: 'exotic' },
    });
    assert.ok(!made.ok);
    assert.match(made.faults[0]?.message ?? '', /nativeWeightDtype/);
  });

  it('never throws', () => {
    for (const value of [null, 3, 'x', [], {}, { model_type: 3 }, { model_type: 'deepseek_v3', kv_lora_rank: [] }]) {
      assert.equal(modelFromHfConfig(value).ok, false);
    }
  });
});
