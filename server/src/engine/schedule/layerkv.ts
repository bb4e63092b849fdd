/**
 * The LayerKV policy (arXiv 2410.00428) over one replica: layers of a prompt's KV stay on the GPU or leave for the
 * host during prefill; a request with layers on the host parks after its first token, is reloaded once when blocks
 * allow, and then joins the decode batch. What the paper leaves open is a named option (see `docs/engine.md`).
 */
import type { LinkLaw } from '../kv/link.ts';
import { OverlapTimer } from '../kv/overlap.ts';
import { minimumRetainedLayers } from '../kv/retention.ts';
import type { LayerKvOptions } from '../types.ts';
import type { Chunks } from './chunks.ts';
import { Holdings } from './holdings.ts';
import type { Lane } from './lane.ts';
import { Parking } from './parking.ts';
import type { LengthPredictor } from './predictor.ts';
import { PressureWatch } from './pressure.ts';
import type { Replica } from './replica.ts';
import { SloGate } from './sloGate.ts';

export interface LayerKvConfig {
  readonly options: LayerKvOptions;
  readonly layers: number;
  readonly poolLayerBlocks: number;
  readonly hostLayerBlocks: number;
  readonly link: LinkLaw;
  /** The policy's own estimate of a prefill, s. */
  readonly prefillEstimateS: (promptTokens: number) => number;
  /** TPOT objective, s; null: no budget. Off in the ablation. */
  readonly tpotS: number | null;
}

export class LayerKv {
  readonly config: LayerKvConfig;
  readonly holdings: Holdings;
  readonly parking: Parking;
  /** Predicted output length of each request, tokens. */
  readonly predictedTokens: Int32Array;
  /** Layer-blocks below which the forecast of free blocks calls for offloading. */
  readonly threshold: number;

  private readonly replica: Replica;
  private readonly predictor: LengthPredictor;
  private readonly reserve: number;
  /** Layer-blocks of layers on their way out in the steps under way and the one being put together. */
  transientHeld = 0;
  private readonly gate: SloGate;
  private readonly pressure: PressureWatch;
  private readonly overlap: OverlapTimer;
  /** Requests admitted in this round with all their layers: they will grow in the next step. */
  private joining = 0;
  /** The queue's head is asked about in every step: its prefill estimate, s, and the layers that its time makes stay. */
  private askedTokens = -1;
  private askedS = 0;
  private askedLayers = 0;
  /** What of both belongs to steps under way. */
  private joiningBefore = 0;
  private transientBefore = 0;

  constructor(config: LayerKvConfig, replica: Replica, predictor: LengthPredictor) {
    this.config = config;
    this.replica = replica;
    this.predictor = predictor;
    this.predictedTokens = new Int32Array(replica.records.count);
    this.holdings = new Holdings(replica.records.count, config.hostLayerBlocks);
    this.parking = new Parking(config, replica, this.holdings);
    this.gate = new SloGate(replica, this);
    this.pressure = new PressureWatch(replica, this);
    this.overlap = new OverlapTimer(config.layers, config.options.transientLayers);
    this.reserve = layerBlocksOf(config.options.growthReserve, config.poolLayerBlocks);
    this.threshold = layerBlocksOf(config.options.offloadThreshold, config.poolLayerBlocks);
  }

  /**
   * A step has ended: reloaded requests join, parked ones start to reload, layers leave if blocks will run short, and a
   * new round of admissions begins.
   * @param inFlightTokens prompt tokens that an unfinished prefill still has to compute; they weigh on the budget.
   */
  boundary(inFlightTokens: number): void {
    const { flights } = this.replica;
    this.joining = 0;
    this.transientHeld = 0;
    for (let k = 0; k < flights.length; k++) {
      this.joining += flights[k]!.joining;
      this.transientHeld += flights[k]!.transient;
    }
    this.joiningBefore = this.joining;
    this.transientBefore = this.transientHeld;
    this.parking.completeTransfers();
    this.startReloads();
    if (this.config.options.residency === 'reload') this.pressure.relieve();
    this.gate.open(inFlightTokens > 0 ? this.config.prefillEstimateS(inFlightTokens) : 0);
  }

