/**
 * Blocks that a decode batch takes, step by step. Each request opens a block every block-size steps, so that its need comes
 * round with that period; where layers with a sliding window give blocks back, they come round too, as negative need.
 */
export class PeriodicNeed {
  /** Blocks of one period. */
  perPeriod = 0;
  private readonly blockSize: number;
  /** Blocks needed when the counter of decode steps is ≡ −index (mod block size). */
  private readonly need: Int32Array;
  /** Some entries may be negative. */
  private readonly givesBack: boolean;

  constructor(blockSizeTokens: number, givesBack: boolean) {
    this.blockSize = blockSizeTokens;
    this.need = new Int32Array(blockSizeTokens);
    this.givesBack = givesBack;
  }

  /** @param offset the blocks are needed whenever offset + counter ≡ 0 (mod block size). */
  add(offset: number, blocks: number): void {
    const residue = offset % this.blockSize;
    this.need[residue < 0 ? residue + this.blockSize : residue]! += blocks;
    this.perPeriod += blocks;
  }

  /** Blocks of the step at this counter. */
  at(counter: number): number {
    return this.need[this.phase(counter)]!;
  }

  /** Blocks of so many steps from this counter on. */
  ofSteps(counter: number, steps: number): number {
    const { blockSize, need } = this;
    const periods = Math.floor(steps / blockSize);
    let blocks = periods * this.perPeriod;
    let phase = this.phase(counter);
    for (let left = steps - periods * blockSize; left > 0; left--) {
      blocks += need[phase]!;
      phase = phase === 0 ? blockSize - 1 : phase - 1;
    }
    return blocks;
  }

  /** The most steps from this counter on that so many free blocks allow, or `most` where they allow more. */
  stepsFor(counter: number, blocks: number, most: number): number {
    if (this.perPeriod === 0) return most;
    const { blockSize, need } = this;
    // Where blocks also come back, the pool is tightest within a period.
    const tightest = this.givesBack ? this.mostWithinPeriod(counter) : this.perPeriod;
    const periods = blocks < tightest ? 0 : Math.floor((blocks - tightest) / this.perPeriod) + 1;
    let left = blocks - periods * this.perPeriod;
    let steps = periods * blockSize;
    // One more whole period does not fit.
    for (let phase = this.phase(counter); steps < most; steps++) {
      left -= need[phase]!;
      if (left < 0) return steps;
      phase = phase === 0 ? blockSize - 1 : phase - 1;
    }
    return most;
  }

  /** Steps until one gives back more than it takes. */
  stepsToRelief(counter: number): number {
    if (!this.givesBack) return Number.POSITIVE_INFINITY;
    for (let steps = 1; steps <= this.blockSize; steps++) if (this.at(counter + steps) < 0) return steps;
    return Number.POSITIVE_INFINITY;
  }

  private mostWithinPeriod(counter: number): number {
    let taken = 0;
    let most = 0;
    for (let k = 0; k < this.blockSize; k++) {
      taken += this.at(counter + k);
      if (taken > most) most = taken;
    }
    return most;
  }

  private phase(counter: number): number {
    const phase = counter % this.blockSize;
    return phase === 0 ? 0 : this.blockSize - phase;
  }
}
