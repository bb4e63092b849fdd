import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allGpus, findGpu, gpuFactsLine, gpuFromObject, gpuRow, suggestGpus } from '../../src/catalog/gpus.ts';
import { hasShared, SHARED } from '../shared.ts';

/** Spelling → catalogue id. */
const SPELLINGS: Readonly<Record<string, string>> = {
  L20: 'L20',
  l20: 'L20',
  'nvidia-l4': 'L4',
  L40S: 'L40S',
  A10G: 'A10G',
  'a100-80gb': 'A100 80GB SXM4',
  'A100-80G': 'A100 80GB SXM4',
  'Tesla-A100-80G': 'A100 80GB SXM4',
  'NVIDIA-A100-SXM4-80GB': 'A100 80GB SXM4',
  'A100 80GB SXM4': 'A100 80GB SXM4',
  a10080gbsxm4: 'A100 80GB SXM4',
  'NVIDIA-A100-80GB-PCIe': 'A100 80GB PCIe',
  'NVIDIA A100 80GB PCIe': 'A100 80GB PCIe',
  'nvidia-tesla-a100': 'A100 40GB SXM4',
  'A100-40G': 'A100 40GB SXM4',
  H100: 'H100 80GB SXM5',
  h100_sxm: 'H100 80GB SXM5',
  'NVIDIA-H100-80GB-HBM3': 'H100 80GB SXM5',
  'nvidia-h100-80gb': 'H100 80GB SXM5',
  'nvidia-h100-mega-80gb': 'H100 80GB SXM5',
  'H100-94GB NVL': 'H100 NVL 94GB',
  'NVIDIA-H200': 'H200 141GB SXM',
  h200: 'H200 141GB SXM',
  'H20-3e': 'H20-3e 141GB',
  b200: 'B200 180GB (HGX/DGX)',
  gb200: 'GB200 (per GPU, NVL72)',
  b300: 'B300 / HGX B300',
  'NVIDIA-GeForce-RTX-4090': 'RTX 4090',
  'rtx 4090 d': 'RTX 4090 D',
  'NVIDIA-RTX-A6000': 'RTX A6000',
  'NVIDIA RTX 6000 Ada Generation': 'RTX 6000 Ada',
  'AMD-Instinct-MI300X-OAM': 'MI300X',
  'nvidia-tesla-t4': 'T4',
};

