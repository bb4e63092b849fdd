/** The accuracy that was asked for, beside what the study found. */
import type { AccuracyData } from './types.ts';

export interface TargetLine {
  readonly what: string;
  /** Share; null where nothing is published to compare with. */
  readonly found: number | null;
  readonly must: number;
  readonly aim: number;
  readonly isLeast?: true;
}

/** Shares; all but coverage are upper limits. */
export function targets({ overall, rows, pools, traces, calibrated }: AccuracyData): readonly TargetLine[] {
  const afterCalibration = new Map(calibrated).get('all');
  const worst = (of: (trace: (typeof traces)[number]) => number): number | null =>
    traces.length === 0 ? null : Math.max(...traces.map((trace) => Math.abs(of(trace))));
  return [
    { what: 'TPOT, median', found: overall.tpot?.medianAbs ?? null, must: 0.1, aim: 0.05 },
    { what: 'TTFT unsaturated, median', found: overall.ttft?.medianAbs ?? null, must: 0.2, aim: 0.1 },
    { what: 'output throughput, median', found: overall.throughput?.medianAbs ?? null, must: 0.1, aim: 0.05 },
    { what: 'TPOT, P90', found: overall.tpot?.p90Abs ?? null, must: 0.3, aim: 0.15 },
    { what: 'TTFT unsaturated, P90', found: overall.ttft?.p90Abs ?? null, must: 0.6, aim: 0.3 },
    { what: 'KV pool, median of start-up logs', found: pools.medianAbs, must: 0.03, aim: 0.01 },
    { what: 'rows covered', found: rows.covered / rows.judged, must: 0.95, aim: 1, isLeast: true },
    { what: 'recorded runs, mean TTFT, the worse one', found: worst((trace) => trace.meanTtft), must: 0.1, aim: 0.03 },
    { what: 'recorded runs, mean TPOT, the worse one', found: worst((trace) => trace.meanTpot), must: 0.1, aim: 0.03 },
    {
      what: 'after calibration, TPOT, median',
      found: afterCalibration?.tpot?.medianAbs ?? null,
      must: 0.04,
      aim: 0.02,
    },
    { what: 'after calibration, TTFT, median', found: afterCalibration?.ttft?.medianAbs ?? null, must: 0.1, aim: 0.05 },
  ];
}

/** @returns which of the two was reached. */
export function verdict({ found, must, aim, isLeast }: TargetLine): string {
  if (found === null) return 'not measured';
  const reaches = (limit: number): boolean => (isLeast ? found >= limit : found <= limit);
  if (reaches(aim)) return 'aim met';
  return reaches(must) ? 'met' : '**missed**';
}
