/** A pipeline of GPUs: how a step splits over its stages, and how batches pass through them. */

/** How one step's time splits over the stages of a pipeline. */
export interface StageLaw {
  readonly count: number;
  /**
   * Writes the seconds of each stage of a step into `outS`.
   * @param stepS the whole step: what an empty pipeline takes. @param seqs sequences in the step;
   * @param sampledSeqs rows that reach the output head.
   */
  splitS(stepS: number, seqs: number, sampledSeqs: number, outS: Float64Array): void;
}

/**
 * Layers of each stage. What does not divide goes to the stages before the last, which has the output head
 * (vllm/distributed/utils.py, `get_pp_indices`).
 */
export function stageLayers(layers: number, stages: number): readonly number[] {
  const each = Math.floor(layers / stages);
  const more = layers % stages;
  return Array.from(
    { length: stages },
    (_, stage) => each + (stage < stages - 1 && stage >= stages - 1 - more ? 1 : 0),
  );
}

/**
 * Every stage takes `eachS` of its own and its layers' share of the rest; the last one has the output head too.
 * @param eachS seconds by sequences; @param headS seconds by sampled rows.
 */
export function stageLaw(
  layers: number,
  stages: number,
  eachS: (seqs: number) => number,
  headS: (sampledSeqs: number) => number,
): StageLaw {
  const shares = stageLayers(layers, stages).map((held) => held / layers);
  return {
    count: stages,
    splitS(stepS, seqs, sampledSeqs, outS) {
      const ownS = eachS(seqs);
      const lastS = headS(sampledSeqs);
      const layersS = stepS - stages * ownS - lastS;
      for (let stage = 0; stage < stages; stage++) outS[stage] = shares[stage]! * layersS + ownS;
      outS[stages - 1]! += lastS;
    },
  };
}

/** What steps that stay under way pass through. */
export interface Passage {
  /** Batches that may be under way at once: one a stage. */
  readonly depth: number;
  /** A batch that takes `stepS` by itself enters at `nowS`. @returns when its result is there, s. */
  enter(nowS: number, stepS: number, seqs: number, sampledSeqs: number): number;
  /** Nothing is under way any more. */
  isEmpty(nowS: number): boolean;
}

/**
 * Which stage is busy until when. A batch enters a stage when it has left the one before and the batch ahead of it has
 * left this one: batches keep their order, and where they differ in length, stages stand idle between them (bubbles).
 */
export class Pipeline implements Passage {
  private readonly law: StageLaw;
  private readonly freeS: Float64Array;
  private readonly durationsS: Float64Array;

  constructor(law: StageLaw) {
    this.law = law;
    this.freeS = new Float64Array(law.count);
    this.durationsS = new Float64Array(law.count);
  }

  get depth(): number {
    return this.law.count;
  }

  enter(nowS: number, stepS: number, seqs: number, sampledSeqs: number): number {
    const { freeS, durationsS } = this;
    this.law.splitS(stepS, seqs, sampledSeqs, durationsS);
    let atS = nowS;
    for (let stage = 0; stage < freeS.length; stage++) {
      atS = Math.max(atS, freeS[stage]!) + durationsS[stage]!;
      freeS[stage] = atS;
    }
    return atS;
  }

  isEmpty(nowS: number): boolean {
    return this.freeS[this.freeS.length - 1]! <= nowS;
  }
}
