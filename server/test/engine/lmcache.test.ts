import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addPrefill, emptyBatch } from '../../src/engine/cost/types.ts';
import { ChunkStore } from '../../src/engine/kv/chunkStore.ts';
import { LmCache } from '../../src/engine/schedule/lmCache.ts';
import { costModel, hostTierApplies, type Run, type SimulateOptions, simulate } from '../../src/engine/simulate.ts';
import type { EngineInput, TraceColumns } from '../../src/engine/types.ts';
import { checkAgainstReference } from './checkAgainstReference.ts';
import { figureOneInput } from './inputs.ts';
import { lmcacheInput } from './prefixInputs.ts';

/** Plans per property run; raise it with FUZZ_RUNS for a long hunt. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1500);

/** KV of one token of Llama-2-7B. */
const TOKEN_BYTES = 32 * 2 * 32 * 128 * 2;
const LMCACHE = { connector: 'lmcache', hostPoolBytes: 400 * 2 ** 30, chunkTokens: 256 } as const;
const LIMITS = { blockSizeTokens: 16, maxModelLenTokens: 2064, maxNumSeqs: 256, maxNumBatchedTokens: 16896 };

/** One prompt after the other has been answered; those with equal names are the same, the others have nothing in common. */
function prompts(names: readonly string[], promptTokens: number, over: Partial<EngineInput> = {}): EngineInput {
  const base = figureOneInput(promptTokens, { scheduler: 'v1', prefixCaching: true, kvOffload: LMCACHE, ...over });
  const trace: TraceColumns = {
    arrivalS: Float64Array.from(names, (_, k) => 100 * k),
    inputTokens: new Int32Array(names.length).fill(promptTokens),
    outputTokens: new Int32Array(names.length).fill(4),
    promptIds: {
      tokensPerId: promptTokens,
      starts: Int32Array.from([...names, ''], (_, k) => k),
      ids: Int32Array.from(names, (name) => names.indexOf(name)),
    },
  };
  return { ...base, workload: { ...base.workload, source: { kind: 'trace', trace }, requests: names.length } };
}

/** Without the front end, whose times would stand beside the link's. */
function run(input: EngineInput, options: SimulateOptions = {}): Run {
  return simulate(input, { ...options, cost: { ...costModel(input), frontEnd: null } });
}

function timesToFirstToken(input: EngineInput): readonly number[] {
  const { records } = run(input);
  return Array.from(records.firstTokenS, (tokenS, k) => tokenS - records.arrivalS[k]!);
}

