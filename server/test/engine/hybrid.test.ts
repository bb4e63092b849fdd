import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hybridKvApplies, prefixCachingApplies } from '../../src/engine/applies.ts';
import { fullLengthBlocks, type HybridGroups, hybridGroups } from '../../src/engine/kv/hybrid.ts';
import { loggedBlocks, memoryModel } from '../../src/engine/memory.ts';
import { DecodeBatch } from '../../src/engine/schedule/decodeBatch.ts';
import { simulate } from '../../src/engine/simulate.ts';
import type { EngineInput, ModelShape } from '../../src/engine/types.ts';
import { checkAgainstReference } from './checkAgainstReference.ts';
import { figureOneInput, hostileInput, LLAMA_2_7B, poolBlocks } from './inputs.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 700);

function windowed(localLayers: number, globalLayers: number, tokens: number): ModelShape {
  const slidingWindow = { tokens, kind: 'sliding' as const, localLayers, globalLayers };
  return { ...LLAMA_2_7B, layers: localLayers + globalLayers, slidingWindow };
}

/** gpt-oss-120b's layers, and one that runs with them: v1, vLLM, defaults of an A100. */
const GPT_OSS = { ...windowed(18, 18, 128), attentionType: 'gqa' as const, queryHeads: 64, kvHeads: 8, headDim: 64 };

function grouped(over: Partial<EngineInput> = {}): EngineInput {
  return figureOneInput(512, {
    model: GPT_OSS,
    scheduler: 'v1',
    hybridKvCache: true,
    prefixCaching: true,
    limits: { blockSizeTokens: 16, maxModelLenTokens: 16384, maxNumSeqs: 256, maxNumBatchedTokens: 2048 },
    ...over,
  });
}

/** Hostile plans in which groups of layers share the pool. */
const groupedInput = hostileInput
  .map((input): EngineInput => {
    const localLayers = Math.max(1, input.model.slidingWindow?.localLayers ?? 1);
    const globalLayers = Math.max(1, input.model.slidingWindow?.globalLayers ?? 1);
    const plain: EngineInput = {
      ...input,
      model: {
        ...input.model,
        layers: localLayers + globalLayers,
        slidingWindow: {
          tokens: input.model.slidingWindow?.tokens ?? 7,
          kind: 'sliding',
          localLayers,
          globalLayers,
        },
      },
      scheduler: 'v1',
      policy: 'vllm',
      hybridKvCache: true,
      parallelism: { ...input.parallelism, pipeline: 1 },
    };
    return plain;
  })
  .chain((input) =>
    fc.double({ min: 1, max: 4, noNaN: true }).map((factor) => ({ ...input, numGpuBlocks: poolBlocks(input, factor) })),
  );

describe('groups of layers with one pool', () => {
  it('are of equal size, the last ones padded', () => {
    const of = (local: number, global: number) => {
      const groups = hybridGroups(grouped({ model: windowed(local, global, 128) }));
      return groups === null ? null : [groups.globalGroups, groups.localGroups, groups.layersPerGroup];
    };
    // gpt-oss-120b, Gemma 2 9B, Gemma 3 12B and 27B (8 of 60 padded), and a draft layer more than half.
    assert.deepEqual(of(18, 18), [1, 1, 18]);
    assert.deepEqual(of(21, 21), [1, 1, 21]);
    assert.deepEqual(of(40, 8), [1, 5, 8]);
    assert.deepEqual(of(52, 10), [1, 6, 10]);
    assert.deepEqual(of(12, 13), [1, 1, 13]);
  });

  it('run where vLLM runs them and nothing excludes it', () => {
    const { workload } = grouped();
    assert.ok(hybridKvApplies(grouped()));
    const chunked = { ...GPT_OSS, slidingWindow: { ...GPT_OSS.slidingWindow!, kind: 'chunked' as const } };
    for (const over of [
      { hybridKvCache: false },
      { scheduler: 'v0' as const },
      { policy: 'layerkv' as const },
      { parallelism: { tensor: 1, pipeline: 2, data: 1, expert: 1 } },
      { kvOffload: { connector: 'offloading' as const, hostPoolBytes: 1e9 } },
      { model: LLAMA_2_7B },
      { model: chunked },
      { model: windowed(36, 0, 128) },
      { workload: { ...workload, sharedPrefix: { tokens: 100, share: 0.5 } } },
    ]) {
      assert.ok(!hybridKvApplies(grouped(over)), JSON.stringify(over));
    }
    // The prefix cache gives way, but not where prompts begin alike.
    assert.ok(!prefixCachingApplies(grouped()));
    assert.ok(prefixCachingApplies(grouped({ workload: { ...workload, sharedPrefix: { tokens: 100, share: 0.5 } } })));
    assert.ok(prefixCachingApplies(grouped({ model: LLAMA_2_7B })));
  });

  it('hold what a start-up log says: gpt-oss-120b on four A100, 0.10.1.1', () => {
    // "GPU KV cache size: 2,640,144 tokens" is blocks over two groups times 16; "Maximum concurrency … 284.25x".
    const logged = { numGpuBlocks: (2_640_144 / 16) * 2, parallelism: { tensor: 4, pipeline: 1, data: 1, expert: 1 } };
    const memory = memoryModel(grouped(logged));
    assert.equal((memory.kvTokens / 16384).toFixed(2), '284.25');
    // "Available KV cache memory: 45.32 GiB", over blocks of 18 layers with two KV heads each.
    const blockBytes = 18 * 2 * 2 * 64 * 2 * 16;
    assert.ok(Math.abs((logged.numGpuBlocks * blockBytes) / 2 ** 30 - 45.32) < 0.005);
    // LayerKV beside it counts blocks of all layers: half as many of twice the size.
    assert.equal(memoryModel(grouped({ ...logged, policy: 'layerkv' })).gpuBlocks, logged.numGpuBlocks / 2);
    // Where prompts begin alike, layers are simulated in full: the log stays the same.
    const alike = { ...grouped().workload, sharedPrefix: { tokens: 64, share: 1, groups: 1 } };
    const shared = grouped({ ...logged, prefixCaching: true, workload: alike });
    assert.equal(memoryModel(shared).gpuBlocks, logged.numGpuBlocks / 2);
  });

  it('are told from the tokens of a log, of before 0.20 and since', () => {
    const input = grouped({ parallelism: { tensor: 4, pipeline: 1, data: 1, expert: 1 } });
    const blocks = (2_640_144 / 16) * 2;
    assert.equal(loggedBlocks(input, 2_640_144, false), blocks);
    const since = loggedBlocks(input, memoryModel({ ...input, numGpuBlocks: blocks }).kvTokens, true);
    assert.ok(Math.abs(since - blocks) <= 1, String(since));
    assert.equal(loggedBlocks({ ...input, hybridKvCache: false }, 2_640_159, true), blocks / 2);
  });

  it('take half of the pool where half of the layers see 128 tokens', () => {
    const open = { gpuMemoryUtilization: 0.6 };
    const [withGroups, inFull] = [true, false].map(
      (hybridKvCache) => memoryModel(grouped({ ...open, hybridKvCache })).kvTokens,
    );
    const ratio = (withGroups ?? 0) / (inFull ?? 1);
    assert.ok(ratio > 1.7 && ratio < 2, String(ratio));
  });
});

