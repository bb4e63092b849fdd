/** The fits, on made-up measurements whose truth is known. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCsv } from '../../bench/fit/csv.ts';
import { coefficientsOf, FAMILIES } from '../../bench/fit/families.ts';
import { hostCoefficients, hostPlanes } from '../../bench/fit/host.ts';
import { fitProducts } from '../../bench/fit/kernels.ts';
import { predict } from '../../bench/validate/predict.ts';
import { rowInput, type ValidationRow } from '../../bench/validate/row.ts';
import { findGpu } from '../../src/catalog/gpus.ts';
import type { HostCoefficients } from '../../src/engine/cost/host.ts';
import hostTable from '../../src/engine/cost/hostTable.json';
import { productS } from '../../src/engine/cost/kernels.ts';
import { stepCost } from '../../src/engine/cost/stepCost.ts';
import { publishedRow } from './rows.ts';

const GPU = 'H100 80GB SXM5';
const h100 = findGpu(GPU)?.facts;
assert.ok(h100);
const facts = h100;

describe('kernel measurements', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'layerkv-fit-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('are read by column, quoted cells and empty ones too', () => {
    writeFileSync(join(folder, 'a.csv'), 'gpu,note,m\r\nL40S,"one, two",3\r\nL4,,\r\n');
    const [first, second] = readCsv(folder, 'a.csv');
    assert.deepEqual([first?.text('gpu'), first?.text('note'), first?.number('m')], ['L40S', 'one, two', 3]);
    assert.deepEqual([second?.text('note'), second?.number('m'), second?.text('no such')], ['', 0, '']);
  });

  it('give back the law that made them, and nothing of other GPUs', () => {
    const truth = { launchS: 6e-6, flopsShare: 0.7, streamShare: 0.8, sharpness: 3 };
    const lines = [1, 8, 64, 256, 1024, 4096, 16384].flatMap((m) =>
      [
        [6144, 8192],
        [28672, 8192],
        [8192, 28672],
      ].flatMap(([n = 0, k = 0]) => {
        const seconds = productS(truth, m, n, k, 2, facts.bf16FlopsPerS, facts.memoryBandwidthBytesPerS);
        return [`${GPU},bfloat16,${m},${n},${k},${seconds * 1000}`, `L40S,bfloat16,${m},${n},${k},${seconds * 9000}`];
      }),
    );
    writeFileSync(join(folder, 'gemm.csv'), ['gpu,dtype,m,n,k,latencyMs', ...lines].join('\n'));
    const { bf16, ...others } = fitProducts(folder, { name: 'hopper', gpus: [GPU] });
    assert.deepEqual(Object.keys(others), []);
    assert.ok(bf16);
    assert.equal(bf16.samples, 21);
    assert.ok(bf16.medianError < 0.005);
    for (const [name, value] of Object.entries(truth)) {
      const error = Number(bf16[name]) / value - 1;
      assert.ok(Math.abs(error) < 0.02, `${name}: ${String(bf16[name])}`);
    }
  });

  it('name GPUs that the catalogue knows, each in one family', () => {
    const gpus = FAMILIES.flatMap((family) => family.gpus);
    assert.equal(new Set(gpus).size, gpus.length);
    for (const { name, gpus: members } of FAMILIES)
      for (const gpu of members) assert.equal(findGpu(gpu)?.facts.kernels?.family, name, gpu);
  });

  it('are committed without what says how well they fit', () => {
    const fit = { bf16: { launchS: 1, samples: 3, medianError: 0.1, p90Error: 0.2 }, list: [1, 2], none: null };
    assert.deepEqual(coefficientsOf(fit), { bf16: { launchS: 1 }, list: [1, 2], none: null });
  });
});

describe('the fit of the host’s work', () => {
  /** Twice what ships, so that nothing is right from the start. */
  const truth: HostCoefficients = {
    ...hostTable,
    v0: { ...hostTable.v0, perStepS: 2 * hostTable.v0.perStepS },
    v1: { ...hostTable.v1, perStepS: 2 * hostTable.v1.perStepS },
    v1Async: { ...hostTable.v1Async, perStepS: 2 * hostTable.v1Async.perStepS },
    http: { ...hostTable.http, latencyS: 2 * hostTable.http.latencyS },
  };

  const loads: readonly ValidationRow['load'][] = [
    { kind: 'serial', numRequests: 4 },
    ...[1, 4, 16, 32].map((concurrency) => ({ kind: 'closed', concurrency, numRequests: 2 * concurrency })),
  ];
  const engines: readonly Partial<ValidationRow>[] = [
    { engineVersion: '0.7.3', scheduler: 'v0-prefill-first', maxModelLen: 8192 },
    { engineVersion: '0.10.0', scheduler: 'v1-chunked', asyncScheduling: false },
    { engineVersion: '0.14.0', scheduler: 'v1-chunked', asyncScheduling: true },
  ];
  const lengths = [100, 2000].map((tokens) => ({ kind: 'fixed', tokens }) as const);

  /** Rows that a host of these coefficients would have published. */
  function published(host: HostCoefficients): readonly ValidationRow[] {
    return engines.flatMap((engine) =>
      loads.flatMap((load) =>
        lengths.map((input, index): ValidationRow => {
          const row = publishedRow({ ...engine, load, input, id: JSON.stringify([engine.engineVersion, load, index]) });
          const built = rowInput(row);
          assert.ok(built.ok);
          const figures = predict(row, built.input, stepCost(built.input, host));
          assert.ok(typeof figures !== 'string');
          return { ...row, measured: { ttftMs: { mean: figures.ttftMs ?? 0 }, tpotMs: { mean: figures.tpotMs ?? 0 } } };
        }),
      ),
    );
  }

  const errorsUnder = (rows: readonly ValidationRow[], host: HostCoefficients): readonly number[] =>
    rows.flatMap((row) => {
      const built = rowInput(row);
      assert.ok(built.ok);
      const figures = predict(row, built.input, stepCost(built.input, host));
      assert.ok(typeof figures !== 'string');
      const { ttftMs, tpotMs } = row.measured;
      return [(figures.ttftMs ?? 0) / (ttftMs?.mean ?? 1) - 1, (figures.tpotMs ?? 0) / (tpotMs?.mean ?? 1) - 1];
    });
  const meanAbs = (errors: readonly number[]): number =>
    errors.reduce((sum, error) => sum + Math.abs(error), 0) / errors.length;

  it('finds coefficients that say what was published', function () {
    this.timeout(60_000);
    const rows = published(truth);
    const before = meanAbs(errorsUnder(rows, hostTable));
    const linearised = hostPlanes(rows);
    // A few rows would leave the coefficients near where the search begins, as the fit intends; hundreds outweigh that.
    const planes = Array.from({ length: 40 }, () => linearised).flat();
    const after = meanAbs(errorsUnder(rows, hostCoefficients(planes)));
    assert.ok(before > 0.1, `the truth is too near to what ships: ${before}`);
    assert.ok(after < 0.03 && after < before / 4, `${before} before, ${after} after`);
  });

  it('looks at low loads of a known release and good quality only, each figure once', () => {
    const rows = [
      publishedRow({ id: 'counts' }),
      publishedRow({ id: 'low', quality: 'low' }),
      publishedRow({ id: 'no version', engineVersion: 'unknown (2025)' }),
      publishedRow({ id: 'many users', load: { kind: 'closed', concurrency: 64, numRequests: 64 } }),
      publishedRow({ id: 'fast', load: { kind: 'poisson', rate: 6, numRequests: 20 } }),
      publishedRow({ id: 'saturated', measured: { ttftMs: { mean: 9000 }, tpotMs: { mean: 8 } } }),
      publishedRow({ id: 'a pipeline', pp: 2 }),
      publishedRow({ id: 'unknown model', model: 'nobody/Knows-1B' }),
    ];
    assert.deepEqual(
      hostPlanes(rows).map(({ row, figure }) => `${row.id} ${figure}`),
      ['counts ttftMs', 'counts tpotMs'],
    );
  });

  it('linearises each sample where a run gives the same time', () => {
    const planes = hostPlanes([publishedRow({ asyncScheduling: false })]);
    for (const { atS, point, slopes } of planes) {
      assert.ok(atS > 0);
      assert.deepEqual(Object.keys(slopes), Object.keys(point));
    }
    // A token takes one step of this engine: what the step's overhead grows by, the token grows by.
    const perStep = planes.find(({ figure }) => figure === 'tpotMs')?.slopes.v1Step ?? 0;
    assert.ok(Math.abs(perStep - 1) < 0.1, String(perStep));
  });
});