describe('catalogue of GPUs', () => {
  for (const [spelling, id] of Object.entries(SPELLINGS)) {
    it(`knows ${spelling}`, () => assert.equal(findGpu(spelling)?.id, id));
  }

  it('does not guess: a bare A100 has 40 or 80 GB, a V100 is no V100S, a time-shared GPU is no GPU', () => {
    for (const name of ['A100', 'nvidia-a100', 'V100', 'NVIDIA-A100-SXM4-80GB-SHARED', 'tpu-v6e-slice', '', '...']) {
      assert.equal(findGpu(name), undefined, name);
    }
  });

  it('suggests what was meant, best first, at most three', () => {
    assert.equal(suggestGpus('L02')[0], 'L20');
    assert.equal(suggestGpus('H10O')[0], 'H100 80GB SXM5');
    assert.ok(suggestGpus('A100').every((id) => id.startsWith('A100')));
    assert.equal(suggestGpus('A100').length, 3);
    assert.deepEqual(suggestGpus('a quantum computer'), []);
    assert.deepEqual(suggestGpus(''), []);
  });

  it('gives no spelling to two boards', () => {
    const owner = new Map<string, string>();
    for (const gpu of allGpus()) {
      for (const name of [gpu.id, ...(gpuRow(gpu.id)?.aliases ?? [])]) {
        assert.equal(findGpu(name)?.id, gpu.id, name);
        assert.ok(!owner.has(name), name);
        owner.set(name, gpu.id);
      }
    }
  });

  it('holds every row of the reference facts unchanged', function () {
    if (!hasShared()) return this.skip();
    const facts = JSON.parse(readFileSync(join(SHARED, 'data/facts/gpus.json'), 'utf8')) as {
      gpus: Record<string, unknown>[];
    };
    assert.equal(facts.gpus.length, allGpus().length);
    for (const expected of facts.gpus) {
      const row = gpuRow(String(expected['gpu'])) as Record<string, unknown> | undefined;
      assert.ok(row, String(expected['gpu']));
      for (const [key, value] of Object.entries(expected)) {
        if (key !== 'corrected') assert.deepEqual(row[key], value, `${expected['gpu']} ${key}`);
      }
    }
  });

  it('converts units: one direction of NVLink, listed memory, effective host link', () => {
    const h100 = findGpu('H100')?.facts;
    assert.equal(h100?.nvlinkBytesPerS, 450e9);
    assert.equal(h100?.memoryBytes, 81559 * 2 ** 20);
    assert.equal(h100?.hostLinkBytesPerS, 50e9);
    const l20 = findGpu('L20')?.facts;
    assert.equal(l20?.hostLinkBytesPerS, 24e9);
    assert.equal(l20?.bf16FlopsPerS, 119.5e12);
    assert.equal(l20?.memoryKind, 'gddr');
    assert.equal(findGpu('T4')?.facts.hostLinkBytesPerS, 12e9);
    assert.equal(findGpu('GB200')?.facts.hostLinkBytesPerS, 180e9);
    assert.equal(findGpu('A100-80G')?.facts.fp8FlopsPerS, 0);
  });

  it('keeps every board within what its datasheet allows', () => {
    for (const { id, facts, source } of allGpus()) {
      const gb = gpuRow(id)?.memoryGB ?? 0;
      assert.ok(facts.memoryBytes > 0.9 * gb * 2 ** 30 && facts.memoryBytes <= 1.01 * gb * 2 ** 30, id);
      assert.ok(facts.memoryBandwidthBytesPerS >= 300e9 && facts.bf16FlopsPerS >= 60e12, id);
      assert.ok(facts.fp8FlopsPerS === 0 || facts.fp8FlopsPerS >= 1.9 * facts.bf16FlopsPerS, id);
      assert.ok(source.length > 0, id);
    }
  });

  it('tells a GPU in one line', () => {
    const l20 = findGpu('L20');
    assert.ok(l20);
    assert.equal(gpuFactsLine(l20), '48 GB GDDR6 · 864 GB/s · 119.5 TFLOPS bf16 · 239 fp8 · PCIe 4');
    const mi300 = findGpu('MI300X');
    assert.ok(mi300);
    assert.match(gpuFactsLine(mi300), /Infinity Fabric 896 GB\/s$/);
  });
});

describe('an inline GPU', () => {
  it('takes the keys of the catalogue', () => {
    const made = gpuFromObject({
      gpu: 'Mine',
      memoryGB: 24,
      memoryBandwidthGBs: 600,
      denseBf16Tflops: 125,
      pcieGen: 3,
      nvlinkGBs: 100,
    });
    assert.ok(made.ok);
    assert.equal(made.value.id, 'Mine');
    assert.equal(made.value.facts.hostLinkBytesPerS, 12e9);
    assert.equal(made.value.facts.nvlinkBytesPerS, 50e9);
    assert.equal(made.value.facts.memoryBytes, Math.round(24 * 2 ** 30 * 0.995));
  });

  it('equals the catalogue when it holds a whole row, and changes it when it names a known board', () => {
    for (const gpu of allGpus()) {
      const made = gpuFromObject(gpuRow(gpu.id));
      assert.ok(made.ok, gpu.id);
      assert.deepEqual(made.value.facts, gpu.facts);
    }
    const more = gpuFromObject({ gpu: 'L20', memoryGB: 96 });
    assert.ok(more.ok);
    assert.ok(more.value.facts.memoryBytes > 95 * 2 ** 30);
    assert.equal(more.value.facts.memoryBandwidthBytesPerS, 864e9);
  });

  it('names everything that is missing or wrong, and never throws', () => {
    const made = gpuFromObject({ memoryGB: 'much', memoryBandwidthGBs: -1, linkTopology: 'string' });
    assert.ok(!made.ok);
    assert.deepEqual(
      made.faults.map((fault) => fault.path.join('.')),
      ['memoryGB', 'memoryBandwidthGBs', '', 'linkTopology'],
    );
    for (const value of [null, undefined, 3, 'x', [], {}]) assert.equal(gpuFromObject(value).ok, false);
  });
});
