/**
 * Requests that have their first token and are not decoding: parked with layers on the host, being reloaded, or on
 * their way out. Each direction of the link serves one transfer after the other.
 */

import type { Holdings } from './holdings.ts';
import type { LayerKvConfig } from './layerkv.ts';
import type { Replica } from './replica.ts';
import { SIMULTANEOUS_S } from './simultaneous.ts';

const NONE = -1;

export class Parking {
  /** Requests that wait for their layers, in the order of their first tokens. */
  readonly parked: number[] = [];
  readonly reloading: number[] = [];
  readonly leaving: number[] = [];
  /** When the device-to-host link is free, s. */
  linkOutFreeS = 0;
  /** Blocks came free since the boundary: parked requests may start to reload at the next one. */
  stirred = false;

  private readonly config: LayerKvConfig;
  private readonly replica: Replica;
  private readonly holdings: Holdings;
  private readonly sinceS: Float64Array;
  private readonly held: Uint8Array;
  /** When each transfer under way ends, s, in the order of those who wait for it. */
  private readonly reloadEndsS: number[] = [];
  private readonly leaveEndsS: number[] = [];
  private linkInFreeS = 0;
  /** How many of the parked have layers on the GPU. */
  private partlyResident = 0;

  constructor(config: LayerKvConfig, replica: Replica, holdings: Holdings) {
    this.config = config;
    this.replica = replica;
    this.holdings = holdings;
    this.sinceS = new Float64Array(replica.records.count);
    this.held = new Uint8Array(replica.records.count);
  }

  get count(): number {
    return this.parked.length + this.reloading.length + this.leaving.length;
  }

  holds(request: number): boolean {
    return this.held[request] === 1;
  }

  /** When the next transfer that something waits for ends, s; Infinity when none is under way. */
  nextEventS(): number {
    return this.isMoving() ? Math.min(firstOf(this.reloadEndsS), firstOf(this.leaveEndsS)) : Number.POSITIVE_INFINITY;
  }

  /** First token is out, layers are on the host: wait for them. */
  park(request: number, kvTokens: number): void {
    this.replica.recorder?.parked(request);
    this.holdings.kvTokens[request] = kvTokens;
    this.sinceS[request] = this.replica.clockS;
    this.held[request] = 1;
    this.enterParked(request);
  }

  /** Transfers that have ended by now: what left is parked, what came back joins the decode batch. */
  completeTransfers(): void {
    this.stirred = false;
    if (!this.isMoving()) return;
    const nowS = this.replica.clockS + SIMULTANEOUS_S;
    while (firstOf(this.leaveEndsS) <= nowS) this.completeLeaving();
    while (firstOf(this.reloadEndsS) <= nowS) this.joinFirst();
  }

  /** The first of the parked starts to reload its `missing` layers into `needed` layer-blocks. */
  reloadFirst(missing: number, needed: number): void {
    const { replica, config, holdings } = this;
    const request = this.parked.shift()!;
    if (holdings.retained[request]! > 0) this.partlyResident -= 1;
    const kvTokens = holdings.kvTokens[request]!;
    const movedS = ((missing * config.link.reloadLayerS(kvTokens)) / config.link.sideBySide) * this.stretch();
    replica.freeLayerBlocks -= needed;
    holdings.retained[request] = config.layers;
    this.linkInFreeS = Math.max(this.linkInFreeS, replica.clockS) + movedS;
    replica.recorder?.transfer(
      this.linkInFreeS - movedS,
      this.linkInFreeS,
      config.link.sideBySide / config.link.stages,
    );
    replica.records.hostToDeviceBytes += missing * kvTokens * config.link.bytesPerTokenLayer;
    this.reloading.push(request);
    this.reloadEndsS.push(this.linkInFreeS);
  }

  /** Takes a request out of the decode batch and sends all its layers to the host. */
  sendAway(request: number): void {
    const { replica, holdings } = this;
    holdings.kvTokens[request] = replica.leaveDecode(request);
    this.sinceS[request] = replica.clockS;
    this.held[request] = 1;
    this.leave(request);
  }

  /**
   * Sends the resident layers of the last of the parked that has any to the host, if they find room there.
   * @param first place in the line from which on requests may lose their layers.
   * @returns layer-blocks that come free on the GPU; 0 if there is no such request.
   */
  emptyLast(first: number): number {
    const request = this.takeLastHolder(first, this.holdings.hostFree);
    return request === NONE ? 0 : this.leave(request);
  }

