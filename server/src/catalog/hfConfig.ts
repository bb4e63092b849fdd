/**
 * A model's shape from the `config.json` of its Hugging Face repository, for the families of `hfFamilies.ts`. What may change
 * memory or time and is not known here is refused by name, never guessed.
 */
import type { CatalogModel } from '../plan/types.ts';
import {
  ALSO_READ,
  ALSO_READ_MOE,
  FAMILIES,
  type Family,
  IGNORED,
  KEYS,
  LENGTHS,
  LISTS,
  MLA_KEYS,
  MOE_KEYS,
  SHARED_COUNT,
  UNSUPPORTED,
  WRAPPERS,
} from './hfFamilies.ts';
import { type StoredFormat, storedFormat } from './hfQuantisation.ts';
import { contextTokens, localLayers } from './hfWindows.ts';
import { inlineModel, shapeFromFields } from './modelShape.ts';
import { isRecord, numberOf, type Outcome, textOf } from './outcome.ts';

type Config = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, unknown>>;
type Names = Readonly<Record<string, readonly string[]>>;

/**
 * @param json the parsed file.
 * @param dtypeStated the plan says how weights are stored: what is unknown about the checkpoint's own format does not matter.
 */
export function modelFromHfConfig(json: unknown, dtypeStated = false): Outcome<CatalogModel> {
  if (!isRecord(json)) return refuse(['This is no config.json of a model: it holds no group of keys.']);
  const { outer, config, nested } = textPart(json);
  const type = config['model_type'];
  if (typeof type !== 'string') {
    return refuse([
      `\`model_type\` ${type === undefined ? 'is missing' : 'must be a text'}: this is no config.json of a Hugging Face model.`,
    ]);
  }
  const family = FAMILIES.get(type);
  if (family === undefined) return refuse([unknownFamily(type)]);
  const problems = [...servedProblems(outer), ...unknownKeys(config, family), ...kindProblems(config)];
  const read = reader(flattened(config, family, nested), problems);
  const fields = fieldsOf(type, family, read);
  const layers = numberOf(fields['layers']);
  const stored = storedFormat(
    { quantization_config: outer['quantization_config'] ?? config['quantization_config'] },
    outer['dtype'] ?? outer['torch_dtype'] ?? config['dtype'] ?? config['torch_dtype'],
    layers,
    family.expertWidth !== undefined,
  );
  if (stored.problem !== null && !dtypeStated) problems.push(stored.problem);
  const shape = shapeFromFields({ ...fields, ...nativeFormat(stored) });
  if (!shape.ok) problems.push(...shape.faults.map(({ message }) => inConfigWords(message)));
  if (!shape.ok || problems.length > 0) return refuse(problems);
  const name = outer['_name_or_path'];
  const id = typeof name === 'string' && name !== '' ? name : `${type} (config.json)`;
  const pictures = nested || isRecord(config['vision_config']);
  const source = `config.json beside the plan${pictures ? ', its text part alone' : ''}`;
  return { ok: true, value: { ...inlineModel(id, shape.value, source), storedDtype: stored.dtype } };
}

/** The group that describes the decoder, and the whole file. */
function textPart(json: Config): { readonly outer: Config; readonly config: Config; readonly nested: boolean } {
  const inner = json['text_config'] ?? json['llm_config'] ?? json['language_config'];
  const nested = WRAPPERS.has(textOf(json['model_type'])) && isRecord(inner);
  return { outer: json, config: nested ? inner : json, nested };
}

function unknownFamily(type: string): string {
  const reason = UNSUPPORTED.get(type);
  const name = `Models of type \`${type.slice(0, 40).replaceAll('`', '')}\` cannot be read from config.json`;
  return reason === undefined
    ? `${name} yet. State the shape in place (layers, hiddenSize, …) or use a catalogue id.`
    : `${name}: they have ${reason}, which is not modelled. State the shape of a similar model in place if you accept the difference.`;
}

