import assert from 'node:assert/strict';
import fc from 'fast-check';
import { modelFromHfConfig } from '../../src/catalog/models.ts';

type Config = Readonly<Record<string, unknown>>;

const DENSE: Config = {
  model_type: 'llama',
  num_hidden_layers: 2,
  hidden_size: 64,
  num_attention_heads: 4,
  intermediate_size: 128,
  vocab_size: 100,
  max_position_embeddings: 4096,
  torch_dtype: 'bfloat16',
};
const EXPERTS: Config = {
  ...DENSE,
  model_type: 'mixtral',
  num_key_value_heads: 4,
  num_local_experts: 8,
  num_experts_per_tok: 2,
};

function compressed(weights: Config, activations: Config | null = null, more: Config = {}): Config {
  const group = { weights, input_activations: activations, targets: ['Linear'] };
  return { quant_method: 'compressed-tensors', config_groups: { group_0: group }, ignore: ['lm_head'], ...more };
}

const INT4 = { num_bits: 4, type: 'int', strategy: 'group', group_size: 128 };
const FP8 = { num_bits: 8, type: 'float', strategy: 'channel' };
const INT8 = { num_bits: 8, type: 'int', strategy: 'channel' };
const DYNAMIC = { num_bits: 8, dynamic: true };

/** `quantization_config`, then "stored / made in", with "experts" where only they are. */
const TAKEN: readonly (readonly [Config, Config, string])[] = [
  [DENSE, { quant_method: 'fp8', weight_block_size: [128, 128] }, 'fp8 / fp8'],
  [DENSE, { quant_method: 'fp8', weight_block_size: null, activation_scheme: 'static' }, 'fp8 / bf16'],
  [DENSE, { quant_method: 'fbgemm_fp8' }, 'fp8 / bf16'],
  [DENSE, { quant_method: 'awq', bits: 4, group_size: 128 }, 'int4 / bf16'],
  [DENSE, { quant_method: 'awq', w_bit: 4, q_group_size: 128 }, 'int4 / bf16'],
  [DENSE, { quant_method: 'gptq', bits: 4, group_size: -1 }, 'int4 / bf16'],
  [DENSE, { quant_method: 'auto-round', bits: 4, group_size: 128 }, 'int4 / bf16'],
  [DENSE, { quant_method: 'bitsandbytes', load_in_4bit: true }, 'int4 / bf16'],
  [DENSE, { quant_method: 'modelopt', quant_algo: 'NVFP4' }, 'nvfp4 / bf16'],
  [DENSE, { quant_method: 'modelopt', quantization: { quant_algo: 'FP8' } }, 'fp8 / bf16'],
  [DENSE, compressed(INT4), 'int4 / bf16'],
  [DENSE, compressed(FP8, DYNAMIC), 'fp8 / bf16'],
  [DENSE, compressed({ ...FP8, strategy: 'block' }, DYNAMIC), 'fp8 / fp8'],
  [DENSE, compressed(INT8, DYNAMIC), 'int8 / bf16'],
  [DENSE, compressed({ num_bits: 4, type: 'float', group_size: 16 }, { num_bits: 4 }), 'nvfp4 / bf16'],
  [DENSE, compressed(FP8, DYNAMIC, { sparsity_config: {} }), 'fp8 / bf16'],
  [EXPERTS, { quant_method: 'mxfp4' }, 'mxfp4 / mxfp4 experts'],
  [EXPERTS, compressed(INT4, null, { ignore: ['lm_head', 're:.*self_attn.*'] }), 'int4 / int4 experts'],
  [
    EXPERTS,
    { quant_method: 'awq', bits: 4, modules_to_not_convert: ['model.layers.0.self_attn', 'model.layers.1.self_attn'] },
    'int4 / int4 experts',
  ],
  [EXPERTS, { quant_method: 'fp8', ignored_layers: ['model.layers.0.post_attention_layernorm'] }, 'fp8 / bf16'],
];

