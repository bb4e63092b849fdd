/** Engine inputs for tests: one plain default and a generator of small, hostile ones. */
import fc from 'fast-check';
import { memoryLaw } from '../../src/catalog/memoryLaws.ts';
import { fullLengthBlocks, hybridGroups } from '../../src/engine/kv/hybrid.ts';
import type { EngineInput, GpuFacts, ModelShape } from '../../src/engine/types.ts';

export const LLAMA_2_7B: ModelShape = {
  layers: 32,
  hiddenSize: 4096,
  attentionType: 'mha',
  queryHeads: 32,
  kvHeads: 32,
  headDim: 128,
  ffnSize: 11008,
  vocabSize: 32000,
  maxPositionTokens: 4096,
  tieEmbeddings: false,
  nativeWeightDtype: 'bf16',
};

export const L20: GpuFacts = {
  memoryBytes: 46068 * 2 ** 20,
  programMemoryBytes: 45588 * 2 ** 20,
  memoryKind: 'gddr',
  memoryBandwidthBytesPerS: 864e9,
  bf16FlopsPerS: 119.5e12,
  fp8FlopsPerS: 239e12,
  int8OpsPerS: 239e12,
  fp4FlopsPerS: 0,
  nvlinkBytesPerS: 0,
  hostLinkBytesPerS: 24e9,
  computeCapability: '8.9',
  kernels: { family: 'adaEcc', measured: false },
};

/** Figure 1's engine: Llama-2-7B on one L20, vLLM 0.5.5, Poisson 1 request/s, `tokens` in, 512 out. */
export function figureOneInput(tokens: number, over: Partial<EngineInput> = {}): EngineInput {
  return {
    model: LLAMA_2_7B,
    weightDtype: 'bf16',
    kvDtype: 'bf16',
    activationDtype: 'bf16',
    gpu: L20,
    parallelism: { tensor: 1, pipeline: 1, data: 1, expert: 1 },
    interconnect: 'pcie',
    hostLinkBytesPerS: 24e9,
    replicas: 1,
    routing: 'roundRobin',
    scheduler: 'v0',
    policy: 'vllm',
    limits: { blockSizeTokens: 16, maxModelLenTokens: 16896, maxNumSeqs: 256, maxNumBatchedTokens: 16896 },
    gpuMemoryUtilization: 0.9,
    memoryLaw: memoryLaw('0.5.5', 'v0', false).law,
    numGpuBlocks: null,
    enforceEager: false,
    asyncScheduling: false,
    layerkv: {
      hostPoolBytes: 200 * 2 ** 30,
      residency: 'reload',
      alpha: 1,
      transientLayers: 2,
      growthReserve: 0.01,
      offloadThreshold: 0.02,
      chunkBytes: 4 * 2 ** 20,
      lostRequests: 'block',
      countReloadWait: false,
      predictor: { buckets: 5, accuracy: 0.6 },
    },
    slo: { ttftS: 3, tpotS: 0.2, attainment: 0.99 },
    cost: { kind: 'roofline' },
    workload: {
      source: {
        kind: 'synthetic',
        arrivals: { kind: 'poisson', ratePerS: 1 },
        input: { kind: 'fixed', tokens },
        output: { kind: 'fixed', tokens: 512 },
      },
      requests: 100,
      seed: 1,
    },
    ...over,
  };
}

/** A hand-made law: so many milliseconds a prompt token, and so many a decode step whatever it holds. */
export function handMadeCost(prefillPerTokenMs: number, decodeBaseMs: number): EngineInput['cost'] {
  const nothing = { prefillBaseMs: 0, decodePerSequenceMs: 0, decodePerContextTokenMs: 0 };
  return { kind: 'linear', linear: { ...nothing, prefillPerTokenMs, decodeBaseMs } };
}

