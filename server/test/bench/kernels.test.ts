/** Laws of single kernels: how they must behave whatever the coefficients, and the coefficients that we ship. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { allGpus, findGpu } from '../../src/catalog/gpus.ts';
import hostTable from '../../src/engine/cost/hostTable.json';
import { type KernelFamilies, kernelsOf, type ProductFormat } from '../../src/engine/cost/kernelFamily.ts';
import {
  allReduceS,
  decodeFixedS,
  elementwiseS,
  kvByteS,
  prefillAttentionS,
  productS,
  softMaximum,
  touchedExperts,
} from '../../src/engine/cost/kernels.ts';
import kernelTable from '../../src/engine/cost/kernelTable.json';

const FORMATS: readonly ProductFormat[] = ['bf16', 'fp8', 'fp8Block', 'int8', 'nvfp4', 'weightOnly'];
const GPUS = allGpus();
const gpus = fc.constantFrom(...GPUS);
const sizes = fc.integer({ min: 1, max: 30_000 });
/** Two sizes, the smaller one first. */
const growing = fc.tuple(sizes, sizes).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

describe('kernel laws', () => {
  it('take the longer of two times, and a little more where they are near', () => {
    const times = fc.double({ min: 1e-7, max: 1, noNaN: true });
    fc.assert(
      fc.property(times, times, fc.double({ min: 1.3, max: 8, noNaN: true }), (a, b, sharpness) => {
        const both = softMaximum(a, b, sharpness);
        assert.ok(both >= Math.max(a, b) * (1 - 1e-12) && both <= (a + b) * (1 + 1e-12));
        assert.ok(Math.abs(both - softMaximum(b, a, sharpness)) <= 1e-12 * both);
      }),
    );
    assert.equal(softMaximum(0, 0, 3), 0);
  });

  it('of products grow in each dimension and in the bytes of a weight', () => {
    fc.assert(
      fc.property(gpus, fc.constantFrom(...FORMATS), growing, sizes, sizes, ({ facts }, format, [few, many], n, k) => {
        const product = kernelsOf(facts).product(format);
        const timeS = (m: number, width: number, depth: number, bytes: number): number =>
          productS(product, m, width, depth, bytes, facts.bf16FlopsPerS, facts.memoryBandwidthBytesPerS);
        assert.ok(timeS(many, n, k, 2) >= timeS(few, n, k, 2));
        assert.ok(timeS(n, many, k, 2) >= timeS(n, few, k, 2));
        assert.ok(timeS(n, k, many, 2) >= timeS(n, k, few, 2));
        assert.ok(timeS(few, n, k, 2) >= timeS(few, n, k, 1));
        assert.ok(timeS(few, n, k, 1) > product.launchS);
      }),
    );
  });

  it('of products never beat the datasheet', () => {
    fc.assert(
      fc.property(gpus, fc.constantFrom(...FORMATS), sizes, sizes, sizes, ({ facts }, format, m, n, k) => {
        const product = kernelsOf(facts).product(format);
        const [flops, bytes] = [facts.bf16FlopsPerS, facts.memoryBandwidthBytesPerS];
        const seconds = productS(product, m, n, k, 2, flops, bytes);
        assert.ok(seconds >= (2 * m * n * k) / flops && seconds >= (2 * n * k) / bytes);
      }),
    );
  });

  it('touch more experts with more tokens, never more than there are', () => {
    fc.assert(
      fc.property(growing, fc.integer({ min: 1, max: 16 }), ([few, many], topK) => {
        const at = (tokens: number): number => touchedExperts(tokens, 128, topK);
        assert.ok(Math.abs(at(1) - topK) < 1e-9);
        assert.ok(at(few) <= at(many) && at(many) <= 128);
      }),
    );
  });

  it('of decode attention: a byte costs less the more sequences there are, and never beats memory', () => {
    fc.assert(
      fc.property(gpus, growing, fc.integer({ min: 1, max: 128 }), ({ facts }, [few, many], heads) => {
        const bytesPerS = facts.memoryBandwidthBytesPerS;
        for (const attention of [kernelsOf(facts).decodeAttention, kernelsOf(facts).decodeAttentionFp8]) {
          const byteS = (seqs: number): number => kvByteS(attention, seqs, heads, bytesPerS);
          assert.ok(byteS(many) <= byteS(few) && byteS(many) >= 1 / bytesPerS);
          assert.ok(byteS(many) * many >= byteS(few) * few, 'all bytes together take longer');
          assert.ok(decodeFixedS(attention, many, heads) >= decodeFixedS(attention, few, heads));
        }
      }),
    );
  });

  it('of prefill attention and data movers are affine in what they do', () => {
    fc.assert(
      fc.property(gpus, growing, ({ facts }, [few, many]) => {
        const { prefillAttention, elementwise } = kernelsOf(facts);
        const attend = (pairs: number): number =>
          prefillAttentionS(prefillAttention, pairs, 100, 1e4, facts.bf16FlopsPerS);
        const move = (bytes: number): number => elementwiseS(elementwise, bytes, facts.memoryBandwidthBytesPerS);
        for (const law of [attend, move]) {
          assert.ok(law(many) >= law(few));
          const middle = (law(few) + law(many)) / 2;
          assert.ok(Math.abs(law((few + many) / 2) - middle) <= 1e-9 * middle);
        }
      }),
    );
  });

  it('of all-reduces grow with bytes, and move a byte no faster than the link', () => {
    fc.assert(
      fc.property(fc.constantFrom(2, 3, 4, 6, 8), growing, (ranks, [few, many]) => {
        const h100 = findGpu('H100 80GB SXM5');
        assert.ok(h100);
        const { nvlink } = kernelsOf(h100.facts);
        const timeS = (bytes: number): number => allReduceS(nvlink, ranks, bytes, h100.facts.nvlinkBytesPerS);
        assert.ok(timeS(few) <= timeS(many));
        assert.ok(timeS(few) > 0);
      }),
    );
  });
});

