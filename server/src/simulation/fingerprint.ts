/** Two plans with the same fingerprint have the same prediction: places in the text and comments do not count. */
import type { TraceColumns } from '../engine/types.ts';
import type { Plan } from '../plan/types.ts';

const fingerprints = new WeakMap<Plan, string>();
const traceHashes = new WeakMap<TraceColumns, string>();

/** Every value of the plan that a forecast can see, as text. */
export function fingerprint(plan: Plan): string {
  const known = fingerprints.get(plan);
  if (known !== undefined) return known;
  const text = JSON.stringify(plan, (key, value: unknown) => {
    if (key === 'documentRange' || key === 'anchor') return undefined;
    if (isLocated(value)) return value.value;
    if (isTrace(value)) return hashTrace(value);
    return value;
  });
  fingerprints.set(plan, text);
  return text;
}

function isLocated(value: unknown): value is { readonly value: unknown } {
  return typeof value === 'object' && value !== null && 'origin' in value && 'keyRange' in value && 'value' in value;
}

function isTrace(value: unknown): value is TraceColumns {
  return typeof value === 'object' && value !== null && 'arrivalS' in value && 'inputTokens' in value;
}

/** FNV-1a over the three columns' 32-bit words. */
function hashTrace(trace: TraceColumns): string {
  const known = traceHashes.get(trace);
  if (known !== undefined) return known;
  let hash = 0x811c9dc5;
  for (const column of [trace.arrivalS, trace.inputTokens, trace.outputTokens]) {
    const words = new Uint32Array(column.buffer, column.byteOffset, column.byteLength / 4);
    for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  }
  const text = `${trace.arrivalS.length} rows ${(hash >>> 0).toString(16)}`;
  traceHashes.set(trace, text);
  return text;
}
