/** Starts simulation workers. What the first one has compiled, those after it need not compile again: a sixth of their first run. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { MessageChannel, Worker, type WorkerOptions } from 'node:worker_threads';

interface Program {
  readonly file: string;
  readonly folder: string;
  /** Kept, since compiled code belongs to this very text. */
  readonly source: string;
  /** V8's code cache after a run; null until there was one. */
  compiled: Uint8Array | null;
}

const programs = new Map<string, Program>();

/** Runs in the new thread. The first of its kind hands its compiled code over `keep` once its first message is answered. */
const START = `
const { parentPort, workerData } = require('node:worker_threads');
const { Script } = require('node:vm');
const { file, folder, source, compiled, keep } = workerData;
const cachedData = compiled ?? undefined;
const script = new Script('(function (require, __dirname) {' + source + '\\n})', { filename: file, cachedData });
script.runInThisContext()(require, folder);
if (keep) parentPort.once('message', () => keep.postMessage(script.createCachedData()));
`;

/** @param file a bundle that needs nothing beside it. Throws where it cannot be read. */
export function startWorker(file: string, options: WorkerOptions): Worker {
  const program = programOf(file);
  if (program.compiled !== null) return new Worker(START, { ...options, eval: true, workerData: program });
  const { port1, port2 } = new MessageChannel();
  port1.once('message', (compiled: Uint8Array) => {
    program.compiled = compiled;
    port1.close();
  });
  // Waiting for it keeps no process alive.
  port1.unref();
  const workerData = { ...program, keep: port2 };
  return new Worker(START, { ...options, eval: true, workerData, transferList: [port2] });
}

function programOf(file: string): Program {
  const known = programs.get(file);
  if (known !== undefined) return known;
  const program = { file, folder: dirname(file), source: readFileSync(file, 'utf8'), compiled: null };
  programs.set(file, program);
  return program;
}
