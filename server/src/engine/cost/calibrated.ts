/** A cost law that measurements of the user's own deployment have set right (plan: `calibration`). */
import type { CostScale } from '../types.ts';
import type { StageLaw } from './stages.ts';
import type { CostModel, DecodeLaw, FrontEndLaw } from './types.ts';

/**
 * Stretches the parts of a step: `overhead` what the host does between steps, `decode` the kernels that the step's
 * decodes would take alone, `prefill` what prompt tokens add to them. So a step of decodes alone stays affine in its
 * contexts, and the parts of a mixed step move with what was measured of each. `prefill` also stretches what a request
 * spends in front of the engine: a TTFT cannot tell the two apart, and moved together they predict other loads best
 * (docs/calibration.md).
 */
export function calibratedCost(base: CostModel, scale: CostScale): CostModel {
  const decodeLaw = (seqs: number): DecodeLaw => {
    const law = base.decodeLaw(seqs);
    const hostS = base.hostS(seqs);
    return {
      baseS: scale.decode * (law.baseS - hostS) + scale.overhead * hostS,
      perContextTokenS: scale.decode * law.perContextTokenS,
      perWindowTokenS: scale.decode * law.perWindowTokenS,
    };
  };
  return {
    ...base,
    stages: base.stages === null ? null : calibratedStages(base, base.stages, scale),
    decodeLaw,
    frontEnd: base.frontEnd === null ? null : calibratedFrontEnd(base.frontEnd, scale.prefill),
    stepS(batch) {
      const decodeOnly = batch.prefillTokens === 0;
      const hostS = base.hostS(batch.decodeSeqs + batch.prefillSeqs);
      const kernelS = base.stepS(batch) - hostS;
      const decodeS = decodeOnly ? kernelS : Math.min(kernelS, decodeKernelS(base, batch));
      return scale.overhead * hostS + scale.decode * decodeS + scale.prefill * (kernelS - decodeS);
    },
  };
}

function calibratedFrontEnd(frontEnd: FrontEndLaw, factor: number): FrontEndLaw {
  return {
    serviceS: (promptTokens) => factor * frontEnd.serviceS(promptTokens),
    latencyS: factor * frontEnd.latencyS,
  };
}

/** Kernels of a step of its decodes alone, s. */
function decodeKernelS(base: CostModel, batch: Parameters<CostModel['stepS']>[0]): number {
  const { decodeSeqs, decodeContextTokens, decodeWindowTokens } = batch;
  if (decodeSeqs === 0) return 0;
  const law = base.decodeLaw(decodeSeqs);
  return (
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
function calibratedStages(base: CostModel, stages: StageLaw, scale: CostScale): StageLaw {
  const kernels = Math.min(scale.decode, scale.prefill);
  return {
    count: stages.count,
    splitS(stepS, seqs, sampledSeqs, outS) {
      const hostS = base.hostS(seqs);
      const eachHostS = hostS / stages.count;
      stages.splitS((stepS - scale.overhead * hostS) / kernels + hostS, seqs, sampledSeqs, outS);
      for (let stage = 0; stage < stages.count; stage++) {
        outS[stage] = kernels * (outS[stage]! - eachHostS) + scale.overhead * eachHostS;
      }
    },
  };
}
