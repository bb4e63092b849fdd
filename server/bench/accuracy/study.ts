/** Runs everything that `docs/accuracy.md` tells of. */
import { hostPlanes } from '../fit/host.ts';
import { calibratedPairs, calibratedStudy } from '../validate/calibrated.ts';
import { compareRow } from '../validate/predict.ts';
import type { ValidationRow } from '../validate/row.ts';
import { summarize } from '../validate/summary.ts';
import { poolCheck, traceChecks, unsaidTtft } from './checks.ts';
import { groupings } from './grouping.ts';
import { type Cut, cuts, type Judged, leaveOut, refitted } from './leaveOut.ts';
import { plotData } from './plotData.ts';
import { residualGroups } from './residuals.ts';
import type { AccuracyData } from './types.ts';

/**
 * @param micro folder of kernel measurements; @param rows published measurements of serving.
 * @param tell called with what is being done.
 */
export function accuracyStudy(
  micro: string,
  rows: readonly ValidationRow[],
  tell: (doing: string) => void,
): AccuracyData {
  tell('predicting all rows');
  const all: readonly Judged[] = rows.map((row) => ({ row, compared: compareRow(row) }));
  const judged = all.filter(({ row }) => row.quality !== 'low');
  tell('linearising the host’s work');
  const planes = hostPlanes(rows);
  const studies = cuts(micro).map((cut) => {
    tell(`leaving out each ${cut.what}`);
    return leaveOut(judged, planes, cut);
  });
  const rowsWithout = (what: Cut['what']) => studies.find(({ study }) => study.what === what)?.rows ?? [];
  tell('calibrating on one row');
  const calibrated = calibratedStudy(calibratedPairs(rows, () => {}));
  const { residuals, share } = residualGroups(judged);
  return {
    about: 'What docs/accuracy.md shows; written by npm run accuracy. Errors are shares, times ms.',
    rows: {
      all: rows.length,
      judged: judged.length,
      covered: judged.filter(({ compared }) => compared.covered).length,
      allCovered: all.filter(({ compared }) => compared.covered).length,
    },
    overall: summarize(judged.map(({ compared }) => compared)),
    medianReading: summarize(judged.map(({ row }) => compareRow(row, { unspecifiedTtft: 'p50' }))),
    unsaid: unsaidTtft(judged),
    groupings: groupings(all),
    control: summarize(refitted(judged, planes)),
    leftOut: studies.map(({ study }) => study),
    hostSamples: planes.length,
    calibrated: [...calibrated],
    pools: poolCheck(rows),
    traces: traceChecks(judged),
    residuals,
    residualShare: share,
    plots: plotData(judged, rowsWithout),
  };
}
