/** `spec.workload` of a plan: how requests arrive and how long they are, or a recorded trace of both. */
import type { ArrivalProcess, LengthDistribution } from '../../engine/types.ts';
import { MAX_TRACE_ROWS, parseTraceFile } from '../../engine/workload/traceFile.ts';
import { entryOf, type YamlMap } from '../../text/tree.ts';
import type { Files } from '../../text/types.ts';
import { byDefault, type Draft } from '../draft.ts';
import {
  field,
  integerIn,
  isEmpty,
  lacking,
  list,
  numberIn,
  oneOf,
  type Parser,
  type Reader,
  shorten,
  text,
  tokensIn,
  wrongType,
} from '../read.ts';
import type { Located, Plan } from '../types.ts';
import { lengths, TOKENS } from './nativeLengths.ts';

const MAX_REQUESTS = 1_000_000;
/** Seeds that follow a plan's own stay apart. */
export const MAX_SEED = 2 ** 32 - 1;
const DEFAULT_REQUESTS = 100;
const RATE = { min: 1e-6, max: 1e6 };

/** Reads the block; the trace file is the only thing that needs `files`. */
export async function readWorkload(reader: Reader, spec: YamlMap, files: Files): Promise<Draft['workload']> {
  const section = reader.section(spec, 'workload');
  const trace = await readTrace(reader, section, files);
  const path = trace?.value?.path;
  const replaced = path === undefined ? null : `replaced by the trace ${shorten(path)}`;
  const prefix = reader.section(section, 'sharedPrefix');
  const length = (key: string): Located<LengthDistribution> | null =>
    reader.value(
      section,
      key,
      lengths,
      replaced === null ? null : byDefault<LengthDistribution>({ kind: 'fixed', tokens: 1 }, replaced),
    );
  const rows = trace?.value?.columns.arrivalS.length;
  reportMissing(reader, spec, section);
  return {
    trace,
    arrivals: reader.value(
      section,
      'arrivals',
      arrivals,
      replaced === null ? null : byDefault<ArrivalProcess>({ kind: 'burst' }, replaced),
    ),
    input: length('input'),
    output: length('output'),
    sharedPrefixTokens: reader.value(
      prefix,
      'tokens',
      tokensIn({ min: 0, max: TOKENS.max }),
      byDefault(0, 'no shared prefix'),
    ),
    sharedPrefixShare: reader.value(prefix, 'share', numberIn({ min: 0, max: 1 }), byDefault(0, 'no shared prefix')),
    requests: reader.value(
      section,
      'requests',
      requestCount,
      rows === undefined
        ? byDefault(DEFAULT_REQUESTS, 'LayerKV Planner default')
        : byDefault(rows, 'all rows of the trace'),
    ),
    seed: reader.value(section, 'seed', integerIn({ min: 0, max: MAX_SEED }), byDefault(1, 'LayerKV Planner default')),
  };
}

/** A trace says when requests come and how long they are; without one the plan must. */
function reportMissing(reader: Reader, spec: YamlMap, section: YamlMap | null): void {
  const entry = entryOf(spec, 'workload');
  if (entry === undefined || section === null || has(section, 'trace')) return;
  reader.require(section, EXAMPLES, entry.keyRange, ', or a recorded `trace: ./requests.csv`');
}

const EXAMPLES: Readonly<Record<string, string>> = {
  arrivals: '`arrivals: {process: poisson, rate: 1}`',
  input: '`input: {tokens: 2048}`',
  output: '`output: {tokens: 512}`',
};

function has(section: YamlMap, key: string): boolean {
  const entry = entryOf(section, key);
  return entry !== undefined && !isEmpty(entry.value);
}

const requestCount: Parser<number> = (node) => {
  if (node.kind === 'scalar' && node.value === 0) {
    return {
      ok: false,
      rule: 'zero-requests',
      message:
        'With 0 requests there is nothing to predict. Write 100 for a quick look, 1000 or more for a steady p99.',
    };
  }
  return integerIn({ min: 1, max: MAX_REQUESTS })(node);
};

