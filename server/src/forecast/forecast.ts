/** Plan → prediction(s). Synchronous and pure; runs in a worker. */
import type { Plan } from '../plan/types.ts';
import type { ForecastOptions, Prediction, ReportProgress } from './types.ts';

export function forecast(_plan: Plan, _options: ForecastOptions, _report?: ReportProgress): readonly Prediction[] {
  throw new Error('not built yet');
}
