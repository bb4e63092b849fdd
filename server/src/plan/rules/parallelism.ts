/** Ranks against the model's heads and layers, and against the GPUs of a replica. */
import { expertSplit } from '../../engine/shape.ts';
import { changeTo, placeOf, type Rule, relatedTo } from './rule.ts';

const headsDivide: Rule = {
  id: 'tp-does-not-divide-heads',
  severity: 'error',
  impossible: true,
  summary: 'Tensor parallel must divide the attention heads of the model.',
  check: ({ draft }) => {
    const { tensor, model } = draft;
    if (tensor === null || model === null) return [];
    const heads = model.value.shape.queryHeads;
    if (heads % tensor.value === 0) return [];
    const range = placeOf(draft, tensor);
    const fits = divisorNear(heads, tensor.value);
    return [
      {
        message: `Tensor parallel ${tensor.value} does not divide the ${heads} attention heads of ${model.value.id}; vLLM refuses to start. Use a divisor of ${heads}, such as ${fits}.`,
        range,
        ...relatedTo(range, [`${heads} attention heads`, model]),
        ...changeTo(tensor, String(fits), `Set tensor parallel to ${fits}`),
      },
    ];
  },
};

const kvHeadsDivide: Rule = {
  id: 'tp-against-kv-heads',
  severity: 'error',
  impossible: true,
  summary: 'Tensor parallel must divide the KV heads, or be a multiple of them (they are then replicated).',
  check: ({ draft }) => {
    const { tensor, model } = draft;
    if (tensor === null || model === null || model.value.shape.attentionType === 'mla') return [];
    const { kvHeads, queryHeads } = model.value.shape;
    const ranks = tensor.value;
    if (queryHeads % ranks !== 0 || kvHeads % ranks === 0) return [];
    const range = placeOf(draft, tensor);
    const related = relatedTo(range, [`${kvHeads} KV heads`, model]);
    if (ranks % kvHeads === 0) {
      return [
        {
          severity: 'information',
          message: `Tensor parallel ${ranks} is above the ${kvHeads} KV heads of ${model.value.id}: each KV head is stored on ${ranks / kvHeads} GPUs, so the KV cache grows less than the GPUs. Data parallel may use them better.`,
          range,
          ...related,
        },
      ];
    }
    return [
      {
        message: `Tensor parallel ${ranks} neither divides the ${kvHeads} KV heads of ${model.value.id} nor is a multiple of them; vLLM refuses to start. Use ${divisorNear(kvHeads, ranks)}.`,
        range,
        ...related,
        ...changeTo(
          tensor,
          String(divisorNear(kvHeads, ranks)),
          `Set tensor parallel to ${divisorNear(kvHeads, ranks)}`,
        ),
      },
    ];
  },
};

const pipelineLayers: Rule = {
  id: 'pipeline-against-layers',
  severity: 'error',
  impossible: true,
  summary: 'Pipeline stages need at least one layer each; uneven stages wait for the longest.',
  check: ({ draft }) => {
    const { pipeline, model } = draft;
    if (pipeline === null || model === null || pipeline.value === 1) return [];
    const { layers } = model.value.shape;
    const range = placeOf(draft, pipeline);
    if (pipeline.value > layers) {
      return [
        {
          message: `${pipeline.value} pipeline stages for ${layers} layers: some would hold none. Use at most ${layers}.`,
          range,
        },
      ];
    }
    if (layers % pipeline.value === 0) return [];
    return [
      {
        severity: 'information',
        message: `${layers} layers do not split evenly into ${pipeline.value} pipeline stages: the longest stage, with ${Math.ceil(layers / pipeline.value)} layers, sets the pace and the memory.`,
        range,
      },
    ];
  },
};

const gpusMatch: Rule = {
  id: 'gpus-do-not-match-parallelism',
  severity: 'error',
  summary: 'GPUs per replica must be tensor × pipeline × data.',
  check: ({ draft }) => {
    const { gpusPerReplica, tensor, pipeline, data } = draft;
    if (gpusPerReplica === null || tensor === null || pipeline === null || data === null) return [];
    const ranks = tensor.value * pipeline.value * data.value;
    if (gpusPerReplica.origin !== 'stated' || gpusPerReplica.value === ranks) return [];
    const range = placeOf(draft, gpusPerReplica);
    const product = `${tensor.value} × ${pipeline.value} × ${data.value} = ${ranks}`;
    const advice =
      gpusPerReplica.value > ranks
        ? `${gpusPerReplica.value - ranks} of them would stand idle. Raise \`parallelism.tensor\` or state ${ranks}.`
        : `${ranks - gpusPerReplica.value} are missing. State ${ranks} or lower \`parallelism\`.`;
    return [
      {
        message: `${gpusPerReplica.value} GPUs per replica, but tensor × pipeline × data is ${product}: ${advice}`,
        range,
        ...relatedTo(range, ['tensor', tensor], ['pipeline', pipeline], ['data', data]),
        ...changeTo(gpusPerReplica, String(ranks), `Set gpusPerReplica to ${ranks}`),
      },
    ];
  },
};

