import assert from 'node:assert/strict';
import fc from 'fast-check';
import { memoryLaw } from '../../src/catalog/memoryLaws.ts';
import { allocatedBytes, stageWeightBytes } from '../../src/engine/memory/weights.ts';
import { type MemoryInput, memoryModel } from '../../src/engine/memory.ts';
import type { EngineInput, ModelShape } from '../../src/engine/types.ts';
import { figureOneInput, hostileInput, LLAMA_2_7B } from './inputs.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const ALL_LAYERS = Array.from({ length: LLAMA_2_7B.layers }, (_, k) => k);

const GQA: ModelShape = { ...LLAMA_2_7B, attentionType: 'gqa', kvHeads: 4 };
const MLA: ModelShape = {
  ...LLAMA_2_7B,
  attentionType: 'mla',
  kvHeads: 1,
  mla: { kvLoraRank: 512, qLoraRank: 1536, qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128 },
};
const EXPERTS: ModelShape = {
  ...LLAMA_2_7B,
  moe: { experts: 64, topK: 4, expertFfn: 1024, sharedFfnTotal: 0, firstDenseLayers: 0, moeEvery: 1 },
};

function v1(version: string, over: Partial<EngineInput> = {}): MemoryInput {
  const model = over.model ?? LLAMA_2_7B;
  return figureOneInput(1, {
    scheduler: 'v1',
    limits: { blockSizeTokens: 16, maxModelLenTokens: 4096, maxNumSeqs: 256, maxNumBatchedTokens: 2048 },
    memoryLaw: memoryLaw(version, 'v1', model.moe !== undefined).law,
    ...over,
  });
}

const ranks = (tensor: number, pipeline = 1, expert = 1) => ({ tensor, pipeline, data: 1, expert });

describe("the allocator's share of a tensor", () => {
  it('rounds large tensors up by what is too small to split off, and no others', () => {
    for (const [bytes, expected] of [
      [4 * MIB, 4 * MIB],
      [10 * MIB, 10 * MIB],
      [31.5 * MIB, 32 * MIB],
      [259 * MIB, 260 * MIB],
      [24.5 * MIB, 24.5 * MIB],
    ] as const) {
      assert.equal(allocatedBytes(bytes), expected);
    }
  });
});

describe('weights of a rank', () => {
  it('are cut by tensor parallelism, but for what every rank holds', () => {
    const weights = (model: ModelShape, tensor: number): number =>
      stageWeightBytes(v1('0.10.0', { model, parallelism: ranks(tensor) }), ALL_LAYERS, true, true);
    const rope = 4096 * 128 * 2;
    assert.ok(Math.abs(weights(LLAMA_2_7B, 2) - rope - (weights(LLAMA_2_7B, 1) - rope) / 2) < 64 * MIB);
    // Eight ranks, four KV heads: each rank has a whole head, twice its share.
    const share = (weights(GQA, 1) - rope) / 8;
    const copies = ALL_LAYERS.length * 2 * 4096 * 128 * 0.5 * 2;
    assert.ok(Math.abs(weights(GQA, 8) - rope - share - copies) < 64 * MIB);
    // The projections to MLA's latent spaces are on every rank.
    const latent = ALL_LAYERS.length * 4096 * (1536 + 576) * 2;
    assert.ok(weights(MLA, 8) > (weights(MLA, 1) * 1) / 8 + 0.8 * latent);
  });

  it('put the embedding on the first stage and the head on the last, which a tied model copies', () => {
    const table = 32000 * 4096 * 2;
    const bytes = (tieEmbeddings: boolean, first: boolean, last: boolean): number =>
      stageWeightBytes(v1('0.10.0', { model: { ...LLAMA_2_7B, tieEmbeddings } }), [0, 1], first, last);
    const none = bytes(false, false, false);
    assert.equal(bytes(false, true, false) - none, table);
    assert.equal(bytes(false, false, true) - none, table);
    assert.equal(bytes(false, true, true) - none, 2 * table);
    assert.equal(bytes(true, true, true) - none, table);
    assert.equal(bytes(true, false, true) - none, table);
  });

  it('keep embeddings in 16 bit whatever the dtype, and spread experts over expert ranks', () => {
    const embedding = 2 * 32000 * 4096 * 2;
    const of = (weightDtype: EngineInput['weightDtype']): number =>
      stageWeightBytes(v1('0.10.0', { weightDtype }), ALL_LAYERS, true, true) - embedding;
    assert.ok(Math.abs(of('fp8') / of('bf16') - 0.5) < 0.01);
    const experts = (expert: number): number =>
      stageWeightBytes(v1('0.10.0', { model: EXPERTS, parallelism: ranks(1, 1, expert) }), ALL_LAYERS, true, true);
    // Without expert parallelism each expert is cut over the data-parallel ranks too.
    const over = (data: number): number => {
      const parallelism = { tensor: 1, pipeline: 1, data, expert: 1 };
      return stageWeightBytes(v1('0.10.0', { model: EXPERTS, parallelism }), ALL_LAYERS, true, true);
    };
    assert.ok(Math.abs(over(8) - experts(8)) < 64 * MIB);
    assert.ok(Math.abs(experts(1) - experts(8) - ALL_LAYERS.length * 56 * 3 * 4096 * 1024 * 2) < 64 * MIB);
  });
});

