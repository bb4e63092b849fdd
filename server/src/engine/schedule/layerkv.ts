/**
 * The LayerKV policy (arXiv 2410.00428) over one replica: layers of a prompt's KV stay on the GPU or leave for the
 * host during prefill; a request with layers on the host parks after its first token, is reloaded once when blocks
 * allow, and then joins the decode batch. What the paper leaves open is a named option (see `docs/engine.md`).
 */
import { type Overlap, overlapStep } from '../kv/overlap.ts';
import { minimumRetainedLayers, staysOnGpu } from '../kv/retention.ts';
import type { LayerKvOptions } from '../types.ts';
import { Holdings } from './holdings.ts';
import { Parking } from './parking.ts';
import type { LengthPredictor } from './predictor.ts';
import { relievePressure } from './pressure.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';
import { admissionBudgetS } from './sloGate.ts';

export interface LayerKvConfig {
  readonly options: LayerKvOptions;
  readonly layers: number;
  readonly poolLayerBlocks: number;
  readonly hostLayerBlocks: number;
  /** Time for one token of one layer to leave for, and to return from, the host on one rank's link, s. */
  readonly offloadTokenLayerS: number;
  readonly reloadTokenLayerS: number;
  /** KV of one token in one layer, counted once over the ranks. */
  readonly bytesPerTokenLayer: number;
  /** The policy's own estimate of a prefill, s. */
  readonly prefillEstimateS: (promptTokens: number) => number;
  /** TPOT objective, s; null: no budget. Off in the ablation. */
  readonly tpotS: number | null;
}

/** One prompt's share of a step: `tokens` after `cached` ones. */
export interface Chunk {
  readonly request: number;
  readonly cached: number;
  readonly tokens: number;
}

export class LayerKv {
  readonly config: LayerKvConfig;
  readonly holdings: Holdings;
  readonly parking: Parking;
  /** Predicted output length of each request, tokens. */
  readonly predictedTokens: Int32Array;
  /** Layer-blocks below which the forecast of free blocks calls for offloading. */
  readonly threshold: number;
  /** The SLO budget, not memory, kept the queue's head out at this boundary. */
  gated = false;

  private readonly replica: Replica;
  private readonly predictor: LengthPredictor;
  private readonly reserve: number;
  private transientHeld = 0;
  private claimedS = 0;
  private budgetS = Number.NaN;
  /** Requests admitted in this round with all their layers: they will grow in the next step. */
  private joining = 0;

  constructor(config: LayerKvConfig, replica: Replica, predictor: LengthPredictor) {
    this.config = config;
    this.replica = replica;
    this.predictor = predictor;
    this.predictedTokens = new Int32Array(replica.records.count);
    this.holdings = new Holdings(replica.records.count, config.hostLayerBlocks);
    this.parking = new Parking(config, replica, this.holdings);
    this.reserve = layerBlocksOf(config.options.growthReserve, config.poolLayerBlocks);
    this.threshold = layerBlocksOf(config.options.offloadThreshold, config.poolLayerBlocks);
  }

  /**
   * A step has ended: reloaded requests join, parked ones start to reload, layers leave if blocks will run short, and a
   * new round of admissions begins.
   * @param inFlightTokens prompt tokens that an unfinished prefill still has to compute; they weigh on the budget.
   */
  boundary(inFlightTokens = 0): void {
    this.parking.completeTransfers();
    this.parking.startReloads(() => this.floor(0));
    relievePressure(this.replica, this);
    this.joining = 0;
    this.gated = false;
    this.transientHeld = 0;
    this.budgetS = Number.NaN;
    this.claimedS = inFlightTokens > 0 ? this.config.prefillEstimateS(inFlightTokens) : 0;
  }

  /** Takes blocks for a prompt's prefill if memory and the SLO budget allow it. */
  admit(request: number, tokens: number): boolean {
    const { replica, holdings } = this;
    const blocks = replica.blocksOf(tokens);
    const retained = this.chooseRetained(tokens, blocks);
    if (retained < 0) return false;
    const estimateS = this.config.prefillEstimateS(tokens);
    if (Number.isNaN(this.budgetS)) this.budgetS = admissionBudgetS(replica, this);
    if (this.claimedS + estimateS > this.budgetS + SIMULTANEOUS_S) {
      this.gated = true;
      return false;
    }
    this.claimedS += estimateS;
    const leaving = this.config.layers - retained;
    if (leaving === 0) this.joining += 1;
    holdings.retained[request] = retained;
    holdings.takeHost(request, leaving * blocks);
    replica.freeLayerBlocks -= retained * blocks;
    this.transientHeld += Math.min(this.config.options.transientLayers, leaving) * blocks;
    if (this.predictedTokens[request] === 0) {
      this.predictedTokens[request] = this.predictor.predict(replica.records.outputTokens[request]!);
    }
    return true;
  }