const expertSize: Rule = {
  id: 'expert-parallel-size',
  severity: 'error',
  impossible: true,
  summary: 'Expert parallel is 1 (off) or tensor × data.',
  check: ({ draft }) => {
    const { expert, tensor, data, model } = draft;
    if (expert === null || tensor === null || data === null || expert.value === 1) return [];
    const size = tensor.value * data.value;
    const advised = model !== null && model.value.shape.moe === undefined ? 1 : size;
    const range = placeOf(draft, expert);
    if (expert.value !== size) {
      return [
        {
          message: `Expert parallel ${expert.value} is neither 1 (off) nor tensor × data = ${size}, the only sizes vLLM has. Use 1 or ${size}.`,
          range,
          ...relatedTo(range, ['tensor', tensor], ['data', data]),
          ...changeTo(expert, String(advised), `Set expert parallel to ${advised}`),
        },
      ];
    }
    if (model === null || model.value.shape.moe !== undefined) return [];
    return [
      {
        severity: 'information',
        message: `${model.value.id} has no experts; expert parallel has no effect. Remove it.`,
        range,
      },
    ];
  },
};

/** Checkpoints in fp8 blocks have a scale for 128 × 128 weights; a block is not cut. */
const FP8_BLOCK = 128;

const expertWidth: Rule = {
  id: 'experts-do-not-divide',
  severity: 'error',
  impossible: true,
  summary: 'Without expert parallel, tensor × data must cut every expert into equal parts, of whole blocks in fp8.',
  check: ({ draft }) => {
    const { expert, tensor, data, model, weightDtype } = draft;
    if (expert === null || tensor === null || data === null || model === null) return [];
    const { moe, nativeWeightDtype, fp8Blocks } = model.value.shape;
    const { ranks, slices } = expertSplit({ tensor: tensor.value, data: data.value, expert: expert.value });
    // The kernels of mxfp4 pad each part themselves.
    if (moe === undefined || ranks > 1 || weightDtype?.value === 'mxfp4') return [];
    const width = moe.expertFfn / slices;
    const isFp8 = weightDtype?.value === 'fp8';
    const inBlocks = isFp8 && (nativeWeightDtype === 'fp8' || fp8Blocks === true);
    const whole = Number.isInteger(width);
    if (whole && !(inBlocks && width % FP8_BLOCK !== 0)) return [];
    const range = placeOf(draft, data.value > 1 ? data : tensor, tensor);
    const parts = `Each expert of ${model.value.id}, ${moe.expertFfn} wide, is cut over tensor × data = ${slices} GPUs`;
    const advice = `Set \`parallelism.expert\` to ${slices}, which deals whole experts to the GPUs, or use fewer.`;
    return [
      {
        // Weights of 16 bit that vLLM itself quantises have no blocks.
        ...(whole && nativeWeightDtype !== 'fp8' ? { severity: 'warning' as const } : {}),
        message: whole
          ? `${parts}, ${width} for each: no multiple of the ${FP8_BLOCK} that a block of its fp8 repository has, so vLLM does not load that. ${advice}`
          : `${parts}, which does not divide it; vLLM does not load that. ${advice}`,
        range,
        ...relatedTo(range, ['tensor', tensor], ['data', data]),
        ...changeTo(expert, String(slices), `Set expert parallel to ${slices}`),
      },
    ];
  },
};

const nvlinkMissing: Rule = {
  id: 'nvlink-missing',
  severity: 'warning',
  summary: 'The plan says NVLink, the GPU has none.',
  check: ({ draft }) => {
    const { interconnect, gpu } = draft;
    if (interconnect === null || gpu === null) return [];
    if (interconnect.value !== 'nvlink' || gpu.value.facts.nvlinkBytesPerS > 0) return [];
    const range = placeOf(draft, interconnect);
    return [
      {
        message: `${gpu.value.id} has no NVLink; its ranks talk over PCIe. Write \`pcie\`, or remove the line.`,
        range,
        ...relatedTo(range, ['the GPU', gpu]),
        ...changeTo(interconnect, 'pcie', 'Change to pcie'),
      },
    ];
  },
};

const tensorOverPcie: Rule = {
  id: 'tensor-over-pcie',
  severity: 'information',
  summary: 'Tensor parallel over PCIe pays for all-reduces in every layer, and shares the link with offloaded KV.',
  check: ({ draft }) => {
    const { tensor, interconnect, gpu } = draft;
    if (tensor === null || interconnect === null || gpu === null) return [];
    if (tensor.value < 4 || interconnect.value !== 'pcie') return [];
    const range = placeOf(draft, tensor, interconnect);
    return [
      {
        message: `Tensor parallel ${tensor.value} over PCIe: every layer waits for two all-reduces on the link that LayerKV also offloads over. Fewer ranks with pipeline parallel, or GPUs with NVLink, cost less time.`,
        range,
        ...relatedTo(range, ['connected over PCIe', interconnect], ['the GPU', gpu]),
      },
    ];
  },
};

/** Rules of this theme. */
export const parallelismRules: readonly Rule[] = [
  headsDivide,
  kvHeadsDivide,
  pipelineLayers,
  gpusMatch,
  expertSize,
  expertWidth,
  nvlinkMissing,
  tensorOverPcie,
];

/** The largest divisor of `whole` that is not above `wanted`. */
function divisorNear(whole: number, wanted: number): number {
  let divisor = Math.min(whole, wanted);
  while (whole % divisor !== 0) divisor--;
  return divisor;
}
