import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addPrefill, causalPairs, emptyBatch } from '../../src/engine/cost/types.ts';
import { linkLaw } from '../../src/engine/kv/link.ts';
import { type Overlap, OverlapTimer } from '../../src/engine/kv/overlap.ts';
import { minimumRetainedLayers, prefillEstimate, staysOnGpu } from '../../src/engine/kv/retention.ts';
import { memoryModel } from '../../src/engine/memory.ts';
import { percentiles, tInterval } from '../../src/engine/metrics.ts';
import { activeParameters, countParameters, kvElementsPerRank } from '../../src/engine/shape.ts';
import { costModel } from '../../src/engine/simulate.ts';
import type { ModelShape } from '../../src/engine/types.ts';
import { figureOneInput, LLAMA_2_7B } from './inputs.ts';

const total = (model: ModelShape): number => {
  const counts = countParameters(model);
  return (
    model.layers * counts.attentionPerLayer +
    counts.denseFfn +
    counts.routers +
    counts.routedExperts +
    counts.embeddings
  );
};

describe('retained layers', () => {
  it('are spread evenly: 8 layers with 4 kept keep 1, 3, 5, 7', () => {
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].filter((layer) => staysOnGpu(layer, 4, 8)),
      [1, 3, 5, 7],
    );
  });

  it('number exactly x for any x of L, with gaps that differ by at most one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 130 }), fc.double({ min: 0, max: 1, noNaN: true }), (layers, share) => {
        const kept = Math.round(share * layers);
        const stay = Array.from({ length: layers }, (_, layer) => layer).filter((layer) =>
          staysOnGpu(layer, kept, layers),
        );
        assert.equal(stay.length, kept);
        const gaps = stay.slice(1).map((layer, k) => layer - stay[k]!);
        assert.ok(gaps.length === 0 || Math.max(...gaps) - Math.min(...gaps) <= 1);
      }),
    );
  });

  it('are the fewest whose rest moves within the prefill', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 1e-6, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 10, noNaN: true }),
        (layers, perLayerS, prefillS) => {
          const x = minimumRetainedLayers(layers, perLayerS, prefillS);
          assert.ok(x >= 0 && x <= layers);
          assert.ok((layers - x) * perLayerS <= prefillS + 1e-9);
          if (x > 0) assert.ok((layers - x + 1) * perLayerS > prefillS - 1e-9);
        },
      ),
    );
  });

  it('are none for Llama-2-7B on an L20 once the link gives more than about 3 GB/s', () => {
    const keptAt = (bandwidthGBs: number, tokens: number): number => {
      const input = figureOneInput(tokens, { hostLinkBytesPerS: bandwidthGBs * 1e9 });
      return minimumRetainedLayers(
        32,
        tokens * linkLaw(input, null).offloadTokenLayerS,
        prefillEstimate(input)(tokens),
      );
    };
    for (const tokens of [128, 1024, 2048, 16384]) {
      assert.equal(keptAt(5, tokens), 0);
      assert.ok(keptAt(1, tokens) > 0);
    }
  });
});

