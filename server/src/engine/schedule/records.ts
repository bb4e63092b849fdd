/** What happened to each request, as columns shared by all replicas of a run. Times in s since the start, NaN: not yet. */
export class Records {
  readonly arrivalS: Float64Array;
  readonly inputTokens: Int32Array;
  readonly outputTokens: Int32Array;
  readonly prefillStartS: Float64Array;
  readonly firstTokenS: Float64Array;
  readonly finishS: Float64Array;
  /** Part of the time to first token in which steps waited for transfers. */
  readonly exposedS: Float64Array;
  /** Tokens produced before the current stay in the decode batch. */
  readonly producedTokens: Int32Array;
  finished = 0;
  refused = 0;
  preemptions = 0;
  deviceToHostBytes = 0;
  hostToDeviceBytes = 0;
  transferS = 0;
  exposedTransferS = 0;
  parkedS = 0;
  /** Tokens of all sequences that v1 has admitted, those computed anew after a preemption included. */
  admittedTokens = 0;
  /** Those of them whose KV the prefix cache had on the GPU. */
  cachedTokens = 0;
  /** And those that came from the host tier. */
  loadedTokens = 0;
  /** Moments of interest, s, and how many requests were parked at each. */
  readonly watchS: readonly number[];
  readonly parkedAt: Int32Array;

  constructor(arrivalS: Float64Array, inputTokens: Int32Array, outputTokens: Int32Array, watchS: readonly number[]) {
    const count = arrivalS.length;
    this.watchS = watchS;
    this.parkedAt = new Int32Array(watchS.length);
    this.arrivalS = arrivalS;
    this.inputTokens = inputTokens;
    this.outputTokens = outputTokens;
    this.prefillStartS = new Float64Array(count).fill(Number.NaN);
    this.firstTokenS = new Float64Array(count).fill(Number.NaN);
    this.finishS = new Float64Array(count).fill(Number.NaN);
    this.exposedS = new Float64Array(count);
    this.producedTokens = new Int32Array(count);
  }

  get count(): number {
    return this.arrivalS.length;
  }

  /** A request with a first token was out of the decode batch from `fromS` until `toS`. */
  wasParked(fromS: number, toS: number): void {
    this.parkedS += toS - fromS;
    for (let k = 0; k < this.watchS.length; k++) {
      const timeS = this.watchS[k]!;
      if (fromS <= timeS && timeS < toS) this.parkedAt[k]! += 1;
    }
  }
}