async function readTrace(
  reader: Reader,
  section: YamlMap | null,
  files: Files,
): Promise<Plan['workload']['trace'] | null> {
  const entry = entryOf(section, 'trace');
  if (entry === undefined || isEmpty(entry.value)) return byDefault(null, 'no trace');
  const path = text(entry.value);
  if (!path.ok) {
    reader.fail(path, entry.value.range);
    return null;
  }
  const content = await files.readText(path.value);
  if (content === null) {
    reader.fail(
      {
        ok: false,
        rule: 'trace-unreadable',
        message: `Cannot read the trace ${shorten(path.value)}. Check the path: it is taken from the folder of this file.`,
      },
      entry.value.range,
    );
    return null;
  }
  const trace = parseTraceFile(content);
  if (!trace.ok) {
    reader.fail(
      {
        ok: false,
        rule: 'trace-invalid',
        message: `The trace ${shorten(path.value)} cannot be used: ${trace.message}.`,
      },
      entry.value.range,
    );
    return null;
  }
  if (trace.cut) {
    reader.problems.push({
      rule: 'trace-cut',
      severity: 'information',
      message: `The trace has more than ${MAX_TRACE_ROWS} rows; those after them in the file are not read.`,
      range: entry.value.range,
    });
  }
  if (trace.failedRows > 0) {
    const all = trace.failedRows + trace.columns.arrivalS.length;
    reader.problems.push({
      rule: 'trace-failures',
      severity: 'information',
      message: `${trace.failedRows} of ${all} rows of the trace are failed requests (no tokens) and are left out.`,
      range: entry.value.range,
    });
  }
  return {
    value: { path: path.value, columns: trace.columns },
    range: entry.value.range,
    keyRange: entry.keyRange,
    origin: 'stated',
  };
}

const PROCESSES = ['constant', 'poisson', 'gamma', 'closed', 'burst', 'serial'] as const;
type Process = (typeof PROCESSES)[number];
const PROCESS_WORDS = Object.fromEntries(PROCESSES.map((each) => [each, each])) as Readonly<Record<string, Process>>;
const PROCESS_KEYS: Readonly<Record<Process, readonly string[]>> = {
  constant: ['rate'],
  poisson: ['rate'],
  gamma: ['rate', 'cv'],
  closed: ['concurrency'],
  burst: [],
  serial: [],
};

const arrivals: Parser<ArrivalProcess> = (node) => {
  if (node.kind !== 'map') return wrongType(node, 'how requests arrive, such as {process: poisson, rate: 1}');
  const process = field(node, 'process', oneOf(PROCESS_WORDS, PROCESSES));
  if (!process.ok) return process;
  const stray = node.entries.find(
    (entry) => ['rate', 'cv', 'concurrency'].includes(entry.key) && !PROCESS_KEYS[process.value].includes(entry.key),
  );
  if (stray !== undefined) {
    const known = PROCESS_KEYS[process.value];
    return {
      ok: false,
      rule: 'unknown-key',
      message: `\`${stray.key}\` means nothing to ${process.value} arrivals, which take ${known.length === 0 ? 'no further key' : list(known)}. Remove it, or change the process.`,
      range: stray.keyRange,
    };
  }
  const missing = lacking(node, PROCESS_KEYS[process.value]);
  if (missing !== null) return missing;
  switch (process.value) {
    case 'constant':
    case 'poisson': {
      const rate = field(node, 'rate', arrivalRate);
      return rate.ok ? { ok: true, value: { kind: process.value, ratePerS: rate.value } } : rate;
    }
    case 'gamma': {
      const rate = field(node, 'rate', arrivalRate);
      if (!rate.ok) return rate;
      const cv = field(node, 'cv', numberIn({ min: 0.01, max: 100 }));
      return cv.ok ? { ok: true, value: { kind: 'gamma', ratePerS: rate.value, cv: cv.value } } : cv;
    }
    case 'closed': {
      const concurrency = field(node, 'concurrency', integerIn({ min: 1, max: MAX_REQUESTS }));
      return concurrency.ok ? { ok: true, value: { kind: 'closed', concurrency: concurrency.value } } : concurrency;
    }
    case 'burst':
    case 'serial':
      return { ok: true, value: { kind: process.value } };
  }
};

const arrivalRate: Parser<number> = (node) => {
  if (node.kind === 'scalar' && node.value === 0) {
    return {
      ok: false,
      rule: 'zero-rate',
      message:
        'At rate 0 no request ever arrives. Write the requests per second of the whole deployment, for example 0.5.',
    };
  }
  return numberIn(RATE)(node);
};
