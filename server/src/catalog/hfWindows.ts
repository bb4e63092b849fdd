/** How far a Hugging Face model sees: its longest context, and which layers only look back over a window. */
import type { Family } from './hfFamilies.ts';
import { LENGTHS } from './hfFamilies.ts';
import { isRecord, numberOf, textOf } from './outcome.ts';

type Config = Readonly<Record<string, unknown>>;

/** A factor beyond this is a slip of the pen: the longest stretch published is 64. */
const MOST_STRETCH = 1024;

/**
 * Longest context as vLLM derives it (vllm/config/model.py, `_get_and_verify_max_len`): the smallest length stated, times the
 * rotary angles' stretch; yarn's is over the length before it.
 * @param scaled the length has the stretch in it already. @returns undefined where no length is stated.
 */
export function contextTokens(config: Config, scaled: boolean, problems: string[]): unknown {
  const stated = LENGTHS.map((key) => config[key]).filter((value) => value !== undefined && value !== null);
  const odd = stated.find((value) => typeof value !== 'number');
  if (odd !== undefined || stated.length === 0) return odd;
  const own = config['model_max_length'] ?? Math.min(...stated.map(Number));
  const rope = config['rope_parameters'] ?? config['rope_scaling'];
  if (scaled || !isRecord(rope) || !Number.isSafeInteger(own) || numberOf(own) < 1) return own;
  let tokens = own;
  let factor = 1;
  for (const law of [rope, ...Object.values(rope).filter(isRecord)]) {
    const type = law['rope_type'] ?? law['type'];
    if (type === undefined || type === null || /^(su|longrope|llama3|default|mrope)$/.test(textOf(type))) continue;
    const stretch = law['factor'] ?? 1;
    const before = law['original_max_position_embeddings'] ?? config['original_max_position_embeddings'];
    if (typeof stretch !== 'number' || !(stretch > 0 && stretch <= MOST_STRETCH)) {
      problems.push(`\`rope_scaling.factor\` must be a number above 0, at most ${MOST_STRETCH}.`);
    } else factor = stretch;
    if (type !== 'yarn') continue;
    if (typeof before === 'number') tokens = before;
    else problems.push('`rope_scaling.original_max_position_embeddings` is missing: yarn stretches it.');
  }
  return Math.floor(numberOf(tokens) * factor);
}

/** @returns the shape's `slidingWindow`; undefined where every layer sees everything. */
export function localLayers(config: Config, rule: Family['window'], layers: number, problems: string[]): unknown {
  const chunked = config['attention_chunk_size'];
  if (typeof chunked === 'number') return window('chunked', chunked, chunkedLayers(config, layers), layers);
  const tokens = config['sliding_window'];
  const types = config['layer_types'];
  const listed = Array.isArray(types) ? listedLayers(types, layers, problems) : undefined;
  const off = config['use_sliding_window'] === false || (rule === 'late' && config['use_sliding_window'] !== true);
  if (off || listed === 0) return undefined;
  if (tokens === undefined || tokens === null) {
    if (listed !== undefined || typeof rule === 'number')
      problems.push('`sliding_window` is missing: some layers have one.');
    return undefined;
  }
  const longest = config['max_position_embeddings'];
  // As long as the context it never cuts anything.
  if (typeof tokens === 'number' && typeof longest === 'number' && tokens >= longest) return undefined;
  const local = listed ?? byRule(config, rule, layers);
  if (local === null) {
    problems.push('`sliding_window`: which layers have it is not known. List them in `layer_types`.');
    return undefined;
  }
  return window('sliding', tokens, local, layers);
}

function window(kind: string, tokens: unknown, local: number, layers: number): unknown {
  return local === 0 ? undefined : { tokens, kind, localLayers: local, globalLayers: layers - local };
}

function listedLayers(types: readonly unknown[], layers: number, problems: string[]): number {
  const other = types.find((type) => !/^(full_|sliding_)?attention$/.test(textOf(type)));
  if (other !== undefined) {
    problems.push(`\`layer_types\`: ${textOf(other).slice(0, 40).replaceAll('`', '')} is not modelled.`);
  } else if (layers > 0 && types.length !== layers) {
    problems.push(`\`layer_types\` lists ${types.length} layers, \`num_hidden_layers\` says ${layers}.`);
  }
  return types.filter((type) => type === 'sliding_attention').length;
}

/** @returns null where neither the family nor the file says. */
function byRule(config: Config, rule: Family['window'], layers: number): number | null {
  if (rule === undefined) return null;
  if (rule === 'all') return layers;
  if (rule === 'late') {
    const first = config['max_window_layers'] ?? layers;
    return typeof first === 'number' && first >= 0 ? Math.max(0, layers - first) : null;
  }
  const pattern = config['sliding_window_pattern'] ?? config['_sliding_window_pattern'];
  // EXAONE 4 writes L for a layer with a window, G for one without: LLLG.
  const every = typeof pattern === 'string' && /^L+G$/.test(pattern) ? pattern.length : (pattern ?? rule);
  const known = typeof every === 'number' && Number.isSafeInteger(every) && every > 0;
  return known ? layers - Math.floor(layers / every) : null;
}

/** Llama 4: layers with rotary angles attend within chunks; three of four where the file does not list them. */
function chunkedLayers(config: Config, layers: number): number {
  const rotary = config['no_rope_layers'];
  const types = config['layer_types'];
  if (Array.isArray(types)) return types.filter((type) => type === 'chunked_attention').length;
  if (Array.isArray(rotary) && rotary.length > 0) return rotary.filter((flag) => flag === 1).length;
  return layers - Math.floor(layers / numberOf(config['no_rope_layer_interval'] ?? 4));
}
