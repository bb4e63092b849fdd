/** The load of a published measurement as a workload of the engine. */
import type { ArrivalProcess, LengthDistribution, WorkloadSpec } from '../../src/engine/types.ts';
import type { RowLengths, ValidationRow } from './row.ts';

/**
 * Lengths of which only the mean is known: chat data sets spread about as e^±1 (ShareGPT: 0.9 to 1.1), and vLLM's
 * benchmark leaves out conversations with longer prompts or answers than this (benchmarks/datasets.py, is_valid_sequence).
 */
const SIGMA_WHERE_UNKNOWN = 1;
const LONGEST_WHERE_UNKNOWN_TOKENS = 1024;
/** Standard normal deviates of the shares at which such a distribution is written down. */
const DEVIATES = [
  [0.05, -1.645],
  [0.25, -0.674],
  [0.5, 0],
  [0.75, 0.674],
  [0.9, 1.282],
  [0.95, 1.645],
  [0.99, 2.326],
] as const;
/** Closed loops of unpublished length: as many requests a user as the public sweeps send. */
const REQUESTS_PER_USER = 10;

/** @returns the workload, or why there is none. */
export function rowWorkload(row: ValidationRow): WorkloadSpec | string {
  if (row.requests !== undefined) return trace(row.requests);
  const arrivals = arrivalsOf(row);
  if (typeof arrivals === 'string') return arrivals;
  const output = lengths(row.output);
  const room = row.maxModelLen === undefined ? null : row.maxModelLen - (row.output.max ?? row.output.tokens ?? 0);
  const input = lengths(room === null ? row.input : { max: Math.floor(room), ...row.input });
  if (input === null || output === null) return 'lengths of the requests are not published';
  const users = arrivals.kind === 'closed' ? arrivals.concurrency : 1;
  const requests = row.load.numRequests ?? REQUESTS_PER_USER * users;
  return { source: { kind: 'synthetic', arrivals, input, output }, requests, seed: 1 };
}

function arrivalsOf({ load }: ValidationRow): ArrivalProcess | string {
  switch (load.kind) {
    case 'closed':
      return load.concurrency === undefined
        ? 'the number of users is not published'
        : { kind: 'closed', concurrency: load.concurrency };
    case 'poisson':
      return load.rate === undefined ? 'the rate is not published' : { kind: 'poisson', ratePerS: load.rate };
    case 'burst':
      return { kind: 'burst' };
    case 'serial':
      return { kind: 'serial' };
    default:
      return `a load of kind ${load.kind} is not known`;
  }
}

function lengths({ kind, tokens, min, max, ...rest }: RowLengths): LengthDistribution | null {
  if (kind === 'uniform' && min !== undefined && max !== undefined) return { kind, min, max };
  if (tokens === undefined) return null;
  if (kind === 'fixed') return { kind, tokens };
  const { p25, p50, p75, p90, p99 } = rest;
  const stated = [
    [0.25, p25],
    [0.5, p50],
    [0.75, p75],
    [0.9, p90],
    [0.99, p99],
    [1, max],
  ] as const;
  const points = stated.flatMap(([p, value]) => (value === undefined ? [] : [[p, value] as const]));
  if (points.length > 0 && (max ?? Number.POSITIVE_INFINITY) > tokens)
    return { kind: 'percentiles', points, mean: tokens };
  // A mean at or above the cap: generated to the cap.
  if (max !== undefined) return { kind: 'fixed', tokens };
  const median = tokens / Math.exp(SIGMA_WHERE_UNKNOWN ** 2 / 2);
  const longest = Math.max(LONGEST_WHERE_UNKNOWN_TOKENS, 2 * tokens);
  const spread = DEVIATES.map(
    ([p, deviate]) => [p, Math.min(longest, median * Math.exp(SIGMA_WHERE_UNKNOWN * deviate))] as const,
  );
  return { kind: 'percentiles', points: [...spread, [1, longest]], mean: tokens };
}

function trace(requests: NonNullable<ValidationRow['requests']>): WorkloadSpec {
  const sorted = requests.toSorted(([a = 0], [b = 0]) => a - b);
  const column = (index: number): number[] => sorted.map((request) => request[index] ?? 0);
  return {
    source: {
      kind: 'trace',
      trace: {
        arrivalS: Float64Array.from(column(0)),
        inputTokens: Int32Array.from(column(1)),
        outputTokens: Int32Array.from(column(2)),
      },
    },
    requests: requests.length,
    seed: 1,
  };
}