  /** A lane's step begins: what this round has admitted stays with it until it ends. */
  rememberRound(lane: Lane): void {
    lane.joining = this.joining - this.joiningBefore;
    lane.transient = this.transientHeld - this.transientBefore;
  }

  /**
   * Decode steps that can pass before anything here has to be looked at again, at least 1 and at most `most`.
   * @param nextStepS how long the first of them takes, s; they grow from there.
   */
  steadySteps(nextStepS: number, most: number): number {
    if (this.parking.stirred) return 1;
    const gateSteps = Math.min(most, this.gate.steadySteps(nextStepS));
    return this.config.options.residency === 'reload' ? this.pressure.steadySteps(gateSteps) : gateSteps;
  }

  /**
   * Takes blocks for a prompt's prefill if memory and the SLO budget allow it.
   * @param setAside layer-blocks that are spoken for on the GPU, and on the host.
   */
  admit(request: number, tokens: number, setAside: number, hostSetAside: number): boolean {
    const { replica, holdings } = this;
    if (tokens !== this.askedTokens) this.estimate(tokens);
    const blocks = replica.blocksOf(tokens);
    const retained = this.chooseRetained(blocks, setAside, hostSetAside);
    if (retained < 0) return false;
    if (!this.gate.claim(this.askedS)) return false;
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

  private estimate(tokens: number): void {
    const { config } = this;
    this.askedTokens = tokens;
    this.askedS = config.prefillEstimateS(tokens);
    this.askedLayers = minimumRetainedLayers(config.layers, tokens * config.link.offloadTokenLayerS, this.askedS);
  }

  /** Whether the transient layers of a later chunk (`tokens` in all so far) find room in this step; takes it if so. */
  chunkFits(request: number, tokens: number, setAside: number): boolean {
    const leaving = this.config.layers - this.holdings.retained[request]!;
    const needed = Math.min(this.config.options.transientLayers, leaving) * this.replica.blocksOf(tokens);
    if (this.transientHeld + needed > this.replica.freeLayerBlocks - setAside) return false;
    this.transientHeld += needed;
    return true;
  }

  /** Duration of a step that computes these chunks in `computeS`, with their transfers. */
  prefillStepS(computeS: number, chunks: Chunks): number {
    const { config, replica, parking, overlap } = this;
    const { link, layers } = config;
    const { records } = replica;
    const stretch = link.stretch(replica.collectiveS(), computeS);
    let moves = false;
    for (let k = 0; k < chunks.length; k++) {
      const request = chunks.request[k]!;
      if (!this.isPartlyOnHost(request)) continue;
      if (!moves) overlap.reset();
      moves = true;
      const cached = chunks.cached[k]!;
      const tokens = chunks.tokens[k]!;
      const retained = this.holdings.retained[request]!;
      overlap.add(retained, stretch * link.offloadLayerS(tokens), stretch * link.reloadLayerS(cached));
      records.deviceToHostBytes += tokens * (layers - retained) * link.bytesPerTokenLayer;
      records.hostToDeviceBytes += cached * (layers - retained) * link.bytesPerTokenLayer;
    }
    if (!moves) return computeS + this.decodeWaitS();
    const heldUpS =
      computeS +
      link.collectiveWaitS(parking.isMoving() || replica.decode.streamLayers > 0 ? 1 : overlap.totalS() / computeS);
    const { stepS, transferS, linkFreeS } = overlap.run(heldUpS, Math.max(0, parking.linkOutFreeS - replica.clockS));
    const exposedS = Math.min(transferS, stepS - computeS);
    // In a pipeline another batch is in another stage, whose link is its own.
    if ((replica.config.passage?.depth ?? 1) === 1) parking.linkOutFreeS = replica.clockS + linkFreeS;
    replica.recorder?.transfer(replica.clockS, replica.clockS + Math.min(transferS, stepS), 1 / link.stages);
    records.transferS += transferS;
    records.exposedTransferS += exposedS;
    for (let k = 0; k < chunks.length; k++) {
      const request = chunks.request[k]!;
      if (Number.isNaN(records.firstTokenS[request]!)) records.exposedS[request]! += exposedS;
    }
    return stepS;
  }

  /** What the collectives of a step wait for reloads and offloads under way, s. */
  decodeWaitS(): number {
    const busy = this.parking.isMoving() || this.replica.decode.streamLayers > 0;
    return busy ? this.config.link.collectiveWaitS(1) : 0;
  }

  isPartlyOnHost(request: number): boolean {
    return this.holdings.retained[request]! < this.config.layers;
  }

  /** First token is out, layers are on the host: wait for them, or decode with them passing through. */
  afterPrefill(request: number, kvTokens: number): void {
    const { holdings, replica, config } = this;
    if (config.options.residency === 'reload') {
      this.parking.park(request, kvTokens);
      return;
    }
    const missing = config.layers - holdings.retained[request]!;
    // The slots that its layers passed through while they left are where they pass through from now on.
    const slots = Math.min(config.options.transientLayers, missing);
    holdings.streamed[request] = missing;
    holdings.retained[request]! += slots;
    replica.freeLayerBlocks -= slots * replica.blocksOf(kvTokens);
    replica.joinDecode(request, kvTokens);
  }

  /** Gives back everything a request holds, on the GPU and on the host. */
  release(request: number, kvTokens: number): void {
    const { holdings, replica } = this;
    const blocks = replica.blocksOf(kvTokens);
    replica.freeLayerBlocks += holdings.retained[request]! * blocks;
    holdings.retained[request] = 0;
    if (holdings.streamed[request]! > 0) holdings.setHost(request, holdings.streamed[request]! * blocks);
    holdings.streamed[request] = 0;
    holdings.freeHost(request);
  }

  learn(request: number): void {
    this.predictor.learn(this.replica.records.outputTokens[request]!);
  }

  private startReloads(): void {
    const { parking, holdings, replica, config } = this;
    while (parking.parked.length > 0 && replica.running + parking.reloading.length < replica.config.limits.maxNumSeqs) {
      const request = parking.parked[0]!;
      const missing = config.layers - holdings.retained[request]!;
      const needed = missing * replica.blocksOf(holdings.kvTokens[request]!);
      if (replica.freeLayerBlocks - this.transientHeld - needed < this.floor(0)) return;
      parking.reloadFirst(missing, needed);
    }
  }

  /** Layers of the prompt asked about that stay, −1 when it cannot start now. */
  private chooseRetained(blocks: number, setAside: number, hostSetAside: number): number {
    const { config, replica, parking } = this;
    const { layers } = config;
    const available = replica.freeLayerBlocks - setAside - this.transientHeld;
    const spare = available - this.floor(this.joining);
    // Whoever is parked came first: until they are back, newcomers take no more than they must.
    const alone = parking.parked.length === 0;
    if (alone && spare >= layers * blocks) return layers;
    const least = Math.max(this.askedLayers, layers - Math.floor((this.holdings.hostFree - hostSetAside) / blocks));
    if (least >= layers) return -1;
    const most = alone ? Math.max(least, Math.min(layers - 1, Math.floor(spare / blocks))) : least;
    for (let kept = most; kept >= least; kept--) {
      const transient = Math.min(config.options.transientLayers, layers - kept);
      if ((kept + transient) * blocks > available) continue;
      // Slots for every missing layer: nothing would ever leave them.
      return config.options.residency === 'stream' && kept + transient === layers ? layers : kept;
    }
    return -1;
  }

  /**
   * Layer-blocks that admissions and reloads leave free: the growth reserve, or what keeps the pressure watch from
   * sending away at once what has just come. Nothing when nobody else runs: somebody has to.
   * @param joining requests that will run beside the batch from the next step on, the newcomer not counted.
   */
  floor(joining: number): number {
    const others = this.replica.running + this.parking.reloading.length + joining;
    return others > 0 ? Math.max(this.reserve, this.threshold + (others + 1) * this.config.layers) : 0;
  }
}

/** A share of the pool in whole layer-blocks, rounded up but for the last bits of the product. */
function layerBlocksOf(share: number, poolLayerBlocks: number): number {
  return Math.ceil(share * poolLayerBlocks - 1e-9);
}
