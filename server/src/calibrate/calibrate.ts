/** A plan, measurements of it, and what follows: a calibration, or why there can be none. Pure and deterministic. */
import { compareVersions, parseVersion } from '../catalog/versions.ts';
import { loggedBlocks, memoryModel } from '../engine/memory.ts';
import type { CostScale, EngineInput } from '../engine/types.ts';
import { meanLength } from '../engine/workload/lengths.ts';
import { assessInput } from '../forecast/assess.ts';
import { engineInput } from '../forecast/input.ts';
import { describeArrivals, plainNumber } from '../language/words.ts';
import { CALIBRATION_SCHEMA, SCALE_BOUNDS } from '../plan/calibrationFile.ts';
import type { Calibration } from '../plan/generated/calibrationDocument.ts';
import type { Plan } from '../plan/types.ts';
import { fitScales, type Measured, type Observation, type Predicted, predictFigures, UNSCALED } from './fit.ts';
import { checkBenchmark, checkLog } from './sameDeployment.ts';
import type { StartupLog } from './startupLog.ts';
import type { BenchmarkRun, Named, Reading } from './types.ts';

export interface Measurements {
  readonly benchmarks: readonly Named<BenchmarkRun>[];
  readonly log: Named<StartupLog> | null;
}

export interface CalibrationResult {
  readonly calibration: Calibration;
  /** What the user should know of it, in sentences. */
  readonly notes: readonly string[];
}

/** Longer runs say the same more slowly. */
const MOST_REQUESTS = 10_000;
/** Random arrivals are averaged over so many seeds. */
const SEEDS_OF_RANDOM_ARRIVALS = 3;
/** An error after calibration that is worth a word. */
const WORTH_A_WORD = 0.1;

/** @param plan read without a calibration. @param report called with the share of the work that is done. */
export function calibrate(
  plan: Plan,
  measurements: Measurements,
  report: (fraction: number) => void = () => {},
): Reading<CalibrationResult> {
  const { benchmarks, log } = measurements;
  const notes: string[] = [];
  const strange = log === null ? null : checkLog(plan, log, notes);
  if (strange !== null) return { ok: false, message: strange };
  const planned = engineInput(plan, { policy: 'vllm' });
  const pool = log === null ? null : poolOf(plan, planned, log.value);
  const base: EngineInput = pool === null ? planned : { ...planned, numGpuBlocks: pool.numGpuBlocks };
  if (benchmarks.length > 0 && !assessInput(base).oneSequenceFits) {
    const held = memoryModel(base).kvTokens;
    const hint =
      log === null
        ? 'Give the start-up log too (`--log`), which pins the pool.'
        : 'Is the plan the one that was started?';
    return {
      ok: false,
      message: `By the plan the engine does not start: its KV pool holds ${held} tokens, a sequence of max-model-len needs ${base.limits.maxModelLenTokens}. ${hint}`,
    };
  }
  const observations: Observation[] = [];
  for (const benchmark of benchmarks) {
    const misfit = checkBenchmark(plan, benchmark, notes);
    if (misfit !== null) return { ok: false, message: `${benchmark.file}: ${misfit}` };
    observations.push(observe(benchmark.value, base));
  }
  const fitted = benchmarks.length === 0 ? UNSCALED : fitScales(observations, report);
  const outside = beyondReason(fitted);
  if (outside !== null) return { ok: false, message: outside };
  const scales = rounded(fitted);
  const before = observations.map((each) => predictFigures(each, UNSCALED));
  const after = observations.map((each) => predictFigures(each, scales));
  notes.push(...doubts(observations, after));
  const calibration: Calibration = {
    schema: CALIBRATION_SCHEMA,
    madeFor: {
      model: plan.model.value.id,
      gpu: plan.gpu.value.id,
      weightDtype: plan.weightDtype.value,
      kvCacheDtype: plan.engine.kvCacheDtype.value,
      parallelism: base.parallelism,
      engineVersion: plan.engine.version.value,
      scheduler: plan.engine.scheduler.value,
    },
    scales,
    pool,
    benchmarks: benchmarks.map(({ file, value: run }, k) => {
      const seen = observations[k];
      const compared = (figure: keyof Predicted) => compare(seen?.[figure], before[k]?.[figure], after[k]?.[figure]);
      return {
        file,
        tool: run.tool,
        load: describeLoad(run),
        saturated: seen?.saturated ?? false,
        ttftMs: compared('ttftMs'),
        tpotMs: compared('tpotMs'),
        outputTokensPerS: compared('outputTokensPerS'),
      };
    }),
    log: log === null ? null : { file: log.file, engineVersion: log.value.engineVersion },
  };
  return { ok: true, value: { calibration, notes } };
}

/** From here on vLLM prints the size of a pool of several groups as sequences of max-model-len (PR #40691). */
const SIZE_OF_FULL_LENGTH = [0, 20];

function poolOf(plan: Plan, input: EngineInput, log: StartupLog): NonNullable<Calibration['pool']> {
  const { engine } = plan;
  const blockSize = engine.blockSize.value;
  const release = parseVersion(log.engineVersion ?? engine.version.value)?.numbers ?? SIZE_OF_FULL_LENGTH;
  const ofFullLength = compareVersions(release, SIZE_OF_FULL_LENGTH) >= 0;
  const numGpuBlocks = log.gpuBlocks ?? loggedBlocks(input, log.kvTokens ?? blockSize, ofFullLength);
  return {
    numGpuBlocks,
    blockSize,
    kvTokens: log.kvTokens ?? numGpuBlocks * blockSize,
    gpuMemoryUtilization: engine.gpuMemoryUtilization.value,
    maxModelLen: engine.maxModelLen.value,
    maxNumSeqs: engine.maxNumSeqs.value,
    maxNumBatchedTokens: engine.maxNumBatchedTokens.value,
  };
}

