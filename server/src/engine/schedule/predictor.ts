/**
 * Output-length prediction as LayerKV's scheduler uses it: a request is put into one of the percentile buckets of past
 * lengths, the right one with the stated accuracy, else a uniformly random other one; the bucket's lower edge is used.
 */
import type { Random } from '../workload/random.ts';

export class LengthPredictor {
  /** Fenwick tree of finished output lengths, tokens. */
  private readonly tree: Int32Array;
  private finished = 0;
  private readonly buckets: number;
  private readonly accuracy: number;
  private readonly random: Random;
  private readonly prior: readonly number[];

  /** @param outputTokens the workload's own lengths: the distribution known before anything has finished. */
  constructor(buckets: number, accuracy: number, outputTokens: Int32Array, random: Random) {
    this.buckets = Math.max(1, Math.floor(buckets));
    this.accuracy = accuracy;
    this.random = random;
    let longest = 1;
    for (const tokens of outputTokens) longest = Math.max(longest, tokens);
    this.tree = new Int32Array(longest + 1);
    const sorted = Int32Array.from(outputTokens).sort();
    this.prior = Array.from({ length: this.buckets }, (_, bucket) =>
      sorted.length === 0 ? 1 : sorted[Math.floor((bucket * sorted.length) / this.buckets)]!,
    );
  }

  /** A request has finished with this many tokens. */
  learn(outputTokens: number): void {
    this.finished += 1;
    for (let k = Math.min(outputTokens, this.tree.length - 1); k < this.tree.length; k += k & -k) this.tree[k]! += 1;
  }

  /** Lower edge of the predicted bucket, tokens. Draws once or twice from the predictor's stream. */
  predict(outputTokens: number): number {
    const edge = (bucket: number): number => (this.finished === 0 ? this.prior[bucket]! : this.quantile(bucket));
    let right = 0;
    while (right + 1 < this.buckets && edge(right + 1) <= outputTokens) right += 1;
    const hit = this.random() < this.accuracy;
    if (hit || this.buckets === 1) return edge(right);
    const other = Math.floor(this.random() * (this.buckets - 1));
    return edge(other < right ? other : other + 1);
  }

  /** The (⌊bucket·n/buckets⌋ + 1)-th smallest finished length. */
  private quantile(bucket: number): number {
    let rank = Math.floor((bucket * this.finished) / this.buckets);
    let position = 0;
    for (let bit = 1 << (31 - Math.clz32(this.tree.length)); bit > 0; bit >>= 1) {
      const next = position + bit;
      if (next < this.tree.length && this.tree[next]! <= rank) {
        position = next;
        rank -= this.tree[next]!;
      }
    }
    return position + 1;
  }
}
