/** What comes of reading a user's object: the value, or everything that is missing or wrong with it. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** One fault. `path` leads from the object to the value at fault; empty: the object itself (a key is missing). */
export interface Fault {
  readonly path: readonly string[];
  readonly message: string;
}

/** Reads keys of a user's object and notes every fault, so that all are reported at once. */
export interface FieldReader {
  readonly faults: Fault[];
  /** A finite number from `min` to `max` (whole if asked); null and a fault otherwise. Absent: `fallback`, or a fault without one. */
  number(key: string, options?: NumberOptions): number | null;
  text<T extends string>(key: string, allowed: readonly T[], fallback?: T): T | null;
  flag(key: string, fallback: boolean): boolean;
}

export interface NumberOptions {
  readonly min?: number;
  readonly max?: number;
  readonly whole?: boolean;
  readonly fallback?: number;
}

/** @returns whether `value` is a plain group of keys. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** NaN for what is no number; unlike `Number()` it throws at nothing a JSON file may hold. */
export function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN;
}

/** The text, or which kind of value stands in its place; likewise. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value;
}

/** @param path where `source` stands below the object that faults are reported for. */
export function fieldReader(
  source: Readonly<Record<string, unknown>>,
  faults: Fault[],
  path: readonly string[] = [],
): FieldReader {
  const missing = (key: string): null => {
    faults.push({ path, message: `\`${[...path, key].join('.')}\` is missing.` });
    return null;
  };
  const wrong = (key: string, message: string): null => {
    faults.push({ path: [...path, key], message: `\`${[...path, key].join('.')}\` ${message}` });
    return null;
  };
  return {
    faults,
    number(key, { min = 0, max = Infinity, whole = false, fallback } = {}) {
      const value = source[key];
      if (value === undefined) return fallback ?? missing(key);
      if (typeof value !== 'number' || !Number.isFinite(value)) return wrong(key, 'must be a number.');
      if (value < min) return wrong(key, `must be ${min} or more.`);
      if (value > max) return wrong(key, `must be ${max} or less.`);
      if (whole && !Number.isSafeInteger(value)) return wrong(key, 'must be a whole number.');
      return value;
    },
    text(key, allowed, fallback) {
      const value = source[key];
      if (value === undefined) return fallback ?? missing(key);
      const known = allowed.find((each) => each === value);
      return known ?? wrong(key, `must be one of ${allowed.join(', ')}.`);
    },
    flag(key, fallback) {
      const value = source[key];
      if (value === undefined) return fallback;
      return typeof value === 'boolean' ? value : (wrong(key, 'must be true or false.') ?? fallback);
    },
  };
}
