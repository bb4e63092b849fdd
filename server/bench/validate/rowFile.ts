/** Files of published measurements: one JSON object a line. */
import { readFileSync } from 'node:fs';
import type { ValidationRow } from './row.ts';

/** @throws when the file cannot be read or a line is no JSON; the message names file and line. */
export function readRows(file: string): readonly ValidationRow[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (line.trim() === '') return [];
      try {
        return [JSON.parse(line) as ValidationRow];
      } catch {
        throw new Error(`${file}:${index + 1}: this line is no JSON`);
      }
    });
}
