/**
 * What a run looked like over time, at bounded resolution: averages over equal bins whose width doubles when the run
 * outgrows them. Several engines add to one timeline; counts add up, shares are averaged by the reader.
 */
const BINS = 240;
const FIRST_WIDTH_S = 1 / 64;

/** One quantity's integral over each bin. */
export const TIMELINE_COLUMNS = ['queue', 'decoding', 'parked', 'gpuKvBlocks', 'hostKvBlocks', 'linkBusy'] as const;

export type TimelineColumn = (typeof TIMELINE_COLUMNS)[number];

export class Timeline {
  private widthS = FIRST_WIDTH_S;
  private readonly integrals: Readonly<Record<TimelineColumn, Float64Array>> = {
    queue: new Float64Array(BINS),
    decoding: new Float64Array(BINS),
    parked: new Float64Array(BINS),
    gpuKvBlocks: new Float64Array(BINS),
    hostKvBlocks: new Float64Array(BINS),
    linkBusy: new Float64Array(BINS),
  };
  private endS = 0;

  /** The quantity was `value` from `fromS` to `toS`. */
  add(column: TimelineColumn, fromS: number, toS: number, value: number): void {
    if (!(toS > fromS)) return;
    while (toS > BINS * this.widthS) this.coarsen();
    this.endS = Math.max(this.endS, toS);
    if (value === 0) return;
    const integral = this.integrals[column];
    const last = Math.min(BINS - 1, Math.floor(toS / this.widthS));
    for (let bin = Math.floor(fromS / this.widthS); bin <= last; bin++) {
      const startS = Math.max(fromS, bin * this.widthS);
      const stopS = Math.min(toS, (bin + 1) * this.widthS);
      if (stopS > startS) integral[bin]! += value * (stopS - startS);
    }
  }

  /** Averages over each bin up to the run's end; bin k covers [k, k + 1) × `stepS`. */
  averages(): { readonly stepS: number; readonly columns: Readonly<Record<TimelineColumn, readonly number[]>> } {
    const used = Math.max(1, Math.min(BINS, Math.ceil(this.endS / this.widthS)));
    const average = (column: TimelineColumn): number[] =>
      Array.from({ length: used }, (_, bin) => {
        const lengthS = Math.min(this.widthS, this.endS - bin * this.widthS);
        return lengthS > 0 ? this.integrals[column][bin]! / lengthS : 0;
      });
    return {
      stepS: this.widthS,
      columns: {
        queue: average('queue'),
        decoding: average('decoding'),
        parked: average('parked'),
        gpuKvBlocks: average('gpuKvBlocks'),
        hostKvBlocks: average('hostKvBlocks'),
        linkBusy: average('linkBusy'),
      },
    };
  }

  private coarsen(): void {
    for (const column of TIMELINE_COLUMNS) {
      const integral = this.integrals[column];
      for (let bin = 0; bin < BINS; bin++) {
        integral[bin] = 2 * bin + 1 < BINS ? integral[2 * bin]! + integral[2 * bin + 1]! : 0;
      }
    }
    this.widthS *= 2;
  }
}
