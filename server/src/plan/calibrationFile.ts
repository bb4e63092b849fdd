/** Calibration files (`schemas/calibration.schema.json`): what a plan takes from one, and whether it was made for that plan. */
import { type Fault, type FieldReader, fieldReader, isRecord, type Outcome } from '../catalog/outcome.ts';
import { minor } from '../catalog/versions.ts';
import type { Draft } from './draft.ts';
import type { Calibration } from './generated/calibrationDocument.ts';
import type { Located } from './types.ts';

/** Factors beyond these are no calibration: something else is wrong. */
export const SCALE_BOUNDS = { min: 0.2, max: 5 } as const;

/** No engine decodes more at a time. */
const MOST_SEQUENCES = 1e6;
/** Of blocks or tokens: more is a slip of the pen. */
const MOST_COUNTED = 1e9;

export const CALIBRATION_SCHEMA: Calibration['schema'] = 'layerkv/calibration/v1';

/** The parts that a prediction depends on; the rest of the file tells where they come from. */
export type CalibrationFacts = Pick<Calibration, 'madeFor' | 'scales' | 'pool'>;

/** The file that counts for `documentName` without being named in it; null for names that are not YAML's. */
export function neighbourOf(documentName: string): string | null {
  const stem = /([^/\\]+?)(?:\.layerkv)?\.ya?ml$/i.exec(documentName)?.[1];
  return stem === undefined ? null : `${stem}.calibration.json`;
}

/** Reads a calibration file; never throws. Faults are told as the end of a sentence that begins with the file's name. */
export function parseCalibration(text: string): Outcome<CalibrationFacts> {
  const fault = (message: string): Outcome<never> => ({ ok: false, faults: [{ path: [], message }] });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fault('it is not valid JSON.');
  }
  if (!isRecord(json) || json['schema'] !== CALIBRATION_SCHEMA) {
    return fault(`its \`schema\` is not "${CALIBRATION_SCHEMA}", which \`layerkv calibrate\` writes.`);
  }
  const faults: Fault[] = [];
  const scales = scalesOf(group(json, 'scales', faults));
  const madeFor = madeForOf(group(json, 'madeFor', faults));
  const pool = json['pool'] === null ? null : poolOf(group(json, 'pool', faults));
  return faults.length === 0 ? { ok: true, value: { scales, madeFor, pool } } : { ok: false, faults };
}

interface Group {
  readonly values: Readonly<Record<string, unknown>>;
  readonly read: FieldReader;
  readonly path: string;
}

function group(parent: Readonly<Record<string, unknown>>, key: string, faults: Fault[], above = ''): Group {
  const path = `${above}${key}`;
  const value = parent[key];
  if (isRecord(value)) return { values: value, read: fieldReader(value, faults, path.split('.')), path };
  const what = value === undefined ? 'is missing' : 'must be a group of keys';
  faults.push({ path: [path], message: `\`${path}\` ${what}.` });
  // Its keys would be missing too; one fault is enough.
  return { values: {}, read: fieldReader({}, []), path };
}

function scalesOf({ values, read }: Group): Calibration['scales'] {
  const factor = (key: string): number => read.number(key, SCALE_BOUNDS) ?? 1;
  const factors = { prefill: factor('prefill'), decode: factor('decode'), overhead: factor('overhead') };
  const { sequences } = values;
  if (sequences === undefined) return factors;
  if (
    Array.isArray(sequences) &&
    sequences.length > 0 &&
    sequences.every((each) => typeof each === 'number' && each >= 1 && each <= MOST_SEQUENCES)
  )
    return { ...factors, sequences };
  read.faults.push({
    path: ['scales', 'sequences'],
    message: `\`scales.sequences\` must be a list of numbers from 1 to ${MOST_SEQUENCES}.`,
  });
  return factors;
}

