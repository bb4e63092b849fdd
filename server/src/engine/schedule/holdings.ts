/** Where the layers of each request's KV lie: so many on the GPU, so many blocks of the host pool. */
export class Holdings {
  /** Layers on the GPU; all of them while a request decodes. */
  readonly retained: Int32Array;
  /** Layers that stream from the host in every step (`residency: stream`). */
  readonly streamed: Int32Array;
  /** KV tokens of requests outside the decode batch. */
  readonly kvTokens: Int32Array;
  /** Free layer-blocks of the host pool. */
  hostFree: number;
  private readonly hostBlocks: Float64Array;

  constructor(requests: number, hostLayerBlocks: number) {
    this.retained = new Int32Array(requests);
    this.streamed = new Int32Array(requests);
    this.kvTokens = new Int32Array(requests);
    this.hostBlocks = new Float64Array(requests);
    this.hostFree = hostLayerBlocks;
  }

  takeHost(request: number, layerBlocks: number): void {
    this.hostBlocks[request]! += layerBlocks;
    this.hostFree -= layerBlocks;
  }

  /** A streaming request's share has grown with its tokens. */
  setHost(request: number, layerBlocks: number): void {
    this.hostBlocks[request] = layerBlocks;
  }

  freeHost(request: number): void {
    this.hostFree += this.hostBlocks[request]!;
    this.hostBlocks[request] = 0;
  }
}
