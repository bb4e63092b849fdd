/** What the naive reference knows at any time, and its memory, written for reading rather than speed. */

import { layerKvCanAct } from '../../src/engine/applies.ts';
import { type CostModel, emptyBatch, type StepBatch } from '../../src/engine/cost/types.ts';
import { type HybridGroups, hybridGroups } from '../../src/engine/kv/hybrid.ts';
import { type LinkLaw, linkLaw } from '../../src/engine/kv/link.ts';
import { prefillEstimate } from '../../src/engine/kv/retention.ts';
import { memoryModel } from '../../src/engine/memory.ts';
import { costModel } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { createRandom, type Random } from '../../src/engine/workload/random.ts';
import { drawWorkload } from '../../src/engine/workload/workload.ts';
import { ReferenceArrivals } from './referenceArrivals.ts';

export const NS = 1e-9;

export interface ReferenceRequest {
  readonly id: number;
  arrivalS: number;
  readonly input: number;
  readonly output: number;
  produced: number;
  prefillStartS: number;
  firstTokenS: number;
  finishS: number;
  /** Tokens whose KV is somewhere. */
  kv: number;
  /** Tokens the GPU blocks are reserved for. */
  reserved: number;
  /** Tokens computed when it was last looked at: with groups of layers, what its windows have moved past is given back. */
  looked: number;
  /** Per layer: on the GPU (true) or on the host. */
  onGpu: boolean[];
  hostReserved: number;
  predicted: number;
  reloadEndS: number;
  leavingLayers: number;
  /** Since when it has been out of the decode batch with a first token, s; NaN: it is not. */
  parkedSinceS: number;
  /** With `residency: stream`: layers that pass through in each step, and the slots on the GPU that they use. */
  streamed: number;
  slots: number;
  /** In a pipeline: steps under way that it appears in, and how often it has been preempted. */
  flights: number;
  dropped: number;
}

/** In a pipeline: a step under way. */
export interface ReferenceFlight {
  readonly startS: number;
  readonly endS: number;
  readonly prefills: readonly { readonly r: ReferenceRequest; readonly tokens: number; readonly dropped: number }[];
  readonly transient: number;
  readonly joining: number;
  readonly settle: () => void;
}

/** One round of admissions: what it has claimed, and the budget as it was when the first prompt asked. */
export interface Round {
  claimed: number;
  transient: number;
  budget: number | null;
}

export interface Stay {
  readonly fromS: number;
  readonly toS: number;
}

export interface ReferenceRun {
  readonly requests: readonly Pick<ReferenceRequest, 'id' | 'arrivalS' | 'prefillStartS' | 'firstTokenS' | 'finishS'>[];
  /** Only with prefix caching. */
  readonly cachedTokens?: number;
  readonly loadedTokens?: number;
  readonly preemptions: number;
  /** From when until when requests were parked, one entry a stay. */
  readonly stays?: readonly Stay[];
  readonly deviceToHostBytes: number;
  readonly hostToDeviceBytes: number;
  readonly refused: number;
}

/** State, memory and the LayerKV rules; the schedulers are in `reference.ts`. */
export class ReferenceState {
  protected readonly input: EngineInput;
  private readonly parts: number;
  protected readonly cost: CostModel;
  protected readonly layers: number;
  protected readonly pool: number;
  /** Groups of layers instead of layers, where vLLM's hybrid KV cache manager runs. */
  protected readonly hybrid: HybridGroups | null;
  protected readonly watermark: number;
  protected readonly acts: boolean;
  protected readonly requests: ReferenceRequest[];
  protected clock = 0;
  protected waiting: ReferenceRequest[] = [];
  /** Whether the last step has just ended, and who came when the step after it was already put together. */
  protected underWay = false;
  protected unseen: ReferenceRequest[] = [];
  protected running: ReferenceRequest[] = [];
  protected partial: ReferenceRequest | null = null;
  protected parked: ReferenceRequest[] = [];
  protected readonly stays: Stay[] = [];
  protected reloading: ReferenceRequest[] = [];
  protected finishedLengths: number[] = [];
  protected readonly arrivals: ReferenceArrivals<ReferenceRequest>;
  protected leaving: ReferenceRequest[] = [];
  protected linkFree = 0;
  protected linkOutFree = 0;
  protected joining = 0;
  readonly flights: ReferenceFlight[] = [];
  /** Requests whose last chunk is under way, in the order of admission. */
  protected prefilling: ReferenceRequest[] = [];
  protected lastDecode = 0;
  protected preemptions = 0;
  protected refused = 0;
  protected out = 0;
  protected back = 0;
  protected readonly random: Random;
  protected readonly estimate: (tokens: number) => number;
  protected readonly transfer: LinkLaw;

