import type { Located, Plan } from '../plan/types.ts';
import type { Range } from '../text/types.ts';

/**
 * The value's own place, for the first of `candidates` that stands in the text; else the plan's first line. A value of
 * several lines is pointed at by its key: a squiggle under a whole block helps nobody.
 */
export function valuePlace(plan: Plan, ...candidates: readonly Located<unknown>[]): Range {
  const stated = candidates.find(({ origin, range }) => origin === 'stated' && range !== null);
  if (stated === undefined || stated.range === null) return plan.anchor;
  const { range, keyRange } = stated;
  return range.start.line === range.end.line ? range : (keyRange ?? range);
}

/** Related information for every one of `notes` whose value stands in the text, `except` there. */
export function relatedPlaces(
  except: Range,
  ...notes: readonly { readonly located: Located<unknown>; readonly message: string }[]
): { readonly message: string; readonly range: Range }[] {
  return notes.flatMap(({ located, message }) =>
    located.origin === 'stated' && located.range !== null && located.range !== except
      ? [{ message, range: located.range }]
      : [],
  );
}
