import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addPrefill, type CostModel, emptyBatch, type StepBatch } from '../../src/engine/cost/types.ts';
import { costModel, simulate } from '../../src/engine/simulate.ts';
import type { CostScale, EngineInput } from '../../src/engine/types.ts';
import { figureOneInput, hostileInput } from './inputs.ts';

const factor = fc.double({ min: 0.2, max: 5, noNaN: true });
const parts = { prefill: factor, decode: factor, overhead: factor };
/** Factors for all loads alike, or for those near the measured ones. */
const anyScale = fc.oneof(
  fc.record(parts),
  fc.record({
    ...parts,
    sequences: fc.array(fc.double({ min: 1, max: 100, noNaN: true }), { minLength: 1, maxLength: 3 }),
  }),
);

/** Steps of decodes, of prompts, and of both. */
const anyBatch = fc
  .record({
    decodes: fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 30 }),
    prompts: fc.array(fc.tuple(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 0, max: 4000 }), fc.boolean()), {
      maxLength: 4,
    }),
  })
  .filter(({ decodes, prompts }) => decodes.length + prompts.length > 0);

type Drawn = Parameters<Parameters<typeof anyBatch.map>[0]>[0];

function batchOf({ decodes, prompts }: Drawn, { windowTokens }: CostModel): StepBatch {
  const batch = emptyBatch();
  for (const context of decodes) {
    batch.decodeSeqs += 1;
    batch.sampledSeqs += 1;
    batch.decodeContextTokens += context;
    batch.decodeWindowTokens += Math.min(context, windowTokens);
  }
  for (const [tokens, cached, last] of prompts) addPrefill(batch, tokens, cached, last, windowTokens);
  return batch;
}

const scaled = (input: EngineInput, costScale: CostScale): CostModel => costModel({ ...input, costScale });
const close = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) <= 1e-9 * Math.max(1e-6, Math.abs(expected)), `${actual}, not ${expected}`);

describe('calibrated step times', () => {
  it('are those of the law where every factor is 1, and k times them where every factor is k', () => {
    fc.assert(
      fc.property(hostileInput, anyBatch, factor, (input, drawn, k) => {
        const law = costModel({ ...input, costScale: { prefill: 1, decode: 1, overhead: 1 } });
        const { costScale: _, ...plain } = input;
        const base = costModel(plain);
        const batch = batchOf(drawn, base);
        close(law.stepS(batch), base.stepS(batch));
        close(scaled(input, { prefill: k, decode: k, overhead: k }).stepS(batch), k * base.stepS(batch));
      }),
    );
  });

  it('have the whole factors at the measured number of sequences, less of them three times as far, none far away', () => {
    fc.assert(
      fc.property(hostileInput, anyScale, fc.integer({ min: 1, max: 50 }), (input, scale, measured) => {
        const factors = { prefill: scale.prefill, decode: scale.decode, overhead: scale.overhead };
        const near = scaled(input, { ...factors, sequences: [measured, 10_000] }).decodeLaw(measured);
        close(near.baseS, scaled(input, factors).decodeLaw(measured).baseS);
        const { costScale: _, ...plain } = input;
        const far = scaled(input, { ...factors, sequences: [measured] }).decodeLaw(measured * 1000);
        const base = costModel(plain).decodeLaw(measured * 1000);
        assert.ok(Math.abs(Math.log(far.baseS / base.baseS)) < 1e-6);
        const third = scaled(input, { ...factors, decode: 2, overhead: 2, sequences: [3 * measured] });
        close(third.decodeLaw(measured).baseS, 2 ** Math.exp(-0.5) * costModel(plain).decodeLaw(measured).baseS);
      }),
    );
  });

  it('of decodes alone are what the decode law says, affine in the contexts', () => {
    fc.assert(
      fc.property(hostileInput, anyScale, anyBatch, (input, scale, drawn) => {
        fc.pre(drawn.decodes.length > 0);
        const cost = scaled(input, scale);
        const batch = batchOf({ decodes: drawn.decodes, prompts: [] }, cost);
        const law = cost.decodeLaw(batch.decodeSeqs);
        const expected =
          law.baseS + law.perContextTokenS * batch.decodeContextTokens + law.perWindowTokenS * batch.decodeWindowTokens;
        close(cost.stepS(batch), expected);
      }),
    );
  });

  it('never fall when a factor rises, and prefill moves nothing in a step without prompts', () => {
    fc.assert(
      fc.property(hostileInput, anyScale, anyBatch, factor, (input, scale, drawn, more) => {
        const cost = scaled(input, scale);
        const batch = batchOf(drawn, cost);
        const before = cost.stepS(batch);
        assert.ok(before >= 0);
        for (const part of ['prefill', 'decode', 'overhead'] as const) {
          const after = scaled(input, { ...scale, [part]: scale[part] * (1 + more) }).stepS(batch);
          assert.ok(after >= before * (1 - 1e-12), part);
          if (part === 'prefill' && drawn.prompts.length === 0) close(after, before);
          if (part === 'decode' && drawn.decodes.length === 0) close(after, before);
        }
      }),
    );
  });

  it('make a whole run k times as long where every factor is k, ranks that step together too', () => {
    fc.assert(
      fc.property(hostileInput, factor, (input, k) => {
        const { costScale: _, ...plain } = input;
        const { source } = input.workload;
        if (source.kind !== 'synthetic') return;
        const burst: EngineInput = {
          ...plain,
          policy: 'vllm',
          workload: { ...input.workload, source: { ...source, arrivals: { kind: 'burst' } } },
        };
        const times = simulate(burst).records.finishS;
        const longer = simulate({ ...burst, costScale: { prefill: k, decode: k, overhead: k } }).records.finishS;
        times.forEach((time, request) => {
          if (!Number.isNaN(time)) close(longer[request]!, k * time);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('split over the stages of a pipeline without loss, none of them below zero', () => {
    fc.assert(
      fc.property(hostileInput, anyScale, anyBatch, (input, scale, drawn) => {
        const cost = scaled(input, scale);
        if (cost.stages === null) return;
        const batch = batchOf(drawn, cost);
        const stepS = cost.stepS(batch);
        const parts = new Float64Array(cost.stages.count);
        cost.stages.splitS(stepS, batch.decodeSeqs + batch.prefillSeqs, batch.sampledSeqs, parts);
        close(
          parts.reduce((sum, part) => sum + part, 0),
          stepS,
        );
        for (const part of parts) assert.ok(part >= -1e-12, `${part}`);
      }),
    );
  });

  it('leave a hand-made law without host work', () => {
    const linear = {
      prefillBaseMs: 10,
      prefillPerTokenMs: 1,
      decodeBaseMs: 5,
      decodePerSequenceMs: 1,
      decodePerContextTokenMs: 0.01,
    };
    const cost = scaled(figureOneInput(1, { cost: { kind: 'linear', linear } }), {
      prefill: 2,
      decode: 3,
      overhead: 7,
    });
    const mixed = batchOf({ decodes: [100], prompts: [[50, 0, true]] }, cost);
    close(cost.stepS(mixed), (2 * (10 + 50) + 3 * (5 + 1 + 1)) / 1000);
  });
});
