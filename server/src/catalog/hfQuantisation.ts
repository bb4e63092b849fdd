/** How a checkpoint stores its weights, from `quantization_config` and `dtype` of a Hugging Face `config.json`. */
import type { WeightDtype } from '../engine/types.ts';
import { isRecord, textOf } from './outcome.ts';

type Config = Readonly<Record<string, unknown>>;

export interface StoredFormat {
  readonly dtype: WeightDtype;
  /** The format the model was made in (scales for blocks of 128 × 128, mxfp4), not one it was converted to. */
  readonly native: boolean;
  /** Attention is left in 16 bit: only the experts are quantised. */
  readonly expertsOnly: boolean;
  /** What of it is not modelled; null: all is. A plan that states its dtype need not care. */
  readonly problem: string | null;
}

const STATE_DTYPE = 'Say how to count the weights: `dtype` beside `config`.';

/** @param layers, hasExperts of the model. Never throws. */
export function storedFormat(config: Config, stored: unknown, layers: number, hasExperts: boolean): StoredFormat {
  const sixteen = sixteenBit(stored);
  const quantisation = config['quantization_config'];
  if (quantisation === undefined || quantisation === null) return sixteen;
  if (!isRecord(quantisation)) return { ...sixteen, problem: `\`quantization_config\` must be a group of keys.` };
  const scheme = schemeOf(quantisation);
  if (typeof scheme === 'string') {
    return { ...sixteen, problem: `\`quantization_config\`: ${scheme} is not modelled. ${STATE_DTYPE}` };
  }
  // vLLM's mxfp4 is for experts alone (quantization/mxfp4.py, `get_quant_method`), whatever the file lists.
  const skipped = scheme.dtype === 'mxfp4' && hasExperts ? 'all' : attentionSkipped(quantisation, layers);
  const problem = problemOf(scheme) ?? (skipped === 'all' && hasExperts ? null : skippedProblem(skipped));
  return {
    dtype: scheme.dtype,
    native: scheme.native === true,
    expertsOnly: skipped === 'all' && hasExperts,
    problem: problem === null ? null : `\`quantization_config\`: ${problem} ${STATE_DTYPE}`,
  };
}

/** Published in 32 bit, vLLM casts to 16. */
function sixteenBit(stored: unknown): StoredFormat {
  const known = stored === undefined || stored === null || /^(auto|bfloat16|float16|float32)$/.test(textOf(stored));
  return {
    dtype: stored === 'float16' ? 'fp16' : 'bf16',
    native: true,
    expertsOnly: false,
    problem: known ? null : `\`dtype\` ${quoted(stored)} is not known. ${STATE_DTYPE}`,
  };
}

interface Scheme {
  readonly dtype: WeightDtype;
  readonly native?: boolean;
  /** Weights that one scale is for, where it matters. */
  readonly group?: unknown;
  /** Multiplied in 16 bit, though the GPU may have arithmetic for the format. */
  readonly weightOnly?: boolean;
}

/** @returns words for what is not known. */
function schemeOf(q: Config): Scheme | string {
  const method = q['quant_method'];
  const bits = q['bits'] ?? q['w_bit'];
  switch (method) {
    case 'fp8':
      return { dtype: 'fp8', native: Array.isArray(q['weight_block_size']) };
    case 'fbgemm_fp8':
      return { dtype: 'fp8' };
    case 'mxfp4':
      return { dtype: 'mxfp4', native: true };
    case 'awq':
    case 'gptq':
    case 'auto-round':
      if (bits === 4) return { dtype: 'int4', group: q['group_size'] ?? q['q_group_size'] };
      return bits === 8
        ? { dtype: 'int8', weightOnly: true }
        : `${quoted(method)} with ${bits === undefined ? 'no number of' : quoted(bits)} bits`;
    case 'bitsandbytes':
      if (q['load_in_4bit'] === true) return { dtype: 'int4' };
      return q['load_in_8bit'] === true ? { dtype: 'int8', weightOnly: true } : 'bitsandbytes of neither 4 nor 8 bits';
    case 'modelopt':
    case 'modelopt_fp4': {
      const algorithm = q['quant_algo'] ?? (isRecord(q['quantization']) ? q['quantization']['quant_algo'] : undefined);
      if (algorithm === 'NVFP4') return { dtype: 'nvfp4' };
      return algorithm === 'FP8' ? { dtype: 'fp8' } : `ModelOpt's ${quoted(algorithm)}`;
    }
    case 'compressed-tensors':
      return compressedTensors(q);
    default:
      return method === undefined ? 'a format without `quant_method`' : `the method ${quoted(method)}`;
  }
}

