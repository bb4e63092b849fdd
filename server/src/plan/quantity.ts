/**
 * Quantities as people write them (`3s`, `256GiB`, `2k`) to numbers, and numbers back to short text. The one place
 * for both directions: hover, lens, hints, report and terminal show the same figure in the same words.
 */

/** A parsed quantity, or what is wrong with it and how to write it. */
export type QuantityResult =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly message: string };

type Units = Readonly<Record<string, number>>;

interface Written {
  readonly number: number;
  readonly unit: string;
}

const DURATION_MS: Units = {
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1e3,
  sec: 1e3,
  secs: 1e3,
  second: 1e3,
  seconds: 1e3,
  m: 6e4,
  min: 6e4,
  mins: 6e4,
  minute: 6e4,
  minutes: 6e4,
  h: 3.6e6,
};

/** Decimal (GB) and binary (GiB); Kubernetes' spellings `G` and `Gi` mean the same. */
const BYTES: Units = {
  b: 1,
  k: 1e3,
  kb: 1e3,
  ki: 2 ** 10,
  kib: 2 ** 10,
  m: 1e6,
  mb: 1e6,
  mi: 2 ** 20,
  mib: 2 ** 20,
  g: 1e9,
  gb: 1e9,
  gi: 2 ** 30,
  gib: 2 ** 30,
  t: 1e12,
  tb: 1e12,
  ti: 2 ** 40,
  tib: 2 ** 40,
};

/** As vLLM reads `--max-model-len`: small letters are decimal, capitals binary (vllm/engine/arg_utils.py, human_readable_int). */
const TOKENS: Units = {
  '': 1,
  k: 1e3,
  m: 1e6,
  K: 2 ** 10,
  Ki: 2 ** 10,
  M: 2 ** 20,
  Mi: 2 ** 20,
};

const LARGEST = Number.MAX_SAFE_INTEGER;

/**
 * @param input a YAML scalar: `3s`, `200ms`, `1.5 min`. A number without a unit is refused unless it is 0, because
 * 3 may be meant as seconds or as milliseconds.
 * @returns milliseconds, 0 or more.
 */
export function parseDurationMs(input: unknown): QuantityResult {
  const written = read(input, 'a duration such as `200ms` or `3s`');
  if (typeof written === 'string') return fail(written);
  const { number, unit } = written;
  if (unit === '') {
    if (number === 0) return { ok: true, value: 0 };
    return fail(`\`${show(input)}\` has no unit. Did you mean \`${number}s\` or \`${number}ms\`?`);
  }
  const factor = DURATION_MS[unit] ?? DURATION_MS[unit.toLowerCase()];
  if (factor === undefined) return unknownUnit(input, number, unit, 'ms, s, min or h', ['ms', 's']);
  return bounded(input, number * factor);
}

/**
 * @param input a YAML scalar: `256GiB`, `100GB`, `512Mi`, or a plain number of bytes. Case does not matter.
 * @returns whole bytes, 0 or more.
 */
export function parseBytes(input: unknown): QuantityResult {
  const written = read(input, 'a size such as `256GiB` or `100GB`');
  if (typeof written === 'string') return fail(written);
  const { number, unit } = written;
  const factor = unit === '' ? 1 : BYTES[unit.toLowerCase()];
  if (factor === undefined) return unknownUnit(input, number, unit, 'MiB, GiB, MB or GB', ['GiB', 'GB']);
  return bounded(input, Math.round(number * factor));
}

/**
 * @param input a YAML scalar: `2048`, `2k` (2000), `2K` (2048), `2k tokens`.
 * @returns whole tokens, 0 or more.
 */
export function parseTokens(input: unknown): QuantityResult {
  const bare = typeof input === 'string' ? input.trim().replace(/\s*(?:tokens?|tok)$/i, '') : input;
  const written = read(bare, 'a number of tokens such as `2048` or `2k`');
  if (typeof written === 'string') return fail(written);
  const { number, unit } = written;
  const factor = TOKENS[unit];
  if (factor === undefined) return unknownUnit(input, number, unit, 'k (1000) or K (1024)', ['k', 'K']);
  const value = number * factor;
  const whole = Math.round(value);
  if (Math.abs(value - whole) > 1e-6 * Math.max(1, whole)) {
    return fail(`\`${show(input)}\` is not a whole number of tokens. Did you mean \`${whole}\`?`);
  }
  return bounded(input, whole);
}