/** Models that vLLM serves otherwise than by decoding text. */
function servedProblems(config: Config): readonly string[] {
  const names = config['architectures'];
  const first = Array.isArray(names) ? names[0] : undefined;
  const other =
    typeof first === 'string' && !/(CausalLM|ConditionalGeneration|LMHeadModel|ChatModel|ChatGLMModel)$/.test(first);
  const problems = other
    ? [`\`architectures\`: ${first.slice(0, 60).replaceAll('`', '')} does not generate text.`]
    : [];
  for (const key of ['is_encoder_decoder', 'add_cross_attention']) {
    if (config[key] === true) problems.push(`\`${key}\`: an encoder with cross-attention is not modelled.`);
  }
  return problems;
}

/** Keys that are left out of account where they have another kind of value. */
const KINDS: readonly (readonly [string, readonly string[], (value: unknown) => boolean])[] = [
  ['a list', LISTS, Array.isArray],
  ['a group of keys', ['rope_scaling', 'rope_parameters', 'attn_config', 'ffn_config'], isRecord],
  ['true or false', ['use_sliding_window'], (value) => typeof value === 'boolean'],
  ['a whole number', [...SHARED_COUNT, 'attention_chunk_size', 'moe_layer_end_index'], Number.isSafeInteger],
];

function kindProblems(config: Config): readonly string[] {
  return KINDS.flatMap(([kind, keys, is]) =>
    keys
      .filter((key) => config[key] !== undefined && config[key] !== null && !is(config[key]))
      .map((key) => `\`${key}\` must be ${kind}.`),
  );
}

function unknownKeys(config: Config, family: Family): readonly string[] {
  const experts = family.expertWidth === undefined ? [] : [MOE_KEYS, { SHARED_COUNT, ALSO_READ_MOE }];
  const tables: readonly Names[] = [KEYS, { LENGTHS, ALSO_READ }, ...experts, ...(family.mla ? [MLA_KEYS] : [])];
  const known = new Set(tables.flatMap((table) => Object.values(table).flat()));
  const unknown = Object.keys(config).filter((key) => !known.has(key) && !IGNORED.test(key) && config[key] !== null);
  if (unknown.length === 0) return [];
  const shown = unknown.slice(0, 8).map((key) => `\`${key.slice(0, 40).replaceAll('`', '')}\``);
  return [
    `${shown.join(', ')}${unknown.length > 8 ? ', …' : ''} of config.json ${unknown.length === 1 ? 'is' : 'are'} not known and may change memory or step time. Take out of your copy what does not, or state the shape in place.`,
  ];
}

/** DBRX keeps attention and experts in groups of their own; what a nested file leaves out, its class fills in. */
function flattened(config: Config, family: Family, nested: boolean): Config {
  const parts = ['attn_config', 'ffn_config'].map((key) => config[key]).filter(isRecord);
  return Object.assign({}, nested ? family.nestedDefaults : {}, ...parts, config);
}

interface Reader {
  readonly config: Config;
  readonly problems: string[];
  /** The first key that is there; a problem where two differ. */
  one(names: readonly string[]): unknown;
}

function reader(config: Config, problems: string[]): Reader {
  const one = (names: readonly string[]): unknown => {
    const stated = names.filter((name) => config[name] !== undefined && config[name] !== null);
    const [first, ...others] = stated.map((name) => config[name]);
    if (others.some((other) => other !== first)) {
      problems.push(`${stated.map((name) => `\`${name}\``).join(' and ')} say the same thing and differ.`);
    }
    return first;
  };
  return { config, problems, one };
}

function fieldsOf(type: string, family: Family, read: Reader): Fields {
  const fields = pick(read, KEYS);
  const llama4 = type === 'llama4_text';
  headProblems(fields, family, read.problems);
  return defined({
    ...fields,
    ...(llama4 ? { ffnSize: read.config['intermediate_size_mlp'] } : {}),
    ...(family.mla ? latentAttention(read) : {}),
    ropeMax: contextTokens(read.config, family.scaledLength === true, read.problems),
    tieEmbeddings: fields['tieEmbeddings'] ?? family.tied === true,
    moe: family.expertWidth === undefined ? undefined : expertFields(read, family.expertWidth, llama4),
    slidingWindow: localLayers(read.config, family.window, numberOf(fields['layers']), read.problems),
  });
}

/** Heads that a file leaves out are not guessed. */
function headProblems(fields: Fields, family: Family, problems: string[]): void {
  const { hiddenSize, queryHeads, kvHeads, headDim } = fields;
  if (family.mla) return;
  if (kvHeads === undefined && !family.fullHeads) problems.push('`num_key_value_heads` is missing.');
  if (headDim !== undefined) return;
  const divides = numberOf(hiddenSize) % numberOf(queryHeads) === 0;
  if (family.ownHeadDim || (hiddenSize !== undefined && queryHeads !== undefined && !divides)) {
    problems.push('`head_dim` is missing.');
  }
}

function latentAttention(read: Reader): Fields {
  const mla = pick(read, MLA_KEYS);
  const { qkNopeHeadDim: nope, qkRopeHeadDim: rope } = mla;
  const headDim = typeof nope === 'number' && typeof rope === 'number' ? nope + rope : undefined;
  // One latent vector a token; `num_key_value_heads` and `head_dim` mean nothing here.
  return { attentionType: 'mla', kvHeads: 1, headDim, mla };
}

function expertFields(read: Reader, widthKey: string, llama4: boolean): Fields {
  const { config, problems } = read;
  const fields = pick(read, MOE_KEYS);
  const width = config[widthKey];
  const count = llama4 ? 1 : read.one(SHARED_COUNT);
  const shared = typeof width === 'number' && typeof count === 'number' ? width * count : undefined;
  const refuse = (key: string, why: string): number => problems.push(`\`${key}\`: ${why}`);
  for (const key of ['moe_layer_freq', 'moe_layer_interval']) {
    if ((config[key] ?? 1) !== 1) refuse(key, 'experts in only some of the layers are not read.');
  }
  const linear = config['attn_type_list'];
  if (Array.isArray(linear) && linear.some((kind) => kind !== 1))
    refuse('attn_type_list', 'linear attention is not modelled.');
  const last = config['moe_layer_end_index'];
  if (last !== undefined && last !== null && last !== -1 && last !== numberOf(read.one(KEYS.layers)) - 1) {
    refuse('moe_layer_end_index', 'dense layers behind those with experts are not modelled.');
  }
  return defined({
    ...fields,
    expertFfn: width,
    sharedFfnTotal: fields['sharedFfnTotal'] ?? shared,
    firstDenseLayers: leadingDense(read) ?? fields['firstDenseLayers'],
  });
}

/** Dense layers where the file lists them one by one; undefined where it does not. */
function leadingDense({ config, problems, one }: Reader): number | undefined {
  const layers = numberOf(one(KEYS.layers));
  const every = numberOf(one(MOE_KEYS.moeEvery) ?? 1);
  const { mlp_only_layers: dense, mlp_layer_types: types, moe_layers: sparse } = config;
  const isDense = (layer: number): boolean | undefined => {
    if (Array.isArray(types)) return types[layer] === 'dense';
    if (Array.isArray(sparse) && sparse.length > 0) return !sparse.includes(layer);
    return Array.isArray(dense) && dense.length > 0 ? dense.includes(layer) : undefined;
  };
  if (!(layers < 10_000) || isDense(0) === undefined) return undefined;
  const listed = Array.from({ length: layers }, (_, layer) => isDense(layer) === true);
  const first = listed.indexOf(false);
  const regular = (from: number): boolean =>
    listed.every((each, i) => each === (i < from || (i - from + 1) % every !== 0));
  if (first < 0 || !(regular(first) || regular(0))) {
    problems.push(
      'Dense layers between those with experts are not modelled (`mlp_only_layers`, `mlp_layer_types`, `moe_layers`).',
    );
  }
  return regular(0) ? 0 : first;
}

/** What a plan that is silent on dtype gets is the checkpoint's format; the shape's own is that of the model. */
function nativeFormat({ dtype, native, expertsOnly }: StoredFormat): Fields {
  const own = native || expertsOnly || dtype === 'fp16' ? dtype : 'bf16';
  return { nativeWeightDtype: own, ...(expertsOnly ? { nativeExpertsOnly: true } : {}) };
}

function pick(read: Reader, names: Names): Fields {
  return defined(Object.fromEntries(Object.entries(names).map(([ours, theirs]) => [ours, read.one(theirs)])));
}

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}

/** Faults name our keys; the user sees theirs. */
const WORDS: readonly (readonly [string, string])[] = [
  ...Object.entries(KEYS),
  ...Object.entries(MLA_KEYS).map(([ours, theirs]) => [`mla.${ours}`, theirs] as const),
  ...Object.entries(MOE_KEYS).map(([ours, theirs]) => [`moe.${ours}`, theirs] as const),
  ['moe.expertFfn', ['moe_intermediate_size']] as const,
  ['ropeMax', LENGTHS] as const,
  ['slidingWindow.tokens', ['sliding_window']] as const,
].map(([ours, theirs]) => [ours, theirs[0]]);

function inConfigWords(message: string): string {
  return WORDS.reduce((text, [ours, theirs]) => text.replaceAll(`\`${ours}\``, `\`${theirs}\``), message);
}

function refuse(messages: readonly string[]): Outcome<never> {
  return { ok: false, faults: messages.map((message) => ({ path: [], message })) };
}
