/** The table of rules: one row a rule. `docs/rules.md` has a section for each, held by a test. */
import type { YamlMap } from '../../text/tree.ts';
import type { Problem, Severity } from '../../text/types.ts';
import type { Draft } from '../draft.ts';
import { hardwareRules } from './hardware.ts';
import { lengthRules } from './lengths.ts';
import { notSimulatedRules } from './notSimulated.ts';
import { parallelismRules } from './parallelism.ts';
import { readingRules } from './reading.ts';
import type { Rule } from './rule.ts';
import { workloadRules } from './workload.ts';

const RULES: readonly Rule[] = [
  ...parallelismRules,
  ...lengthRules,
  ...hardwareRules,
  ...workloadRules,
  ...notSimulatedRules,
];

/** What is known of a rule without running it. */
export interface RuleInfo {
  readonly id: string;
  readonly severity: Severity;
  readonly summary: string;
}

/** Every rule id that analysis can report: those of reading (syntax, schema, values) and those above. */
export const ruleTable: readonly RuleInfo[] = [
  ...readingRules,
  ...RULES.map(({ id, severity, summary }) => ({ id, severity, summary })),
];

/** Runs every rule over one document. */
export function checkRules(draft: Draft, root: YamlMap): readonly Problem[] {
  return RULES.flatMap((rule) =>
    rule
      .check({ draft, root })
      .map((finding) => ({ rule: rule.id, ...finding, severity: finding.severity ?? rule.severity })),
  );
}