/** Reads number and unit, or says why not. */
function read(input: unknown, wanted: string): Written | string {
  if (typeof input === 'number') {
    if (!Number.isFinite(input)) return `Expected ${wanted}, not \`${show(input)}\`.`;
    return input < 0 ? negative(input, String(-input)) : { number: input, unit: '' };
  }
  if (typeof input !== 'string') return `Expected ${wanted}, not ${kindOf(input)}.`;
  const match = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d+))?\s*([a-zA-Zµμ]*)$/.exec(input.trim());
  if (match === null) {
    const plain = input.trim().replace(/(?<=\d)[_, ](?=\d{3})/g, '');
    const hint = plain !== input.trim() && /^\d/.test(plain) ? ` Did you mean \`${plain}\`?` : '';
    return `Expected ${wanted}, not \`${show(input)}\`.${hint}`;
  }
  const [, sign = '', digits = '', exponent, unit = ''] = match;
  const number = Number(exponent === undefined ? digits : `${digits}e${exponent}`);
  if (sign === '-' && number !== 0) return negative(input, `${digits}${unit}`);
  return { number, unit };
}

function bounded(input: unknown, value: number): QuantityResult {
  return value <= LARGEST ? { ok: true, value } : fail(`\`${show(input)}\` is too large to be meant. Check the unit.`);
}

function unknownUnit(
  input: unknown,
  number: number,
  unit: string,
  known: string,
  likely: readonly string[],
): QuantityResult {
  const guess = likely.map((each) => `\`${number}${each}\``).join(' or ');
  return fail(`Unknown unit \`${clip(unit)}\` in \`${show(input)}\`: use ${known}. Did you mean ${guess}?`);
}

function negative(input: unknown, positive: string): string {
  return `\`${show(input)}\` is negative. Did you mean \`${clip(positive)}\`?`;
}

function fail(message: string): QuantityResult {
  return { ok: false, message };
}

function kindOf(input: unknown): string {
  if (input === null || input === undefined) return 'an empty value';
  if (Array.isArray(input)) return 'a list';
  return typeof input === 'object' ? 'a group of keys' : `\`${show(input)}\``;
}

/** The user's text, short enough for a message and without what would break out of its backticks. */
function show(input: unknown): string {
  return clip(String(input));
}

function clip(text: string): string {
  const clean = text.replace(/[`\r\n]/g, ' ');
  return clean.length > 40 ? `${clean.slice(0, 39)}…` : clean;
}

const NOT_A_FIGURE = '–';

/** `4.2 ms`, `480 ms`, `1.1 s`, `12.3 s`, `538 s`, `3.1 h`. About three significant digits; `–` when not finite. */
export function formatDurationMs(ms: number): string {
  if (!Number.isFinite(ms)) return NOT_A_FIGURE;
  if (ms < 0) return `-${formatDurationMs(-ms)}`;
  if (ms === 0) return '0 ms';
  if (ms < 0.05) return '<0.1 ms';
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  const s = ms / 1e3;
  if (s < 99.95) return `${s.toFixed(1)} s`;
  return s < 9999.5 ? `${s.toFixed(0)} s` : `${(s / 3600).toFixed(1)} h`;
}

/** Decimal units: `13.5 GB`, `512 kB`, `215 GB`; `–` when not finite. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return NOT_A_FIGURE;
  if (bytes < 0) return `-${formatBytes(-bytes)}`;
  if (bytes < 999.5) return `${bytes.toFixed(0)} B`;
  return scaled(bytes / 1e3, ['kB', 'MB', 'GB', 'TB', 'PB'], ' ');
}

/** Exact below 10 000, then `47.3k`, `128k`, `1.2M` (decimal); `–` when not finite. */
export function formatTokens(tokens: number): string {
  if (!Number.isFinite(tokens)) return NOT_A_FIGURE;
  if (Math.abs(tokens) < 9999.5) return tokens.toFixed(0);
  return tokens < 0 ? `-${formatTokens(-tokens)}` : scaled(tokens / 1e3, ['k', 'M'], '');
}

function scaled(value: number, units: readonly string[], space: string): string {
  let rest = value;
  let index = 0;
  // 999.5 would be printed as 1000: the next unit says it shorter.
  while (rest >= 999.5 && index < units.length - 1) {
    rest /= 1e3;
    index++;
  }
  return `${rest < 99.95 ? rest.toFixed(1) : rest.toFixed(0)}${space}${units[index] ?? ''}`;
}

/**
 * @param share a fraction, 0..1.
 * @returns `42 %`; one decimal below 1 % and above 99 %, and never `0 %` or `100 %` for what is not exactly that.
 */
export function formatPercent(share: number): string {
  if (!Number.isFinite(share)) return NOT_A_FIGURE;
  if (share < 0) return `-${formatPercent(-share)}`;
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent < 0.05) return '<0.1 %';
  if (percent > 99.95 && percent < 100) return '>99.9 %';
  return percent < 1 || (percent > 99 && percent < 100) ? `${percent.toFixed(1)} %` : `${percent.toFixed(0)} %`;
}
