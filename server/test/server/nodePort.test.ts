import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import type { Plan } from '../../src/plan/types.ts';
import { createNodePort } from '../../src/simulation/nodePort.ts';
import { startWorker } from '../../src/simulation/nodeWorker.ts';
import type { SimulationJob, SimulationPort } from '../../src/simulation/port.ts';
import { answer, type WorkerReply } from '../../src/simulation/workerProtocol.ts';
import { FIGURE_1, planOf, prediction } from '../language/views.ts';

/** What the stand-in worker does is asked for by the seed, so that each case is one job. It notes its start beside itself. */
const WORKER = `
const { parentPort, threadId } = require('node:worker_threads');
require('node:fs').appendFileSync(__dirname + '/started', threadId + '\\n');
parentPort.on('message', ({ id, options }) => {
  if (options.seed === 1) throw new Error('out of luck');
  if (options.seed === 2) process.exit(7);
  parentPort.postMessage({ id, kind: 'progress', fraction: 0.5 });
  if (options.seed === 3) for (;;);
  parentPort.postMessage({ id, kind: 'done', predictions: [{ name: String(threadId) }] });
});`;

describe('the worker port', () => {
  let folder: string;
  let port: SimulationPort;
  let plan: Plan;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'layerkv-'));
    writeFileSync(join(folder, 'worker.js'), WORKER);
    plan = await planOf(FIGURE_1);
  });
  beforeEach(() => {
    writeFileSync(join(folder, 'started'), '');
    port = createNodePort(join(folder, 'worker.js'));
  });
  afterEach(() => port.dispose());
  after(() => rmSync(folder, { recursive: true }));

  const job = (seed: number, priority: SimulationJob['priority'] = 'background'): SimulationJob => ({
    plan,
    options: { seed, interval: false, perRequest: false },
    priority,
  });
  const silent = (): void => {};

  it('turns crashes into messages and goes on', async () => {
    assert.deepEqual(await port.run(job(1), silent).outcome, { kind: 'failed', message: 'out of luck' });
    const exited = await port.run(job(2), silent).outcome;
    assert.ok(exited.kind === 'failed' && /code 7/.test(exited.message));
    assert.equal((await port.run(job(0), silent).outcome).kind, 'done');
  });

  it('tells a worker file that is missing', async () => {
    const lost = createNodePort(join(folder, 'nowhere.js'));
    assert.equal((await lost.run(job(0), silent).outcome).kind, 'failed');
    lost.dispose();
  });

  it('uses a finished worker again', async () => {
    const names: string[] = [];
    for (let i = 0; i < 3; i++) {
      const outcome = await port.run(job(0), silent).outcome;
      assert.ok(outcome.kind === 'done');
      names.push(outcome.predictions[0]?.name ?? '');
    }
    assert.equal(new Set(names).size, 1);
  });

  it('ends a run that would never end, and the next one starts', async () => {
    const endless = port.run(job(3), () => endless.cancel());
    const next = port.run(job(0), silent);
    assert.deepEqual(await endless.outcome, { kind: 'cancelled' });
    assert.equal((await next.outcome).kind, 'done');
  });

  it('starts the next worker as soon as a run is ended, and uses it', async () => {
    const started = (): readonly string[] => readFileSync(join(folder, 'started'), 'utf8').split('\n').slice(0, -1);
    const endless = port.run(job(3), () => endless.cancel());
    assert.deepEqual(await endless.outcome, { kind: 'cancelled' });
    while (started().length < 2) await new Promise((resolve) => setImmediate(resolve));
    const outcome = await port.run(job(0), silent).outcome;
    assert.ok(outcome.kind === 'done');
    assert.equal(outcome.predictions[0]?.name, started()[1]);
    assert.equal(started().length, 2);
  });

  it('does not keep a user waiting behind the background', async () => {
    const endless = port.run(job(3), silent);
    assert.equal((await port.run(job(0, 'user'), silent).outcome).kind, 'done');
    endless.cancel();
    assert.equal((await endless.outcome).kind, 'cancelled');
  });

  it('cancels what waits and what runs when it is disposed of', async () => {
    const runs = [port.run(job(3), silent), port.run(job(0), silent)];
    port.dispose();
    for (const run of runs) assert.equal((await run.outcome).kind, 'cancelled');
    assert.equal((await port.run(job(0), silent).outcome).kind, 'cancelled');
  });
});

describe('a worker thread', () => {
  /** Answers whether it was given compiled code, and whether that is of its own text. */
  const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const { Script } = require('node:vm');
parentPort.on('message', () => {
  const { source, compiled } = workerData;
  if (compiled === null) return parentPort.postMessage('compiled here');
  const again = new Script('(function (require, __dirname) {' + source + '\\n})', { cachedData: compiled });
  parentPort.postMessage(again.cachedDataRejected ? 'compiled elsewhere' : 'compiled before');
});`;

  it('gets what an earlier one has compiled', async function () {
    this.timeout(20_000);
    const folder = mkdtempSync(join(tmpdir(), 'layerkv-'));
    const file = join(folder, 'program.js');
    writeFileSync(file, PROGRAM);
    const first = startWorker(file, {});
    try {
      assert.equal(await answerOf(first), 'compiled here');
      // Its code crosses while it waits for more to do.
      let later = '';
      while (later !== 'compiled before') {
        const worker = startWorker(file, {});
        later = await answerOf(worker);
        await worker.terminate();
        assert.notEqual(later, 'compiled elsewhere');
      }
    } finally {
      await first.terminate();
      rmSync(folder, { recursive: true });
    }
  });

  function answerOf(worker: Worker): Promise<string> {
    return new Promise((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
      worker.postMessage('ask');
    });
  }
});

describe('the worker', () => {
  it('sends progress once a percent, then the result or the failure', async () => {
    const plan = await planOf(FIGURE_1);
    const request = { id: 4, plan, options: { interval: false, perRequest: false } };
    const replies: WorkerReply[] = [];
    answer(
      request,
      (_plan, _options, report) => {
        for (const fraction of [0, 0.001, 0.5, 0.4, 2]) report?.(fraction);
        return [prediction()];
      },
      (reply) => replies.push(reply),
    );
    assert.deepEqual(
      replies.map((reply) => (reply.kind === 'progress' ? reply.fraction : reply.kind)),
      [0, 0.5, 1, 'done'],
    );
    const failed: WorkerReply[] = [];
    const broken = (): never => {
      throw new Error('no such GPU');
    };
    answer(request, broken, (reply) => failed.push(reply));
    assert.deepEqual(failed, [{ id: 4, kind: 'failed', message: 'no such GPU' }]);
  });
});