describe('the decode batch with groups', () => {
  const state = fc.record({
    blockSize: fc.constantFrom(1, 3, 4, 16),
    windowTokens: fc.integer({ min: 1, max: 60 }),
    globalGroups: fc.integer({ min: 1, max: 3 }),
    localGroups: fc.integer({ min: 1, max: 6 }),
    kv: fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 6 }),
    strides: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 8 }),
    free: fc.integer({ min: 0, max: 200 }),
  });

  /** Blocks of one request after so many tokens, the last of them just computed: one by one. */
  function heldBlocks(groups: HybridGroups, blockSize: number, kv: number): number {
    let held = 0;
    for (let block = 0; block * blockSize < kv; block++) {
      const seen = (block + 1) * blockSize > kv - 1 - groups.windowTokens + 1;
      held += groups.globalGroups + (seen ? groups.localGroups : 0);
    }
    return held;
  }

  it('needs what a count block by block says, and never more than window and one block', () => {
    fc.assert(
      fc.property(state, ({ blockSize, windowTokens, globalGroups, localGroups, kv, strides, free }) => {
        const groups = { globalGroups, localGroups, layersPerGroup: 1, windowTokens };
        const batch = new DecodeBatch(kv.length, blockSize, Number.POSITIVE_INFINITY, groups);
        kv.forEach((tokens, request) => {
          batch.join(request, tokens, 100_000, globalGroups + localGroups, 0);
        });
        const heldAfter = (steps: number): number =>
          kv.reduce((sum, _, request) => sum + heldBlocks(groups, blockSize, batch.kvTokens(request) + steps), 0);
        for (const stride of strides) {
          const steady = batch.stepsToSlide();
          const steps = Math.min(stride, steady);
          assert.equal(batch.gpuBlocksForSteps(steps), heldAfter(steps) - heldAfter(0));
          let room = 0;
          while (room < Math.min(steady, 400) && heldAfter(room + 1) - heldAfter(0) <= free) room += 1;
          assert.equal(batch.stepsForGpuBlocks(free, Math.min(steady, 400)), room);
          batch.advance(steps);
        }
        kv.forEach((_, request) => {
          const tokens = batch.kvTokens(request);
          const local =
            (heldBlocks(groups, blockSize, tokens) - globalGroups * Math.ceil(tokens / blockSize)) / localGroups;
          assert.ok(local <= Math.ceil((windowTokens - 1) / blockSize) + 1);
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('agrees with the naive reference request by request', function () {
    this.timeout(120_000);
    fc.assert(
      fc.property(groupedInput, (input) => {
        assert.ok(hybridGroups(input) !== null);
        checkAgainstReference(input);
      }),
      { numRuns: RUNS },
    );
  });

  it('meets preemptions, chunks longer than the window, and both ways of admission', () => {
    const met = { preempted: 0, longChunks: 0, whole: 0 };
    for (const input of fc.sample(groupedInput, { numRuns: 1500, seed: 5 })) {
      const { records } = simulate(input);
      met.preempted += records.preemptions > 0 ? 1 : 0;
      const window = input.model.slidingWindow?.tokens ?? 0;
      met.longChunks +=
        input.limits.maxNumBatchedTokens > window && records.inputTokens.some((n) => n > window) ? 1 : 0;
      met.whole += input.limits.reserveFullSequence === true ? 1 : 0;
    }
    for (const [what, times] of Object.entries(met)) assert.ok(times > 20, `${what}: ${times}`);
  });

  it('runs more requests at once than with all layers in full', () => {
    const base = { gpuMemoryUtilization: 0.35, slo: { ttftS: null, tpotS: null, attainment: 0.99 } };
    const workload = { ...grouped().workload, requests: 200 };
    const busy = { ...workload, source: { ...workload.source, arrivals: { kind: 'burst' as const } } };
    const makespan = (hybridKvCache: boolean): number =>
      simulate(grouped({ ...base, hybridKvCache, prefixCaching: false, workload: busy as EngineInput['workload'] }))
        .makespanS;
    assert.ok(makespan(true) < makespan(false));
    assert.ok(fullLengthBlocks(hybridGroups(grouped())!, grouped().limits) < 2 * (16384 / 16));
  });
});
