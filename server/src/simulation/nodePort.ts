/** Runs forecasts in `worker_threads`. A finished worker is kept for the next job; a cancelled one is terminated. */
import type { Worker } from 'node:worker_threads';
import { startWorker } from './nodeWorker.ts';
import type { SimulationJob, SimulationOutcome, SimulationPort, SimulationRun } from './port.ts';
import type { WorkerReply, WorkerRequest } from './workerProtocol.ts';

/** Background jobs at a time, whatever the number of open files: an editor must stay quick while they run. */
const BACKGROUND_WORKERS = 1;
/** Workers that wait for the next job, so that it need not pay for starting one (25 ms) and, after a job, for cold code. */
const IDLE_WORKERS = 1;
/** A run that needs more than this fails with a message instead of taking the editor's memory. */
const MAX_WORKER_HEAP_MB = 2048;

interface Task {
  readonly job: SimulationJob;
  readonly onProgress: (fraction: number) => void;
  readonly settle: (outcome: SimulationOutcome) => void;
  worker: Worker | null;
  settled: boolean;
}

export function createNodePort(workerFile: string): SimulationPort {
  const idle: Worker[] = [];
  const waiting: Task[] = [];
  const running = new Set<Task>();
  let nextId = 1;
  let disposed = false;

  const backgroundRunning = (): number => [...running].filter((task) => task.job.priority === 'background').length;

  function pump(): void {
    while (waiting.length > 0 && backgroundRunning() < BACKGROUND_WORKERS) {
      const task = waiting.shift();
      if (task !== undefined) start(task);
    }
  }

  function finish(task: Task, outcome: SimulationOutcome, keepWorker: boolean): void {
    if (task.settled) return;
    task.settled = true;
    running.delete(task);
    const worker = task.worker;
    task.worker = null;
    if (worker !== null) {
      worker.removeAllListeners();
      // Errors of a worker that nobody waits for any more must not become uncaught ones.
      worker.on('error', () => discard(worker));
      worker.on('exit', () => discard(worker));
      if (keepWorker && !disposed && idle.length < IDLE_WORKERS) idle.push(worker);
      else {
        void worker.terminate();
        // An edit that ends a run is followed by another run: its worker starts while the user goes on typing.
        if (outcome.kind === 'cancelled') startSpare();
      }
    }
    task.settle(outcome);
    pump();
  }

  function discard(worker: Worker): void {
    const at = idle.indexOf(worker);
    if (at >= 0) idle.splice(at, 1);
  }

  function startSpare(): void {
    if (disposed || idle.length >= IDLE_WORKERS) return;
    try {
      const worker = createWorker(workerFile);
      worker.on('error', () => discard(worker));
      worker.on('exit', () => discard(worker));
      idle.push(worker);
    } catch {
      // The next job tries again, and says what is wrong.
    }
  }

  function start(task: Task): void {
    const id = nextId++;
    running.add(task);
    try {
      const worker = idle.pop() ?? createWorker(workerFile);
      task.worker = worker;
      worker.removeAllListeners();
      worker.on('message', (reply: WorkerReply) => {
        if (reply.id !== id || task.settled) return;
        if (reply.kind === 'progress') task.onProgress(reply.fraction);
        else if (reply.kind === 'done') finish(task, { kind: 'done', predictions: reply.predictions }, true);
        else finish(task, { kind: 'failed', message: reply.message }, true);
      });
      worker.on('error', (error) => finish(task, { kind: 'failed', message: crashMessage(error) }, false));
      worker.on('exit', (code) =>
        finish(task, { kind: 'failed', message: `the simulation worker ended with code ${code}` }, false),
      );
      const request: WorkerRequest = { id, plan: task.job.plan, options: task.job.options };
      worker.postMessage(request);
    } catch (error) {
      finish(task, { kind: 'failed', message: crashMessage(error) }, false);
    }
  }

  return {
    run(job, onProgress): SimulationRun {
      let settle: (outcome: SimulationOutcome) => void = () => {};
      const outcome = new Promise<SimulationOutcome>((resolve) => {
        settle = resolve;
      });
      const task: Task = { job, onProgress, settle, worker: null, settled: false };
      if (disposed) finish(task, { kind: 'cancelled' }, false);
      else if (job.priority === 'user') start(task);
      else {
        waiting.push(task);
        pump();
      }
      return {
        outcome,
        cancel: () => {
          const at = waiting.indexOf(task);
          if (at >= 0) waiting.splice(at, 1);
          finish(task, { kind: 'cancelled' }, false);
        },
      };
    },
    dispose() {
      disposed = true;
      for (const task of [...waiting.splice(0), ...running]) finish(task, { kind: 'cancelled' }, false);
      for (const worker of idle.splice(0)) void worker.terminate();
    },
  };
}

function createWorker(file: string): Worker {
  return startWorker(file, { resourceLimits: { maxOldGenerationSizeMb: MAX_WORKER_HEAP_MB } });
}

function crashMessage(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return `it needs more than ${MAX_WORKER_HEAP_MB} MB of memory; lower workload.requests`;
  }
  return error instanceof Error ? error.message : String(error);
}
