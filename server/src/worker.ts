/** The simulation worker: one forecast after the other; cancelling one means terminating this thread. */
import { parentPort } from 'node:worker_threads';
import { forecast } from './forecast/forecast.ts';
import { answer, type WorkerRequest } from './simulation/workerProtocol.ts';

const port = parentPort;
port?.on('message', (request: WorkerRequest) => answer(request, forecast, (reply) => port.postMessage(reply)));
