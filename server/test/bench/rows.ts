/** A published measurement for tests, made up: nothing in it was measured. */
import type { ValidationRow } from '../../bench/validate/row.ts';

export function publishedRow(over: Partial<ValidationRow> = {}): ValidationRow {
  return {
    id: 'made-up-1',
    source: 'made-up',
    quality: 'high',
    engineVersion: '0.10.0',
    scheduler: 'v1-chunked',
    model: 'meta-llama/Llama-3.1-8B-Instruct',
    gpu: 'H100 80GB SXM5',
    tp: 1,
    pp: 1,
    dp: 1,
    ep: 1,
    weightDtype: 'bf16',
    kvDtype: 'bf16',
    load: { kind: 'closed', concurrency: 4, numRequests: 16 },
    input: { kind: 'fixed', tokens: 512 },
    output: { kind: 'fixed', tokens: 64 },
    measured: { ttftMs: { mean: 30 }, tpotMs: { mean: 8 } },
    ...over,
  };
}
