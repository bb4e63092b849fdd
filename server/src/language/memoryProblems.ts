/** Does it start at all? What vLLM would refuse, and the smallest changes that mend it. */
import type { WeightDtype } from '../engine/types.ts';
import { type Assessment, assess } from '../forecast/assess.ts';
import { formatBytes } from '../plan/quantity.ts';
import type { Located, Plan } from '../plan/types.ts';
import type { Fix, Problem } from '../text/types.ts';
import { relatedPlaces, valuePlace } from './place.ts';

/** Sizes of parallelism that people deploy. */
const SIZES = [1, 2, 4, 8, 16, 32] as const;
/** From the least loss of precision to the greatest. */
const SMALLER_DTYPES: readonly WeightDtype[] = ['fp8', 'int8', 'int4'];

/** Errors only: what is said here is that the engine does not start. */
export function memoryProblems(plan: Plan, assessment: Assessment): Problem[] {
  if (!assessment.fits) return [doesNotFit(plan, assessment)];
  if (!assessment.oneSequenceFits) return [noRoomForOneSequence(plan, assessment)];
  return [];
}

function doesNotFit(plan: Plan, assessment: Assessment): Problem {
  const { weightsBytesPerGpu, activationBytesPerGpu } = assessment.memory;
  const range = valuePlace(plan, plan.tensor, plan.gpu, plan.model);
  const remedies = [...tensorRemedies(plan), ...dataRemedies(plan), ...dtypeRemedies(plan)];
  const advice =
    remedies.length > 0
      ? `It fits with ${remedies.map(({ words }) => words).join(', or with ')}.`
      : 'Choose a GPU with more memory, or a smaller model.';
  return {
    rule: 'does-not-fit',
    severity: 'error',
    message:
      `${plan.model.value.id} in ${plan.weightDtype.value} does not fit on ${gpusThatShare(plan)} × ` +
      `${plan.gpu.value.id}: ${formatBytes(assessment.shortfallBytesPerGpu)} are missing on each GPU. ` +
      `It needs ${formatBytes(weightsBytesPerGpu)} for weights and ${formatBytes(activationBytesPerGpu)} for ` +
      `activations, besides ${formatBytes(assessment.overheadBytesPerGpu)} of the runtime; the engine may use ` +
      `${formatBytes(assessment.usableBytesPerGpu)} of each GPU. ${advice}`,
    range,
    related: relatedPlaces(
      range,
      { located: plan.model, message: `The model: ${formatBytes(weightsBytesPerGpu)} of weights on each GPU.` },
      { located: plan.gpu, message: `The GPU: ${formatBytes(plan.gpu.value.facts.memoryBytes)} of memory.` },
    ),
    fixes: remedies.flatMap(({ fix }) => (fix === null ? [] : [fix])),
  };
}

interface Remedy {
  readonly words: string;
  readonly fix: Fix | null;
}

/** GPUs that weights are shared out over: experts are, over data-parallel ranks too. */
function gpusThatShare({ model, tensor, data }: Plan): number {
  return tensor.value * (model.value.shape.moe === undefined ? 1 : data.value);
}

/** The smallest larger tensor parallel that fits and divides the heads. */
function tensorRemedies(plan: Plan): Remedy[] {
  const { queryHeads, kvHeads } = plan.model.value.shape;
  const divides = (tensor: number): boolean =>
    queryHeads % tensor === 0 && (kvHeads % tensor === 0 || tensor % kvHeads === 0);
  return smallest(
    SIZES.filter((tensor) => tensor > plan.tensor.value && divides(tensor)),
    (tensor) => withRanks(plan, tensor, plan.data.value),
    plan.tensor,
    ['tensor parallel', 'parallelism.tensor'],
  );
}

/** More data-parallel ranks hold fewer experts each. */
function dataRemedies(plan: Plan): Remedy[] {
  if (plan.model.value.shape.moe === undefined || plan.data.value === 1) return [];
  return smallest(
    SIZES.filter((data) => data > plan.data.value),
    (data) => withRanks(plan, plan.tensor.value, data),
    plan.data,
    ['data parallel', 'parallelism.data'],
  );
}

/** Expert parallel, where it is on, spans all ranks. */
function withRanks(plan: Plan, tensor: number, data: number): Plan {
  const { expert, gpusPerReplica, pipeline } = plan;
  return {
    ...plan,
    tensor: at(plan.tensor, tensor),
    data: at(plan.data, data),
    expert: at(expert, expert.value > 1 ? tensor * data : expert.value),
    gpusPerReplica: at(gpusPerReplica, tensor * pipeline.value * data),
  };
}

