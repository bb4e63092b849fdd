/** Where most of the error is: the groups of rows that miss the targets most, with the cause where it is known. */
import type { ComparedRow, Figures } from '../validate/predict.ts';
import { errorOf, FIGURES, quantile } from '../validate/summary.ts';
import { causeOf } from './causes.ts';
import { grouped } from './grouping.ts';
import type { Judged } from './leaveOut.ts';
import type { Residual } from './types.ts';

const LISTED = 14;

/** Errors up to the "must" targets are no residuals. */
const ALLOWED: Readonly<Record<keyof Figures, number>> = { tpotMs: 0.1, ttftMs: 0.2, outputTokS: 0.1 };

export interface Residuals {
  readonly residuals: readonly Residual[];
  /** Of all excess error, what the listed groups hold. */
  readonly share: number;
}

/** Groups by source, model, GPU and precision, the largest first. */
export function residualGroups(judged: readonly Judged[]): Residuals {
  const all = sumOf(judged);
  const groups = grouped(judged, ({ row }) => [row.source, row.model, row.gpu, row.weightDtype].join('|'));
  const residuals = [...groups.values()]
    .flatMap((members): readonly Residual[] => {
      const [first] = members;
      if (first === undefined) return [];
      const { model, gpu, weightDtype, source } = first.row;
      return [
        {
          name: `${model.split('/').at(-1)}, ${gpu}, ${weightDtype}`,
          source,
          rows: members.length,
          tpot: medianError(members, 'tpotMs'),
          ttft: medianError(members, 'ttftMs'),
          throughput: medianError(members, 'outputTokS'),
          share: sumOf(members) / all,
          cause: causeOf(first.row),
        },
      ];
    })
    .toSorted((a, b) => b.share - a.share)
    .slice(0, LISTED);
  return { residuals, share: residuals.reduce((sum, { share }) => sum + share, 0) };
}

/** |ln predicted/measured| beyond what is allowed, over all figures. */
function sumOf(members: readonly Judged[]): number {
  return members.reduce(
    (sum, { compared }) =>
      FIGURES.reduce((total, figure) => {
        const error = judgedError(compared, figure);
        return error === null
          ? total
          : total + Math.max(0, Math.abs(Math.log1p(Math.max(-0.999, error))) - Math.log1p(ALLOWED[figure]));
      }, sum),
    0,
  );
}

function medianError(members: readonly Judged[], figure: keyof Figures): number | null {
  const errors = members.flatMap(({ compared }) => judgedError(compared, figure) ?? []).sort((a, b) => a - b);
  return errors.length === 0 ? null : quantile(errors, 0.5);
}

/** Signed error; of a saturated row's TTFT none. */
export function judgedError(row: ComparedRow, figure: keyof Figures): number | null {
  return figure === 'ttftMs' && row.saturated ? null : errorOf(row, figure);
}