describe('coefficients that we ship', () => {
  /** Every number below a table entry, with the path to it. */
  function numbers(of: unknown, path = ''): readonly (readonly [string, number])[] {
    if (typeof of === 'number') return [[path, of]];
    if (of === null || typeof of !== 'object') return [];
    return Object.entries(of).flatMap(([name, value]) => numbers(value, `${path}/${name}`));
  }
  const kernels = numbers(kernelTable.families);

  it('are there', () => {
    assert.ok(kernels.length > 100);
    assert.ok(numbers(hostTable).length > 10);
  });

  it('are shares of a peak where they say so: above 0, at most 1', () => {
    const shares = kernels.filter(([path]) => /(?:flops|stream|Stream)Share$/.test(path));
    assert.ok(shares.length > 40);
    for (const [path, share] of shares) assert.ok(share > 0 && share <= 1, `${path}: ${share}`);
  });

  it('are times below a millisecond where they are a kernel’s fixed time', () => {
    const times = kernels.filter(([path]) => /(?:launchS|perHeadS|latencyS\/\d)$/.test(path));
    assert.ok(times.length > 40);
    for (const [path, seconds] of times) assert.ok(seconds > 0 && seconds < 1e-3, `${path}: ${seconds}`);
  });

  it('know no number that is negative or not finite', () => {
    for (const [path, value] of [...kernels, ...numbers(hostTable)])
      assert.ok(Number.isFinite(value) && value >= 0, `${path}: ${value}`);
  });

  it('let the host take less for a step prepared ahead, and at most tens of ms for anything', () => {
    assert.ok(hostTable.v1Async.perStepS < hostTable.v1.perStepS && hostTable.v1.perStepS < hostTable.v0.perStepS);
    for (const [path, seconds] of numbers(hostTable)) assert.ok(seconds < 0.1, `${path}: ${seconds}`);
  });

  it('serve every GPU of the catalogue in every format', () => {
    for (const { id, facts } of GPUS) {
      const found = kernelsOf(facts);
      for (const format of FORMATS) {
        for (const law of [found.product(format), found.experts(format)])
          assert.ok(law.flopsShare > 0 && law.flopsShare <= 1 && law.streamShare > 0, `${id} ${format}`);
      }
      assert.ok(found.prefillAttention.flopsShare > 0 && found.decodeAttention.streamShare > 0, id);
    }
  });

  it('can be others', () => {
    const a100 = findGpu('A100 80GB SXM4')?.facts;
    assert.ok(a100);
    const all = kernelTable.families as unknown as KernelFamilies;
    const { flopsShare } = kernelsOf(a100, { ...all, ampere: all.hopper }).product('bf16');
    assert.equal(flopsShare, all.hopper.products.bf16?.flopsShare);
    assert.equal(kernelsOf(a100, all).product('bf16').flopsShare, all.ampere.products.bf16?.flopsShare);
  });
});
