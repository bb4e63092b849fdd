import type { Located, Plan } from '../plan/types.ts';
import type { Range } from '../text/types.ts';

/** The value's own place, for the first of `candidates` that stands in the text; else the plan's first line. */
export function valuePlace(plan: Plan, ...candidates: readonly Located<unknown>[]): Range {
  return candidates.find(({ origin, range }) => origin === 'stated' && range !== null)?.range ?? plan.anchor;
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
