import assert from 'node:assert/strict';
import fc from 'fast-check';
import { GapHistogram } from '../../src/engine/schedule/gapHistogram.ts';
import { Timeline } from '../../src/engine/schedule/timeline.ts';
import { simulate } from '../../src/engine/simulate.ts';
import { figureOneInput, hostileInput } from './inputs.ts';

describe('gaps between tokens', () => {
  it('have percentiles within a quarter of a percent, whether entered one by one or as runs', () => {
    const run = fc.record({
      baseS: fc.double({ min: 1e-4, max: 2, noNaN: true }),
      growthS: fc.double({ min: 0, max: 1e-3, noNaN: true }),
      steps: fc.integer({ min: 1, max: 400 }),
      count: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 8 }), (runs) => {
        const histogram = new GapHistogram();
        const gaps: number[] = [];
        for (const { baseS, growthS, steps, count } of runs) {
          histogram.addRun(baseS, growthS, steps, count);
          for (let k = 0; k < steps; k++) for (let n = 0; n < count; n++) gaps.push(baseS + growthS * k);
        }
        gaps.sort((a, b) => a - b);
        assert.equal(histogram.count, gaps.length);
        const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
        assert.ok(Math.abs(histogram.meanS() / mean - 1) < 1e-9);
        assert.ok(Math.abs(histogram.maxS() / gaps.at(-1)! - 1) < 1e-9);
        for (const p of [0.5, 0.9, 0.99]) {
          const low = gaps[Math.max(0, Math.floor(p * gaps.length) - 1)]!;
          const high = gaps[Math.min(gaps.length - 1, Math.ceil(p * gaps.length))]!;
          const value = histogram.quantileS(p);
          assert.ok(value >= low / 1.0051 && value <= high * 1.0051, `${p}: ${value} not in ${low}..${high}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('add up to the time from first token to finish, request by request, in any plan', () => {
    fc.assert(
      fc.property(hostileInput, (input) => {
        const { records, recording } = simulate(input, { record: 'gaps' });
        let tokens = 0;
        let seconds = 0;
        for (let k = 0; k < records.count; k++) {
          if (Number.isNaN(records.finishS[k]!)) return;
          tokens += records.outputTokens[k]! - 1;
          seconds += records.finishS[k]! - records.firstTokenS[k]!;
        }
        assert.equal(recording!.gaps.count, tokens);
        assert.ok(Math.abs(recording!.gaps.meanS() * tokens - seconds) < 1e-6 * Math.max(1, seconds));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the timeline', () => {
  it('keeps integrals while its bins grow', () => {
    const timeline = new Timeline();
    let integral = 0;
    for (let k = 0; k < 5000; k++) {
      timeline.add('queue', k * 0.3, (k + 1) * 0.3, k % 7);
      integral += 0.3 * (k % 7);
    }
    const { stepS, columns } = timeline.averages();
    assert.ok(columns.queue.length <= 240);
    const sum = columns.queue.reduce((total, value, bin) => {
      const length = Math.min(stepS, 1500 - bin * stepS);
      return total + value * length;
    }, 0);
    assert.ok(Math.abs(sum / integral - 1) < 1e-9);
  });

  it('changes nothing that it watches, and sees a pool that is never more than full', () => {
    fc.assert(
      fc.property(hostileInput, (input) => {
        const plain = simulate(input).records;
        const { records, recording } = simulate(input, { record: 'all' });
        assert.deepEqual([...records.finishS], [...plain.finishS]);
        const { columns } = recording!.timeline!.averages();
        for (const blocks of columns.gpuKvBlocks)
          assert.ok(blocks >= -1e-6 && blocks <= input.parallelism.data * input.numGpuBlocks! + 1e-6);
        for (const blocks of columns.hostKvBlocks) assert.ok(blocks >= -1e-6);
        for (const busy of columns.linkBusy) assert.ok(busy >= 0 && busy <= 2 * input.parallelism.data + 1e-6);
      }),
      { numRuns: 300 },
    );
  });

  it('shows the queue of figure 1 growing under vLLM, and requests parked under LayerKV', () => {
    const peak = (policy: 'vllm' | 'layerkv', column: 'queue' | 'parked'): number =>
      Math.max(
        ...simulate(figureOneInput(2048, { policy }), { record: 'all' }).recording!.timeline!.averages().columns[
          column
        ],
      );
    assert.ok(peak('vllm', 'queue') > 20 && peak('layerkv', 'queue') < 5);
    assert.ok(peak('layerkv', 'parked') > 20 && peak('vllm', 'parked') === 0);
  });
});
