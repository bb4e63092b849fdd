/**
 * Which families of Hugging Face models are read, under which keys of `config.json`, and why others are not. Facts of each
 * family's configuration class in transformers 5.18 (`configuration_*.py`) and its model in vLLM.
 */

/** What sets a family apart from Llama: a decoder of grouped-query attention and a gated feed-forward. */
export interface Family {
  /** `num_key_value_heads` may be left out: as many as query heads. */
  readonly fullHeads?: true;
  /** `head_dim` is the class' own where it is left out, not the width over the heads. */
  readonly ownHeadDim?: true;
  /** `tie_word_embeddings` where the file is silent. */
  readonly tied?: true;
  /** Latent attention: `num_key_value_heads` and `head_dim` mean nothing. */
  readonly mla?: true;
  /** Routed experts, and the key of their width. */
  readonly expertWidth?: 'moe_intermediate_size' | 'intermediate_size' | 'ffn_hidden_size';
  /**
   * Which layers `sliding_window` is for, where `layer_types` does not say: all, those from `max_window_layers` on (if
   * `use_sliding_window`), or all but every n-th.
   */
  readonly window?: 'all' | 'late' | number;
  /** What the class fills in where a nested `text_config` leaves a key out (flat files state all). */
  readonly nestedDefaults?: Readonly<Record<string, number>>;
  /** `max_position_embeddings` has `rope_scaling` in it already. */
  readonly scaledLength?: true;
}

const ROWS: readonly (readonly [string, Family])[] = [
  ['llama Yi aquila internlm internlm2 internlm3 baichuan orion xverse minicpm', { fullHeads: true }],
  ['exaone granite olmo olmo2', { fullHeads: true }],
  ['stablelm chatglm glm glm4v_text mimo', {}],
  ['glm4 seed_oss ministral3 qwen3_vl_text', { ownHeadDim: true }],
  ['mistral ministral', { window: 'all' }],
  ['phi3', { window: 'all', fullHeads: true }],
  ['qwen2 qwen2_vl qwen2_vl_text qwen2_5_vl qwen2_5_vl_text', { window: 'late' }],
  ['qwen3', { window: 'late', ownHeadDim: true }],
  ['smollm3', { window: 'late', tied: true }],
  ['olmo3', { window: 4, fullHeads: true }],
  ['exaone4', { window: 4 }],
  ['cohere', { tied: true, fullHeads: true }],
  ['gemma ernie4_5', { tied: true, ownHeadDim: true }],
  ['cohere2', { tied: true, window: 4, fullHeads: true }],
  ['gemma2', { tied: true, window: 2, ownHeadDim: true }],
  [
    'gemma3_text',
    {
      tied: true,
      window: 6,
      ownHeadDim: true,
      scaledLength: true,
      nestedDefaults: {
        vocab_size: 262208,
        num_attention_heads: 8,
        num_key_value_heads: 4,
        head_dim: 256,
        max_position_embeddings: 131072,
      },
    },
  ],
  ['mixtral phimoe', { expertWidth: 'intermediate_size', window: 'all' }],
  ['olmoe granitemoe granitemoeshared', { expertWidth: 'intermediate_size', fullHeads: true }],
  ['dbrx', { expertWidth: 'ffn_hidden_size' }],
  ['llama4_text minimax_m2', { expertWidth: 'intermediate_size', ownHeadDim: true }],
  ['gpt_oss', { expertWidth: 'intermediate_size', window: 2, ownHeadDim: true }],
  ['qwen2_moe qwen3_moe qwen3_vl_moe_text dots1', { expertWidth: 'moe_intermediate_size', window: 'late' }],
  ['deepseek glm4_moe glm4v_moe_text', { expertWidth: 'moe_intermediate_size' }],
  ['ernie4_5_moe', { expertWidth: 'moe_intermediate_size', tied: true }],
  ['deepseek_v2 deepseek_v3 kimi_k2 glm4_moe_lite', { expertWidth: 'moe_intermediate_size', mla: true }],
];

