/** A hand-made cost law (plan: `cost.linear`), so that anyone can replay the engine with pencil and paper. */
import type { LinearCost } from '../types.ts';
import { stageLaw } from './stages.ts';
import type { CostModel } from './types.ts';

/**
 * A step takes the prefill part (base + per token, when it holds prompt tokens) plus the decode part (base + per
 * sequence + per context token, when it holds decodes). In a pipeline that is the time through all stages, each of which
 * takes its layers' share.
 */
export function linearCost(law: LinearCost, layers: number, stages: number): CostModel {
  const decodeBaseS = law.decodeBaseMs / 1000;
  const perSequenceS = law.decodePerSequenceMs / 1000;
  const perContextTokenS = law.decodePerContextTokenMs / 1000;
  return {
    provenance: 'linear',
    collectives: null,
    together: null,
    stages: stages > 1 ? stageLaw(layers, stages, zero, zero) : null,
    windowTokens: Number.POSITIVE_INFINITY,
    frontEnd: null,
    stepsAhead: false,
    stepS(batch) {
      const prefillMs = batch.prefillTokens > 0 ? law.prefillBaseMs + law.prefillPerTokenMs * batch.prefillTokens : 0;
      const decodeS =
        batch.decodeSeqs > 0
          ? decodeBaseS + perSequenceS * batch.decodeSeqs + perContextTokenS * batch.decodeContextTokens
          : 0;
      return prefillMs / 1000 + decodeS;
    },
    hostS: zero,
    decodeLaw: (seqs) => ({ baseS: decodeBaseS + perSequenceS * seqs, perContextTokenS, perWindowTokenS: 0 }),
  };
}

const zero = (): number => 0;
