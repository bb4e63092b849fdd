/** `npm run bench` measures what it says: every measurement runs, on tiny sizes. No time is asserted. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { FULL, type Measurement, measurements } from '../../bench/speed/list.ts';

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['scripts/bench.mjs', ...args], { encoding: 'utf8' });

interface Report {
  readonly schema: string;
  readonly quick: boolean;
  readonly rows: readonly { readonly id: string; readonly value: number; readonly met: boolean | null }[];
}

describe('npm run bench', () => {
  it('runs every measurement and prints nothing but JSON when asked to', function () {
    // 25 child processes, a quarter of a second each on a quiet machine.
    this.timeout(120_000);
    const { status, stdout, stderr } = bench('--quick', '--json');
    assert.equal(status, 0, stderr);
    const report: Report = JSON.parse(stdout);
    assert.equal(report.schema, 'layerkv/bench/v1');
    assert.equal(report.quick, true);
    const kinds = (ids: readonly string[]): readonly string[] => ids.map((id) => id.replace(/\/\d+$/, ''));
    const measured = report.rows.filter(({ id }) => !id.startsWith('ratio/')).map(({ id }) => id);
    assert.deepEqual(kinds(measured), kinds(measurements(FULL).map(({ id }) => id)));
    assert.equal(report.rows.length, measured.length + 3);
    for (const { id, value } of report.rows) assert.ok(Number.isFinite(value) && value > 0, `${id}: ${value}`);
  });

  it('says which measurements there are when none has the name', () => {
    const { status, stderr } = bench('nonsense');
    assert.equal(status, 3);
    assert.match(stderr, /memory\/forecast\/w1-v1\/1000000/);
  });

  it('holds the targets of the design, unchanged', () => {
    const target = (id: string): Measurement['target'] | undefined =>
      measurements(FULL).find((each) => each.id === id)?.target;
    assert.deepEqual(target('engine/w1-v1/100000'), { atLeast: 1_000_000 });
    assert.deepEqual(target('engine/w1-v0/100000'), { atLeast: 1_000_000 });
    assert.deepEqual(target('engine/figure1-layerkv-0.45/100000'), { atLeast: 500_000 });
    assert.deepEqual(target('engine/figure1-layerkv-1/100000'), { atLeast: 100_000 });
    assert.deepEqual(target('memory/forecast/w1-v1/1000000'), { atMost: 300 });
    assert.deepEqual(target('forecast/w1-v1/1000'), { atMost: 5 });
    assert.deepEqual(target('worker/w1-v1/1000'), { atMost: 60 });
  });
});
