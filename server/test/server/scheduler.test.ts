import assert from 'node:assert/strict';
import type { Plan } from '../../src/plan/types.ts';
import type { SimulationJob, SimulationOutcome, SimulationPort } from '../../src/simulation/port.ts';
import { createScheduler, type Scheduler } from '../../src/simulation/scheduler.ts';
import { FIGURE_1, planOf, prediction } from '../language/views.ts';

const URI = 'file:///a.layerkv.yaml';
const ON = { enabled: true, debounceMs: 300 };

interface Run {
  readonly job: SimulationJob;
  cancelled: boolean;
  finish(outcome: SimulationOutcome): Promise<void>;
}

/** A port whose runs end when the test says so, and a clock that the test turns. */
function bench(): { scheduler: Scheduler; runs: Run[]; timers: (() => void)[]; delays: number[]; changes: number[] } {
  const runs: Run[] = [];
  const timers: (() => void)[] = [];
  const delays: number[] = [];
  const changes: number[] = [];
  const port: SimulationPort = {
    run: (job) => {
      let settle: (outcome: SimulationOutcome) => void = () => {};
      const outcome = new Promise<SimulationOutcome>((resolve) => {
        settle = resolve;
      });
      const run: Run = {
        job,
        cancelled: false,
        finish: async (result) => {
          settle(result);
          await outcome;
          await Promise.resolve();
        },
      };
      runs.push(run);
      return {
        outcome,
        cancel: () => {
          run.cancelled = true;
          settle({ kind: 'cancelled' });
        },
      };
    },
    dispose: () => {},
  };
  const scheduler = createScheduler({
    port,
    clock: {
      after: (delayMs, action) => {
        delays.push(delayMs);
        timers.push(action);
        return () => {
          const at = timers.indexOf(action);
          if (at >= 0) timers.splice(at, 1);
        };
      },
    },
    onChange: (_uri, version) => changes.push(version),
    onProgress: () => {},
  });
  return { scheduler, runs, timers, delays, changes };
}

const done = (p99: number): SimulationOutcome => ({
  kind: 'done',
  predictions: [prediction({ requests: p99 })],
});

describe('background simulation', () => {
  let plan: Plan;
  let faster: Plan;
  let commented: Plan;
  before(async () => {
    plan = await planOf(FIGURE_1);
    faster = await planOf(FIGURE_1.replace('rate: 1', 'rate: 2'));
    commented = await planOf(`# a comment\n${FIGURE_1}`);
  });

  it('runs at once when a file is opened: first the figures, then the interval', async () => {
    const { scheduler, runs, timers, changes } = bench();
    scheduler.update(URI, 1, [plan], ON);
    assert.equal(timers.length, 0);
    assert.deepEqual(scheduler.simulationOf(URI, plan), { kind: 'pending', last: null });
    assert.equal(runs[0]?.job.options.interval, false);
    await runs[0]?.finish(done(1));
    const first = scheduler.simulationOf(URI, plan);
    assert.ok(first.kind === 'ready' && first.intervalPending);
    assert.equal(runs[1]?.job.options.interval, true);
    await runs[1]?.finish(done(2));
    const second = scheduler.simulationOf(URI, plan);
    assert.ok(second.kind === 'ready' && !second.intervalPending && second.prediction.requests === 2);
    assert.equal(runs.length, 2);
    assert.deepEqual(changes, [1, 1]);
  });

  it('waits for a pause in typing, and runs only the last text', async () => {
    const { scheduler, runs, timers, delays } = bench();
    scheduler.update(URI, 1, [], ON);
    scheduler.update(URI, 2, [plan], ON);
    scheduler.update(URI, 3, [faster], ON);
    assert.equal(runs.length, 0);
    assert.deepEqual(delays, [300, 300]);
    assert.equal(timers.length, 1);
    timers[0]?.();
    assert.deepEqual(
      runs.map(({ job }) => job.plan),
      [faster],
    );
  });

  it('cancels an outdated run and drops its result', async () => {
    const { scheduler, runs, timers, changes } = bench();
    scheduler.update(URI, 1, [plan], ON);
    scheduler.update(URI, 2, [faster], ON);
    assert.equal(runs[0]?.cancelled, true);
    await runs[0]?.finish(done(1));
    assert.deepEqual(scheduler.simulationOf(URI, faster), { kind: 'pending', last: null });
    assert.deepEqual(changes, []);
    timers[0]?.();
    await runs[1]?.finish(done(7));
    const now = scheduler.simulationOf(URI, faster);
    assert.ok(now.kind === 'ready' && now.prediction.requests === 7);
    assert.deepEqual(changes, [2]);
  });

  it('keeps the last figures for the lens while new ones are made', async () => {
    const { scheduler, runs } = bench();
    scheduler.update(URI, 1, [plan], ON);
    await runs[0]?.finish(done(1));
    scheduler.update(URI, 2, [faster], ON);
    const now = scheduler.simulationOf(URI, faster);
    assert.ok(now.kind === 'pending' && now.last?.requests === 1);
  });

  it('lets a comment change nothing', async () => {
    const { scheduler, runs, timers } = bench();
    scheduler.update(URI, 1, [plan], ON);
    scheduler.update(URI, 2, [commented], ON);
    assert.equal(runs[0]?.cancelled, false);
    assert.equal(timers.length, 0);
    await runs[0]?.finish(done(5));
    const now = scheduler.simulationOf(URI, commented);
    assert.ok(now.kind === 'ready' && now.prediction.requests === 5);
  });

  it('ignores a version that comes late', () => {
    const { scheduler, runs } = bench();
    scheduler.update(URI, 5, [plan], ON);
    scheduler.update(URI, 4, [faster], ON);
    assert.equal(runs.length, 1);
    assert.equal(runs[0]?.cancelled, false);
  });

  it('turns a failure into a message, and keeps figures whose interval failed', async () => {
    const { scheduler, runs } = bench();
    scheduler.update(URI, 1, [plan], ON);
    await runs[0]?.finish({ kind: 'failed', message: 'boom' });
    assert.deepEqual(scheduler.simulationOf(URI, plan), { kind: 'failed', message: 'boom' });
    const other = bench();
    other.scheduler.update(URI, 1, [plan], ON);
    await other.runs[0]?.finish(done(1));
    await other.runs[1]?.finish({ kind: 'failed', message: 'boom' });
    const now = other.scheduler.simulationOf(URI, plan);
    assert.ok(now.kind === 'ready' && !now.intervalPending);
  });

  it('stops when switched off and when the file is closed', () => {
    const { scheduler, runs } = bench();
    scheduler.update(URI, 1, [plan], ON);
    scheduler.update(URI, 1, [plan], { ...ON, enabled: false });
    assert.equal(runs[0]?.cancelled, true);
    assert.deepEqual(scheduler.simulationOf(URI, plan), { kind: 'off' });
    const other = bench();
    other.scheduler.update(URI, 1, [plan], ON);
    other.scheduler.forget(URI);
    assert.equal(other.runs[0]?.cancelled, true);
  });
});
