import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Pipeline, stageLaw, stageLayers } from '../../src/engine/cost/stages.ts';
import { emptyBatch } from '../../src/engine/cost/types.ts';
import { costModel, simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { figureOneInput, handMadeCost } from './inputs.ts';

const nothing = (): number => 0;

/** A hand-made law: a prompt token takes 1 ms, a decode step 10 ms, through all stages together. */
function handMade(over: Partial<EngineInput>): EngineInput {
  const base = figureOneInput(100, over);
  return {
    ...base,
    numGpuBlocks: 10_000,
    cost: handMadeCost(1, 10),
    workload: {
      source: {
        kind: 'synthetic',
        arrivals: { kind: 'burst' },
        input: { kind: 'fixed', tokens: 100 },
        output: { kind: 'fixed', tokens: 11 },
      },
      requests: 2,
      seed: 1,
    },
  };
}

const stagesOf = (pipeline: number): Pick<EngineInput, 'parallelism'> => ({
  parallelism: { tensor: 1, pipeline, data: 1, expert: 1 },
});

describe('a pipeline', () => {
  it('holds layers as vLLM deals them: what does not divide goes before the last stage', () => {
    assert.deepEqual(stageLayers(32, 4), [8, 8, 8, 8]);
    assert.deepEqual(stageLayers(61, 2), [31, 30]);
    assert.deepEqual(stageLayers(61, 4), [15, 15, 16, 15]);
    assert.deepEqual(stageLayers(32, 1), [32]);
  });

  it('passes batches on in order: one enters a stage when it has left the last and the one ahead has left this', () => {
    const pipeline = new Pipeline(stageLaw(4, 2, nothing, nothing));
    assert.equal(pipeline.enter(0, 4, 1, 1), 4);
    // Shorter: it waits for the one ahead in the second stage.
    assert.equal(pipeline.enter(0, 2, 1, 1), 5);
    // Longer: the second stage stands idle before it.
    assert.equal(pipeline.enter(0, 12, 1, 1), 15);
    assert.equal(pipeline.isEmpty(14.9), false);
    assert.equal(pipeline.isEmpty(15), true);
  });

  it('splits a step without loss, the output head in the last stage', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 1, max: 64 }), (stages, seqs) => {
        const cost = costModel(figureOneInput(100, stagesOf(stages)));
        const batch = { ...emptyBatch(), decodeSeqs: seqs, sampledSeqs: seqs, decodeContextTokens: 100 * seqs };
        const times = new Float64Array(stages);
        cost.stages!.splitS(cost.stepS(batch), seqs, seqs, times);
        const sum = times.reduce((total, time) => total + time, 0);
        assert.ok(Math.abs(sum / cost.stepS(batch) - 1) < 1e-12);
        assert.ok(times.at(-1)! > times[0]! * (Math.floor(32 / stages) / Math.ceil(32 / stages)));
      }),
    );
  });

  it('runs v0 requests in virtual engines side by side', () => {
    const { records } = simulate(handMade({ scheduler: 'v0', ...stagesOf(2) }));
    // Prompts of 50 ms in each stage; decode steps of 5 ms in each, whose stages the two take in turns.
    assert.ok(Math.abs(records.firstTokenS[0]! - 0.1) < 1e-9);
    assert.ok(Math.abs(records.firstTokenS[1]! - 0.15) < 1e-9);
    // The first one's second step meets the other's prompt in the last stage, and waits for it once.
    assert.ok(Math.abs(records.finishS[0]! - (0.1 + 0.055 + 9 * 0.01)) < 1e-9);
  });

  it('fills v1 pipelines with prompt chunks back to back, which part the decodes into groups', () => {
    const limits = { blockSizeTokens: 16, maxModelLenTokens: 4096, maxNumSeqs: 64, maxNumBatchedTokens: 100 };
    const { records } = simulate(handMade({ scheduler: 'v1', limits, ...stagesOf(2) }));
    assert.ok(Math.abs(records.firstTokenS[0]! - 0.1) < 1e-9);
    assert.ok(Math.abs(records.firstTokenS[1]! - 0.15) < 1e-9);
    assert.ok(Math.abs(records.finishS[0]! - (0.1 + 0.055 + 9 * 0.01)) < 1e-9);
    // With room for both in one batch they stay together, and a pipeline gains nothing.
    const together = simulate(handMade({ scheduler: 'v1', ...stagesOf(2) })).records;
    assert.ok(Math.abs(together.firstTokenS[0]! - 0.2) < 1e-9 && together.firstTokenS[1] === together.firstTokenS[0]);
  });

  it('finishes a crowd in little more than half the time with four stages, though no step is shorter', () => {
    for (const scheduler of ['v0', 'v1'] as const) {
      const limits = { blockSizeTokens: 16, maxModelLenTokens: 4096, maxNumSeqs: 16, maxNumBatchedTokens: 512 };
      const run = (pipeline: number): number => {
        const input = handMade({ scheduler, limits, ...stagesOf(pipeline) });
        return simulate({ ...input, workload: { ...input.workload, requests: 200 } }).makespanS;
      };
      assert.ok(run(4) < 0.6 * run(1), `${scheduler}: ${run(4)} against ${run(1)}`);
    }
  });
});