/** What steps wait for so many chunks on the link, s. */
function chunksS(chunks: number): number {
  return (chunks * 256 * TOKEN_BYTES) / 24e9 + chunks * 4.2e-6;
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}, expected ${expected}`);
}

describe('LMCache', () => {
  it('agrees with the naive reference request by request', function () {
    this.timeout(120_000 + RUNS * 20);
    fc.assert(fc.property(lmcacheInput, checkAgainstReference), {
      numRuns: RUNS,
      endOnFailure: process.env['FUZZ_SHRINK'] === undefined,
    });
  });

  it('is hunted with plans that meet every corner', () => {
    const met = {
      found: 0,
      foundAgain: 0,
      behindTheGpu: 0,
      wholePrompt: 0,
      askedAgain: 0,
      forgotten: 0,
      noRoom: 0,
      storedTwice: 0,
      preemptedYoung: 0,
      preemptedOld: 0,
    };
    const { lookUp, schedule, release } = LmCache.prototype;
    const { store } = ChunkStore.prototype;
    let asked = new Set<number>();
    let stored = new Set<number>();
    let ends = new Map<number, number>();
    LmCache.prototype.lookUp = function (request, total, cached) {
      lookUp.call(this, request, total, cached);
      met.askedAgain += asked.has(request) ? 1 : 0;
      met.wholePrompt += this.loadTokens > 0 && cached + this.loadTokens === total - 1 ? 1 : 0;
      met.behindTheGpu += this.loadTokens > 0 && cached > 0 ? 1 : 0;
      asked.add(request);
    };
    LmCache.prototype.schedule = function (request, tokens, end) {
      schedule.call(this, request, tokens, end);
      asked.delete(request);
      ends.set(request, end);
    };
    LmCache.prototype.release = function (request, kvTokens, returns) {
      release.call(this, request, kvTokens, returns);
      if (!returns) return;
      if (kvTokens > ends.get(request)!) met.preemptedOld += 1;
      else met.preemptedYoung += 1;
    };
    ChunkStore.prototype.store = function (wanted, contentOf) {
      const contents = Array.from({ length: Math.max(0, wanted) }, (_, chunk) => contentOf(chunk));
      const held = contents.filter((content) => this.has(content));
      met.forgotten += contents.some((content) => stored.has(content) && !this.has(content)) ? 1 : 0;
      const copied = store.call(this, wanted, contentOf);
      met.storedTwice += copied > 0 && held.length > 0 ? 1 : 0;
      met.noRoom += copied < wanted ? 1 : 0;
      for (const content of contents.slice(0, copied)) stored.add(content);
      return copied;
    };
    try {
      for (const input of fc.sample(lmcacheInput, { numRuns: 3000, seed: 11 })) {
        if (!hostTierApplies(input)) continue;
        asked = new Set();
        stored = new Set();
        ends = new Map();
        const { records, workload } = run(input);
        const alone = workload.promptIds === null;
        met.found += records.loadedTokens > 0 && !alone ? 1 : 0;
        met.foundAgain += records.loadedTokens > 0 && alone ? 1 : 0;
      }
    } finally {
      Object.assign(LmCache.prototype, { lookUp, schedule, release });
      Object.assign(ChunkStore.prototype, { store });
    }
    for (const [what, times] of Object.entries(met)) assert.ok(times > 5, `${what}: ${times}`);
  });

  it('lengthens each prompt by the time its full chunks need on the link, and no step behind it', () => {
    const bare = prompts(['a', 'b', 'c'], 2000, { kvOffload: { connector: 'offloading', hostPoolBytes: 0 } });
    const tiered = prompts(['a', 'b', 'c'], 2000);
    const before = timesToFirstToken(bare);
    timesToFirstToken(tiered).forEach((seconds, k) => {
      near(seconds - before[k]!, chunksS(7));
    });
    const { records } = run(tiered);
    records.finishS.forEach((finishS, k) => {
      near(finishS - run(bare).records.finishS[k]!, chunksS(7));
    });
    assert.equal(records.deviceToHostBytes, 3 * 7 * 256 * TOKEN_BYTES);
    assert.equal(records.hostToDeviceBytes, 0);
    near(records.exposedTransferS, 3 * chunksS(7));
  });

  it('fetches a whole prompt, computes its last token, and stores nothing of it again', () => {
    // A pool for one prompt: the second makes vLLM forget the first.
    const input = prompts(['a', 'b', 'a'], 2048, { numGpuBlocks: 130, limits: LIMITS });
    const { records } = run(input);
    assert.deepEqual([records.cachedTokens, records.loadedTokens], [0, 2047]);
    assert.equal(records.hostToDeviceBytes, 2048 * TOKEN_BYTES);
    assert.equal(records.deviceToHostBytes, 2 * 2048 * TOKEN_BYTES);
    const step = emptyBatch();
    addPrefill(step, 1, 2047, true, Number.POSITIVE_INFINITY);
    near(timesToFirstToken(input)[2]!, chunksS(8) + costModel(input).stepS(step));
  });

  it('fetches nothing that the GPU still has, and does not store it again', () => {
    const { records } = run(prompts(['a', 'a'], 2048));
    assert.deepEqual([records.cachedTokens, records.loadedTokens], [2032, 15]);
    // The chunk in which the GPU's hit ends comes as a whole.
    assert.equal(records.hostToDeviceBytes, 256 * TOKEN_BYTES);
    assert.equal(records.deviceToHostBytes, 2048 * TOKEN_BYTES);
  });

  it('stores what prompts of one step have in common for each of them', () => {
    const apart = prompts(['a', 'a', 'a'], 2000);
    const trace = apart.workload.source.kind === 'trace' ? apart.workload.source.trace : assert.fail();
    const together: EngineInput = {
      ...apart,
      workload: { ...apart.workload, source: { kind: 'trace', trace: { ...trace, arrivalS: new Float64Array(3) } } },
    };
    assert.equal(run(apart).records.deviceToHostBytes, 7 * 256 * TOKEN_BYTES);
    assert.equal(run(together).records.deviceToHostBytes, 3 * 7 * 256 * TOKEN_BYTES);
  });

  it('gives a preempted request its prompt back, not its output', () => {
    // One prompt of 8 chunks a request; 512 tokens of output would be two chunks more.
    const base = figureOneInput(2048, { scheduler: 'v1', prefixCaching: true, numGpuBlocks: 1100 });
    const { records } = run({ ...base, kvOffload: LMCACHE });
    assert.ok(records.preemptions > 0 && records.loadedTokens > 0);
    assert.equal(records.deviceToHostBytes, 100 * 2048 * TOKEN_BYTES);
    assert.ok(records.loadedTokens <= records.preemptions * 2048);
  });

  it('is nothing without room, a link, or prefix caching', () => {
    const on = prompts(['a', 'b', 'a'], 2048, { numGpuBlocks: 130, limits: LIMITS });
    assert.equal(hostTierApplies(on), true);
    const chunkBytes = 256 * TOKEN_BYTES;
    for (const over of [
      { kvOffload: { ...LMCACHE, hostPoolBytes: chunkBytes - 1 } },
      { hostLinkBytesPerS: 0 },
      { prefixCaching: false },
    ]) {
      assert.equal(hostTierApplies({ ...on, ...over }), false);
    }
    assert.equal(hostTierApplies({ ...on, kvOffload: { ...LMCACHE, hostPoolBytes: chunkBytes } }), true);
  });

  it('tells a recording when steps wait for the link', () => {
    const input = prompts(['a', 'b', 'a'], 2048, { numGpuBlocks: 130, limits: LIMITS });
    const { recording, records } = run(input, { record: 'all' });
    const { stepS, columns } = recording!.timeline!.averages();
    const endS = Math.max(...records.finishS);
    const busyS = columns.linkBusy.map((share, bin) => share * Math.min(stepS, endS - bin * stepS));
    near(
      busyS.reduce((sum, each) => sum + each, 0),
      records.transferS,
    );
  });
});
