/** Recorded request traces: the text of a file → columns sorted by arrival, times from the first request. */
import type { PromptIds, TraceColumns } from '../types.ts';
import { MOST_TOKENS } from './lengths.ts';

/** Forms that are understood; which one it is follows from the columns or keys. */
export type TraceForm = 'azure-csv' | 'burstgpt-csv' | 'mooncake-jsonl' | 'apex-jsonl' | 'csv' | 'jsonl';

export type TraceFile =
  | {
      readonly ok: true;
      readonly form: TraceForm;
      readonly columns: TraceColumns;
      /** Rows that are failures (no output tokens) and were left out. */
      readonly failedRows: number;
      /** The file has more rows than are read. */
      readonly cut: boolean;
    }
  | { readonly ok: false; readonly message: string };

/** How one column or key is read: its names in order of preference, and seconds per unit for times. */
interface Shape {
  readonly form: TraceForm;
  readonly time: string;
  readonly secondsPerUnit: number | 'date';
  readonly input: string;
  readonly output: string;
}

/**
 * Names are compared small and without separators. Sources: Azure LLM 2023/2024 (github.com/Azure/AzurePublicDataset), BurstGPT
 * (github.com/HPMLL/BurstGPT), Mooncake (github.com/kvcache-ai/Mooncake), APEX; the plain forms are ours: seconds,
 * or milliseconds where the name ends in `ms`.
 */
const CSV_SHAPES: readonly Shape[] = [
  { form: 'azure-csv', time: 'timestamp', secondsPerUnit: 'date', input: 'contexttokens', output: 'generatedtokens' },
  { form: 'burstgpt-csv', time: 'timestamp', secondsPerUnit: 1, input: 'requesttokens', output: 'responsetokens' },
  ...plainShapes('csv'),
];

const JSONL_SHAPES: readonly Shape[] = [
  { form: 'mooncake-jsonl', time: 'timestamp', secondsPerUnit: 1e-3, input: 'inputlength', output: 'outputlength' },
  {
    form: 'apex-jsonl',
    time: 'starttimeoffset',
    secondsPerUnit: 1e-9,
    input: 'contexttokens',
    output: 'generatedtokens',
  },
  ...plainShapes('jsonl'),
];

function plainShapes(form: 'csv' | 'jsonl'): readonly Shape[] {
  const times: readonly (readonly [string, number])[] = [
    ['arrivals', 1],
    ['arrivalms', 1e-3],
    ['arrivaltime', 1],
    ['arrival', 1],
    ['timestampms', 1e-3],
    ['timestamp', 1],
    ['time', 1],
  ];
  const lengths: readonly (readonly [string, string])[] = [
    ['inputtokens', 'outputtokens'],
    ['inputlength', 'outputlength'],
    ['prompttokens', 'completiontokens'],
  ];
  return times.flatMap(([time, secondsPerUnit]) =>
    lengths.map(([input, output]) => ({ form, time, secondsPerUnit, input, output })),
  );
}

/** More requests than any simulation here runs; what follows in a longer file is left out. */
export const MAX_TRACE_ROWS = 1_000_000;
/** Tokens under one of Mooncake's `hash_ids` (github.com/kvcache-ai/Mooncake, FAST25-release/README). */
const TOKENS_PER_HASH_ID = 512;
/** Thirty thousand years after the clock’s zero, in whatever unit: damage. */
const MAX_TIME_S = 1e12;

/**
 * Reads a trace. A row that cannot be read makes the file unreadable and is named with its line: a trace with holes
 * predicts another load. Rows without output tokens are failed requests: counted and left out.
 */
export function parseTraceFile(text: string): TraceFile {
  const body = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const lines = body.split(/\r\n|\n|\r/);
  const first = lines.findIndex((line) => line.trim() !== '');
  const head = lines[first];
  if (head === undefined) return { ok: false, message: 'the file is empty' };
  const isJson = head.trimStart().startsWith('{');
  const rows = isJson ? jsonRows(lines, first) : csvRows(lines, first);
  return rows.ok ? toColumns(rows) : rows;
}

