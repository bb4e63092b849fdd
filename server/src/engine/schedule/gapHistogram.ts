/**
 * Times between successive tokens of a request, over all requests: a histogram with bins half a percent wide, so that
 * a run of thousands of steps is entered at once. Percentiles read from it are within half a bin, a quarter of a percent.
 */
const SHORTEST_S = 1e-6;
const BIN_RATIO = 1.005;
const LOG_RATIO = Math.log(BIN_RATIO);

export class GapHistogram {
  private counts = new Float64Array(4096);
  private total = 0;
  private sumS = 0;
  private longestS = 0;
  /** Below it all bins are empty. */
  private firstBin = Number.POSITIVE_INFINITY;

  /** `count` gaps of `gapS`. */
  add(gapS: number, count: number): void {
    if (count > 0) this.enter(this.binOf(gapS), gapS, count);
  }

  private enter(bin: number, gapS: number, count: number): void {
    this.counts[bin]! += count;
    if (bin < this.firstBin) this.firstBin = bin;
    this.total += count;
    this.sumS += gapS * count;
    if (gapS > this.longestS) this.longestS = gapS;
  }

  /** `steps` steps of baseS, baseS + growthS, …, each with `count` gaps of its length. */
  addRun(baseS: number, growthS: number, steps: number, count: number): void {
    if (count <= 0) return;
    let done = 0;
    while (done < steps) {
      const gapS = baseS + growthS * done;
      const bin = this.binOf(gapS);
      const edgeS = SHORTEST_S * BIN_RATIO ** (bin + 1);
      const until = growthS > 0 ? Math.ceil((edgeS - baseS) / growthS) : steps;
      const next = Math.min(steps, Math.max(done + 1, until));
      this.enter(bin, baseS + (growthS * (done + next - 1)) / 2, (next - done) * count);
      done = next;
    }
    if (steps > 0) this.longestS = Math.max(this.longestS, baseS + growthS * (steps - 1));
  }

  get count(): number {
    return this.total;
  }

  meanS(): number {
    return this.total === 0 ? 0 : this.sumS / this.total;
  }

  maxS(): number {
    return this.longestS;
  }

  /** The gap below which a share `p` of all gaps lies, interpolated within its bin. */
  quantileS(p: number): number {
    const rank = p * this.total;
    let below = 0;
    for (let bin = this.firstBin; bin < this.counts.length; bin++) {
      const here = this.counts[bin]!;
      if (here === 0 || below + here < rank) {
        below += here;
        continue;
      }
      return Math.min(this.longestS, SHORTEST_S * BIN_RATIO ** (bin + (rank - below) / here));
    }
    return this.longestS;
  }

  private binOf(gapS: number): number {
    const bin = Math.max(0, Math.floor(Math.log(gapS / SHORTEST_S) / LOG_RATIO));
    if (bin >= this.counts.length) {
      const larger = new Float64Array(Math.max(bin + 1, this.counts.length * 2));
      larger.set(this.counts);
      this.counts = larger;
    }
    return bin;
  }
}
