import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hybridGroups } from '../../src/engine/kv/hybrid.ts';
import { Lane } from '../../src/engine/schedule/lane.ts';
import { Parking } from '../../src/engine/schedule/parking.ts';
import { SloGate } from '../../src/engine/schedule/sloGate.ts';
import { WindowBlocks } from '../../src/engine/schedule/windowBlocks.ts';
import { costModel, simulate } from '../../src/engine/simulate.ts';
import { checkAgainstReference } from './checkAgainstReference.ts';
import { count } from './countCalls.ts';
import { figureOneInput, hostileInput } from './inputs.ts';

/** Plans per property run; raise it with FUZZ_RUNS for a long hunt. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1500);

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
      untied: 0,
      awaited: 0,
      gated: 0,
      windowed: 0,
      grouped: 0,
      slid: 0,
      virtualEngines: 0,
      batchQueues: 0,
      preemptedUnderWay: 0,
      stepsAhead: 0,
    };
    const undo = [
      count(Lane.prototype, 'orphan', () => met.preemptedUnderWay++),
      count(Parking.prototype, 'sendAway', () => met.sentAway++),
      count(Parking.prototype, 'untie', (found) => (met.untied += found === true ? 1 : 0)),
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
        met.stepsAhead += costModel(input).stepsAhead ? 1 : 0;
        met.windowed += input.model.slidingWindow === undefined ? 0 : 1;
        met.grouped += hybridGroups(input) === null ? 0 : 1;
      }
    } finally {
      for (const restore of undo) restore();
    }
    for (const [what, times] of Object.entries(met)) assert.ok(times > 5, `${what}: ${times}`);
  });

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