  /** Whether the transient layers of a later chunk (`tokens` in all so far) find room in this step; takes it if so. */
  chunkFits(request: number, tokens: number): boolean {
    const leaving = this.config.layers - this.holdings.retained[request]!;
    const needed = Math.min(this.config.options.transientLayers, leaving) * this.replica.blocksOf(tokens);
    if (this.transientHeld + needed > this.replica.freeLayerBlocks) return false;
    this.transientHeld += needed;
    return true;
  }

  /** Duration of a step that computes these chunks in `computeS`, with their transfers. */
  prefillStepS(computeS: number, chunks: readonly Chunk[]): number {
    const { config, replica, parking } = this;
    const { layers } = config;
    const moving = chunks.filter(({ request }) => this.isPartlyOnHost(request));
    if (moving.length === 0) return computeS;
    const offloadS = new Float64Array(layers);
    const fetchS = new Float64Array(layers);
    for (const { request, cached, tokens } of moving) {
      const retained = this.holdings.retained[request]!;
      for (let layer = 0; layer < layers; layer++) {
        if (staysOnGpu(layer, retained, layers)) continue;
        offloadS[layer]! += tokens * config.offloadTokenLayerS;
        fetchS[layer]! += cached * config.reloadTokenLayerS;
      }
      replica.records.deviceToHostBytes += tokens * (layers - retained) * config.bytesPerTokenLayer;
      replica.records.hostToDeviceBytes += cached * (layers - retained) * config.bytesPerTokenLayer;
    }
    const overlap = overlapStep({
      computeS,
      layers,
      offloadS,
      fetchS,
      linkBusyS: Math.max(0, parking.linkOutFreeS - replica.clockS),
      transientLayers: config.options.transientLayers,
    });
    parking.linkOutFreeS = replica.clockS + overlap.linkFreeS;
    this.account(overlap, chunks);
    return overlap.stepS;
  }

  isPartlyOnHost(request: number): boolean {
    return this.holdings.retained[request]! < this.config.layers;
  }

  /** Gives back everything a request holds, on the GPU and on the host. */
  release(request: number, kvTokens: number): void {
    this.replica.freeLayerBlocks += this.holdings.retained[request]! * this.replica.blocksOf(kvTokens);
    this.holdings.retained[request] = 0;
    this.holdings.freeHost(request);
  }

  learn(request: number): void {
    this.predictor.learn(this.replica.records.outputTokens[request]!);
  }

  /**
   * Nothing can run now. Waits for the next transfer, or no longer than `untilS`; where parked requests hold each
   * other's blocks, sends the layers of the latest one away. @returns false when there is nothing to wait for.
   */
  waitForTransfer(untilS: number): boolean {
    const { replica, parking } = this;
    const nextS = parking.nextEventS();
    if (nextS === Number.POSITIVE_INFINITY) return parking.untie();
    replica.clockS = Math.max(replica.clockS, Math.min(nextS, untilS));
    return true;
  }

  /** Layers of this prompt that stay, −1 when it cannot start now. */
  private chooseRetained(tokens: number, blocks: number): number {
    const { config, replica, parking } = this;
    const { layers } = config;
    const available = replica.freeLayerBlocks - this.transientHeld;
    const spare = available - this.floor(this.joining);
    // Whoever is parked came first: until they are back, newcomers take no more than they must.
    const alone = parking.parked.length === 0;
    if (alone && spare >= layers * blocks) return layers;
    const least = Math.max(
      minimumRetainedLayers(layers, tokens * config.offloadTokenLayerS, config.prefillEstimateS(tokens)),
      layers - Math.floor(this.holdings.hostFree / blocks),
    );
    if (least >= layers) return -1;
    const most = alone ? Math.max(least, Math.min(layers - 1, Math.floor(spare / blocks))) : least;
    for (let kept = most; kept >= least; kept--) {
      const transient = Math.min(config.options.transientLayers, layers - kept);
      if ((kept + transient) * blocks <= available) return kept;
    }
    return -1;
  }

  /**
   * Layer-blocks that admissions and reloads leave free: the growth reserve, or what keeps `relievePressure` from
   * sending away at once what has just come. Nothing when nobody else runs: somebody has to.
   * @param joining requests that will run beside the batch from the next step on, the newcomer not counted.
   */
  private floor(joining: number): number {
    const others = this.replica.decode.count + this.parking.reloading.length + joining;
    return others > 0 ? Math.max(this.reserve, this.threshold + (others + 1) * this.config.layers) : 0;
  }

  private account(overlap: Overlap, chunks: readonly Chunk[]): void {
    const { records } = this.replica;
    records.transferS += overlap.transferS;
    records.exposedTransferS += overlap.exposedS;
    for (const { request } of chunks) {
      if (Number.isNaN(records.firstTokenS[request]!)) records.exposedS[request]! += overlap.exposedS;
    }
  }
}

/** A share of the pool in whole layer-blocks, rounded up but for the last bits of the product. */
function layerBlocksOf(share: number, poolLayerBlocks: number): number {
  return Math.ceil(share * poolLayerBlocks - 1e-9);
}
