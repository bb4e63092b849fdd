/**
 * Entry of `npm run bench`. Runs each measurement in a child process, one after the other, prints the table and writes
 * `out/bench.json`. `--json` prints the JSON instead; `--quick` uses tiny sizes and writes no file; other words pick
 * measurements by id.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  COST_RATIO_TARGET,
  costRatios,
  FULL,
  type Measurement,
  measurements,
  PEERS,
  QUICK,
  type Target,
} from './list.ts';
import { type Row, table } from './table.ts';
import type { Task } from './tasks.ts';

const FILE = 'out/bench.json';
const child = fileURLToPath(new URL('child.mjs', import.meta.url));

const { values: flags, positionals: wanted } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const sizes = flags.quick ? QUICK : FULL;
const chosen = measurements(sizes).filter(({ id }) => wanted.length === 0 || wanted.some((part) => id.includes(part)));

if (chosen.length === 0) {
  console.error(
    `No measurement is called ${wanted.join(' or ')}. There are:\n  ${measurements(sizes)
      .map(({ id }) => id)
      .join('\n  ')}`,
  );
  process.exitCode = 3;
} else {
  const rows: Row[] = [];
  let othersBusy = 0;
  for (const measurement of chosen) {
    console.error(`${rows.length + 1}/${chosen.length} ${measurement.title}`);
    othersBusy += busyCores(100) / chosen.length;
    rows.push(run(measurement));
  }
  rows.push(...ratios(rows));
  const report = {
    schema: 'layerkv/bench/v1',
    ...machine(),
    otherProgramsCores: othersBusy,
    quick: flags.quick,
    peers: PEERS,
    rows,
  };
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (!flags.quick) {
    mkdirSync('out', { recursive: true });
    writeFileSync(FILE, json);
  }
  if (flags.json) process.stdout.write(json);
  else {
    const { commit, node, cpu, cores, date } = report;
    console.log(`commit ${commit} · Node ${node} · ${cores} × ${cpu} · ${date}`);
    console.log(`Other programs used ${othersBusy.toFixed(1)} of ${cores} cores between the measurements.`);
    console.log('Each row: a process of its own, the median of its runs after warm-up unless it says otherwise.\n');
    console.log(table(rows, PEERS));
    console.log(flags.quick ? '\nSizes are tiny (--quick): the figures say nothing of speed.' : `\nAlso in ${FILE}.`);
  }
}

function run({ id, title, unit, target, task, value, w1 }: Measurement): Row {
  const samples = valuesOf(task).toSorted((a, b) => a - b);
  const median = quantile(samples, 0.5);
  const requests = 'requests' in task ? task.requests : 0;
  const asValue = (sample: number): number => (value === 'rate' ? requests / sample : sample);
  const result = value === 'p95' ? quantile(samples, 0.95) : asValue(median);
  const range = [asValue(samples[0]!), asValue(samples.at(-1)!)].toSorted((a, b) => a - b);
  return { id, title, unit, value: result, range, target, met: meets(result, target), w1, task, samples };
}

function valuesOf(task: Task): readonly number[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [child, JSON.stringify(task)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`the measurement ${JSON.stringify(task)} failed:\n${stderr}`);
  return JSON.parse(stdout) as readonly number[];
}

/** Cores that are busy while this process waits: what disturbs the measurements. */
function busyCores(waitMs: number): number {
  const totals = (): { busyMs: number; allMs: number } => {
    const times = cpus().map((core) => core.times);
    const idleMs = times.reduce((sum, { idle }) => sum + idle, 0);
    const allMs = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
    return { busyMs: allMs - idleMs, allMs };
  };
  const before = totals();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
  const after = totals();
  const allMs = after.allMs - before.allMs;
  return allMs > 0 ? (cpus().length * (after.busyMs - before.busyMs)) / allMs : 0;
}

/** Cost per request at the larger size over that at the smaller, of those that were measured. */
function ratios(rows: readonly Row[]): readonly Row[] {
  const rate = (wantedId: string): number | undefined => rows.find(({ id }) => id === wantedId)?.value;
  return costRatios(sizes).flatMap(({ title, small, large }): readonly Row[] => {
    const [before, after] = [rate(small), rate(large)];
    if (before === undefined || after === undefined) return [];
    const value = before / after;
    const target = COST_RATIO_TARGET;
    return [{ id: `ratio/${large}`, title, unit: 'ratio', value, target, met: meets(value, target), w1: false }];
  });
}

function meets(value: number, target: Target | null): boolean | null {
  if (target === null) return null;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

/** Linear interpolation between order statistics. */
function quantile(sorted: readonly number[], p: number): number {
  const rank = p * (sorted.length - 1);
  const low = sorted[Math.floor(rank)]!;
  return low + (sorted[Math.ceil(rank)]! - low) * (rank - Math.floor(rank));
}

function machine() {
  const git = (...args: string[]): string => {
    try {
      return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      return '';
    }
  };
  const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'server/src') !== '';
  return {
    date: new Date().toISOString(),
    commit: `${git('rev-parse', '--short', 'HEAD') || 'unknown'}${changed ? ' with changes' : ''}`,
    node: process.versions.node,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}
