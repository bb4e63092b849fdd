/**
 * The LayerKV policy (arXiv 2410.00428) over one replica: layers of a prompt's KV stay on the GPU or leave for the
 * host during prefill; a request with layers on the host parks after its first token, is reloaded once when blocks
 * allow, and then joins the decode batch. What the paper leaves open is a named option (see `docs/engine.md`).
 */

import { type Overlap, overlapStep } from '../kv/overlap.ts';
import { minimumRetainedLayers, staysOnGpu } from '../kv/retention.ts';
import type { LayerKvOptions } from '../types.ts';
import type { LengthPredictor } from './predictor.ts';
import { type Replica, SIMULTANEOUS_S } from './replica.ts';
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
  /** The SLO budget, not memory, kept the queue's head out at this boundary. */
  gated = false;
  readonly config: LayerKvConfig;
  /** Predicted output length of each request, tokens. */
  readonly predictedTokens: Int32Array;
  /** Requests that wait for their layers, in the order of their first tokens. */
  readonly parked: number[] = [];
  readonly reloading: number[] = [];

  private readonly predictor: LengthPredictor;
  private replica!: Replica;
  private readonly retained: Int32Array;
  private readonly hostBlocks: Float64Array;
  private readonly kvTokens: Int32Array;
  private readonly parkedSinceS: Float64Array;
  private readonly reloadEndS: Float64Array;
  private hostFree: number;
  private linkFreeS = 0;
  private transientHeld = 0;
  private claimedS = 0;
  private budgetS = Number.NaN;
  private readonly reserve: number;

  constructor(config: LayerKvConfig, requests: number, predictor: LengthPredictor) {
    this.config = config;
    this.predictor = predictor;
    this.predictedTokens = new Int32Array(requests);
    this.retained = new Int32Array(requests);
    this.hostBlocks = new Float64Array(requests);
    this.kvTokens = new Int32Array(requests);
    this.parkedSinceS = new Float64Array(requests);
    this.reloadEndS = new Float64Array(requests);
    this.hostFree = config.hostLayerBlocks;
    this.reserve = Math.ceil(config.options.growthReserve * config.poolLayerBlocks - 1e-9);
  }

  attach(replica: Replica): void {
    this.replica = replica;
  }

  /** Requests that are parked or on their way back. */
  get heldCount(): number {
    return this.parked.length + this.reloading.length;
  }

  get reloadingCount(): number {
    return this.reloading.length;
  }

  /** When the next reload ends, s; Infinity when none is under way. */
  nextEventS(): number {
    return this.reloading.length === 0 ? Number.POSITIVE_INFINITY : this.reloadEndS[this.reloading[0]!]!;
  }

  /**
   * A step has ended: reloaded requests join, parked ones start to reload, and a new round of admissions begins.
   * @param inFlightTokens prompt tokens that an unfinished prefill still has to compute; they weigh on the budget.
   */
  boundary(inFlightTokens = 0): void {
    const { replica } = this;
    while (this.nextEventS() <= replica.clockS + SIMULTANEOUS_S) this.joinReloaded(this.reloading.shift()!);
    this.startReloads();
    this.gated = false;
    this.transientHeld = 0;
    this.budgetS = Number.NaN;
    this.claimedS = inFlightTokens > 0 ? this.config.prefillEstimateS(inFlightTokens) : 0;
  }

  /** Takes blocks for a prompt's prefill if memory and the SLO budget allow it. */
  admit(request: number, tokens: number): boolean {
    const { replica } = this;
    const blocks = replica.blocksOf(tokens);
    const retained = this.chooseRetained(tokens, blocks);
    if (retained < 0) return false;
    const estimateS = this.config.prefillEstimateS(tokens);
    if (Number.isNaN(this.budgetS)) this.budgetS = admissionBudgetS(replica, this);
    if (this.claimedS + estimateS > this.budgetS) {
      this.gated = true;
      return false;
    }
    this.claimedS += estimateS;
    const leaving = this.config.layers - retained;
    this.retained[request] = retained;
    this.hostBlocks[request] = leaving * blocks;
    this.hostFree -= leaving * blocks;
    replica.freeLayerBlocks -= retained * blocks;
    this.transientHeld += Math.min(this.config.options.transientLayers, leaving) * blocks;
    if (this.predictedTokens[request] === 0) {
      this.predictedTokens[request] = this.predictor.predict(replica.records.outputTokens[request]!);
    }
    return true;
  }

  /** Whether the transient layers of a later chunk (`tokens` in all so far) find room in this step; takes it if so. */
  chunkFits(request: number, tokens: number): boolean {
    const leaving = this.config.layers - this.retained[request]!;
    const needed = Math.min(this.config.options.transientLayers, leaving) * this.replica.blocksOf(tokens);
    if (this.transientHeld + needed > this.replica.freeLayerBlocks) return false;
    this.transientHeld += needed;
    return true;
  }

  /** Duration of a step that computes these chunks in `computeS`, with their transfers. */
  prefillStepS(computeS: number, chunks: readonly Chunk[]): number {
    const { config, replica } = this;
    const { layers } = config;
    const offloadS = new Float64Array(layers);
    const fetchS = new Float64Array(layers);
    let moves = false;
    for (const { request, cached, tokens } of chunks) {
      const retained = this.retained[request]!;
      if (retained === layers) continue;
      moves = true;
      for (let layer = 0; layer < layers; layer++) {
        if (staysOnGpu(layer, retained, layers)) continue;
        offloadS[layer]! += tokens * config.offloadTokenLayerS;
        fetchS[layer]! += cached * config.reloadTokenLayerS;
      }
      replica.records.deviceToHostBytes += tokens * (layers - retained) * config.bytesPerTokenLayer;
      replica.records.hostToDeviceBytes += cached * (layers - retained) * config.bytesPerTokenLayer;
    }
    if (!moves) return computeS;
    const overlap = overlapStep({
      computeS,
      layers,
      offloadS,
      fetchS,
      transientLayers: config.options.transientLayers,
    });
    this.account(overlap, chunks);
    return overlap.stepS;
  }

  isPartlyOnHost(request: number): boolean {
    return this.retained[request]! < this.config.layers;
  }

  /** First token is out, layers are on the host: wait for them. */
  park(request: number, kvTokens: number): void {
    this.kvTokens[request] = kvTokens;
    this.parkedSinceS[request] = this.replica.clockS;
    this.parked.push(request);
  }

  /** Gives back everything a request holds, on the GPU and on the host. */
  release(request: number, kvTokens: number): void {
    this.replica.freeLayerBlocks += this.retained[request]! * this.replica.blocksOf(kvTokens);
    this.hostFree += this.hostBlocks[request]!;
    this.hostBlocks[request] = 0;
    this.retained[request] = 0;
  }

  learn(request: number): void {
    this.predictor.learn(this.replica.records.outputTokens[request]!);
  }

  /**
   * Nothing can run now. Waits for the next reload, or no longer than `untilS`; where parked requests hold each
   * other's blocks, sends the layers of the latest one away. @returns false when there is nothing to wait for.
   */
  waitForTransfer(untilS: number): boolean {
    const { replica } = this;
    if (this.reloading.length > 0) {
      replica.clockS = Math.max(replica.clockS, Math.min(this.nextEventS(), untilS));
      return true;
    }
    for (let k = this.parked.length - 1; k > 0; k--) {
      const request = this.parked[k]!;
      if (this.retained[request]! === 0) continue;
      this.evict(request, k);
      return true;
    }
    return false;
  }

  /** All retained layers of a parked request go to the host, or, where that is full, are computed again later. */
  private evict(request: number, position: number): void {
    const { replica, config } = this;
    const kvTokens = this.kvTokens[request]!;
    const layers = this.retained[request]!;
    const blocks = layers * replica.blocksOf(kvTokens);
    if (blocks > this.hostFree) {
      this.parked.splice(position, 1);
      replica.records.parkedS += replica.clockS - this.parkedSinceS[request]!;
      replica.dropToQueue(request, kvTokens);
      return;
    }
    const movedS = layers * kvTokens * config.offloadTokenLayerS;
    replica.clockS += movedS;
    replica.records.transferS += movedS;
    replica.records.exposedTransferS += movedS;
    replica.records.deviceToHostBytes += layers * kvTokens * config.bytesPerTokenLayer;
    replica.freeLayerBlocks += blocks;
    this.hostFree -= blocks;
    this.hostBlocks[request]! += blocks;
    this.retained[request] = 0;
  }

  /** Layers of this prompt that stay, −1 when it cannot start now. */
  private chooseRetained(tokens: number, blocks: number): number {
    const { config, replica } = this;
    const { layers } = config;
    const available = replica.freeLayerBlocks - this.transientHeld;
    const reserve = this.reserveNow();
    // Whoever is parked came first: until they are back, newcomers take no more than they must.
    if (this.parked.length === 0 && available - layers * blocks >= reserve) return layers;
    const least = Math.max(
      minimumRetainedLayers(layers, tokens * config.offloadTokenLayerS, config.prefillEstimateS(tokens)),
      layers - Math.floor(this.hostFree / blocks),
    );
    if (least >= layers) return -1;
    const most = Math.min(layers - 1, Math.floor((available - reserve) / blocks));
    for (let kept = this.parked.length > 0 ? least : Math.max(least, most); kept >= least; kept--) {
      const transient = Math.min(config.options.transientLayers, layers - kept);
      if ((kept + transient) * blocks <= available) return kept;
    }
    return -1;
  }

  /** Kept for the growth of running requests; nothing to keep when none runs. */
  private reserveNow(): number {
    return this.replica.decode.count + this.reloading.length > 0 ? this.reserve : 0;
  }

  private startReloads(): void {
    const { replica, config } = this;
    while (this.parked.length > 0) {
      const request = this.parked[0]!;
      const missing = config.layers - this.retained[request]!;
      const kvTokens = this.kvTokens[request]!;
      const needed = missing * replica.blocksOf(kvTokens);
      if (replica.decode.count + this.reloading.length >= replica.config.limits.maxNumSeqs) return;
      if (replica.freeLayerBlocks - needed < this.reserveNow()) return;
      this.parked.shift();
      replica.freeLayerBlocks -= needed;
      this.retained[request] = config.layers;
      this.linkFreeS = Math.max(this.linkFreeS, replica.clockS) + missing * kvTokens * config.reloadTokenLayerS;
      this.reloadEndS[request] = this.linkFreeS;
      replica.records.hostToDeviceBytes += missing * kvTokens * config.bytesPerTokenLayer;
      this.reloading.push(request);
    }
  }

  private joinReloaded(request: number): void {
    const { replica } = this;
    const { records } = replica;
    this.hostFree += this.hostBlocks[request]!;
    this.hostBlocks[request] = 0;
    records.parkedS += replica.clockS - this.parkedSinceS[request]!;
    const remaining = records.outputTokens[request]! - records.producedTokens[request]!;
    replica.decode.join(request, this.kvTokens[request]!, remaining);
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
