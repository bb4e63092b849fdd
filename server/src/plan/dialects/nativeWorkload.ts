/** `spec.workload` of a plan: how requests arrive and how long they are, or a recorded trace of both. */
import type { ArrivalProcess, LengthDistribution } from '../../engine/types.ts';
import { parseTraceFile } from '../../engine/workload/traceFile.ts';
import { entryOf, type YamlEntry, type YamlMap, type YamlNode } from '../../text/tree.ts';
import type { Files } from '../../text/types.ts';
import { byDefault, type Draft } from '../draft.ts';
import {
  type Failure,
  integerIn,
  isEmpty,
  list,
  numberIn,
  oneOf,
  type Parsed,
  type Parser,
  type Reader,
  shorten,
  text,
  tokensIn,
  wrongType,
} from '../read.ts';
import type { Located, Plan } from '../types.ts';

const MAX_REQUESTS = 1_000_000;
const DEFAULT_REQUESTS = 100;
const TOKENS = { min: 1, max: 100_000_000 };
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
    seed: reader.value(
      section,
      'seed',
      integerIn({ min: 0, max: 2 ** 32 - 1 }),
      byDefault(1, 'LayerKV Planner default'),
    ),
  };
}

/** A trace says when requests come and how long they are; without one the plan must. */
function reportMissing(reader: Reader, spec: YamlMap, section: YamlMap | null): void {
  const entry = entryOf(spec, 'workload');
  if (entry === undefined || section === null || has(section, 'trace')) return;
  const missing = ['arrivals', 'input', 'output'].filter((key) => !has(section, key));
  if (missing.length === 0) return;
  const message = `The workload does not say ${list(missing.map((key) => `\`${key}\``)).replace(/ or /, ' and ')}. Add ${missing.map((key) => EXAMPLES[key]).join(', ')}${missing.length === 3 ? ', or a recorded `trace: ./requests.csv`' : ''}.`;
  reader.fail({ ok: false, rule: 'missing-key', message }, entry.keyRange);
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

const lengths: Parser<LengthDistribution> = (node) => {
  if (node.kind !== 'map') return wrongType(node, 'a length such as {tokens: 2048}');
  const forms = ['tokens', 'uniform', 'lognormal', 'percentiles'];
  const [form, second] = node.entries.filter((entry) => forms.includes(entry.key));
  if (form === undefined) {
    return {
      ok: false,
      rule: 'missing-key',
      message: `Say how long the requests are: ${list(forms.map((each) => `\`${each}\``))}, for example {tokens: 2048}.`,
    };
  }
  if (second !== undefined) {
    return {
      ok: false,
      rule: 'unknown-key',
      message: `\`${second.key}\` and \`${form.key}\` exclude each other. Keep one of them.`,
      range: second.keyRange,
    };
  }
  switch (form.key) {
    case 'tokens': {
      const tokens = field(node, 'tokens', tokensIn(TOKENS));
      return tokens.ok ? { ok: true, value: { kind: 'fixed', tokens: tokens.value } } : tokens;
    }
    case 'uniform':
      return uniform(form.value);
    case 'lognormal': {
      const median = field(form.value, 'median', tokensIn(TOKENS));
      if (!median.ok) return median;
      const sigma = field(form.value, 'sigma', numberIn({ min: 0, max: 5 }));
      return sigma.ok ? { ok: true, value: { kind: 'lognormal', median: median.value, sigma: sigma.value } } : sigma;
    }
    default:
      return percentiles(form.value, entryOf(node, 'mean'));
  }
};

function uniform(node: YamlNode): Parsed<LengthDistribution> {
  if (node.kind !== 'sequence' || node.items.length !== 2)
    return at(node, wrongType(node, 'the shortest and the longest length, such as [128, 2048]'));
  const [min, max] = node.items.map((item) => located(item, tokensIn(TOKENS)(item)));
  if (min === undefined || max === undefined) return at(node, wrongType(node, 'two lengths'));
  if (!min.ok) return min;
  if (!max.ok) return max;
  if (min.value > max.value) {
    return at(node, {
      ok: false,
      rule: 'out-of-range',
      message: `The shortest length comes first: write [${max.value}, ${min.value}].`,
    });
  }
  return { ok: true, value: { kind: 'uniform', min: min.value, max: max.value } };
}

function percentiles(node: YamlNode, meanEntry: YamlEntry | undefined): Parsed<LengthDistribution> {
  if (node.kind !== 'map' || node.entries.length === 0)
    return at(node, wrongType(node, 'percentiles such as {p50: 900, p99: 4000, max: 8000}'));
  const points: (readonly [number, number, YamlEntry])[] = [];
  for (const entry of node.entries) {
    const share = entry.key === 'max' ? 1 : Number(/^p(\d{1,2}(?:\.\d+)?)$/.exec(entry.key)?.[1] ?? Number.NaN) / 100;
    if (!(share > 0 && share <= 1)) {
      return {
        ok: false,
        rule: 'unknown-key',
        message: `\`${shorten(entry.key)}\` is no percentile. Write p50, p99, p99.9 or max.`,
        range: entry.keyRange,
      };
    }
    const tokens = located(entry.value, tokensIn(TOKENS)(entry.value));
    if (!tokens.ok) return tokens;
    points.push([share, tokens.value, entry]);
  }
  points.sort((a, b) => a[0] - b[0]);
  for (const [i, point] of points.entries()) {
    const below = points[i - 1];
    if (below !== undefined && below[1] > point[1]) {
      return at(point[2].value, {
        ok: false,
        rule: 'out-of-range',
        message: `\`${point[2].key}\` (${point[1]}) is shorter than \`${below[2].key}\` (${below[1]}). Higher percentiles are at least as long.`,
      });
    }
  }
  const mean =
    meanEntry === undefined ? null : located(meanEntry.value, numberIn({ min: 1, max: TOKENS.max })(meanEntry.value));
  if (mean !== null && !mean.ok) return mean;
  return {
    ok: true,
    value: { kind: 'percentiles', points: points.map(([share, tokens]) => [share, tokens]), mean: mean?.value ?? null },
  };
}

/** A key inside a value that is read as a whole: failures carry their own place. */
function field<T>(map: YamlNode, key: string, parse: Parser<T>): Parsed<T> {
  const entry = entryOf(map, key);
  if (entry === undefined || isEmpty(entry.value)) {
    const failure: Failure = {
      ok: false,
      rule: 'missing-key',
      message: `\`${key}\` is missing here. Add \`${key}: …\`.`,
    };
    return entry === undefined ? failure : { ...failure, range: entry.keyRange };
  }
  return located(entry.value, parse(entry.value));
}

function located<T>(node: YamlNode, parsed: Parsed<T>): Parsed<T> {
  return parsed.ok ? parsed : at(node, parsed);
}

function at(node: YamlNode, failure: Failure): Failure {
  return { ...failure, range: failure.range ?? node.range };
}
