/** Hostile engine inputs whose prompts have beginnings in common. */
import fc from 'fast-check';
import type { EngineInput, TraceColumns } from '../../src/engine/types.ts';
import { hostileInput, poolBlocks } from './inputs.ts';

/** A request of a trace: it continues the ids of an earlier one, or begins a conversation of its own. */
const turn = fc.record({
  gapS: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.3, noNaN: true })),
  parent: fc.integer({ min: 0, max: 60 }),
  keptIds: fc.integer({ min: 0, max: 12 }),
  newIds: fc.integer({ min: 0, max: 6 }),
  /** Tokens under the last id, and a few that have none. */
  tailTokens: fc.integer({ min: 1, max: 16 }),
  output: fc.integer({ min: 1, max: 30 }),
});

const conversations = fc
  .record({ tokensPerId: fc.constantFrom(1, 4, 5, 16), turns: fc.array(turn, { minLength: 1, maxLength: 40 }) })
  .map(({ tokensPerId, turns }): TraceColumns => {
    const rows: number[][] = [];
    let fresh = 0;
    for (const { parent, keptIds, newIds } of turns) {
      const kept = rows[parent]?.slice(0, keptIds) ?? [];
      rows.push([...kept, ...Array.from({ length: newIds }, () => fresh++)]);
    }
    const starts = new Int32Array(rows.length + 1);
    rows.forEach((row, k) => {
      starts[k + 1] = starts[k]! + row.length;
    });
    let clockS = 0;
    return {
      arrivalS: Float64Array.from(turns, ({ gapS }) => {
        clockS += gapS;
        return clockS;
      }),
      inputTokens: Int32Array.from(turns, ({ tailTokens }, k) =>
        Math.max(1, (rows[k]!.length - 1) * tokensPerId + tailTokens),
      ),
      outputTokens: Int32Array.from(turns, ({ output }) => output),
      promptIds: { tokensPerId, starts, ids: Int32Array.from(rows.flat()) },
    };
  });

/** Mostly v1 without LayerKV, where prefix caching applies. */
export const prefixInput: fc.Arbitrary<EngineInput> = fc
  .record({
    input: hostileInput,
    prefixCaching: fc.constantFrom(true, true, true, true, false),
    plain: fc.constantFrom(true, true, true, true, false),
    sharedPrefix: fc.record({
      tokens: fc.integer({ min: 0, max: 60 }),
      share: fc.constantFrom(0, 0.3, 0.7, 1),
    }),
    hostBytes: fc.constantFrom(null, 0, 1e4, 3e4, 1e5, 1e9),
    trace: fc.option(conversations, { freq: 2 }),
    poolFactor: fc.double({ min: 1.05, max: 6, noNaN: true }),
  })
  .map(({ input, prefixCaching, plain, sharedPrefix, hostBytes, trace, poolFactor }): EngineInput => {
    const source = trace === null ? input.workload.source : ({ kind: 'trace', trace } as const);
    const combined: EngineInput = {
      ...input,
      ...(plain ? { scheduler: 'v1', policy: 'vllm' } : {}),
      prefixCaching,
      ...(hostBytes === null ? {} : { kvOffload: { connector: 'offloading', hostPoolBytes: hostBytes } }),
      workload: { ...input.workload, source, sharedPrefix },
    };
    // Which blocks a log counts depends on what has been put together.
    return { ...combined, numGpuBlocks: poolBlocks(combined, poolFactor) };
  });

/** The same with LMCache: plans in which it has room and a link, chunks mostly longer than a block and not a multiple of it. */
export const lmcacheInput: fc.Arbitrary<EngineInput> = fc
  .record({
    input: prefixInput,
    linkBytesPerS: fc.constantFrom(2e4, 5e5, 2e6, 1e9),
    hostPoolBytes: fc.constantFrom(3e3, 1e4, 3e4, 1e5, 1e9),
    chunkTokens: fc.constantFrom(1, 4, 7, 8, 16, 30),
  })
  .map(
    ({ input, linkBytesPerS, hostPoolBytes, chunkTokens }): EngineInput => ({
      ...input,
      scheduler: 'v1',
      policy: 'vllm',
      prefixCaching: true,
      parallelism: { ...input.parallelism, pipeline: 1 },
      hostLinkBytesPerS: linkBytesPerS,
      kvOffload: { connector: 'lmcache', hostPoolBytes, chunkTokens },
    }),
  );