/** Families by `model_type`. */
export const FAMILIES: ReadonlyMap<string, Family> = new Map(byName(ROWS));

/** Models of text and pictures whose text part stands in a group of its own. */
export const WRAPPERS: ReadonlySet<string> = new Set(
  [
    'gemma3 mistral3 llama4 qwen2_vl qwen2_5_vl qwen3_vl qwen3_vl_moe glm4v glm4v_moe kimi_vl kimi_k25 aya_vision',
    'cohere2_vision internvl internvl_chat llava llava_next llava_onevision idefics3 smolvlm',
  ].flatMap((names) => names.split(' ')),
);

const STATE = 'layers that keep a state in place of KV (Mamba, linear attention)';

/** What the engine has no model of, by `model_type`. */
export const UNSUPPORTED: ReadonlyMap<string, string> = new Map(
  byName([
    [
      'mamba mamba2 falcon_mamba falcon_h1 jamba bamba nemotron_h zamba zamba2 plamo2 granitemoehybrid rwkv olmo_hybrid',
      STATE,
    ],
    ['qwen3_next qwen3_5 qwen3_5_text qwen3_5_moe qwen3_5_moe_text kimi_linear lfm2 lfm2_moe recurrent_gemma', STATE],
    ['minimax minimax_text_01 minimax_m1', STATE],
    [
      'falcon gpt2 gptj gpt_neo gpt_neox gpt_bigcode starcoder2 phi opt bloom mpt nemotron persimmon arcee apertus',
      'a feed-forward without a gate (two matrices in place of three)',
    ],
    ['t5 mt5 umt5 t5gemma bart mbart pegasus marian m2m_100 whisper mllama', 'an encoder with cross-attention'],
    ['deepseek_v32 deepseek_v4 glm_moe_dsa', 'sparse attention, whose indexer has a cache of its own'],
    [
      'gemma3n gemma3n_text gemma4 gemma4_text mimo_v2_flash nemotron-nas deci longcat_flash step3_text',
      'layers that differ in heads or width',
    ],
    ['minicpm3', 'latent attention whose heads are cached in full'],
  ]),
);

/** Our keys against those of `config.json` that say the same, in whichever family. */
export const KEYS = {
  layers: ['num_hidden_layers', 'num_layers', 'n_layers'],
  hiddenSize: ['hidden_size', 'd_model'],
  queryHeads: ['num_attention_heads', 'n_heads'],
  kvHeads: ['num_key_value_heads', 'multi_query_group_num', 'kv_n_heads'],
  headDim: ['head_dim', 'kv_channels'],
  ffnSize: ['intermediate_size', 'ffn_hidden_size'],
  vocabSize: ['vocab_size', 'padded_vocab_size'],
  tieEmbeddings: ['tie_word_embeddings'],
} as const;

export const MLA_KEYS = {
  kvLoraRank: ['kv_lora_rank'],
  qLoraRank: ['q_lora_rank'],
  qkNopeHeadDim: ['qk_nope_head_dim'],
  qkRopeHeadDim: ['qk_rope_head_dim'],
  vHeadDim: ['v_head_dim'],
} as const;

export const MOE_KEYS = {
  experts: ['num_local_experts', 'num_experts', 'n_routed_experts', 'moe_num_experts'],
  topK: ['num_experts_per_tok', 'experts_per_token', 'moe_k', 'moe_top_k'],
  sharedFfnTotal: ['shared_expert_intermediate_size', 'shared_intermediate_size'],
  firstDenseLayers: ['first_k_dense_replace', 'moe_layer_start_index'],
  moeEvery: ['decoder_sparse_step', 'interleave_moe_layer_step'],
} as const;

/** How many shared experts of the routed ones' width. */
export const SHARED_COUNT = ['n_shared_experts', 'num_shared_experts', 'moe_num_shared_experts'] as const;

