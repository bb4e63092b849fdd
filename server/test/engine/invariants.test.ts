import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Pipeline } from '../../src/engine/cost/stages.ts';
import type { Lane } from '../../src/engine/schedule/lane.ts';
import { Replica } from '../../src/engine/schedule/replica.ts';
import { PrefillFirstScheduler } from '../../src/engine/schedule/vllmV0.ts';
import { ChunkedScheduler } from '../../src/engine/schedule/vllmV1.ts';
import { simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { hostileInput, poolBlocks } from './inputs.ts';

/** What a scheduler keeps to itself about its half-done prefill. */
interface Partial {
  readonly partial?: number;
  readonly doneTokens?: number;
  readonly totalTokens?: number;
}

/** Runs `look` before every call of a method, until undone. */
function onCall<T extends object>(
  prototype: T,
  name: string,
  look: (self: T, args: readonly unknown[]) => void,
): () => void {
  const original = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
  Reflect.set(prototype, name, function (this: T, ...args: unknown[]): unknown {
    look(this, args);
    return original.apply(this, args);
  });
  return () => {
    Reflect.set(prototype, name, original);
  };
}

/** KV tokens that a decoding request has blocks for: those of the step under way come with its start. */
function kvTokens(request: number, lane: Lane): number {
  return lane.decode.kvTokens(request) + (lane.busy ? 1 : 0);
}

/** Blocks that a request's windowed groups have given back, once `computed` tokens were behind the one to come. */
function givenBack({ config }: Replica, computed: number): number {
  if (config.hybrid === null) return 0;
  const firstSeen = computed + 1 - config.hybrid.windowTokens;
  let blocks = 0;
  for (let tokens = 1; tokens <= computed; tokens++) {
    const isBlocksLast = tokens % config.limits.blockSizeTokens === 0;
    if (isBlocksLast && tokens <= firstSeen) blocks += 1;
  }
  return blocks * config.hybrid.localGroups;
}

/** Layer-blocks that the replica's requests hold on the GPU, counted from the requests. */
function held(replica: Replica, { partial = -1, doneTokens = 0, totalTokens = 0 }: Partial): number {
  const { layerkv, config } = replica;
  const layersOf = (request: number): number => layerkv?.holdings.retained[request] ?? config.layers;
  let blocks = 0;
  for (const lane of replica.lanes) {
    const running = [...lane.decode.order.subarray(0, lane.decode.orderLength)].filter((request) => request >= 0);
    assert.equal(running.length, lane.decode.count, 'decoding requests of a lane');
    for (const request of running) {
      const tokens = kvTokens(request, lane);
      blocks += layersOf(request) * replica.blocksOf(tokens) - givenBack(replica, tokens - 1);
    }
  }
  assert.equal(
    replica.running,
    replica.lanes.reduce((sum, { decode }) => sum + decode.count, 0),
    'decoding requests',
  );
  for (const lane of replica.flights) {
    for (let k = 0; k < lane.chunks.length; k++) {
      const { request: requests, cached, tokens } = lane.chunks;
      const request = requests[k]!;
      const ends = request >= 0 && cached[k]! + tokens[k]! === replica.prefillTokens(request);
      assert.equal(lane.endsPrompt(k), ends, 'the last chunk of a prompt');
      if (!ends) continue;
      blocks += layersOf(request) * replica.blocksOf(replica.prefillTokens(request));
    }
  }
  if (layerkv !== null) {
    const { parked, reloading, leaving } = layerkv.parking;
    for (const request of [...parked, ...reloading, ...leaving]) {
      blocks += layerkv.holdings.retained[request]! * replica.blocksOf(layerkv.holdings.kvTokens[request]!);
    }
  }
  if (partial < 0) return blocks;
  if (layerkv === null) {
    return blocks + config.layers * replica.blocksOf(doneTokens) - givenBack(replica, doneTokens);
  }
  return blocks + layerkv.holdings.retained[partial]! * replica.blocksOf(totalTokens);
}

/** Layer-blocks held on the host, likewise. */
function heldOnHost(replica: Replica): number {
  const { layerkv } = replica;
  if (layerkv === null) return 0;
  const { holdings } = layerkv;
  const hostBlocks = Reflect.get(holdings, 'hostBlocks') as Float64Array;
  let blocks = 0;
  for (let request = 0; request < hostBlocks.length; request++) {
    const lane = holdings.streamed[request]! > 0 ? replica.laneOf(request) : null;
    blocks +=
      lane !== null ? holdings.streamed[request]! * replica.blocksOf(kvTokens(request, lane)) : hostBlocks[request]!;
  }
  return blocks;
}

describe('invariants, at every boundary of every engine', () => {
  const lastClockS = new WeakMap<Replica, number>();
  let looked = 0;
  const look = (replica: Replica, partial: Partial): void => {
    looked += 1;
    const { poolLayerBlocks, freeLayerBlocks, layerkv, clockS } = replica;
    assert.ok(
      freeLayerBlocks >= 0 && freeLayerBlocks <= poolLayerBlocks,
      `${freeLayerBlocks} of ${poolLayerBlocks} free`,
    );
    assert.equal(poolLayerBlocks - freeLayerBlocks, held(replica, partial), 'layer-blocks on the GPU');
    assert.ok(clockS >= (lastClockS.get(replica) ?? 0), 'the clock went back');
    lastClockS.set(replica, clockS);
    if (layerkv === null) return;
    const { hostFree } = layerkv.holdings;
    assert.ok(hostFree >= 0 && hostFree <= layerkv.config.hostLayerBlocks, `${hostFree} free on the host`);
    assert.equal(layerkv.config.hostLayerBlocks - hostFree, heldOnHost(replica), 'layer-blocks on the host');
  };
  const undo: (() => void)[] = [];

  beforeEach(() => {
    undo.push(
      onCall(PrefillFirstScheduler.prototype, 'admit', (self) => look(Reflect.get(self, 'replica') as Replica, {})),
      onCall(ChunkedScheduler.prototype, 'scheduleRunning', (self) =>
        look(Reflect.get(self, 'replica') as Replica, self as unknown as Partial),
      ),
      onCall(Pipeline.prototype, 'enter', (_self, [, stepS]) => assert.ok((stepS as number) >= 0)),
      onCall(Replica.prototype, 'enqueue', (self, [request]) => {
        // The clock jumps to an arrival only when there is nothing at all to do.
        const jumps = self.records.arrivalS[request as number]! > self.clockS + 1e-9;
        assert.ok(
          !jumps || self.load() === 0 || self.flights.length > 0 || self.config.passage !== null,
          'idle beside work',
        );
      }),
    );
  });
  afterEach(() => {
    for (const restore of undo.splice(0)) restore();
  });

  it('every layer-block has one owner, pools stay within bounds, clocks go forward, nobody idles beside work', () => {
    fc.assert(
      fc.property(hostileInput, (input) => {
        const { records } = simulate(input);
        assert.equal(records.finished + records.refused, records.count);
      }),
      { numRuns: 1500 },
    );
    assert.ok(looked > 20_000, `${looked} boundaries`);
  });

  it('host memory is enough for what streams and for who comes beside it, however small it is', () => {
    const layerkv = fc.record({ residency: fc.constant('stream' as const), hostPoolBytes: fc.constant(30_000) });
    const factor = fc.double({ min: 1.05, max: 6, noNaN: true });
    const tight = fc.tuple(hostileInput, layerkv, factor).map(([drawn, over, poolFactor]) => {
      const input: EngineInput = {
        ...drawn,
        scheduler: 'v1',
        policy: 'layerkv-no-slo',
        layerkv: { ...drawn.layerkv, ...over },
      };
      // What the drawn plan's blocks hold differs by scheduler and policy.
      return { ...input, numGpuBlocks: poolBlocks(input, poolFactor) };
    });
    fc.assert(
      fc.property(tight, (input) => void simulate(input)),
      { numRuns: 4000 },
    );
  });

  it('bytes moved are the bytes of the layers moved: whole tokens of whole layers', () => {
    fc.assert(
      fc.property(hostileInput, (input) => {
        const { records } = simulate(input);
        const perTokenLayer = 2 * input.model.kvHeads * input.model.headDim * 2;
        for (const bytes of [records.deviceToHostBytes, records.hostToDeviceBytes]) {
          assert.equal(bytes % perTokenLayer, 0);
          if (input.policy === 'vllm') assert.equal(bytes, 0);
        }
        // Without preemptions all that left for the host by parking came back, one prompt each, and nothing twice.
        if (
          input.scheduler === 'v0' &&
          input.layerkv.residency === 'reload' &&
          records.refused + records.preemptions === 0
        ) {
          const finishedAway = records.outputTokens.reduce(
            (sum, tokens, k) => sum + (tokens === 1 ? records.inputTokens[k]! * input.model.layers * perTokenLayer : 0),
            0,
          );
          assert.ok(records.hostToDeviceBytes <= records.deviceToHostBytes);
          assert.ok(records.hostToDeviceBytes >= records.deviceToHostBytes - finishedAway);
        }
      }),
      { numRuns: 800 },
    );
  });
});
