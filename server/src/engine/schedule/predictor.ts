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
    const right = this.bucketOf(outputTokens);
    const hit = this.random() < this.accuracy;
    if (hit || this.buckets === 1) return this.edge(right);
    const other = Math.floor(this.random() * (this.buckets - 1));
    return this.edge(other < right ? other : other + 1);
  }

  /** The last bucket whose lower edge is not above `outputTokens`; the first has no lower edge. */
  private bucketOf(outputTokens: number): number {
    const { buckets, finished } = this;
    let right = 0;
    if (finished === 0) {
      while (right + 1 < buckets && this.prior[right + 1]! <= outputTokens) right += 1;
      return right;
    }
    // An edge is not above it where more finished lengths than the edge's rank are not: no need to find the edge.
    const upTo = this.countUpTo(outputTokens);
    while (right + 1 < buckets && this.rankOf(right + 1) < upTo) right += 1;
    return right;
  }

  /** Finished lengths of at most `tokens`. */
  private countUpTo(tokens: number): number {
    let count = 0;
    for (let k = Math.min(tokens, this.tree.length - 1); k > 0; k -= k & -k) count += this.tree[k]!;
    return count;
  }

  /** Finished lengths below a bucket's lower edge, but for equal ones. */
  private rankOf(bucket: number): number {
    return Math.floor((bucket * this.finished) / this.buckets);
  }

  /** A bucket's lower edge: the (rank + 1)-th smallest finished length. */
  private edge(bucket: number): number {
    if (this.finished === 0) return this.prior[bucket]!;
    let rank = this.rankOf(bucket);
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