const length = fc.oneof(
  fc.record({ kind: fc.constant('fixed' as const), tokens: fc.integer({ min: 1, max: 60 }) }),
  fc
    .record({
      kind: fc.constant('uniform' as const),
      min: fc.integer({ min: 1, max: 30 }),
      more: fc.integer({ min: 0, max: 60 }),
    })
    .map(({ kind, min, more }) => ({ kind, min, max: min + more })),
  fc.record({
    kind: fc.constant('lognormal' as const),
    median: fc.integer({ min: 1, max: 30 }),
    sigma: fc.double({ min: 0, max: 1.2, noNaN: true }),
  }),
);

const rate = fc.double({ min: 0.5, max: 200, noNaN: true });

const arrivals = fc.oneof(
  fc.record({ kind: fc.constant('poisson' as const), ratePerS: rate }),
  fc.record({ kind: fc.constant('constant' as const), ratePerS: rate }),
  fc.record({ kind: fc.constant('gamma' as const), ratePerS: rate, cv: fc.double({ min: 0.2, max: 4, noNaN: true }) }),
  fc.record({ kind: fc.constant('closed' as const), concurrency: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant('burst' as const) }),
  fc.record({ kind: fc.constant('serial' as const) }),
);

const factor = fc.double({ min: 0.2, max: 5, noNaN: true });

const EXPERTS = { experts: 8, topK: 2, expertFfn: 32, sharedFfnTotal: 0, firstDenseLayers: 0, moeEvery: 1 };

