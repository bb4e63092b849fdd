/**
 * Entry of `npm run validate -- FILE…`: predicts every published measurement of the files and tells how far off we are.
 * `--json` prints the contract's JSON alone. `--calibrated`: how well one row, calibrated on, predicts its siblings.
 * `--bands` rewrites the error bands that predictions carry.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bandsFile, calibratedSamples, publishedSamples } from './bands.ts';
import { calibratedPairs, calibratedStudy, type Pair } from './calibrated.ts';
import { type ComparedRow, compareRow } from './predict.ts';
import { report, reportCalibrated } from './report.ts';
import type { ValidationRow } from './row.ts';
import { readRows } from './rowFile.ts';
import { GROUPINGS, groups, summarize } from './summary.ts';

const { values: flags, positionals: files } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    calibrated: { type: 'boolean', default: false },
    bands: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

/** From the repository's root, where `scripts/validate.mjs` starts us. */
const BANDS_FILE = 'server/src/forecast/errorBands.json';

if (files.length === 0) {
  console.error('Name at least one file of measurements: npm run validate -- FILE.jsonl …');
  process.exitCode = 3;
} else {
  try {
    const rows = files.flatMap(readRows);
    const study = flags.bands ? writeBands : flags.calibrated ? studyCalibrated : compareAll;
    process.stdout.write(`${study(rows)}\n`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 3;
  }
}

function compareAll(rows: readonly ValidationRow[]): string {
  const compared = rows.map((row, index) => {
    tell(`${index + 1}/${rows.length} `);
    return compareRow(row);
  });
  tell('');
  return flags.json ? JSON.stringify(asJson(compared), null, 1) : report(compared);
}

function writeBands(rows: readonly ValidationRow[]): string {
  const text = bandsFile([...publishedSamples(rows), ...calibratedSamples(pairsOf(rows))]);
  writeFileSync(BANDS_FILE, text);
  return `${text}written to ${BANDS_FILE}`;
}

function pairsOf(rows: readonly ValidationRow[]): readonly Pair[] {
  const pairs = calibratedPairs(rows, (fraction) => tell(`${Math.round(100 * fraction)} % `));
  tell('');
  return pairs;
}

function studyCalibrated(rows: readonly ValidationRow[]): string {
  const groups = calibratedStudy(pairsOf(rows));
  return flags.json ? JSON.stringify(Object.fromEntries(groups), null, 1) : reportCalibrated(groups);
}

function tell(progress: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${progress}`);
}

function asJson(rows: readonly ComparedRow[]): object {
  const judged = rows.filter(({ quality }) => quality !== 'low');
  return {
    schema: 'layerkv/validation/v1',
    rows,
    summary: {
      all: summarize(rows),
      highAndMedium: summarize(judged),
      ...Object.fromEntries(
        GROUPINGS.map(({ by, key }) => [by, Object.fromEntries(groups(by === 'quality' ? rows : judged, key))]),
      ),
    },
  };
}
