/**
 * Entry of `npm run accuracy -- MICRO ROWS.jsonl`: studies how near predictions come, writes `docs/accuracy.json`, and makes
 * `docs/accuracy.md` and its plots of it. Without arguments the page is made of the figures that are there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { readRows } from '../validate/rowFile.ts';
import { accuracyPage } from './page.ts';
import { accuracyStudy } from './study.ts';
import type { AccuracyData } from './types.ts';

const DATA = 'docs/accuracy.json';
/** Digits that errors and times are kept with. */
const DIGITS = 4;

const [micro, rowsFile] = process.argv.slice(2);
if (micro !== undefined && rowsFile === undefined) {
  console.error('Name the folder of kernel measurements and a file of rows: npm run accuracy -- MICRO ROWS.jsonl');
  process.exitCode = 3;
} else {
  if (micro !== undefined && rowsFile !== undefined) {
    const study = accuracyStudy(micro, readRows(rowsFile), (doing) => console.error(doing));
    const round = (_: string, value: unknown): unknown =>
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value;
    // What holds only numbers and names stands on one line, or the file would have a line a number.
    const text = JSON.stringify(study, round, 1).replace(/[[{][^[\]{}]*[\]}]/g, (leaf) => leaf.replace(/\n\s*/g, ' '));
    write(DATA, `${text}\n`);
  }
  const files = accuracyPage(JSON.parse(readFileSync(DATA, 'utf8')) as AccuracyData);
  for (const [path, text] of Object.entries(files)) write(path, text);
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  console.error(`written to ${path}`);
}