const REFUSED: readonly (readonly [Config, unknown, RegExp])[] = [
  [DENSE, { quant_method: 'exotic' }, /the method `exotic` is not modelled\. Say how to count/],
  [DENSE, {}, /a format without `quant_method`/],
  [DENSE, 'fp8', /must be a group of keys/],
  [DENSE, { quant_method: 'gptq', bits: 3 }, /`gptq` with `3` bits/],
  [DENSE, { quant_method: 'gptq', bits: 8 }, /int8 weights are multiplied in 16 bit/],
  [DENSE, { quant_method: 'gptq', bits: 4, group_size: 32 }, /groups of 32/],
  [DENSE, { quant_method: 'bitsandbytes' }, /neither 4 nor 8/],
  [DENSE, { quant_method: 'modelopt', quant_algo: 'W4A8_AWQ' }, /ModelOpt's `W4A8_AWQ`/],
  [DENSE, compressed(INT8), /int8 weights are multiplied in 16 bit/],
  [DENSE, compressed(INT4, DYNAMIC), /int4 with 8-bit activations/],
  [DENSE, compressed({ num_bits: 6, type: 'int' }), /`int` of `6` bits/],
  [DENSE, compressed(INT4, null, { sparsity_config: { format: 'sparse-24-bitmask' } }), /sparsity/],
  [
    DENSE,
    compressed(INT4, null, { config_groups: { a: { weights: INT4 }, b: { weights: FP8 } } }),
    /more than one format/,
  ],
  [DENSE, compressed(INT4, null, { config_groups: {} }), /without groups/],
  [DENSE, { quant_method: 'mxfp4', ignore: ['re:.*self_attn.*'] }, /attention of the layers is left in 16 bit/],
  [EXPERTS, { quant_method: 'fp8', ignore: ['model.layers.0.self_attn.q_proj'] }, /attention of some layers/],
];

describe('quantization_config', () => {
  for (const [config, quantisation, expected] of TAKEN) {
    it(`${JSON.stringify(quantisation).slice(0, 90)}: ${expected}`, () => {
      const made = modelFromHfConfig({ ...config, quantization_config: quantisation });
      assert.ok(made.ok, made.ok ? '' : made.faults[0]?.message);
      const { shape, storedDtype } = made.value;
      const experts = shape.nativeExpertsOnly === true ? ' experts' : '';
      assert.equal(`${storedDtype} / ${shape.nativeWeightDtype}${experts}`, expected);
    });
  }

  for (const [config, quantisation, message] of REFUSED) {
    it(`${JSON.stringify(quantisation).slice(0, 90)}: refused, unless the plan says how to count`, () => {
      const made = modelFromHfConfig({ ...config, quantization_config: quantisation });
      assert.ok(!made.ok);
      assert.match(made.faults.map((fault) => fault.message).join(' '), message);
      assert.ok(modelFromHfConfig({ ...config, quantization_config: quantisation }, true).ok);
    });
  }

  it('knows the types that are none', () => {
    for (const [type, expected] of [
      ['float16', 'fp16'],
      ['float32', 'bf16'],
      ['auto', 'bf16'],
      [undefined, 'bf16'],
    ]) {
      const made = modelFromHfConfig({ ...DENSE, torch_dtype: type });
      assert.equal(made.ok && made.value.storedDtype, expected);
    }
    assert.equal(modelFromHfConfig({ ...DENSE, dtype: 'int3' }).ok, false);
  });

  it('never throws, whatever stands there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('awq', 'compressed-tensors', 'modelopt', 'fp8'), (value, method) => {
        modelFromHfConfig({ ...DENSE, quantization_config: value });
        modelFromHfConfig({
          ...EXPERTS,
          quantization_config: { quant_method: method, config_groups: value, ignore: value },
        });
        modelFromHfConfig({ ...DENSE, quantization_config: { quant_method: method, config_groups: { a: value } } });
      }),
    );
  });
});