describe('transfers beside compute', () => {
  /** One prompt whose layers leave in `offloadS` each, but for the `retained` ones. */
  const step = (computeS: number, layers: number, retained: number, offloadS: number, transientLayers = 2): Overlap => {
    const timer = new OverlapTimer(layers, transientLayers);
    timer.reset();
    timer.add(retained, offloadS, 0);
    return timer.run(computeS, 0);
  };

  it('hide behind later layers, but for the last one', () => {
    const { stepS, exposedS } = step(4, 4, 0, 0.5);
    assert.equal(stepS, 4.5);
    assert.equal(exposedS, 0.5);
  });

  it('hide entirely when the last layer stays', () => {
    assert.deepEqual(step(4, 4, 2, 1), { stepS: 4, transferS: 2, exposedS: 0, linkFreeS: 4 });
  });

  it('hold compute up when the transient layers are full', () => {
    // One slot: layer 1 may start only when layer 0 is through: 1 + 3, then 1 + 3, …
    assert.equal(step(4, 4, 0, 3, 1).stepS, 16);
    // Two slots: 0 and 1 compute, then each waits for the link: 1 + 4 · 3.
    assert.equal(step(4, 4, 0, 3, 2).stepS, 13);
  });

  it('wait for a link that is still busy, and fetch what earlier chunks left on the host', () => {
    const timer = new OverlapTimer(2, 2);
    timer.reset();
    timer.add(0, 1, 0);
    assert.equal(timer.run(2, 5).stepS, 7);
    timer.reset();
    timer.add(0, 1, 3);
    // Fetched at 3 and 6; layer 1 is computed at 7 and gone at 8.
    assert.equal(timer.run(2, 0).stepS, 8);
  });

  it('never make a step shorter, nor longer than everything in a row', () => {
    const seconds = fc.double({ min: 0, max: 3, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.record({ kept: fc.double({ min: 0, max: 1, noNaN: true }), out: seconds, back: seconds }), {
          maxLength: 4,
        }),
        fc.double({ min: 0, max: 20, noNaN: true }),
        fc.integer({ min: 1, max: 4 }),
        (layers, prompts, computeS, transientLayers) => {
          const timer = new OverlapTimer(layers, transientLayers);
          timer.reset();
          for (const { kept, out, back } of prompts) timer.add(Math.round(kept * layers), out, back);
          const { stepS, transferS, exposedS } = timer.run(computeS, 0);
          assert.ok(stepS >= computeS - 1e-9);
          assert.ok(stepS <= computeS + transferS + 1e-9);
          assert.ok(exposedS >= 0 && exposedS <= transferS);
        },
      ),
    );
  });
});

describe('cost law', () => {
  it('is affine in contexts at a fixed batch, and equal to the general step', () => {
    const windowed: ModelShape = {
      ...LLAMA_2_7B,
      slidingWindow: { tokens: 100, kind: 'sliding', localLayers: 16, globalLayers: 16 },
    };
    for (const model of [LLAMA_2_7B, windowed]) {
      const cost = costModel(figureOneInput(1, { model }));
      for (const [seqs, context, capped] of [
        [1, 1, 1],
        [7, 9000, 700],
        [256, 100_000, 25_600],
      ] as const) {
        const law = cost.decodeLaw(seqs);
        const batch = {
          ...emptyBatch(),
          decodeSeqs: seqs,
          sampledSeqs: seqs,
          decodeContextTokens: context,
          decodeWindowTokens: capped,
        };
        const expected = cost.stepS(batch);
        const actual = law.baseS + law.perContextTokenS * context + law.perWindowTokenS * capped;
        assert.ok(Math.abs(actual - expected) < 1e-12 * expected);
      }
    }
  });

  it('grows with the batch and shrinks with tensor parallelism on NVLink', () => {
    const gpu = { ...figureOneInput(1).gpu, nvlinkBytesPerS: 450e9 };
    const at = (tensor: number, tokens: number): number => {
      const cost = costModel(
        figureOneInput(1, { gpu, interconnect: 'nvlink', parallelism: { tensor, pipeline: 1, data: 1, expert: 1 } }),
      );
      const batch = emptyBatch();
      addPrefill(batch, tokens, 0, true, cost.windowTokens);
      return cost.stepS(batch);
    };
    assert.ok(at(1, 4096) > at(1, 1024));
    assert.ok(at(2, 4096) < at(1, 4096) && at(2, 4096) > at(1, 4096) / 2);
  });

  it('counts each query-key pair under the mask once, whole or in chunks, with and without a window', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 70 }),
        (first, second, window) => {
          const whole = emptyBatch();
          addPrefill(whole, first + second, 0, true, window);
          const chunks = emptyBatch();
          addPrefill(chunks, first, 0, false, window);
          addPrefill(chunks, second, first, true, window);
          let pairs = 0;
          for (let query = 1; query <= first + second; query++) pairs += Math.min(query, window);
          assert.equal(whole.prefillPairs, causalPairs(first + second, 0));
          assert.equal(chunks.prefillPairs, whole.prefillPairs);
          assert.equal(chunks.prefillWindowPairs, whole.prefillWindowPairs);
          assert.equal(whole.prefillWindowPairs, pairs);
        },
      ),
    );
  });
});