/** Small models, tight pools, slow links: what makes schedulers preempt, park and wait. One replica each. */
export const hostileInput: fc.Arbitrary<EngineInput> = fc
  .record({
    layers: fc.integer({ min: 1, max: 7 }),
    window: fc.option(fc.integer({ min: 1, max: 50 })),
    hybrid: fc.boolean(),
    asyncScheduling: fc.boolean(),
    localShare: fc.double({ min: 0, max: 1, noNaN: true }),
    scheduler: fc.constantFrom('v0' as const, 'v1' as const),
    policy: fc.constantFrom('vllm' as const, 'layerkv' as const, 'layerkv-no-slo' as const, 'layerkv-no-slo' as const),
    blockSizeTokens: fc.constantFrom(1, 3, 4, 16),
    maxModelLenTokens: fc.integer({ min: 20, max: 160 }),
    poolFactor: fc.double({ min: 1.05, max: 6, noNaN: true }),
    maxNumSeqs: fc.integer({ min: 1, max: 12 }),
    reserveFullSequence: fc.boolean(),
    budget: fc.integer({ min: 12, max: 200 }),
    linkBytesPerS: fc.constantFrom(0, 2e4, 2e5, 5e5, 1e6, 2e6, 2e6, 1e9),
    hostBytes: fc.constantFrom(0, 3e3, 3e4, 1e9, 1e9),
    linear: fc.option(
      fc.record({
        prefillBaseMs: fc.double({ min: 0, max: 5, noNaN: true }),
        prefillPerTokenMs: fc.double({ min: 0.01, max: 1, noNaN: true }),
        decodeBaseMs: fc.double({ min: 0.5, max: 10, noNaN: true }),
        decodePerSequenceMs: fc.double({ min: 0, max: 1, noNaN: true }),
        decodePerContextTokenMs: fc.double({ min: 0, max: 0.05, noNaN: true }),
      }),
      { freq: 2 },
    ),
    costScale: fc.option(fc.record({ prefill: factor, decode: factor, overhead: factor }), { freq: 2 }),
    transientLayers: fc.integer({ min: 1, max: 3 }),
    tensor: fc.constantFrom(1, 2),
    pipeline: fc.constantFrom(1, 1, 2, 3),
    data: fc.constantFrom(1, 1, 1, 2, 3),
    expertParallel: fc.boolean(),
    chunkBytes: fc.constantFrom(16, 256, 4096),
    growthReserve: fc.constantFrom(0, 0.01, 0.1),
    offloadThreshold: fc.constantFrom(0, 0.02, 0.2),
    countReloadWait: fc.boolean(),
    residency: fc.constantFrom('reload' as const, 'reload' as const, 'reload' as const, 'stream' as const),
    lostRequests: fc.constantFrom('block' as const, 'ignore' as const),
    accuracy: fc.constantFrom(0, 0.6, 1),
    buckets: fc.integer({ min: 1, max: 6 }),
    tpotS: fc.option(fc.double({ min: 0.0005, max: 0.1, noNaN: true })),
    arrivals,
    input: length,
    output: length,
    requests: fc.integer({ min: 1, max: 40 }),
    seed: fc.integer({ min: 0, max: 1_000_000 }),
  })
  .map((draw): EngineInput => {
    // Ranks that step together; others have nothing to do with each other.
    const data = draw.scheduler === 'v1' && draw.pipeline === 1 ? draw.data : 1;
    const model: ModelShape = {
      layers: draw.layers,
      hiddenSize: 64,
      attentionType: 'gqa',
      queryHeads: 4,
      kvHeads: 2,
      headDim: 16,
      ffnSize: 128,
      vocabSize: 500,
      maxPositionTokens: 512,
      tieEmbeddings: true,
      nativeWeightDtype: 'bf16',
      ...(data === 1 ? {} : { moe: EXPERTS }),
      ...(draw.window === null
        ? {}
        : {
            slidingWindow: {
              tokens: draw.window,
              kind: 'sliding' as const,
              localLayers: Math.floor(draw.layers * draw.localShare),
              globalLayers: draw.layers - Math.floor(draw.layers * draw.localShare),
            },
          }),
    };
    const input = figureOneInput(1, {
      model,
      gpu: { ...L20, memoryBandwidthBytesPerS: 5e7, bf16FlopsPerS: 5e9 },
      hostLinkBytesPerS: draw.linkBytesPerS,
      parallelism: {
        tensor: draw.tensor,
        pipeline: Math.min(draw.pipeline, draw.layers),
        data,
        expert: data > 1 && draw.expertParallel ? draw.tensor * data : 1,
      },
      scheduler: draw.scheduler,
      policy: draw.policy,
      limits: {
        blockSizeTokens: draw.blockSizeTokens,
        maxModelLenTokens: draw.maxModelLenTokens,
        maxNumSeqs: Math.min(draw.maxNumSeqs, draw.budget),
        maxNumBatchedTokens: draw.budget,
        reserveFullSequence: draw.reserveFullSequence,
      },
      hybridKvCache: draw.hybrid,
      asyncScheduling: draw.asyncScheduling,
      layerkv: {
        ...figureOneInput(1).layerkv,
        hostPoolBytes: draw.hostBytes,
        transientLayers: draw.transientLayers,
        chunkBytes: draw.chunkBytes,
        growthReserve: draw.growthReserve,
        offloadThreshold: draw.offloadThreshold,
        lostRequests: draw.lostRequests,
        countReloadWait: draw.countReloadWait,
        residency: draw.residency,
        predictor: { buckets: draw.buckets, accuracy: draw.accuracy },
      },
      slo: { ttftS: 1, tpotS: draw.tpotS, attainment: 0.99 },
      cost: draw.linear === null ? { kind: 'roofline' } : { kind: 'linear', linear: draw.linear },
      ...(draw.costScale === null ? {} : { costScale: draw.costScale }),
      workload: {
        source: { kind: 'synthetic', arrivals: draw.arrivals, input: draw.input, output: draw.output },
        requests: draw.requests,
        seed: draw.seed,
      },
    });
    return { ...input, numGpuBlocks: poolBlocks(input, draw.poolFactor) };
  });

/** `factor` times what the longest sequence takes, in the blocks that a start-up log would count. */
export function poolBlocks(input: EngineInput, factor: number): number {
  const { limits, scheduler, parallelism, model } = input;
  const hybrid = hybridGroups(input);
  if (hybrid !== null) return Math.ceil(fullLengthBlocks(hybrid, limits) * factor) + 1;
  const blocks = Math.ceil((limits.maxModelLenTokens / limits.blockSizeTokens) * factor) + 1;
  const logged = hybridGroups({ ...input, policy: 'vllm' });
  if (logged !== null) return Math.ceil((blocks * model.layers) / logged.layersPerGroup);
  // v0's virtual engines share the blocks out; each must hold the longest sequence.
  return blocks * (scheduler === 'v0' ? parallelism.pipeline : 1);
}