describe('what start-up counts, by release', () => {
  const overhead = (version: string, over: Partial<EngineInput> = {}): number =>
    memoryModel(v1(version, over)).overheadBytesPerGpu;
  const peak = (version: string, over: Partial<EngineInput> = {}): number =>
    memoryModel(v1(version, over)).activationBytesPerGpu;

  it('the CUDA context in 0.6.3 and 0.6.4 and in v1 before 0.9', () => {
    const context = (version: string, scheduler: 'v0' | 'v1'): boolean =>
      memoryLaw(version, scheduler, false).law.contextCounted;
    assert.deepEqual(
      ['0.5.5', '0.6.2', '0.6.3', '0.6.4', '0.6.5', '0.7.3', '0.8.5'].map((version) => context(version, 'v0')),
      [false, false, true, true, false, false, false],
    );
    assert.deepEqual(
      ['0.8.0', '0.8.5', '0.9.0'].map((version) => context(version, 'v1')),
      [true, true, false],
    );
  });

  it('NCCL up to 0.11.0, more of it with each NVLink peer', () => {
    const nvlink = (tensor: number) => ({ parallelism: ranks(tensor), interconnect: 'nvlink' as const });
    assert.ok(overhead('0.11.0', nvlink(4)) > overhead('0.11.0', nvlink(2)) + 0.5 * GIB);
    assert.equal(overhead('0.11.1', nvlink(4)), overhead('0.11.1', nvlink(1)));
  });

  it('CUDA graphs from 0.21, from 0.25.1 of models with experts only, and never in eager mode', () => {
    assert.ok(overhead('0.21.0') > overhead('0.20.0'));
    assert.equal(overhead('0.25.1'), overhead('0.20.0'));
    assert.equal(overhead('0.25.1', { model: EXPERTS }), overhead('0.21.0'));
    assert.equal(overhead('0.21.0', { enforceEager: true }), overhead('0.20.0'));
  });

  it('a sampler over all logits, whose vocabulary is not cut by tensor parallelism', () => {
    const wide = { model: { ...LLAMA_2_7B, vocabSize: 200_000 } };
    assert.equal(peak('0.12.0', wide), peak('0.12.0', { ...wide, parallelism: ranks(8) }));
    // The image of 0.10 has FlashInfer's sampler already, the package PyTorch's sort.
    const packaged = memoryLaw('0.10.0', 'v1', false, 'package').law;
    assert.ok(peak('0.10.0', { ...wide, memoryLaw: packaged }) > peak('0.10.0', wide));
    assert.ok(peak('0.12.0', wide) > peak('0.17.0', wide) && peak('0.17.0', wide) > peak('0.21.0', wide));
    assert.ok(peak('0.21.0', wide) > peak('0.25.1', wide));
  });
});

describe('the pool', () => {
  it('of a pipeline is that of its tightest stage', () => {
    const whole = memoryModel(v1('0.10.0', { parallelism: ranks(1, 3), model: { ...LLAMA_2_7B, layers: 31 } }));
    // 31 layers over three stages: 10, 11 and 10.
    assert.equal(whole.kvBytesPerTokenPerGpu, 11 * 2 * 32 * 128 * 2);
    assert.equal(whole.gpuBlocks, Math.floor(whole.kvBudgetBytesPerGpu / (whole.kvBytesPerTokenPerGpu * 16)));
  });

  it('grows with the share of memory and shrinks with every limit, whatever the deployment', () => {
    fc.assert(
      fc.property(hostileInput, fc.double({ min: 0.1, max: 0.9, noNaN: true }), (input, share) => {
        const open = { ...input, numGpuBlocks: null, gpuMemoryUtilization: share };
        const blocks = memoryModel(open).gpuBlocks;
        const { limits } = open;
        assert.ok(Number.isFinite(blocks) && blocks >= 0);
        assert.ok(memoryModel({ ...open, gpuMemoryUtilization: share + 0.1 }).gpuBlocks >= blocks);
        const more = {
          ...limits,
          maxNumSeqs: limits.maxNumSeqs * 2,
          maxNumBatchedTokens: limits.maxNumBatchedTokens * 2,
        };
        assert.ok(memoryModel({ ...open, limits: more }).gpuBlocks <= blocks);
        const pinned = memoryModel({ ...input, hybridKvCache: false });
        assert.equal(pinned.gpuBlocks, input.numGpuBlocks);
      }),
    );
  });
});
