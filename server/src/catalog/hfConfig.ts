/**
 * A model's shape from the `config.json` of its Hugging Face repository: the plain Llama, Mistral, Mixtral, Qwen,
 * Phi-3, Gemma 2 and DeepSeek families. Anything else is refused by name, never guessed.
 */
import type { CatalogModel } from '../plan/types.ts';
import { inlineModel, shapeFromFields } from './modelShape.ts';
import { isRecord, type Outcome } from './outcome.ts';

type Config = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, unknown>>;

/** Our catalogue's keys against the key of `config.json` that says the same, for faults in the user's words. */
const CONFIG_KEYS: readonly (readonly [string, string])[] = [
  ['hiddenSize', 'hidden_size'],
  ['queryHeads', 'num_attention_heads'],
  ['kvHeads', 'num_key_value_heads'],
  ['headDim', 'head_dim'],
  ['ffnSize', 'intermediate_size'],
  ['vocabSize', 'vocab_size'],
  ['ropeMax', 'max_position_embeddings'],
  ['tieEmbeddings', 'tie_word_embeddings'],
  ['layers', 'num_hidden_layers'],
];

/** Families with no experts and one kind of attention layer (unless `windows` says otherwise). */
const DENSE = new Set(['llama', 'mistral', 'qwen2', 'qwen3', 'phi3', 'gemma', 'gemma2', 'granite', 'olmo2', 'glm4']);
const QWEN_MOE = new Set(['qwen2_moe', 'qwen3_moe']);
const MLA_MOE = new Set(['deepseek_v2', 'deepseek_v3', 'kimi_k2']);

/** `tie_word_embeddings` where the file is silent (the families' own configuration classes in transformers). */
const TIED_BY_DEFAULT = new Set(['gemma', 'gemma2']);

/** @param json the parsed file. */
export function modelFromHfConfig(json: unknown): Outcome<CatalogModel> {
  if (!isRecord(json)) return refuse('This is no config.json of a model: it holds no group of keys.');
  const type = json['model_type'];
  if (typeof type !== 'string')
    return refuse('`model_type` is missing: this is no config.json of a Hugging Face model.');
  const family = familyFields(type, json);
  if (family === null) {
    return refuse(
      `Models of type \`${type.slice(0, 40).replaceAll('`', '')}\` cannot be read from config.json yet. State the shape in place (layers, hiddenSize, …) or use a catalogue id.`,
    );
  }
  const shape = shapeFromFields(family);
  if (!shape.ok) {
    return { ok: false, faults: shape.faults.map(({ message }) => ({ path: [], message: inConfigWords(message) })) };
  }
  const name = json['_name_or_path'];
  const id = typeof name === 'string' && name !== '' ? name : `${type} (config.json)`;
  return { ok: true, value: inlineModel(id, shape.value, 'config.json beside the plan') };
}

function familyFields(type: string, config: Config): Fields | null {
  const common = commonFields(type, config);
  if (DENSE.has(type)) return { ...common, ...windows(type, config) };
  if (type === 'mixtral') {
    const experts = {
      experts: config['num_local_experts'],
      topK: config['num_experts_per_tok'],
      expertFfn: config['intermediate_size'],
    };
    return { ...common, ...windows(type, config), moe: experts };
  }
  if (QWEN_MOE.has(type)) return { ...common, moe: qwenExperts(config) };
  if (MLA_MOE.has(type)) return { ...common, ...latentAttention(config), moe: deepseekExperts(config) };
  return null;
}

function commonFields(type: string, config: Config): Fields {
  return defined({
    layers: config['num_hidden_layers'],
    hiddenSize: config['hidden_size'],
    queryHeads: config['num_attention_heads'],
    kvHeads: config['num_key_value_heads'],
    headDim: config['head_dim'],
    ffnSize: config['intermediate_size'],
    vocabSize: config['vocab_size'],
    ropeMax: config['max_position_embeddings'],
    tieEmbeddings: config['tie_word_embeddings'] ?? TIED_BY_DEFAULT.has(type),
    nativeWeightDtype: weightDtype(config),
  });
}

/** Published format: a quantisation block wins over the compute type. */
function weightDtype(config: Config): string | undefined {
  const quantisation = config['quantization_config'];
  if (isRecord(quantisation)) {
    const method = quantisation['quant_method'];
    const bits = quantisation['bits'];
    if (method === 'fp8' || method === 'mxfp4') return method;
    if ((method === 'awq' || method === 'gptq') && (bits === 4 || bits === undefined)) return 'int4';
    if (method === 'gptq' && bits === 8) return 'int8';
    // A method that the shape cannot carry shows as a fault of the key, not as a silent bf16.
    return String(method);
  }
  const type = config['dtype'] ?? config['torch_dtype'];
  return type === 'float16' ? 'fp16' : 'bf16';
}

/** Sliding windows: Mistral's in every layer, Gemma 2's in every second one; Qwen lists one that is switched off. */
function windows(type: string, config: Config): Fields {
  const tokens = config['sliding_window'];
  const layers = config['num_hidden_layers'];
  if (typeof tokens !== 'number' || typeof layers !== 'number') return {};
  if (config['use_sliding_window'] === false || type.startsWith('qwen')) return {};
  // A window as long as the context never cuts anything.
  const longest = config['max_position_embeddings'];
  if (typeof longest === 'number' && tokens >= longest) return {};
  const localLayers = type === 'gemma2' ? Math.ceil(layers / 2) : layers;
  return { slidingWindow: { tokens, kind: 'sliding', localLayers, globalLayers: layers - localLayers } };
}

function qwenExperts(config: Config): Fields {
  return defined({
    experts: config['num_experts'],
    topK: config['num_experts_per_tok'],
    expertFfn: config['moe_intermediate_size'],
    sharedFfnTotal: config['shared_expert_intermediate_size'],
    moeEvery: config['decoder_sparse_step'],
  });
}

function latentAttention(config: Config): Fields {
  const nope = config['qk_nope_head_dim'];
  const rope = config['qk_rope_head_dim'];
  return defined({
    attentionType: 'mla',
    // One latent vector a token; `num_key_value_heads` and `head_dim` mean nothing here.
    kvHeads: 1,
    headDim: typeof nope === 'number' && typeof rope === 'number' ? nope + rope : undefined,
    mla: defined({
      kvLoraRank: config['kv_lora_rank'],
      qLoraRank: config['q_lora_rank'] ?? undefined,
      qkNopeHeadDim: nope,
      qkRopeHeadDim: rope,
      vHeadDim: config['v_head_dim'],
    }),
  });
}

function deepseekExperts(config: Config): Fields {
  const width = config['moe_intermediate_size'];
  const shared = config['n_shared_experts'] ?? 0;
  return defined({
    experts: config['n_routed_experts'],
    topK: config['num_experts_per_tok'],
    expertFfn: width,
    sharedFfnTotal: typeof width === 'number' && typeof shared === 'number' ? width * shared : undefined,
    firstDenseLayers: config['first_k_dense_replace'],
    moeEvery: config['moe_layer_freq'],
  });
}

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}

function inConfigWords(message: string): string {
  return CONFIG_KEYS.reduce((text, [ours, theirs]) => text.replaceAll(`\`${ours}\``, `\`${theirs}\``), message);
}

function refuse(message: string): Outcome<never> {
  return { ok: false, faults: [{ path: [], message }] };
}
