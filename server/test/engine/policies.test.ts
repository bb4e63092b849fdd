import assert from 'node:assert/strict';
import fc from 'fast-check';
import { latencies, meanOf } from '../../src/engine/metrics.ts';
import { isSaturated } from '../../src/engine/saturation.ts';
import { costModel, simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { figureOneInput, hostileInput } from './inputs.ts';

function sameRequests(a: EngineInput, b: EngineInput): void {
  const left = simulate(a).records;
  const right = simulate(b).records;
  assert.deepEqual([...left.prefillStartS], [...right.prefillStartS]);
  assert.deepEqual([...left.firstTokenS], [...right.firstTokenS]);
  assert.deepEqual([...left.finishS], [...right.finishS]);
}

describe('policies', () => {
  it('are the baseline, bit for bit, where LayerKV cannot act', () => {
    fc.assert(
      fc.property(hostileInput, fc.boolean(), (input, link) => {
        const idle: EngineInput = link
          ? { ...input, policy: 'layerkv', hostLinkBytesPerS: 0 }
          : { ...input, policy: 'layerkv', layerkv: { ...input.layerkv, hostPoolBytes: 0 } };
        sameRequests(idle, { ...input, policy: 'vllm' });
      }),
      { numRuns: 300 },
    );
  });

  it('are the baseline with an endless pool and no SLO gate', () => {
    fc.assert(
      fc.property(hostileInput, (input) => {
        // Layers in groups split runs of steps in other places, which sums round to.
        const endless = { ...input, numGpuBlocks: 1_000_000, hybridKvCache: false };
        sameRequests({ ...endless, policy: 'layerkv-no-slo' }, { ...endless, policy: 'vllm' });
      }),
      { numRuns: 300 },
    );
  });

  it('give the same bytes for the same seed, and others for another', () => {
    const base = figureOneInput(2048, { policy: 'layerkv' });
    sameRequests(base, structuredClone(base));
    const other = simulate({ ...base, workload: { ...base.workload, seed: 2 } });
    assert.notDeepEqual([...other.records.finishS], [...simulate(base).records.finishS]);
  });

  it('see the same requests when compared', () => {
    const vllm = simulate(figureOneInput(2048)).records;
    const layerkv = simulate(figureOneInput(2048, { policy: 'layerkv' })).records;
    assert.deepEqual([...vllm.arrivalS], [...layerkv.arrivalS]);
  });
});

describe('every run', () => {
  it('finishes or refuses each request, in order, with its own clock', () => {
    fc.assert(
      fc.property(hostileInput, (input) => {
        const { records } = simulate(input);
        assert.equal(records.finished + records.refused, records.count);
        for (let k = 0; k < records.count; k++) {
          if (Number.isNaN(records.finishS[k]!)) continue;
          assert.ok(records.prefillStartS[k]! >= records.arrivalS[k]!);
          assert.ok(records.firstTokenS[k]! >= records.prefillStartS[k]!);
          assert.ok(records.finishS[k]! >= records.firstTokenS[k]!);
          assert.ok(records.outputTokens[k]! > 1 || records.finishS[k] === records.firstTokenS[k]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('spreads over replicas: two engines with half the load each are as fast as one alone', () => {
    const alone = figureOneInput(1024);
    const source = {
      ...alone.workload.source,
      arrivals: { kind: 'constant', ratePerS: 2 },
    } as EngineInput['workload']['source'];
    const halved = {
      ...alone.workload.source,
      arrivals: { kind: 'constant', ratePerS: 1 },
    } as EngineInput['workload']['source'];
    const two = simulate({ ...alone, replicas: 2, workload: { ...alone.workload, source, requests: 100 } });
    const one = simulate({ ...alone, workload: { ...alone.workload, source: halved, requests: 50 } });
    const everySecond = two.records.firstTokenS.filter((_, k) => k % 2 === 1);
    assert.deepEqual(
      [...everySecond].map((t) => t.toFixed(9)),
      [...one.records.firstTokenS].map((t) => t.toFixed(9)),
    );
  });

  it('sends a request to the least loaded engine when asked to, which shortens the wait of uneven requests', () => {
    const source: EngineInput['workload']['source'] = {
      kind: 'synthetic',
      arrivals: { kind: 'gamma', ratePerS: 2.2, cv: 2 },
      input: { kind: 'lognormal', median: 1200, sigma: 1 },
      output: { kind: 'lognormal', median: 300, sigma: 1 },
    };
    const meanTtftS = (routing: EngineInput['routing']): number => {
      let sum = 0;
      for (let seed = 1; seed <= 5; seed++) {
        const { records } = simulate(
          figureOneInput(1, { replicas: 3, routing, workload: { source, requests: 300, seed } }),
        );
        sum += meanOf(latencies(records).ttftS);
      }
      return sum / 5;
    };
    assert.ok(meanTtftS('leastLoad') < meanTtftS('roundRobin'));
  });

  it('keeps the stated number of users busy in a closed loop, and never more', () => {
    const base = figureOneInput(256);
    const closed: EngineInput = {
      ...base,
      workload: {
        ...base.workload,
        source: {
          kind: 'synthetic',
          arrivals: { kind: 'closed', concurrency: 8 },
          input: { kind: 'fixed', tokens: 256 },
          output: { kind: 'uniform', min: 10, max: 200 },
        },
        requests: 80,
      },
    };
    // Answers are on their way when the next request is sent: the scheduler's own times tell who is busy.
    const { records } = simulate(closed, { cost: { ...costModel(closed), frontEnd: null } });
    const events: [number, number][] = [
      ...[...records.arrivalS].map((t): [number, number] => [t, 1]),
      ...[...records.finishS].map((t): [number, number] => [t, -1]),
    ];
    events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let busy = 0;
    let most = 0;
    for (const [, change] of events) {
      busy += change;
      most = Math.max(most, busy);
    }
    assert.equal(most, 8);
  });

  it('gives users of a closed loop to engines, and each engine requests by its users', () => {
    const base = figureOneInput(256);
    const run = (concurrency: number, replicas: number, requests: number) => {
      const source = {
        kind: 'synthetic',
        arrivals: { kind: 'closed', concurrency },
        input: { kind: 'fixed', tokens: 256 },
        output: { kind: 'fixed', tokens: 100 },
      } as const;
      return simulate({ ...base, replicas, workload: { ...base.workload, source, requests } });
    };
    // One user keeps one engine busy, however many there are.
    assert.equal(run(1, 4, 8).makespanS, run(1, 1, 8).makespanS);
    // Two users on one engine and one on the other are done at about the same time.
    const { records } = run(3, 2, 30);
    const last = (from: number, to: number): number => Math.max(...records.finishS.subarray(from, to));
    assert.deepEqual([...records.arrivalS].filter((t) => t === 0).length, 3);
    assert.ok(Math.abs(last(0, 20) / last(20, 30) - 1) < 0.1);
  });

  it('is saturated when arrivals outrun the engine, and not when they do not', () => {
    const at = (ratePerS: number): boolean => {
      const base = figureOneInput(2048);
      return isSaturated(
        simulate({
          ...base,
          workload: {
            ...base.workload,
            requests: 300,
            source: {
              kind: 'synthetic',
              arrivals: { kind: 'poisson', ratePerS },
              input: { kind: 'fixed', tokens: 2048 },
              output: { kind: 'fixed', tokens: 512 },
            },
          },
        }),
      );
    };
    assert.equal(at(0.2), false);
    assert.equal(at(2), true);
  });
});