describe('data-parallel ranks', () => {
  const ranks = (data: number, replicas: number, routing: EngineInput['routing']): EngineInput => {
    const base = figureOneInput(1024, {
      parallelism: { tensor: 1, pipeline: 1, data, expert: 1 },
      replicas,
      routing,
      scheduler: 'v1',
    });
    return {
      ...base,
      workload: {
        source: {
          kind: 'synthetic',
          arrivals: { kind: 'gamma', ratePerS: 2.2, cv: 2 },
          input: { kind: 'lognormal', median: 1200, sigma: 1 },
          output: { kind: 'lognormal', median: 300, sigma: 1 },
        },
        requests: 300,
        seed: 3,
      },
    };
  };
  const firstTokens = (input: EngineInput): number[] => [...simulate(input).records.firstTokenS];

  it('are chosen by the balancer whatever the routing, which chooses the replica', () => {
    assert.deepEqual(firstTokens(ranks(3, 1, 'roundRobin')), firstTokens(ranks(3, 1, 'leastLoad')));
    assert.notDeepEqual(firstTokens(ranks(3, 1, 'roundRobin')), firstTokens(ranks(1, 3, 'roundRobin')));
    assert.notDeepEqual(firstTokens(ranks(2, 2, 'roundRobin')), firstTokens(ranks(2, 2, 'leastLoad')));
  });

  it('go to the first rank when nobody has anything, and away from one whose queue is longer', () => {
    const { records } = simulate({
      ...handMade({ scheduler: 'v1', parallelism: { tensor: 1, pipeline: 1, data: 2, expert: 1 } }),
    });
    assert.deepEqual([...records.firstTokenS], [0.1, 0.1]);
  });
});

describe('data-parallel ranks of a mixture of experts', () => {
  const moe = { experts: 8, topK: 2, expertFfn: 1024, sharedFfnTotal: 0, firstDenseLayers: 0, moeEvery: 1 };
  /** One prompt of 100 tokens now, one 0.15 s later. */
  const staggered = (model: EngineInput['model']): EngineInput => {
    const base = handMade({ model, scheduler: 'v1', parallelism: { tensor: 1, pipeline: 1, data: 2, expert: 1 } });
    const arrivals = { kind: 'constant', ratePerS: 1 / 0.15 } as const;
    return { ...base, workload: { ...base.workload, source: { ...base.workload.source, arrivals } as never } };
  };
  const dense = figureOneInput(1).model;

  it('step together: a decode waits for the prompt on the other rank', () => {
    const free = simulate(staggered(dense)).records;
    const inStep = simulate(staggered({ ...dense, moe })).records;
    const near = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}`);
    const [first, second] = [free.arrivalS[0]!, free.arrivalS[1]!];
    // By itself: 0.1 s for the prompt, then ten decodes of 10 ms.
    near(free.finishS[0]! - first, 0.2);
    near(free.finishS[1]! - second, 0.2);
    // Five decodes until the other prompt comes; then one that lasts as long as that, 0.1 s, and four more.
    near(inStep.firstTokenS[1]! - second, 0.1);
    near(inStep.finishS[0]! - first, 0.1 + 0.05 + 0.1 + 0.04);
    near(inStep.finishS[1]! - second, 0.2);
  });

  it('who comes to an empty rank waits for the others to end their step', () => {
    const input = staggered({ ...dense, moe });
    const early = simulate({
      ...input,
      workload: {
        ...input.workload,
        source: { ...input.workload.source, arrivals: { kind: 'constant', ratePerS: 20 } } as never,
      },
    }).records;
    assert.ok(Math.abs(early.prefillStartS[1]! - early.firstTokenS[0]!) < 1e-9);
  });

  it('count the tokens of all ranks in their experts, padded to the fullest where steps come from CUDA graphs', () => {
    const input: EngineInput = { ...staggered({ ...dense, moe }), cost: { kind: 'roofline' } };
    const more = (over: Partial<EngineInput>, all: number, most: number, tokens: number): number =>
      costModel({ ...input, ...over }).together!.moreS(all, most, { tokens, seqs: tokens, prompts: false });
    // Two ranks with 3 and 5 tokens: both run 5. The fuller one counts with that already.
    assert.equal(more({}, 8, 5, 5), 0);
    assert.ok(more({}, 8, 5, 3) > 0);
    // Too many for a graph, or eager: 600 and 3 are 603.
    assert.ok(more({}, 603, 600, 600) > 0 && more({}, 603, 600, 600) < more({}, 1200, 600, 600));
    assert.ok(more({ enforceEager: true }, 8, 5, 5) > 0);
    assert.equal(costModel({ ...input, model: dense }).together, null);
  });
});

describe('plans with pipelines', () => {
  it('are simulated batch by batch only where batches meet', () => {
    // Steps of a batch that is alone are summed; a thousand requests have half a million tokens.
    let enters = 0;
    const enter = Pipeline.prototype.enter;
    Pipeline.prototype.enter = function (...args): number {
      enters += 1;
      return enter.apply(this, args);
    };
    try {
      for (const scheduler of ['v0', 'v1'] as const) {
        const base = figureOneInput(1024, { scheduler, ...stagesOf(2) });
        simulate({ ...base, workload: { ...base.workload, requests: 1000 } });
      }
    } finally {
      Pipeline.prototype.enter = enter;
    }
    assert.ok(enters < 200_000, `${enters} steps`);
  });
});
