/** What one child process measures, and how. Each task has a process of its own, so that none warms or fills another's. */
import { copyFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { clearBatch, emptyBatch } from '../../src/engine/cost/types.ts';
import { latencies, percentiles, violations } from '../../src/engine/metrics.ts';
import { backlogOf, isSaturated } from '../../src/engine/saturation.ts';
import { costModel, type Run, simulate } from '../../src/engine/simulate.ts';
import { forecast } from '../../src/forecast/forecast.ts';
import { createNodePort } from '../../src/simulation/nodePort.ts';
import { keystrokes, serverStarts } from './languageServer.ts';
import { type WorkId, workInput, workOf } from './work.ts';

export type Task =
  /** Seconds per run of the bare engine. */
  | {
      readonly kind: 'engine';
      readonly work: WorkId;
      readonly requests: number;
      readonly warmUps: number;
      readonly runs: number;
    }
  /** Seconds of the figures (percentiles, rates, verdict) over seconds of the run they are made from. */
  | {
      readonly kind: 'figures';
      readonly work: WorkId;
      readonly requests: number;
      readonly warmUps: number;
      readonly runs: number;
    }
  /** Peak memory of the process, MB (1e6 bytes), after one run of the bare engine, or of plan to prediction. */
  | { readonly kind: 'memory'; readonly of: 'engine' | 'forecast'; readonly work: WorkId; readonly requests: number }
  /** Milliseconds from plan to prediction, in this thread. */
  | {
      readonly kind: 'forecast';
      readonly work: WorkId;
      readonly requests: number;
      readonly warmUps: number;
      readonly runs: number;
    }
  /**
   * The same through a worker thread that is started for it (start, plan across, prediction back): the first of a
   * server, or a later one, which need not compile again what the first has compiled. Or through a later one that was
   * started and loaded beforehand, as after an edit that ended a run.
   */
  | {
      readonly kind: 'firstWorker' | 'worker' | 'spare';
      readonly work: WorkId;
      readonly requests: number;
      readonly warmUps: number;
      readonly runs: number;
    }
  /** Milliseconds until a thread that does nothing has said so: less no worker can take. */
  | { readonly kind: 'emptyThread'; readonly warmUps: number; readonly runs: number }
  /** Nanoseconds per call of the cost model. */
  | {
      readonly kind: 'decodeLaw' | 'step';
      readonly work: WorkId;
      readonly warmUps: number;
      readonly runs: number;
      readonly calls: number;
    }
  /** Milliseconds from spawning the language server to its answer to `initialize`. */
  | { readonly kind: 'serverStart'; readonly warmUps: number; readonly runs: number }
  /** Milliseconds from a change of a document of so many lines to its diagnostics. */
  | { readonly kind: 'keystroke'; readonly lines: number; readonly warmUps: number; readonly runs: number };

/** One value per run, in the task's unit. */
export async function measure(task: Task): Promise<readonly number[]> {
  switch (task.kind) {
    case 'engine': {
      const input = await workInput(task.work, task.requests);
      // The compiler warms on short runs of the same plan.
      const short = await workInput(task.work, Math.min(task.requests, 10_000));
      for (let k = 0; k < task.warmUps; k++) simulate(short);
      return repeat(task.runs, () => seconds(() => simulate(input)));
    }
    case 'figures': {
      const input = await workInput(task.work, task.requests);
      const shareOf = (): number => {
        let run: Run | undefined;
        const runS = seconds(() => {
          run = simulate(input);
        });
        return seconds(() => figures(run!)) / runS;
      };
      for (let k = 0; k < task.warmUps; k++) shareOf();
      return repeat(task.runs, shareOf);
    }
    case 'memory': {
      const { plan, policy } = await workOf(task.work);
      if (task.of === 'engine') simulate(await workInput(task.work, task.requests));
      else forecast(plan, { policy, requests: task.requests, interval: false, perRequest: false });
      // Kilobytes of 1024 on every system.
      return [(process.resourceUsage().maxRSS * 1024) / 1e6];
    }
    case 'forecast': {
      const { plan, policy } = await workOf(task.work);
      const options = { policy, requests: task.requests, interval: false, perRequest: false };
      for (let k = 0; k < task.warmUps; k++) forecast(plan, options);
      return repeat(task.runs, () => 1000 * seconds(() => forecast(plan, options)));
    }
    case 'emptyThread':
      return emptyThreads(task.warmUps + task.runs).then((times) => times.slice(task.warmUps));
    case 'firstWorker':
    case 'worker':
    case 'spare':
      return coldWorkers(task);
    case 'decodeLaw':
    case 'step':
      return costCalls(task);
    case 'serverStart':
      return serverStarts(task.warmUps, task.runs);
    case 'keystroke':
      return keystrokes(task.lines, task.warmUps, task.runs);
  }
}

/** What a prediction holds beside its memory report. */
function figures(run: Run): unknown {
  const times = latencies(run.records);
  return [
    percentiles(times.ttftS, 1000),
    percentiles(times.tpotS, 1000),
    percentiles(times.e2eS, 1000),
    violations(run.records, { ttftS: 3, tpotS: 0.2, attainment: 0.99 }),
    isSaturated(run),
    backlogOf(run),
  ];
}

/** More than a worker needs to start and load, or to hand over what it has compiled. */
const SETTLED_MS = 250;
const settled = (): Promise<void> => new Promise((ready) => setTimeout(ready, SETTLED_MS));

async function coldWorkers(
  task: Extract<Task, { kind: 'firstWorker' | 'worker' | 'spare' }>,
): Promise<readonly number[]> {
  const { warmUps, runs } = task;
  const { plan, policy } = await workOf(task.work);
  const options = { policy, requests: task.requests, interval: false, perRequest: false };
  const job = { plan, options, priority: 'user' } as const;
  const times: number[] = [];
  for (let k = 0; k < warmUps + runs; k++) {
    const file = task.kind === 'firstWorker' ? await unknownWorker(k) : resolve('dist/worker.js');
    let startedMs = performance.now();
    const port = createNodePort(file);
    if (task.kind === 'spare') {
      port.run(job, () => {}).cancel();
      await settled();
      startedMs = performance.now();
    }
    const outcome = await port.run(job, () => {}).outcome;
    const tookMs = performance.now() - startedMs;
    if (k < warmUps) await settled();
    port.dispose();
    if (outcome.kind !== 'done') throw new Error(outcome.kind === 'failed' ? outcome.message : 'the run was cancelled');
    if (k >= warmUps) times.push(tookMs);
  }
  return times;
}

async function emptyThreads(count: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let k = 0; k < count; k++) {
    const startedMs = performance.now();
    const thread = new Worker("require('node:worker_threads').parentPort.postMessage(0)", { eval: true });
    await new Promise((ready) => thread.once('message', ready));
    times.push(performance.now() - startedMs);
    await thread.terminate();
  }
  return times;
}

