/** Where the reference material of the workplace lies, if this checkout has it; suites that read it skip where it is missing. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** Tests run with the repository root as their working folder. */
export const SHARED = resolve(process.cwd(), '../shared');

/** False on a checkout of the repository alone. */
export function hasShared(): boolean {
  return existsSync(SHARED);
}