function madeForOf(madeFor: Group): Calibration['madeFor'] {
  const { values, read, path } = madeFor;
  const word = (key: string): string => {
    const value = values[key];
    if (typeof value === 'string' && value !== '') return value;
    read.faults.push({ path: [path, key], message: `\`${path}.${key}\` must be a text.` });
    return '';
  };
  const ranks = group(values, 'parallelism', read.faults, `${path}.`).read;
  const rank = (key: string): number => ranks.number(key, { min: 1, whole: true }) ?? 1;
  return {
    model: word('model'),
    gpu: word('gpu'),
    weightDtype: word('weightDtype'),
    kvCacheDtype: word('kvCacheDtype'),
    engineVersion: word('engineVersion'),
    scheduler: read.text('scheduler', ['v0', 'v1']) ?? 'v1',
    parallelism: {
      tensor: rank('tensor'),
      pipeline: rank('pipeline'),
      data: rank('data'),
      expert: rank('expert'),
    },
  };
}

function poolOf({ read }: Group): Calibration['pool'] {
  const whole = (key: string): number => read.number(key, { min: 1, max: MOST_COUNTED, whole: true }) ?? 1;
  return {
    numGpuBlocks: whole('numGpuBlocks'),
    blockSize: whole('blockSize'),
    kvTokens: whole('kvTokens'),
    gpuMemoryUtilization: read.number('gpuMemoryUtilization', { min: 0.01, max: 1 }) ?? 1,
    maxModelLen: whole('maxModelLen'),
    maxNumSeqs: whole('maxNumSeqs'),
    maxNumBatchedTokens: whole('maxNumBatchedTokens'),
  };
}

/** Where the plan differs from what was measured, in words: "GPU L20, not H100 80GB SXM5". */
export interface Misfits {
  /** Another model or GPU: nothing of the file holds here. */
  readonly other: readonly string[];
  /** Factors measured here are a guess there. */
  readonly changed: readonly string[];
  /** The pool has another size under these settings. */
  readonly pool: readonly string[];
}

/** A plan as far as it is read when its calibration is looked at. */
export type CalibratedDraft = Pick<
  Draft,
  'model' | 'gpu' | 'weightDtype' | 'tensor' | 'pipeline' | 'data' | 'expert' | 'engine'
>;

/** Compares what was measured with a plan. What could not be read of the plan counts as equal. */
export function misfits({ madeFor, pool }: CalibrationFacts, draft: CalibratedDraft): Misfits {
  const { engine } = draft;
  const differs = (what: string, here: Located<unknown> | null, there: unknown): string[] =>
    here === null || here.value === there ? [] : [`${what} ${here.value}, not ${there}`];
  const ranks = (['tensor', 'pipeline', 'data', 'expert'] as const).flatMap((kind) =>
    differs(`${kind}-parallel size`, draft[kind], madeFor.parallelism[kind]),
  );
  const formats = [
    ...differs('weights', draft.weightDtype, madeFor.weightDtype),
    ...differs('KV cache', engine.kvCacheDtype, madeFor.kvCacheDtype),
  ];
  return {
    other: [...differs('model', named(draft.model), madeFor.model), ...differs('GPU', named(draft.gpu), madeFor.gpu)],
    changed: [
      ...ranks,
      ...formats,
      ...differs('scheduler', engine.scheduler, madeFor.scheduler),
      ...differs('vLLM', release(engine.version), minor(madeFor.engineVersion)),
    ],
    pool:
      pool === null
        ? []
        : [
            ...ranks,
            ...formats,
            ...differs('gpuMemoryUtilization', engine.gpuMemoryUtilization, pool.gpuMemoryUtilization),
            ...differs('maxModelLen', engine.maxModelLen, pool.maxModelLen),
            ...differs('maxNumSeqs', engine.maxNumSeqs, pool.maxNumSeqs),
            ...differs('maxNumBatchedTokens', engine.maxNumBatchedTokens, pool.maxNumBatchedTokens),
          ],
  };
}

function named<T extends { readonly id: string }>(value: Located<T> | null): Located<string> | null {
  return value === null ? null : { ...value, value: value.value.id };
}

function release(version: Located<string> | null): Located<string> | null {
  return version === null ? null : { ...version, value: minor(version.value) };
}