/** The worker's bundle under a name of its own: nobody has compiled it. */
async function unknownWorker(k: number): Promise<string> {
  const file = resolve(`out/programs/worker-${k}.js`);
  await copyFile('dist/worker.js', file);
  return file;
}

async function costCalls(task: Extract<Task, { kind: 'decodeLaw' | 'step' }>): Promise<readonly number[]> {
  const cost = costModel(await workInput(task.work, 1));
  const batch = emptyBatch();
  let sum = 0;
  const decodeLaw = (): void => {
    for (let k = 0; k < task.calls; k++) sum += cost.decodeLaw((k & 127) + 1).baseS;
  };
  const step = (): void => {
    for (let k = 0; k < task.calls; k++) {
      clearBatch(batch);
      batch.decodeSeqs = (k & 127) + 1;
      batch.decodeContextTokens = batch.decodeWindowTokens = batch.decodeSeqs * 1100;
      batch.sampledSeqs = batch.decodeSeqs;
      sum += cost.stepS(batch);
    }
  };
  const calls = task.kind === 'step' ? step : decodeLaw;
  for (let k = 0; k < task.warmUps; k++) calls();
  const times = repeat(task.runs, () => (seconds(calls) * 1e9) / task.calls);
  // Whoever removes the calls as dead code must answer for this.
  if (!(sum > 0)) throw new Error('steps take time');
  return times;
}

function repeat(times: number, run: () => number): readonly number[] {
  return Array.from({ length: times }, run);
}

function seconds(work: () => unknown): number {
  const startedMs = performance.now();
  work();
  return (performance.now() - startedMs) / 1000;
}
