/**
 * Published start-up logs of vLLM, one row a run: what was deployed, and the pool it printed. Row numbers in names are those
 * of docs/vllm.md, H4. `kvGiB` is printed with two decimals; blocks and tokens are exact.
 */
import { EARLIER_LOGS } from './earlierLogs.ts';
import { LATER_LOGS } from './laterLogs.ts';
import type { StartupLog } from './types.ts';

export const STARTUP_LOGS: readonly StartupLog[] = [...EARLIER_LOGS, ...LATER_LOGS];