type Cell = string | number | undefined;

interface Rows {
  readonly ok: true;
  readonly shape: Shape;
  /** Time, input, output of each row, with its 1-based line and, where it has them, the ids of its prompt's blocks. */
  readonly rows: readonly {
    readonly line: number;
    readonly cells: readonly [Cell, Cell, Cell];
    readonly ids?: readonly unknown[];
  }[];
}

type Failed = Extract<TraceFile, { ok: false }>;

function csvRows(lines: readonly string[], first: number): Rows | Failed {
  const separator = (lines[first] ?? '').includes(';') && !(lines[first] ?? '').includes(',') ? ';' : ',';
  const header = splitCsv(lines[first] ?? '', separator).map(fold);
  const shape = CSV_SHAPES.find((each) => [each.time, each.input, each.output].every((name) => header.includes(name)));
  if (shape === undefined) {
    return {
      ok: false,
      message: `line ${first + 1} names no columns that are known here: use arrival_s,input_tokens,output_tokens (or an Azure or BurstGPT trace as published)`,
    };
  }
  const at = [shape.time, shape.input, shape.output].map((name) => header.indexOf(name));
  const rows: Rows['rows'][number][] = [];
  for (let i = first + 1; i < lines.length && rows.length <= MAX_TRACE_ROWS; i++) {
    const line = lines[i] ?? '';
    if (line.trim() === '') continue;
    const cells = splitCsv(line, separator);
    rows.push({ line: i + 1, cells: [cells[at[0] ?? 0], cells[at[1] ?? 0], cells[at[2] ?? 0]] });
  }
  return { ok: true, shape, rows };
}

/** Quotes as in RFC 4180; a field with a line break inside is not supported, no known trace has one. */
function splitCsv(line: string, separator: string): readonly string[] {
  if (!line.includes('"')) return line.split(separator).map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const char = line[i];
    if (char === '"' && quoted && line[i + 1] === '"') {
      cell += '"';
      i++;
    } else if (char === '"') quoted = !quoted;
    else if (char === separator && !quoted) {
      cells.push(cell.trim());
      cell = '';
    } else cell += char;
  }
  return [...cells, cell.trim()];
}

function jsonRows(lines: readonly string[], first: number): Rows | Failed {
  let shape: Shape | undefined;
  const rows: Rows['rows'][number][] = [];
  for (let i = first; i < lines.length && rows.length <= MAX_TRACE_ROWS; i++) {
    const line = lines[i] ?? '';
    if (line.trim() === '') continue;
    const record = parseRecord(line);
    if (record === null) return { ok: false, message: `line ${i + 1} is not a JSON object` };
    shape ??= JSONL_SHAPES.find((each) => [each.time, each.input, each.output].every((name) => record.has(name)));
    if (shape === undefined) {
      return {
        ok: false,
        message: `line ${i + 1} has no keys that are known here: use arrival_s, input_tokens, output_tokens (or a Mooncake trace as published)`,
      };
    }
    const cell = (name: string): Cell => {
      const value = record.get(name);
      return typeof value === 'number' || typeof value === 'string' ? value : undefined;
    };
    const ids = record.get('hashids');
    rows.push({
      line: i + 1,
      cells: [cell(shape.time), cell(shape.input), cell(shape.output)],
      ...(Array.isArray(ids) ? { ids } : {}),
    });
  }
  return shape === undefined ? { ok: false, message: 'the file has no rows' } : { ok: true, shape, rows };
}

function parseRecord(line: string): ReadonlyMap<string, unknown> | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return new Map(Object.entries(value).map(([key, cell]): [string, unknown] => [fold(key), cell]));
}

