/** A plan while it is being read: what could not be understood is null. Rules see drafts, so that one mistake does not hide the others. */
import type { Range } from '../text/types.ts';
import type { Located, Plan } from './types.ts';

type DraftOf<T> = {
  readonly [K in keyof T]: T[K] extends Located<unknown>
    ? T[K] | null
    : T[K] extends Range | string | number
      ? T[K]
      : DraftOf<T[K]>;
};

/** As `Plan`, each located value possibly null. */
export type Draft = DraftOf<Plan>;

/** The draft as a plan, or null where a value is missing. */
export function completePlan(draft: Draft): Plan | null {
  const { engine, layerkv, workload, slo, ...rest } = draft;
  const parts: readonly object[] = [engine, layerkv, workload, slo, rest];
  const complete = parts.every((part) => Object.values(part).every((value) => value !== null));
  return complete ? (draft as Plan) : null;
}

/** A value nobody stated. `source`: which row, fact or rule gave it, in words. */
export function byDefault<T>(value: T, source: string): Located<T> {
  return { value, range: null, keyRange: null, origin: 'default', source };
}

/** A value that follows from others. `source`: from which. */
export function inferred<T>(value: T, source: string): Located<T> {
  return { value, range: null, keyRange: null, origin: 'inferred', source };
}
