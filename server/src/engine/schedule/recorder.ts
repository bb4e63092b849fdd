/** Watches a replica when asked to: gaps between tokens, and what was where over time. Changes nothing it watches. */
import { GapHistogram } from './gapHistogram.ts';
import type { Lane } from './lane.ts';
import type { Replica } from './replica.ts';
import { Timeline } from './timeline.ts';

/** What the recorders of a run's engines fill together. */
export interface Recording {
  readonly gaps: GapHistogram;
  /** Only if it was asked for: it costs more than the gaps. */
  readonly timeline: Timeline | null;
}

export function createRecording(withTimeline: boolean): Recording {
  return { gaps: new GapHistogram(), timeline: withTimeline ? new Timeline() : null };
}

export class Recorder {
  private readonly recording: Recording;
  private readonly replica: Replica;
  /** Last token of those who joined since, and of those outside the batch, s. */
  private readonly lastTokenS = new Map<number, number>();
  private newcomers: number[] = [];

  constructor(recording: Recording, replica: Replica) {
    this.recording = recording;
    this.replica = replica;
  }

  /** A request enters the decode batch, straight from its prefill or after a wait. */
  joined(request: number): void {
    this.newcomers.push(request);
    this.parked(request);
  }

  /** A request has produced a token by prefill, just now unless it has waited since, and waits for its layers. */
  parked(request: number): void {
    if (!this.lastTokenS.has(request)) this.lastTokenS.set(request, this.replica.clockS);
  }

  /** A request is taken out of the decode batch before it is done. */
  left(request: number, lane: Lane): void {
    if (!this.lastTokenS.has(request)) this.lastTokenS.set(request, lane.lastTokenS);
    this.newcomers = this.newcomers.filter((other) => other !== request);
  }

  /** A prefill has produced a token now. */
  prefilled(request: number): void {
    const lastS = this.lastTokenS.get(request);
    if (lastS === undefined) return;
    this.recording.gaps.add(this.replica.clockS - lastS, 1);
    this.lastTokenS.delete(request);
  }

  /** A step, or a run of them, from `fromS` to `toS` is about to be done. */
  span(fromS: number, toS: number): void {
    const { timeline } = this.recording;
    if (timeline === null) return;
    const { waiting, layerkv, poolLayerBlocks, freeLayerBlocks, config } = this.replica;
    timeline.add('queue', fromS, toS, waiting.length);
    timeline.add('decoding', fromS, toS, this.replica.running);
    timeline.add('gpuKvBlocks', fromS, toS, (poolLayerBlocks - freeLayerBlocks) / config.layers);
    if (layerkv === null) return;
    timeline.add('parked', fromS, toS, layerkv.parking.count);
    timeline.add(
      'hostKvBlocks',
      fromS,
      toS,
      (layerkv.config.hostLayerBlocks - layerkv.holdings.hostFree) / config.layers,
    );
  }

  /** `steps` decode steps of baseS, baseS + growthS, … are about to be done; the first ends at `firstEndS`. */
  decodes(firstEndS: number, baseS: number, growthS: number, steps: number): void {
    const { gaps } = this.recording;
    const { decode, lane } = this.replica;
    const fresh = this.newcomers.length > 0 ? this.firstGaps(firstEndS) : 0;
    // All who stayed since the lane's last step have their last token from then.
    gaps.add(firstEndS - lane.lastTokenS, decode.count - fresh);
    if (steps > 1) gaps.addRun(baseS + growthS, growthS, steps - 1, decode.count);
    lane.lastTokenS = firstEndS + (steps - 1) * (baseS + (growthS * steps) / 2);
  }

  /** One direction is busy on a share of the links. */
  transfer(fromS: number, toS: number, share: number): void {
    this.recording.timeline?.add('linkBusy', fromS, toS, share);
  }

  /** The gaps before the first tokens in this batch; those who joined another one wait for its step. @returns how many. */
  private firstGaps(firstEndS: number): number {
    const { decode } = this.replica;
    const { newcomers } = this;
    let elsewhere = 0;
    for (let k = 0; k < newcomers.length; k++) {
      const request = newcomers[k]!;
      if (decode.has(request)) {
        this.recording.gaps.add(firstEndS - this.lastTokenS.get(request)!, 1);
        this.lastTokenS.delete(request);
      } else newcomers[elsewhere++] = request;
    }
    const fresh = newcomers.length - elsewhere;
    newcomers.length = elsewhere;
    return fresh;
  }
}