/** The first of the sizes with which the plan starts. @param title, key what is changed, in words and in YAML. */
function smallest(
  sizes: readonly number[],
  changed: (size: number) => Plan,
  place: Located<number>,
  [title, key]: readonly [string, string],
): Remedy[] {
  for (const size of sizes) {
    const plan = changed(size);
    if (!starts(plan)) continue;
    const gpus = plan.gpusPerReplica.value;
    const edits = [
      ...replace(place, String(size)),
      ...(plan.expert.value > 1 ? replace(plan.expert, String(plan.expert.value)) : []),
      ...replace(plan.gpusPerReplica, String(gpus)),
    ];
    const expert = plan.expert.value > 1 ? ` and parallelism.expert: ${plan.expert.value}` : '';
    const fix = place.origin === 'stated' ? { title: `Use ${title} ${size} (${gpus} GPUs)`, edits } : null;
    return [{ words: `${key}: ${size}${expert} on ${gpus} GPUs`, fix }];
  }
  return [];
}

/** The least lossy smaller weight dtype that fits. */
function dtypeRemedies(plan: Plan): Remedy[] {
  const weights = assess(plan).memory.weightsBytesPerGpu;
  for (const dtype of SMALLER_DTYPES) {
    const changed = { ...plan, weightDtype: at(plan.weightDtype, dtype) };
    if (assess(changed).memory.weightsBytesPerGpu >= weights || !starts(changed)) continue;
    const edits = replace(plan.weightDtype, dtype);
    const fix = edits.length > 0 ? { title: `Use ${dtype} weights`, edits } : null;
    return [{ words: `model.dtype: ${dtype} (weights of that precision must exist)`, fix }];
  }
  return [];
}

function noRoomForOneSequence(plan: Plan, { memory }: Assessment): Problem {
  const { maxModelLen, gpuMemoryUtilization, numGpuBlocks } = plan.engine;
  const pinned = numGpuBlocks.value !== null;
  const range = valuePlace(plan, maxModelLen, numGpuBlocks, gpuMemoryUtilization, plan.gpu, plan.model);
  const largest = largestModelLen(plan);
  const edits = largest === 0 ? [] : replace(maxModelLen, String(largest));
  const more = pinned
    ? `raise engine.numGpuBlocks (${numGpuBlocks.value}), which pins the cache`
    : 'give it more GPU memory: a larger gpuMemoryUtilization, more GPUs, or smaller weights';
  const advice =
    largest === 0
      ? `${more.charAt(0).toUpperCase()}${more.slice(1)}.`
      : `Set engine.maxModelLen to ${largest} or less, or ${pinned ? more : 'give it more GPU memory'}.`;
  return {
    rule: 'no-room-for-one-sequence',
    severity: 'error',
    message:
      `vLLM refuses to start: the KV cache holds ${memory.kvTokens} tokens, less than one sequence of ` +
      `max-model-len ${maxModelLen.value}. ${advice}`,
    range,
    related: relatedPlaces(range, {
      located: pinned ? numGpuBlocks : gpuMemoryUtilization,
      message: `${pinned ? 'This pins room' : 'This share of the GPU leaves room'} for ${memory.kvTokens} tokens.`,
    }),
    fixes: edits.length > 0 ? [{ title: `Set maxModelLen to ${largest}`, edits }] : [],
  };
}

/** The largest max-model-len that starts, a multiple of the block size; 0 where none does. */
function largestModelLen(plan: Plan): number {
  const block = plan.engine.blockSize.value;
  const withLength = (tokens: number): Plan => ({
    ...plan,
    engine: { ...plan.engine, maxModelLen: at(plan.engine.maxModelLen, tokens) },
  });
  let fitting = 0;
  let failing = Math.ceil(plan.engine.maxModelLen.value / block);
  while (failing - fitting > 1) {
    const middle = Math.floor((fitting + failing) / 2);
    if (starts(withLength(middle * block))) fitting = middle;
    else failing = middle;
  }
  return fitting * block;
}

function starts(plan: Plan): boolean {
  const { fits, oneSequenceFits } = assess(plan);
  return fits && oneSequenceFits;
}

function at<T>(located: Located<T>, value: T): Located<T> {
  return { ...located, value };
}

function replace(located: Located<unknown>, newText: string): Fix['edits'][number][] {
  return located.origin === 'stated' && located.range !== null ? [{ range: located.range, newText }] : [];
}