  /** @param parts virtual engines that share out blocks and host memory, of which this is number `part`. */
  constructor(input: EngineInput, part = 0, parts = 1) {
    this.input = input;
    this.parts = parts;
    this.cost = costModel(input);
    this.hybrid = hybridGroups(input);
    this.layers = this.hybrid === null ? input.model.layers : this.hybrid.globalGroups + this.hybrid.localGroups;
    const gpuBlocks = Math.floor(memoryModel(input).gpuBlocks / parts);
    this.pool = input.scheduler === 'v0' ? gpuBlocks : gpuBlocks - 1;
    this.watermark = input.scheduler === 'v0' ? Math.floor(0.01 * gpuBlocks) : 0;
    this.acts = input.policy !== 'vllm' && layerKvCanAct(input);
    const workload = drawWorkload(input.workload, input.limits.maxModelLenTokens);
    this.requests = Array.from({ length: workload.count }, (_, id) => ({
      id,
      arrivalS: workload.arrivalS[id]!,
      input: workload.inputTokens[id]!,
      output: workload.outputTokens[id]!,
      produced: 0,
      prefillStartS: Number.NaN,
      firstTokenS: Number.NaN,
      finishS: Number.NaN,
      kv: 0,
      reserved: 0,
      looked: 0,
      onGpu: [],
      hostReserved: 0,
      predicted: 0,
      reloadEndS: 0,
      leavingLayers: 0,
      parkedSinceS: Number.NaN,
      streamed: 0,
      slots: 0,
      flights: 0,
      dropped: 0,
    }));
    this.arrivals = new ReferenceArrivals(this.requests, workload.closedConcurrency, this.cost.frontEnd);
    this.random = createRandom(input.workload.seed + 7919 * part, 'predictor');
    this.estimate = prefillEstimate(input);
    this.transfer = linkLaw(input, this.cost.collectives);
  }

  protected blocks(tokens: number): number {
    return Math.ceil(tokens / this.input.limits.blockSizeTokens);
  }

  /** Blocks of the pool: of single layers, or of groups. */
  protected poolBlocks(): number {
    return this.hybrid === null ? this.pool * this.layers : this.pool;
  }

  /** Blocks that a request's windowed groups have given back: whole blocks before the first token the next one sees. */
  private slid({ looked }: ReferenceRequest): number {
    if (this.hybrid === null) return 0;
    const firstSeen = looked - this.hybrid.windowTokens + 1;
    let blocks = 0;
    while ((blocks + 1) * this.input.limits.blockSizeTokens <= firstSeen) blocks += 1;
    return blocks * this.hybrid.localGroups;
  }

  /** Blocks that admission reckons with for a whole sequence: a windowed group never holds more than window and chunk. */
  protected sequenceBlocks(tokens: number): number {
    if (this.hybrid === null) return this.blocks(tokens) * this.layers;
    const { maxModelLenTokens, maxNumBatchedTokens } = this.input.limits;
    const held = Math.min(this.hybrid.windowTokens - 1 + maxNumBatchedTokens, maxModelLenTokens);
    const windowed = Math.min(this.blocks(tokens), this.blocks(held) + 1);
    return this.hybrid.globalGroups * this.blocks(tokens) + this.hybrid.localGroups * windowed;
  }

  protected free(): number {
    let used = 0;
    for (const r of this.requests) {
      used += r.slots * this.blocks(r.reserved);
      for (const gpu of r.onGpu) if (gpu) used += this.blocks(r.reserved);
      used -= this.slid(r);
    }
    return this.poolBlocks() - used;
  }

  protected hostFree(): number {
    const { hostPoolBytes } = this.input.layerkv;
    const block = this.transfer.bytesPerTokenLayer * this.input.limits.blockSizeTokens;
    let used = 0;
    for (const r of this.requests) used += r.hostReserved;
    return Math.floor(hostPoolBytes / this.input.parallelism.data / this.parts / block) - used;
  }

  protected growthOf(r: ReferenceRequest): number {
    const layers = r.onGpu.filter((gpu) => gpu).length + r.slots;
    return (this.blocks(r.kv + 1) - this.blocks(r.kv)) * layers;
  }

  protected growth(): number {
    let needed = 0;
    for (const r of this.ready()) needed += this.growthOf(r);
    return needed;
  }

  /** Those who decode and are not in a step under way. */
  protected ready(): ReferenceRequest[] {
    return this.running.filter((r) => r.flights === 0);
  }

  /** Layer-blocks that layers on their way out occupy in steps under way. */
  protected transientInFlight(): number {
    return this.flights.reduce((sum, flight) => sum + flight.transient, 0);
  }

  /** Layer-blocks on the host that the coming step's decodes take for layers that stream. */
  protected hostGrowth(): number {
    let host = 0;
    for (const r of this.ready()) host += (this.blocks(r.kv + 1) - this.blocks(r.kv)) * r.streamed;
    return host;
  }

  protected isShort(): boolean {
    return this.growth() > this.free() - this.transientInFlight() || this.hostGrowth() > this.hostFree();
  }

  protected drop(r: ReferenceRequest): void {
    r.onGpu = [];
    r.streamed = 0;
    r.slots = 0;
    r.hostReserved = 0;
    r.kv = 0;
    r.reserved = 0;
    r.looked = 0;
    r.dropped += 1;
    this.prefilling = this.prefilling.filter((other) => other !== r);
    this.preemptions += 1;
    this.waiting.unshift(r);
  }

  protected finish(r: ReferenceRequest): void {
    r.finishS = this.clock;
    r.onGpu = [];
    r.streamed = 0;
    r.slots = 0;
    r.hostReserved = 0;
    r.reserved = 0;
    r.looked = 0;
    this.running = this.running.filter((other) => other !== r);
    this.finishedLengths.push(r.output);
  }

  protected collectiveS(tokens: number): number {
    return this.cost.collectives?.secondsS(tokens) ?? 0;
  }

  protected decodeS(decodes: readonly ReferenceRequest[]): number {
    if (decodes.length === 0) return 0;
    const batch = emptyBatch();
    for (const r of decodes) this.addDecode(batch, r);
    return this.cost.stepS(batch);
  }

  protected addDecode(batch: StepBatch, r: ReferenceRequest): void {
    const window = this.cost.windowTokens;
    batch.decodeSeqs += 1;
    batch.sampledSeqs += 1;
    batch.decodeContextTokens += r.kv + 1;
    if (Number.isFinite(window)) batch.decodeWindowTokens += Math.min(r.kv + 1, window);
  }
}
