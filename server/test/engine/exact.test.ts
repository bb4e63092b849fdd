import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ranksStepTogether } from '../../src/engine/applies.ts';
import { hybridGroups } from '../../src/engine/kv/hybrid.ts';
import { Lane } from '../../src/engine/schedule/lane.ts';
import { Parking } from '../../src/engine/schedule/parking.ts';
import { Replica } from '../../src/engine/schedule/replica.ts';
import { SloGate } from '../../src/engine/schedule/sloGate.ts';
import { WindowBlocks } from '../../src/engine/schedule/windowBlocks.ts';
import { costModel, simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { checkAgainstReference } from './checkAgainstReference.ts';
import { count } from './countCalls.ts';
import { figureOneInput, handMadeCost, hostileInput } from './inputs.ts';

/** Plans per property run; raise it with FUZZ_RUNS for a long hunt. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 3000);

describe('engine against the naive reference', () => {
  it('agrees request by request on hostile plans', function () {
    this.timeout(120_000);
    fc.assert(fc.property(hostileInput, checkAgainstReference), {
      numRuns: RUNS,
      endOnFailure: process.env['FUZZ_SHRINK'] === undefined,
    });
  });

  it('is hunted with plans that meet every corner of the policies', function () {
    this.timeout(60_000);
    const met = {
      preempted: 0,
      refused: 0,
      parked: 0,
      streamed: 0,
      sentAway: 0,
      emptied: 0,
      awaited: 0,
      gated: 0,
      windowed: 0,
      grouped: 0,
      slid: 0,
      virtualEngines: 0,
      batchQueues: 0,
      ranksInStep: 0,
      preemptedUnderWay: 0,
      stepsAhead: 0,
    };
    const undo = [
      count(Lane.prototype, 'orphan', () => met.preemptedUnderWay++),
      count(Parking.prototype, 'sendAway', () => met.sentAway++),
      count(Parking.prototype, 'emptyLast', (freed) => (met.emptied += typeof freed === 'number' && freed > 0 ? 1 : 0)),
      count(Parking.prototype, 'awaitLeaving', (found) => (met.awaited += found === true ? 1 : 0)),
      count(WindowBlocks.prototype, 'slide', (given) => (met.slid += typeof given === 'number' && given > 0 ? 1 : 0)),
      count(SloGate.prototype, 'claim', (open) => (met.gated += open === false ? 1 : 0)),
    ];
    try {
      for (const input of fc.sample(hostileInput, { numRuns: 16_000, seed: 11 })) {
        const { records } = simulate(input);
        met.preempted += records.preemptions;
        met.refused += records.refused;
        met.parked += records.parkedS > 0 ? 1 : 0;
        met.streamed += input.layerkv.residency === 'stream' && records.hostToDeviceBytes > 0 ? 1 : 0;
        const pipelined = input.parallelism.pipeline > 1;
        met.virtualEngines += pipelined && input.scheduler === 'v0' ? 1 : 0;
        met.batchQueues += pipelined && input.scheduler === 'v1' ? 1 : 0;
        met.ranksInStep += ranksStepTogether(input) ? 1 : 0;
        met.stepsAhead += costModel(input).stepsAhead ? 1 : 0;
        met.windowed += input.model.slidingWindow === undefined ? 0 : 1;
        met.grouped += hybridGroups(input) === null ? 0 : 1;
      }
    } finally {
      for (const restore of undo) restore();
    }
    for (const [what, times] of Object.entries(met)) assert.ok(times > 5, `${what}: ${times}`);
  });

  for (const plan of [
    { scheduler: 'v0', numGpuBlocks: 9, hostPoolBytes: 1e9, ends: 'layers go to the host' },
    { scheduler: 'v1', numGpuBlocks: 10, hostPoolBytes: 1e9, ends: 'layers go to the host' },
    { scheduler: 'v0', numGpuBlocks: 9, hostPoolBytes: 70_000, ends: 'one is computed again' },
    { scheduler: 'v1', numGpuBlocks: 10, hostPoolBytes: 70_000, ends: 'one is computed again' },
  ] as const) {
    it(`agrees where parked requests hold each other's blocks: ${plan.scheduler}, ${plan.ends}`, () => {
      const knots = { untied: 0, dropped: 0 };
      const undo = [
        count(Parking.prototype, 'untie', (found) => (knots.untied += found === true ? 1 : 0)),
        count(Replica.prototype, 'dropToQueue', () => knots.dropped++),
      ];
      try {
        checkAgainstReference(tangledInput(plan));
      } finally {
        for (const restore of undo) restore();
      }
      assert.ok(knots.untied > 0, 'nobody held anybody up');
      assert.equal(knots.dropped > 0, plan.ends === 'one is computed again');
    });
  }

  for (const scheduler of ['v0', 'v1'] as const) {
    for (const policy of ['vllm', 'layerkv', 'layerkv-no-slo'] as const) {
      it(`agrees on figure 1 at 2048 tokens: ${scheduler}, ${policy}`, function () {
        this.timeout(60_000);
        const base = figureOneInput(2048);
        checkAgainstReference(
          figureOneInput(2048, { scheduler, policy, workload: { ...base.workload, requests: 25 } }),
        );
      });
    }
  }
});

/** Prompts of many lengths at once, a link for which three or four of seven layers stay, a pool for two of them. */
function tangledInput(plan: {
  readonly scheduler: 'v0' | 'v1';
  readonly numGpuBlocks: number;
  readonly hostPoolBytes: number;
}): EngineInput {
  const base = figureOneInput(1);
  return {
    ...base,
    scheduler: plan.scheduler,
    policy: 'layerkv-no-slo',
    model: { ...base.model, layers: 7, kvHeads: 2, queryHeads: 2, headDim: 16, hiddenSize: 64 },
    hostLinkBytesPerS: 1e6,
    limits: { blockSizeTokens: 16, maxModelLenTokens: 128, maxNumSeqs: 8, maxNumBatchedTokens: 256 },
    numGpuBlocks: plan.numGpuBlocks,
    layerkv: { ...base.layerkv, hostPoolBytes: plan.hostPoolBytes, growthReserve: 0, offloadThreshold: 0 },
    cost: handMadeCost(0.45, 1),
    workload: {
      source: {
        kind: 'synthetic',
        arrivals: { kind: 'burst' },
        input: { kind: 'uniform', min: 4, max: 80 },
        output: { kind: 'fixed', tokens: 20 },
      },
      requests: 8,
      seed: 2,
    },
  };
}