/** Longest sequence as vLLM looks for it (vllm/config/model.py, `_get_and_verify_max_len`): the smallest, or the last. */
export const LENGTHS = ['max_position_embeddings', 'max_seq_len', 'seq_length', 'model_max_length'] as const;

/** One entry a layer. */
export const LISTS = [
  'layer_types',
  'mlp_only_layers',
  'mlp_layer_types',
  'moe_layers',
  'no_rope_layers',
  'attn_type_list',
];

/** Read beside the keys above. */
export const ALSO_READ = [
  'architectures model_type dtype torch_dtype quantization_config rope_scaling rope_parameters',
  'is_encoder_decoder add_cross_attention layer_types sliding_window use_sliding_window max_window_layers',
  'sliding_window_pattern _sliding_window_pattern',
].flatMap((names) => names.split(' '));

/** Read beside them in families with experts, too. */
export const ALSO_READ_MOE = [
  'moe_intermediate_size mlp_only_layers mlp_layer_types moe_layer_freq moe_layer_interval moe_layer_end_index',
  'moe_layers attn_type_list attn_config ffn_config intermediate_size_mlp attention_chunk_size no_rope_layers',
].flatMap((names) => names.split(' '));

/**
 * Keys that change neither memory nor step time: training, sampling, tokens' ids, norms, biases, scales, rotary angles, the
 * draft layers of speculative decoding (not loaded without it), and what picture models keep in front of their text part.
 */
export const IGNORED = new RegExp(
  [
    '^_|^unsloth|version$|_token_(id|index)s?$|^(vision|image|video)_|^num_mtp|^mtp_',
    'drop(out)?(_prob|_rate|_p)?$|_pdrop$|eps(ilon)?$|^rope_(?!head)|^rotary_|^init|_act(ivation)?$|^(hidden_)?act',
    '^(?!num_|n_).*(norm|bias|scal(e|ing)|multiplier|softcap|jitter|router_|_loss_|fp32)',
    `^(${[
      'attn_implementation attn_temperature_tuning auto_map cache_implementation clip_qkv dim_model_base ep_size',
      'for_llm_compressor full_attn_mod interpolate_factor layer_switch logits_to_keep model_name moe_capacity moe_gate',
      'multi_query_attention n_group no_rope_layer_interval no_rope_layers num_expert_group num_nextn_predict_layers',
      'order_of_interleaved_layers original_max_position_embeddings original_rope output_router_logits',
      'partial_rotary_factor position_embedding_type pretraining_tp qk_head_dim query_pre_attn_scalar scoring_func',
      'seq_aux sliding_window_size swiglu_limit topk_group topk_method use_bidirectional_attention use_cache',
      'use_embedding_sharing use_flash_attn use_gated_activation use_grouped_topk use_mtp use_parallel_block',
      'use_parallel_embedding use_parallel_residual',
      // Of every configuration in transformers (PretrainedConfig): generation and bookkeeping.
      'bad_words_ids begin_suppress_tokens chunk_size_feed_forward cross_attention_hidden_size diversity_penalty do_sample',
      'early_stopping encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task id2label is_decoder',
      'label2id length_penalty max_length min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences',
      'output_attentions output_hidden_states output_scores prefix problem_type pruned_heads remove_invalid_values',
      'repetition_penalty return_dict return_dict_in_generate suppress_tokens task_specific_params temperature',
      'tf_legacy_loss tie_encoder_decoder tokenizer_class top_k top_p torchscript typical_p use_bfloat16',
    ]
      .join(' ')
      .replaceAll(' ', '|')})$`,
  ].join('|'),
);

function byName<T>(rows: readonly (readonly [string, T])[]): (readonly [string, T])[] {
  return rows.flatMap(([names, value]) => names.split(' ').map((name) => [name, value] as const));
}
