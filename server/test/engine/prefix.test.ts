import assert from 'node:assert/strict';
import fc from 'fast-check';
import { prefixCachingApplies } from '../../src/engine/applies.ts';
import { BlockQueue } from '../../src/engine/kv/blockQueue.ts';
import { HostLoads } from '../../src/engine/schedule/hostLoads.ts';
import { hostTierApplies, simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { checkAgainstReference } from './checkAgainstReference.ts';
import { count } from './countCalls.ts';
import { figureOneInput } from './inputs.ts';
import { prefixInput } from './prefixInputs.ts';

/** Plans per property run; raise it with FUZZ_RUNS for a long hunt. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1500);

function sameTimes(left: EngineInput, right: EngineInput): void {
  const a = simulate(left).records;
  const b = simulate(right).records;
  assert.deepEqual([...a.firstTokenS], [...b.firstTokenS]);
  assert.deepEqual([...a.finishS], [...b.finishS]);
}

/** Prompts of 2048 tokens, half of which all have in common, on v1. */
function sharing(over: Partial<EngineInput> = {}): EngineInput {
  const base = figureOneInput(2048, { scheduler: 'v1', prefixCaching: true, ...over });
  return { ...base, workload: { ...base.workload, sharedPrefix: { tokens: 1024, share: 1 } } };
}

describe('prefix caching', () => {
  it('agrees with the naive reference request by request, host tier included', function () {
    this.timeout(120_000 + RUNS * 20);
    fc.assert(fc.property(prefixInput, checkAgainstReference), {
      numRuns: RUNS,
      endOnFailure: process.env['FUZZ_SHRINK'] === undefined,
    });
  });

  it('is hunted with plans that meet every corner', () => {
    const met = { found: 0, foundAgain: 0, evicted: 0, preempted: 0, loaded: 0, loadedAgain: 0, waited: 0, fullIsl: 0 };
    let resumed = 0;
    let waited = 0;
    const undo = [
      count(BlockQueue.prototype, 'runBlocks', (blocks) => (resumed += Number(blocks) > 0 ? 1 : 0)),
      count(HostLoads.prototype, 'nextEventS', (endS) => (waited += Number(endS) < Number.POSITIVE_INFINITY ? 1 : 0)),
      count(BlockQueue.prototype, 'destroy', () => met.evicted++),
    ];
    try {
      for (const input of fc.sample(prefixInput, { numRuns: 10_000, seed: 11 })) {
        if (!prefixCachingApplies(input)) continue;
        resumed = 0;
        waited = 0;
        const { records, workload } = simulate(input);
        const alone = workload.promptIds === null;
        met.found += records.cachedTokens > 0 && !alone ? 1 : 0;
        met.foundAgain += records.cachedTokens > 0 && alone && resumed > 0 ? 1 : 0;
        met.loaded += records.loadedTokens > 0 && !alone ? 1 : 0;
        met.loadedAgain += records.loadedTokens > 0 && alone ? 1 : 0;
        met.waited += waited > 0 && records.loadedTokens > 0 ? 1 : 0;
        met.preempted += records.preemptions;
        met.fullIsl += input.limits.reserveFullSequence === true && records.cachedTokens > 0 ? 1 : 0;
      }
    } finally {
      for (const restore of undo) restore();
    }
    for (const [what, times] of Object.entries(met)) assert.ok(times > 5, `${what}: ${times}`);
  });

  it('changes nothing, bit for bit, where nothing is shared and nobody is preempted', () => {
    fc.assert(
      fc.property(prefixInput, (input) => {
        const alone: EngineInput = {
          ...input,
          numGpuBlocks: 1_000_000,
          workload: { ...input.workload, sharedPrefix: { tokens: 0, share: 1 } },
        };
        fc.pre(alone.workload.source.kind === 'synthetic');
        sameTimes({ ...alone, prefixCaching: true }, { ...alone, prefixCaching: false });
      }),
      { numRuns: 300 },
    );
  });

  it('finds the shared half of every prompt but those that come before it is known', () => {
    const { records } = simulate(sharing({ numGpuBlocks: 20_000 }));
    assert.equal(records.cachedTokens % 1024, 0);
    assert.ok(records.cachedTokens >= 90 * 1024);
  });

  it('computes the last block of a prompt again even where all of it is known', () => {
    const base = figureOneInput(2048, { scheduler: 'v1', prefixCaching: true });
    const all: EngineInput = {
      ...base,
      workload: { ...base.workload, requests: 3, sharedPrefix: { tokens: 2048, share: 1 } },
    };
    assert.equal(simulate(all).records.cachedTokens, 2 * (2048 - 16));
  });

  it('leaves v0 and LayerKV as they are', () => {
    for (const over of [{ scheduler: 'v0' }, { policy: 'layerkv' }] as const) {
      const on = sharing(over);
      assert.equal(prefixCachingApplies(on), false);
      sameTimes(on, { ...on, prefixCaching: false });
    }
  });
});

describe('the host tier', () => {
  const scarce = { numGpuBlocks: 1100, kvOffload: { connector: 'offloading', hostPoolBytes: 100 * 2 ** 30 } } as const;

  it('brings back what the pool has forgotten, at the price of the link', () => {
    const base = figureOneInput(2048, { scheduler: 'v1', prefixCaching: true, ...scarce });
    const tier = simulate(base).records;
    const none = simulate({ ...base, kvOffload: { connector: 'offloading', hostPoolBytes: 0 } }).records;
    assert.ok(tier.loadedTokens > 0);
    assert.equal(none.loadedTokens, 0);
    assert.equal(tier.hostToDeviceBytes, tier.loadedTokens * 32 * 2 * 32 * 128 * 2);
    assert.ok(tier.cachedTokens + tier.loadedTokens > none.cachedTokens);
  });

  it('writes every full block once, whoever uses it', () => {
    const { records } = simulate(sharing({ kvOffload: { connector: 'offloading', hostPoolBytes: 400 * 2 ** 30 } }));
    // All but the last token's KV: 2048 + 511 tokens each, of which 1024 are the same.
    const blocks = 64 + 100 * (Math.floor((2048 + 511) / 16) - 64);
    assert.equal(records.deviceToHostBytes, blocks * 16 * 32 * 2 * 32 * 128 * 2);
  });

  it('is nothing without room, a link, or prefix caching', () => {
    const on = sharing(scarce);
    assert.equal(hostTierApplies(on), true);
    for (const over of [
      { kvOffload: { ...scarce.kvOffload, hostPoolBytes: 0 } },
      { hostLinkBytesPerS: 0 },
      { prefixCaching: false },
    ]) {
      assert.equal(hostTierApplies({ ...on, ...over }), false);
    }
    sameTimes({ ...on, hostLinkBytesPerS: 0 }, { ...on, kvOffload: { ...scarce.kvOffload, hostPoolBytes: 0 } });
  });
});