  /** Decode is short of blocks while layers are on their way out: waits for the first of them. @returns false if none is. */
  awaitLeaving(): boolean {
    if (this.leaving.length === 0) return false;
    this.replica.clockS = Math.max(this.replica.clockS, firstOf(this.leaveEndsS));
    this.completeLeaving();
    this.stirred = true;
    return true;
  }

  /**
   * Nothing runs and nothing moves: parked requests hold each other's blocks. The layers of the latest one that the host has
   * room for go there; where it has none, the latest one is computed again. @returns false when nobody but the first holds any.
   */
  untie(): boolean {
    return this.emptyLast(1) > 0 || this.dropLast();
  }

  private dropLast(): boolean {
    const { replica, holdings } = this;
    const request = this.takeLastHolder(1, Number.POSITIVE_INFINITY);
    if (request === NONE) return false;
    this.held[request] = 0;
    replica.records.wasParked(this.sinceS[request]!, replica.clockS);
    replica.dropToQueue(request, holdings.kvTokens[request]!);
    return true;
  }

  /** Takes the last of the parked, from place `first` on, that holds layer-blocks but no more than `most` out of the line. */
  private takeLastHolder(first: number, most: number): number {
    if (this.partlyResident === 0) return NONE;
    for (let k = this.parked.length - 1; k >= first; k--) {
      const blocks = this.residentBlocks(this.parked[k]!);
      if (blocks === 0 || blocks > most) continue;
      this.partlyResident -= 1;
      return this.parked.splice(k, 1)[0]!;
    }
    return NONE;
  }

  /** Layer-blocks on the GPU of a request outside the decode batch. */
  private residentBlocks(request: number): number {
    return this.holdings.retained[request]! * this.replica.blocksOf(this.holdings.kvTokens[request]!);
  }

  /** Whether anything is on the link. */
  isMoving(): boolean {
    return this.reloading.length > 0 || this.leaving.length > 0;
  }

  /** Transfers give way to the collectives of the decode batch as it is now. */
  private stretch(): number {
    return this.config.link.stretch(this.replica.decodeCollectiveS(), this.replica.decodeStepS());
  }

  /** The layers that a request has on the GPU start on their way to the host. @returns their layer-blocks. */
  private leave(request: number): number {
    const { replica, config, holdings } = this;
    const layers = holdings.retained[request]!;
    const tokens = holdings.kvTokens[request]!;
    const blocks = this.residentBlocks(request);
    holdings.takeHost(request, blocks);
    const movedS = ((layers * config.link.offloadLayerS(tokens)) / config.link.sideBySide) * this.stretch();
    this.linkOutFreeS = Math.max(this.linkOutFreeS, replica.clockS) + movedS;
    replica.recorder?.transfer(
      this.linkOutFreeS - movedS,
      this.linkOutFreeS,
      config.link.sideBySide / config.link.stages,
    );
    replica.records.transferS += movedS;
    replica.records.deviceToHostBytes += layers * tokens * config.link.bytesPerTokenLayer;
    this.leaving.push(request);
    this.leaveEndsS.push(this.linkOutFreeS);
    return blocks;
  }

  /** The first of the leaving is on the host and its blocks are free. */
  private completeLeaving(): void {
    const request = this.leaving.shift()!;
    this.leaveEndsS.shift();
    this.replica.freeLayerBlocks += this.residentBlocks(request);
    this.holdings.retained[request] = 0;
    this.enterParked(request);
  }

  /** The first of the reloading has all its layers again. */
  private joinFirst(): void {
    const { replica, holdings } = this;
    const request = this.reloading.shift()!;
    this.reloadEndsS.shift();
    holdings.freeHost(request);
    this.held[request] = 0;
    replica.records.wasParked(this.sinceS[request]!, replica.clockS);
    replica.joinDecode(request, holdings.kvTokens[request]!);
  }

  /** Whoever had the first token first is reloaded first, whatever happened to it since. */
  private enterParked(request: number): void {
    if (this.holdings.retained[request]! > 0) this.partlyResident += 1;
    const { firstTokenS } = this.replica.records;
    const { parked } = this;
    let place = 0;
    for (let end = parked.length; place < end; ) {
      const middle = (place + end) >> 1;
      if (firstTokenS[parked[middle]!]! > firstTokenS[request]!) end = middle;
      else place = middle + 1;
    }
    parked.splice(place, 0, request);
  }
}

function firstOf(endsS: readonly number[]): number {
  return endsS.length === 0 ? Number.POSITIVE_INFINITY : endsS[0]!;
}