function observe(run: BenchmarkRun, base: EngineInput): Observation {
  const { trace, arrivals, input, output } = run;
  const { kind } = arrivals;
  return {
    input: {
      ...base,
      // Random prompts are each their own: what a cache would find of a real trace is not told.
      workload: {
        source: trace === null ? { kind: 'synthetic', arrivals, input, output } : { kind: 'trace', trace },
        requests: Math.min(MOST_REQUESTS, run.requests),
        seed: base.workload.seed,
      },
    },
    seeds: trace === null && (kind === 'poisson' || kind === 'gamma') ? SEEDS_OF_RANDOM_ARRIVALS : 1,
    ttftMs: run.ttftMs,
    tpotMs: run.tpotMs,
    outputTokensPerS: run.outputTokensPerS,
    saturated: isSaturated(run),
  };
}

/** By what was measured alone, as everywhere published figures are judged: mostly queueing, or not. */
function isSaturated({ arrivals, ttftMs, tpotMs, output, requestsPerS }: BenchmarkRun): boolean {
  switch (arrivals.kind) {
    case 'burst':
      return true;
    case 'constant':
    case 'poisson':
    case 'gamma':
      return requestsPerS !== null && requestsPerS < 0.7 * arrivals.ratePerS;
    case 'closed': {
      if (ttftMs === null || tpotMs === null) return false;
      return ttftMs.value > 0.25 * (ttftMs.value + tpotMs.value * (meanLength(output) - 1));
    }
    case 'serial':
      return false;
  }
}

const PARTS: readonly {
  readonly key: 'prefill' | 'decode' | 'overhead';
  readonly what: string;
  readonly figure: string;
}[] = [
  { key: 'prefill', what: 'prompts are computed', figure: 'TTFT' },
  { key: 'decode', what: 'decode steps run', figure: 'TPOT' },
  { key: 'overhead', what: 'the host works between steps', figure: 'TPOT' },
];

function beyondReason(scales: CostScale): string | null {
  const { min, max } = SCALE_BOUNDS;
  const part = PARTS.find(({ key }) => scales[key] < min || scales[key] > max);
  if (part === undefined) return null;
  const factor = scales[part.key];
  const likely =
    factor > max
      ? 'Is the plan’s GPU, number format or parallelism another than what ran? Was something else running on the GPU, or the client too slow?'
      : 'Is the plan’s GPU, number format or parallelism another than what ran? Did the server answer from a prefix cache, or did the client count chunks for tokens?';
  return `By this measurement ${part.what} ${plainNumber(factor > max ? factor : 1 / factor)} times ${factor > max ? 'longer' : 'faster'} than the cost model says; more than ${max} times is no calibration. ${likely}`;
}

/** Four digits are more than any benchmark repeats. */
function rounded({ prefill, decode, overhead, sequences = [] }: CostScale): Calibration['scales'] {
  const digits = (value: number): number => Number(value.toPrecision(4));
  const factors = { prefill: digits(prefill), decode: digits(decode), overhead: digits(overhead) };
  return sequences.length === 0 ? factors : { ...factors, sequences: sequences.map(digits) };
}

function doubts(observations: readonly Observation[], after: readonly Predicted[]): string[] {
  if (observations.length === 0)
    return ['Without a benchmark only the KV pool is pinned; step times stay as they are.'];
  const notes: string[] = [];
  const measures = (figure: 'ttftMs' | 'tpotMs'): boolean =>
    observations.some((each) => each[figure] !== null && !(figure === 'ttftMs' && each.saturated));
  if (!measures('ttftMs')) {
    notes.push(
      'No TTFT here says anything of the prefill (none was measured, or it is mostly queueing): its factor follows that of decode. Add a benchmark at low load.',
    );
  }
  if (!measures('tpotMs')) notes.push('No TPOT was measured: the factor of decode rests on the other figures.');
  const off = observations.some((each, k) =>
    (['ttftMs', 'tpotMs'] as const).some((figure) => {
      const error = relativeError(each[figure], after[k]?.[figure]);
      return error !== null && !(figure === 'ttftMs' && each.saturated) && Math.abs(error) > WORTH_A_WORD;
    }),
  );
  if (off)
    notes.push(
      'No factors make all figures fit. Look for what else differs: lengths of the requests, engine settings, or the network between client and server.',
    );
  return notes;
}

type Compared = Calibration['benchmarks'][number]['ttftMs'];

function compare(
  measured: Measured | null | undefined,
  before: number | null | undefined,
  after: number | null | undefined,
): Compared {
  const errorBefore = relativeError(measured, before);
  const errorAfter = relativeError(measured, after);
  if (measured === null || measured === undefined || errorBefore === null || errorAfter === null) return null;
  const share = (value: number): number => Math.round(value * 1e4) / 1e4;
  return {
    statistic: measured.statistic,
    measured: measured.value,
    errorBefore: share(errorBefore),
    errorAfter: share(errorAfter),
  };
}

function relativeError(measured: Measured | null | undefined, predicted: number | null | undefined): number | null {
  if (measured === null || measured === undefined || predicted === null || predicted === undefined) return null;
  return predicted / measured.value - 1;
}

function describeLoad({ arrivals, input, output, requests }: BenchmarkRun): string {
  const mean = (length: BenchmarkRun['input']): string => String(Math.round(meanLength(length)));
  return `${describeArrivals(arrivals)}; ${mean(input)} in, ${mean(output)} out; ${requests} requests`;
}
