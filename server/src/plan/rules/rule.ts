/** What a rule is, and helpers to place findings. */
import type { YamlMap } from '../../text/tree.ts';
import type { Fix, Problem, Range, Severity } from '../../text/types.ts';
import type { Draft } from '../draft.ts';
import type { Located } from '../types.ts';

/** A rule sees a draft: values that could not be read are null, and the rule then says nothing. */
export interface RuleContext {
  readonly draft: Draft;
  readonly root: YamlMap;
}

export interface Finding {
  readonly message: string;
  readonly range: Range;
  /** Where it differs from the rule's own. */
  readonly severity?: Severity;
  readonly related?: NonNullable<Problem['related']>;
  readonly fixes?: readonly Fix[];
}

export interface Rule {
  /** Kebab-case; also the section in `docs/rules.md`. */
  readonly id: string;
  readonly severity: Severity;
  /** One line: what it is about. */
  readonly summary: string;
  /** Its errors are deployments that cannot be computed at all, such as half a head a rank. */
  readonly impossible?: true;
  readonly check: (context: RuleContext) => readonly Finding[];
}

type Placed = Located<unknown> | null;

/** The place of the first value that stands in the text, else the document's first line. */
export function placeOf(draft: Draft, ...values: readonly Placed[]): Range {
  for (const value of values) if (value?.range) return value.range;
  return draft.anchor;
}

/** Related places: those that stand in the text and are not `place` itself. */
export function relatedTo(place: Range, ...entries: readonly (readonly [string, Placed])[]): Pick<Finding, 'related'> {
  const related = entries.flatMap(([message, value]) =>
    value?.range && value.range !== place ? [{ message, range: value.range }] : [],
  );
  return related.length === 0 ? {} : { related };
}

/** A fix that writes another value in place of a stated one; none where nothing is stated. */
export function changeTo(value: Placed, newText: string, title: string): Pick<Finding, 'fixes'> {
  return value?.range ? { fixes: [{ title, edits: [{ range: value.range, newText }] }] } : {};
}
