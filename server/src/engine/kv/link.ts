/**
 * The link between GPU and host: how long layers take on it, and what it costs where all-reduces use it too.
 * Each rank moves its own shard over its own link. What moves beside compute goes layer after layer, each over the link of
 * its stage; only a request that moves as a whole uses the links of all stages at once.
 */
import type { CollectiveLaw } from '../cost/types.ts';
import { KV_BYTES } from '../dtypes.ts';
import { kvElementsPerRank, kvElementsPerTokenPerLayer } from '../shape.ts';
import type { EngineInput } from '../types.ts';

/**
 * Fixed time of one copy, s. Measured host-to-device and device-to-host copies of 4 KiB to 512 KiB on an H100 (vLLM blog,
 * 2026-01-08, DMA with one call a block) all lie 4.2 µs above their size over 53 GB/s.
 */
const COPY_LATENCY_S = 4.2e-6;

/** Collectives go first, so a transfer keeps at least this share of the link. */
const LEAST_LINK_SHARE = 0.05;

export type LinkInput = Pick<
  EngineInput,
  'model' | 'kvDtype' | 'parallelism' | 'hostLinkBytesPerS' | 'layerkv' | 'interconnect' | 'scheduler'
>;

export interface LinkLaw {
  /** KV of one token in one layer, counted once over the ranks. */
  readonly bytesPerTokenLayer: number;
  /** The paper's offload time per token and layer, bandwidth alone: what x is chosen by. */
  readonly offloadTokenLayerS: number;
  /** One layer of `tokens` tokens to the host: bandwidth, and a copy's latency for every chunk. */
  offloadLayerS(tokens: number): number;
  /** And back. */
  reloadLayerS(tokens: number): number;
  /**
   * Links that a request's layers use at once when they move as a whole: one a pipeline stage. v0's virtual engines, as
   * many as stages, share these links in equal parts, which leaves each of them one.
   */
  readonly sideBySide: number;
  /** Links one behind the other: one a pipeline stage. */
  readonly stages: number;
  /** `tokenLayers` tokens of single layers passing through in `copies` copies, s. */
  streamS(tokenLayers: number, copies: number): number;
  /** Collectives' time as far as it is spent on this link, s. */
  sharedS(collectiveS: number): number;
  /** How much longer a transfer takes beside collectives that use the link for `collectiveS` of every `stepS`. */
  stretch(collectiveS: number, stepS: number): number;
  /**
   * What a step is held up when transfers occupy the link for `busyShare` of it: each collective that meets one waits for
   * the rest of its chunk, half of it on average.
   */
  collectiveWaitS(busyShare: number): number;
}

/** @param collectives of the step law; null where there are none. They share the link on hosts without NVLink. */
export function linkLaw(input: LinkInput, collectives: CollectiveLaw | null): LinkLaw {
  const kvBytes = KV_BYTES[input.kvDtype];
  const { tensor, pipeline } = input.parallelism;
  const { chunkBytes } = input.layerkv;
  const bytesPerTokenLayer = kvElementsPerTokenPerLayer(input.model) * kvBytes;
  // KV that every rank has (MLA, or more ranks than KV heads) leaves once, a part from each rank, and returns to all.
  const outBytes = bytesPerTokenLayer / tensor;
  const backBytes = kvElementsPerRank(input.model, tensor) * kvBytes;
  const layerS = (bytes: number): number =>
    bytes / input.hostLinkBytesPerS + Math.ceil(bytes / chunkBytes) * COPY_LATENCY_S;
  const shared = collectives !== null && collectives.perStep > 0 && input.interconnect === 'pcie';
  const chunkS = chunkBytes / input.hostLinkBytesPerS + COPY_LATENCY_S;
  return {
    bytesPerTokenLayer,
    offloadTokenLayerS: outBytes / input.hostLinkBytesPerS,
    offloadLayerS: (tokens) => layerS(tokens * outBytes),
    reloadLayerS: (tokens) => layerS(tokens * backBytes),
    stages: pipeline,
    sideBySide: input.scheduler === 'v0' ? 1 : pipeline,
    streamS: (tokenLayers, copies) => (tokenLayers * backBytes) / input.hostLinkBytesPerS + copies * COPY_LATENCY_S,
    sharedS: (collectiveS) => (shared ? collectiveS : 0),
    stretch: (collectiveS, stepS) =>
      shared && stepS > 0 ? 1 / Math.max(LEAST_LINK_SHARE, 1 - collectiveS / stepS) : 1,
    collectiveWaitS: (busyShare) => (shared ? (collectives.perStep * Math.min(1, busyShare) * chunkS) / 2 : 0),
  };
}
