/** Timing of one prefill step whose layers leave for the host while the next ones compute. */
import { staysOnGpu } from './retention.ts';

/** How long the step takes with its transfers, and what of them compute hid. Times in s. */
export interface Overlap {
  readonly stepS: number;
  readonly transferS: number;
  readonly exposedS: number;
  /** When the device-to-host link is free again, from the step's start. */
  readonly linkFreeS: number;
}

/**
 * Layers compute in order, each in an equal share of the step. A leaving layer needs one of the transient slots from the
 * start of its compute (or of its fetch) until its transfer has ended; transfers run in order, one direction each, beside
 * compute. The step ends when the last layer is computed and the last transfer is through.
 */
export class OverlapTimer {
  private readonly layers: number;
  private readonly offloadS: Float64Array;
  private readonly fetchS: Float64Array;
  private readonly slotFreeS: Float64Array;

  /** @param transientLayers leaving layers that may be on the GPU at once, waiting for the link or being moved. */
  constructor(layers: number, transientLayers: number) {
    this.layers = layers;
    this.offloadS = new Float64Array(layers);
    this.fetchS = new Float64Array(layers);
    this.slotFreeS = new Float64Array(Math.max(1, transientLayers));
  }

  /** Begins a new step. */
  reset(): void {
    this.offloadS.fill(0);
    this.fetchS.fill(0);
  }

  /** A prompt that keeps `retained` layers: each of the others leaves in `offloadS` and, for later chunks, must first be back in `fetchS`. */
  add(retained: number, offloadS: number, fetchS: number): void {
    for (let layer = 0; layer < this.layers; layer++) {
      if (retained > 0 && staysOnGpu(layer, retained, this.layers)) continue;
      this.offloadS[layer]! += offloadS;
      if (fetchS > 0) this.fetchS[layer]! += fetchS;
    }
  }

  /** Both directions' transfers, s. */
  totalS(): number {
    let total = 0;
    for (let layer = 0; layer < this.layers; layer++) total += this.offloadS[layer]! + this.fetchS[layer]!;
    return total;
  }

  /** @param linkBusyS the device-to-host link is busy with earlier transfers until then, s from the step's start. */
  run(computeS: number, linkBusyS: number): Overlap {
    const { layers, offloadS, fetchS, slotFreeS } = this;
    const layerS = computeS / layers;
    slotFreeS.fill(0);
    let slot = 0;
    let computedS = 0;
    let fetchedS = 0;
    let movedS = linkBusyS;
    let transferS = 0;
    for (let layer = 0; layer < layers; layer++) {
      const out = offloadS[layer]!;
      const back = fetchS[layer]!;
      if (out === 0 && back === 0) {
        computedS += layerS;
        continue;
      }
      const free = slotFreeS[slot]!;
      if (back > 0) {
        fetchedS = Math.max(fetchedS, free) + back;
        computedS = Math.max(computedS, fetchedS);
      }
      computedS = Math.max(computedS, free) + layerS;
      movedS = Math.max(movedS, computedS) + out;
      slotFreeS[slot] = movedS;
      slot = slot + 1 === slotFreeS.length ? 0 : slot + 1;
      transferS += out + back;
    }
    const stepS = Math.max(computedS, movedS);
    return { stepS, transferS, exposedS: Math.min(transferS, Math.max(0, stepS - computeS)), linkFreeS: movedS };
  }
}