describe('memory', () => {
  it('counts the parameters of published models', () => {
    assert.ok(Math.abs(total(LLAMA_2_7B) / 6.738e9 - 1) < 0.001);
    assert.ok(Math.abs(activeParameters(LLAMA_2_7B) / 6.607e9 - 1) < 0.001);
  });

  it('splits KV heads over ranks, replicates what cannot be split, and keeps MLA whole', () => {
    const gqa: ModelShape = { ...LLAMA_2_7B, kvHeads: 4 };
    assert.equal(kvElementsPerRank(gqa, 2), 2 * 2 * 128);
    assert.equal(kvElementsPerRank(gqa, 8), 2 * 128);
    const mla: ModelShape = {
      ...LLAMA_2_7B,
      kvHeads: 1,
      attentionType: 'mla',
      mla: { kvLoraRank: 512, qkNopeHeadDim: 128, qkRopeHeadDim: 64, vHeadDim: 128 },
    };
    assert.equal(kvElementsPerRank(mla, 8), 576);
  });

  it('gives the L20 of figure 1 what 0.9 of it leaves beside weights, peak and kernels', () => {
    const { kvTokens, kvBytesPerToken } = memoryModel(figureOneInput(2048));
    assert.equal(kvBytesPerToken, 524288);
    // 40.07 GiB less 12.55 for weights (the table of angles in it), 1.43 for a prompt of 16896 tokens, 0.1 for kernels.
    const leftBytes = 45588 * 2 ** 20 * 0.9 - 13_477_347_328 - 16896 * (3 * 4096 + 3 * 11008) * 2 - 0.1 * 2 ** 30;
    assert.ok(Math.abs(kvTokens - leftBytes / 524288) < 100, String(kvTokens));
  });

  it('lets a pinned pool win, and never goes below zero', () => {
    assert.equal(memoryModel(figureOneInput(2048, { numGpuBlocks: 3000 })).kvTokens, 48_000);
    const tight = memoryModel(figureOneInput(2048, { gpuMemoryUtilization: 0.2 }));
    assert.equal(tight.gpuBlocks, 0);
    assert.ok(tight.kvBudgetBytesPerGpu < 0);
  });
});

describe('statistics', () => {
  it('interpolate percentiles as type 7', () => {
    // numpy.percentile([15, 20, 35, 40, 50], [50, 90, 95, 99]) = 35, 46, 48, 49.6
    const { p50, p90, p95, p99, max, mean } = percentiles(Float64Array.of(50, 15, 40, 20, 35), 1)!;
    const expected = [35, 46, 48, 49.6, 50, 32];
    [p50, p90, p95, p99, max, mean].forEach((value, k) => {
      assert.ok(Math.abs(value - expected[k]!) < 1e-9);
    });
    assert.equal(percentiles(new Float64Array(0), 1), null);
  });

  it('put a t-interval around ten seeds', () => {
    const values = [0.1, 0.2, 0.15, 0.12, 0.18, 0.11, 0.19, 0.16, 0.14, 0.15];
    const [low, high] = tInterval(values);
    // Sum of squares 0.0102, standard error 0.010646, times t(0.975, 9) = 2.26216: 0.024083 to either side.
    assert.ok(Math.abs(low - 0.125917) < 1e-5 && Math.abs(high - 0.174083) < 1e-5, `${low} ${high}`);
  });
});
