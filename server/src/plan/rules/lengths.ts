/** Prompts and outputs against the engine's limits. */
import type { LengthDistribution } from '../../engine/types.ts';
import type { Draft } from '../draft.ts';
import { changeTo, type Finding, placeOf, type Rule, relatedTo } from './rule.ts';

const aboveModel: Rule = {
  id: 'max-model-len-above-model-limit',
  severity: 'warning',
  summary: 'max-model-len is above the context the model was made for.',
  check: ({ draft }) => {
    const { model } = draft;
    const { maxModelLen } = draft.engine;
    if (model === null || maxModelLen === null) return [];
    const limit = model.value.shape.maxPositionTokens;
    if (maxModelLen.value <= limit) return [];
    const range = placeOf(draft, maxModelLen);
    return [
      {
        message: `${model.value.id} was made for ${limit} tokens; vLLM starts with ${maxModelLen.value} only when VLLM_ALLOW_LONG_MAX_MODEL_LEN is set, and answers beyond the limit may be nonsense. The prediction is made as stated.`,
        range,
        ...relatedTo(range, [`made for ${limit} tokens`, model]),
        ...changeTo(maxModelLen, String(limit), `Lower to the model's limit, ${limit}`),
      },
    ];
  },
};

const batchedBelowSeqs: Rule = {
  id: 'batched-tokens-below-max-num-seqs',
  severity: 'error',
  summary: 'The token budget of a step must be at least max-num-seqs.',
  check: ({ draft }) => {
    const { maxNumBatchedTokens, maxNumSeqs } = draft.engine;
    if (maxNumBatchedTokens === null || maxNumSeqs === null || maxNumBatchedTokens.value >= maxNumSeqs.value) return [];
    const range = placeOf(draft, maxNumBatchedTokens, maxNumSeqs);
    return [
      {
        message: `maxNumBatchedTokens (${maxNumBatchedTokens.value}) is below maxNumSeqs (${maxNumSeqs.value}); vLLM refuses to start, as a step could not hold one token of every sequence. Raise the one or lower the other.`,
        range,
        ...relatedTo(range, ['maxNumBatchedTokens', maxNumBatchedTokens], ['maxNumSeqs', maxNumSeqs]),
        ...changeTo(maxNumBatchedTokens, String(maxNumSeqs.value), `Raise maxNumBatchedTokens to ${maxNumSeqs.value}`),
      },
    ];
  },
};

const batchedBelowLength: Rule = {
  id: 'batched-tokens-below-max-model-len',
  severity: 'error',
  summary: 'Scheduler v0 runs a prompt in one step, so its token budget must reach max-model-len.',
  check: ({ draft }) => {
    const { maxNumBatchedTokens, maxModelLen, scheduler } = draft.engine;
    if (maxNumBatchedTokens === null || maxModelLen === null || scheduler?.value !== 'v0') return [];
    if (maxNumBatchedTokens.value >= maxModelLen.value) return [];
    const range = placeOf(draft, maxNumBatchedTokens, maxModelLen);
    return [
      {
        message: `maxNumBatchedTokens (${maxNumBatchedTokens.value}) is below maxModelLen (${maxModelLen.value}): scheduler v0 does not split prompts, so vLLM refuses to start, and longer prompts could not run. Raise it to ${maxModelLen.value}, or lower maxModelLen.`,
        range,
        ...relatedTo(range, ['maxModelLen', maxModelLen], ['scheduler v0', scheduler]),
        ...changeTo(
          maxNumBatchedTokens,
          String(maxModelLen.value),
          `Raise maxNumBatchedTokens to ${maxModelLen.value}`,
        ),
      },
    ];
  },
};

const promptTooLong: Rule = {
  id: 'prompt-above-max-model-len',
  severity: 'error',
  summary: 'Prompts that leave no room for a token below max-model-len are refused.',
  check: ({ draft }) => {
    const { maxModelLen } = draft.engine;
    const prompts = extremesOf(draft, 'input');
    if (maxModelLen === null || prompts === null || prompts.longest < maxModelLen.value) return [];
    const all = prompts.shortest >= maxModelLen.value;
    const { range } = prompts;
    return [
      {
        severity: all ? 'error' : 'warning',
        message: `${all ? 'Every prompt leaves' : `Prompts of up to ${prompts.longest} tokens leave`} no room for an answer below maxModelLen (${maxModelLen.value}); the server refuses them. Raise maxModelLen, or shorten the prompts.`,
        range,
        ...relatedTo(range, ['maxModelLen', maxModelLen]),
      },
    ];
  },
};

const outputCut: Rule = {
  id: 'output-cut',
  severity: 'warning',
  summary: 'Prompt and output together are longer than max-model-len: vLLM cuts the output.',
  check: ({ draft }) => {
    const { maxModelLen } = draft.engine;
    const prompts = extremesOf(draft, 'input');
    const outputs = extremesOf(draft, 'output');
    if (maxModelLen === null || prompts === null || outputs === null) return [];
    const longest = prompts.pairs ?? prompts.longest + outputs.longest;
    if (prompts.longest >= maxModelLen.value || longest <= maxModelLen.value) return [];
    const { range } = outputs;
    const finding: Finding = {
      message: `Prompt and output reach ${longest} tokens, above maxModelLen (${maxModelLen.value}): vLLM stops such answers early, and so does the prediction. Set maxModelLen to ${longest} or more to keep them whole.`,
      range,
      ...relatedTo(range, ['maxModelLen', maxModelLen]),
      ...changeTo(maxModelLen, String(longest), `Raise maxModelLen to ${longest}`),
    };
    return [finding];
  },
};

/** Rules of this theme. */
export const lengthRules: readonly Rule[] = [
  aboveModel,
  batchedBelowSeqs,
  batchedBelowLength,
  promptTooLong,
  outputCut,
];

interface Extremes {
  readonly shortest: number;
  readonly longest: number;
  /** Longest prompt + output of one request, where requests are recorded. */
  readonly pairs: number | null;
  readonly range: Finding['range'];
}

/** Shortest and longest length of the workload, tokens; of a lognormal the 1st and 99th percentile. */
function extremesOf(draft: Draft, side: 'input' | 'output'): Extremes | null {
  const { trace } = draft.workload;
  if (trace === null) return null;
  if (trace.value !== null) {
    const { inputTokens, outputTokens } = trace.value.columns;
    const own = side === 'input' ? inputTokens : outputTokens;
    let shortest = Number.POSITIVE_INFINITY;
    let longest = 0;
    let pairs = 0;
    own.forEach((tokens, i) => {
      shortest = Math.min(shortest, tokens);
      longest = Math.max(longest, tokens);
      pairs = Math.max(pairs, (inputTokens[i] ?? 0) + (outputTokens[i] ?? 0));
    });
    return { shortest, longest, pairs, range: placeOf(draft, trace) };
  }
  const lengths = draft.workload[side];
  if (lengths === null) return null;
  const [shortest, longest] = bounds(lengths.value);
  return { shortest, longest, pairs: null, range: placeOf(draft, lengths) };
}

function bounds(lengths: LengthDistribution): readonly [number, number] {
  switch (lengths.kind) {
    case 'fixed':
      return [lengths.tokens, lengths.tokens];
    case 'uniform':
      return [lengths.min, lengths.max];
    case 'lognormal': {
      // 2.326 standard deviations: one request in a hundred is longer.
      const spread = Math.exp(2.326 * lengths.sigma);
      return [Math.round(lengths.median / spread), Math.round(lengths.median * spread)];
    }
    case 'percentiles':
      return [1, lengths.points.at(-1)?.[1] ?? 1];
  }
}