function compressedTensors(q: Config): Scheme | string {
  const sparse = q['sparsity_config'];
  if (isRecord(sparse) && Object.keys(sparse).length > 0 && sparse['format'] !== 'dense') return 'sparsity';
  const groups = isRecord(q['config_groups']) ? Object.values(q['config_groups']) : [];
  const schemes = groups.map(compressedGroup);
  const first = schemes[0] ?? 'compressed-tensors without groups';
  if (typeof first === 'string') return first;
  for (const each of schemes) {
    if (typeof each === 'string') return each;
    if (each.dtype !== first.dtype) return 'more than one format';
  }
  return first;
}

function compressedGroup(group: unknown): Scheme | string {
  const weights = isRecord(group) ? group['weights'] : null;
  if (!isRecord(group) || !isRecord(weights)) return 'a group without weights';
  const { num_bits: bits, type, strategy, group_size: size } = weights;
  const weightOnly = group['input_activations'] === undefined || group['input_activations'] === null;
  if (bits === 8 && type === 'float') return { dtype: 'fp8', native: strategy === 'block', weightOnly };
  if (bits === 8 && type === 'int') return { dtype: 'int8', weightOnly };
  if (bits === 4 && type === 'int') return weightOnly ? { dtype: 'int4', group: size } : 'int4 with 8-bit activations';
  if (bits === 4 && type === 'float' && size === 16) return { dtype: 'nvfp4', weightOnly };
  if (bits === 4 && type === 'float' && size === 32) return { dtype: 'mxfp4' };
  return `${quoted(type)} of ${quoted(bits)} bits`;
}

function problemOf({ dtype, group, weightOnly }: Scheme): string | null {
  if (typeof group === 'number' && group > 0 && group < 128) {
    return `int4 in groups of ${group} takes more for scales than the groups of 128 that are modelled.`;
  }
  if (weightOnly !== true) return null;
  return `${dtype} weights are multiplied in 16 bit here, which \`activationDtype: bf16\` of the engine says.`;
}

/** Which layers' attention is named among the modules left in 16 bit. */
function attentionSkipped(q: Config, layers: number): 'none' | 'some' | 'all' {
  const names = ['modules_to_not_convert', 'ignore', 'ignored_layers', 'exclude_modules', 'llm_int8_skip_modules']
    .flatMap((key) => q[key])
    .filter(
      (name) => typeof name === 'string' && /attn|attention/.test(name) && !/norm|kv_b_proj|vision|visual/.test(name),
    );
  if (names.length === 0) return 'none';
  const named = new Set(names.map((name) => /\.(\d+)\./.exec(textOf(name))?.[1]));
  return named.has(undefined) || !(named.size < layers) ? 'all' : 'some';
}

function skippedProblem(skipped: 'none' | 'some' | 'all'): string | null {
  if (skipped === 'none') return null;
  return `attention of ${skipped === 'all' ? 'the' : 'some'} layers is left in 16 bit, which is not modelled.`;
}

function quoted(value: unknown): string {
  return `\`${(typeof value === 'string' || typeof value === 'number' ? String(value) : typeof value).slice(0, 40).replaceAll('`', '')}\``;
}
