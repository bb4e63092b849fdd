/** Timing of one prefill step whose layers leave for the host while the next ones compute. */

/** @param bytes per layer; times in s, one entry a layer. */
export interface OverlapInput {
  /** Compute time of the step, spread evenly over the layers. */
  readonly computeS: number;
  readonly layers: number;
  /** Device-to-host time of what leaves at layer l, s; 0 where the layer stays. */
  readonly offloadS: Float64Array;
  /** Host-to-device time of what layer l must have back first (earlier chunks), s. */
  readonly fetchS: Float64Array;
  /** The device-to-host link is busy with earlier transfers until then, s from the step's start. */
  readonly linkBusyS: number;
  /** Leaving layers that may be on the GPU at once, waiting for the link or being moved. */
  readonly transientLayers: number;
}

/** How long the step takes with its transfers, and what of them compute hid. */
export interface Overlap {
  readonly stepS: number;
  readonly transferS: number;
  readonly exposedS: number;
  /** When the device-to-host link is free again, s from the step's start. */
  readonly linkFreeS: number;
}

/**
 * Layers compute in order. A leaving layer needs one of the transient slots from the start of its compute (or of its
 * fetch) until its transfer has ended; transfers run in order, one direction each, beside compute. The step ends when
 * the last layer is computed and the last transfer is through.
 */
export function overlapStep(input: OverlapInput): Overlap {
  const { layers, offloadS, fetchS } = input;
  const layerS = input.computeS / layers;
  const slotFreeS = new Float64Array(Math.max(1, input.transientLayers));
  let slot = 0;
  let computedS = 0;
  let fetchedS = 0;
  let movedS = input.linkBusyS;
  let transferS = 0;
  for (let layer = 0; layer < layers; layer++) {
    const out = offloadS[layer]!;
    const back = fetchS[layer]!;
    if (out === 0 && back === 0) {
      computedS += layerS;
      continue;
    }
    const free = slotFreeS[slot]!;
    if (back > 0) fetchedS = Math.max(fetchedS, free) + back;
    computedS = Math.max(computedS, free, back > 0 ? fetchedS : 0) + layerS;
    movedS = Math.max(movedS, computedS) + out;
    slotFreeS[slot] = movedS;
    slot = (slot + 1) % slotFreeS.length;
    transferS += out + back;
  }
  const stepS = Math.max(computedS, movedS);
  return { stepS, transferS, exposedS: Math.min(transferS, Math.max(0, stepS - input.computeS)), linkFreeS: movedS };
}