function toColumns({ shape, rows }: Rows): TraceFile {
  const kept: {
    readonly timeS: number;
    readonly input: number;
    readonly output: number;
    readonly ids: readonly unknown[];
  }[] = [];
  let failedRows = 0;
  for (const { line, cells, ids = [] } of rows.slice(0, MAX_TRACE_ROWS)) {
    const timeS = timeOf(cells[0], shape.secondsPerUnit);
    if (timeS === null)
      return {
        ok: false,
        message: `line ${line}: "${clip(cells[0])}" is no ${shape.secondsPerUnit === 'date' ? 'date and time' : 'time from 0 on'}`,
      };
    const input = tokensOf(cells[1]);
    const output = tokensOf(cells[2]);
    if (input === null || output === null) {
      return { ok: false, message: `line ${line}: "${clip(input === null ? cells[1] : cells[2])}" is no token count` };
    }
    if (output === 0 || input === 0) failedRows++;
    else kept.push({ timeS, input, output, ids });
  }
  if (kept.length === 0) {
    return {
      ok: false,
      message: failedRows === 0 ? 'the file has no rows' : `all ${failedRows} rows are failed requests (no tokens)`,
    };
  }
  // Array.prototype.sort is stable: requests of the same moment keep the file's order.
  kept.sort((a, b) => a.timeS - b.timeS);
  const startS = kept[0]?.timeS ?? 0;
  const promptIds = promptIdsOf(kept.map(({ ids }) => ids));
  return {
    ok: true,
    form: shape.form,
    failedRows,
    cut: rows.length > MAX_TRACE_ROWS,
    columns: {
      arrivalS: Float64Array.from(kept, (row) => row.timeS - startS),
      inputTokens: Int32Array.from(kept, (row) => row.input),
      outputTokens: Int32Array.from(kept, (row) => row.output),
      ...(promptIds === null ? {} : { promptIds }),
    },
  };
}

/** Ids as the trace has them, whatever they are, to small whole numbers; null where no prompt has any. */
function promptIdsOf(rows: readonly (readonly unknown[])[]): PromptIds | null {
  const starts = new Int32Array(rows.length + 1);
  rows.forEach((row, k) => {
    starts[k + 1] = starts[k]! + row.length;
  });
  const total = starts[rows.length]!;
  if (total === 0) return null;
  const numbers = new Map<unknown, number>();
  const ids = new Int32Array(total);
  let next = 0;
  for (const row of rows) {
    for (const id of row) {
      const number = numbers.get(id) ?? numbers.size;
      numbers.set(id, number);
      ids[next++] = number;
    }
  }
  return { tokensPerId: TOKENS_PER_HASH_ID, starts, ids };
}

function timeOf(cell: Cell, secondsPerUnit: number | 'date'): number | null {
  if (secondsPerUnit === 'date') return typeof cell === 'string' ? dateS(cell) : null;
  const value = numberOf(cell);
  return value === null || value < 0 || value * secondsPerUnit > MAX_TIME_S ? null : value * secondsPerUnit;
}

/** `2023-11-16 18:15:46.6805900`, read as UTC; the fraction is kept beyond the milliseconds that `Date` holds. */
function dateS(cell: string): number | null {
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/.exec(cell.trim());
  if (match === null) return null;
  const zone = match[4] ?? 'Z';
  const wholeMs = Date.parse(
    `${match[1]}T${match[2]}${/^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`,
  );
  return Number.isNaN(wholeMs) ? null : wholeMs / 1000 + Number(match[3] ?? 0);
}

function tokensOf(cell: Cell): number | null {
  const value = numberOf(cell);
  return value === null || value < 0 || value > MOST_TOKENS ? null : Math.round(value);
}

function numberOf(cell: Cell): number | null {
  const value = typeof cell === 'string' && cell.trim() !== '' ? Number(cell) : cell;
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

function clip(cell: Cell): string {
  const value = String(cell ?? '');
  return value.length > 40 ? `${value.slice(0, 37)}...` : value;
}
