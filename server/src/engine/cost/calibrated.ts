/** A cost law that measurements of the user's own deployment have set right (plan: `calibration`). */
import type { CostScale } from '../types.ts';
import { rememberedBySeqs } from './remembered.ts';
import type { StageLaw } from './stages.ts';
import type { CostModel, DecodeLaw, FrontEndLaw, StepBatch, TogetherLaw } from './types.ts';

/**
 * Stretches the parts of a step, most where it decodes about as many sequences as the measured runs did: `overhead` what
 * the host does between steps, `decode` the kernels that the step's decodes would take alone, `prefill` what prompt tokens
 * add to them. So a step of decodes alone stays affine in its contexts, and the parts of a mixed step move with what was
 * measured of each. `prefill` also stretches what a request spends in front of the engine: a TTFT cannot tell the two
 * apart, and moved together they predict other loads best (docs/calibration.md).
 */
export function calibratedCost(base: CostModel, measured: CostScale): CostModel {
  const at = rememberedBySeqs((seqs) => fadedScale(measured, seqs));
  const decodeLaw = (seqs: number): DecodeLaw => {
    const scale = at(seqs);
    const law = base.decodeLaw(seqs);
    const hostS = base.hostS(seqs);
    return {
      baseS: scale.decode * (law.baseS - hostS) + scale.overhead * hostS,
      perContextTokenS: scale.decode * law.perContextTokenS,
      perWindowTokenS: scale.decode * law.perWindowTokenS,
    };
  };
  // No spread, as for a replica's configuration (simulate.ts): each would have a hidden class of its own.
  return {
    provenance: base.provenance,
    collectives: base.collectives,
    together: base.together === null ? null : calibratedTogether(base.together, at),
    windowTokens: base.windowTokens,
    stepsAhead: base.stepsAhead,
    hostS: base.hostS,
    stages: base.stages === null ? null : calibratedStages(base, base.stages, at),
    decodeLaw,
    frontEnd: base.frontEnd === null ? null : calibratedFrontEnd(base.frontEnd, measured.prefill),
    stepS(batch) {
      const seqs = batch.decodeSeqs + batch.prefillSeqs;
      // What decodes take is stretched as in a step of theirs alone; the rest by all that is in the step.
      const decode = at(batch.decodeSeqs).decode;
      const { prefill, overhead } = at(seqs);
      const decodeOnly = batch.prefillTokens === 0;
      const hostS = base.hostS(seqs);
      const kernelS = base.stepS(batch) - hostS;
      const decodeS = decodeOnly ? kernelS : Math.min(kernelS, decodeKernelS(base, batch));
      return overhead * hostS + decode * decodeS + prefill * (kernelS - decodeS);
    },
  };
}

/**
 * Three times as many sequences, or as few, and a factor's logarithm counts for exp(-1/2). Of 2, 3, 4 and 8 times this
 * predicts other loads of the same deployment best (docs/calibration.md).
 */
const REACH = Math.log(3);

/** Measured and predicted times drift apart with load: factors count most for the loads that they were measured at. */
function fadedScale(measured: CostScale, seqs: number): CostScale {
  const { sequences } = measured;
  if (sequences === undefined || sequences.length === 0) return measured;
  const distance = Math.min(...sequences.map((each) => Math.abs(Math.log(Math.max(1, seqs) / each))));
  const weight = Math.exp(-0.5 * (distance / REACH) ** 2);
  return {
    prefill: measured.prefill ** weight,
    decode: measured.decode ** weight,
    overhead: measured.overhead ** weight,
  };
}

function calibratedFrontEnd(frontEnd: FrontEndLaw, factor: number): FrontEndLaw {
  return {
    serviceS: (promptTokens) => factor * frontEnd.serviceS(promptTokens),
    latencyS: factor * frontEnd.latencyS,
  };
}

/** What other ranks' tokens add: prompts are prefill to everybody. */
function calibratedTogether(together: TogetherLaw, at: (seqs: number) => CostScale): TogetherLaw {
  return {
    moreS(all, most, own) {
      const { decode, prefill } = at(own.seqs);
      return (own.prompts ? prefill : decode) * together.moreS(all, most, own);
    },
  };
}

/** Kernels of a step of its decodes alone, s; in their experts no more tokens than the whole step pads them to. */
function decodeKernelS(base: CostModel, batch: StepBatch): number {
  const { decodeSeqs, decodeContextTokens, decodeWindowTokens } = batch;
  if (decodeSeqs === 0) return 0;
  const law = base.decodeLaw(decodeSeqs);
  const alone = { tokens: decodeSeqs, seqs: decodeSeqs, prompts: false };
  const unpaddedS = base.together?.moreS(decodeSeqs, decodeSeqs + batch.prefillTokens, alone) ?? 0;
  return (
    Math.min(0, unpaddedS) +
    law.baseS +
    law.perContextTokenS * decodeContextTokens +
    law.perWindowTokenS * decodeWindowTokens -
    base.hostS(decodeSeqs)
  );
}

/**
 * The split of the unstretched law, its parts stretched. Which part of a step is prefill does not reach a stage, so all
 * kernels are stretched alike here, by the smaller factor: with the larger one the rest, which is shared out by layers,
 * could come out below zero.
 */
function calibratedStages(base: CostModel, stages: StageLaw, at: (seqs: number) => CostScale): StageLaw {
  return {
    count: stages.count,
    splitS(stepS, seqs, sampledSeqs, outS) {
      const { decode, prefill, overhead } = at(seqs);
      const kernels = Math.min(decode, prefill);
      const hostS = base.hostS(seqs);
      const eachHostS = hostS / stages.count;
      stages.splitS((stepS - overhead * hostS) / kernels + hostS, seqs, sampledSeqs, outS);
      for (let stage = 0; stage < stages.count; stage++) {
        outS[stage] = kernels * (outS[stage]! - eachHostS) + overhead * eachHostS;
      }
    },
  };
}
