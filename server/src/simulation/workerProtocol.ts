/** What crosses between server and simulation worker, and the worker's whole behaviour as a pure function. */
import type { ForecastOptions, Prediction, ReportProgress } from '../forecast/types.ts';
import type { Plan } from '../plan/types.ts';

export interface WorkerRequest {
  readonly id: number;
  readonly plan: Plan;
  readonly options: ForecastOptions;
}

export type WorkerReply =
  | { readonly id: number; readonly kind: 'progress'; readonly fraction: number }
  | { readonly id: number; readonly kind: 'done'; readonly predictions: readonly Prediction[] }
  | { readonly id: number; readonly kind: 'failed'; readonly message: string };

export type Forecast = (plan: Plan, options: ForecastOptions, report?: ReportProgress) => readonly Prediction[];

/** Runs one request to its end and sends what there is to say. Progress is sent once per whole percent. */
export function answer(request: WorkerRequest, forecast: Forecast, send: (reply: WorkerReply) => void): void {
  const { id, plan, options } = request;
  let lastPercent = -1;
  const report = (fraction: number): void => {
    const percent = Math.floor(Math.min(Math.max(fraction, 0), 1) * 100);
    if (percent <= lastPercent) return;
    lastPercent = percent;
    send({ id, kind: 'progress', fraction: percent / 100 });
  };
  try {
    send({ id, kind: 'done', predictions: forecast(plan, options, report) });
  } catch (error) {
    send({ id, kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}
