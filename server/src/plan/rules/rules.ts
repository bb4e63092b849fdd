/** The table of rules: one row a rule. `docs/rules.md` has a section for each, held by a test. */
import type { YamlMap } from '../../text/tree.ts';
import type { Problem, Severity } from '../../text/types.ts';
import type { Draft } from '../draft.ts';
import { hardwareRules } from './hardware.ts';
import { lengthRules } from './lengths.ts';
import { notSimulatedRules } from './notSimulated.ts';
import { parallelismRules } from './parallelism.ts';
import { predictedRules } from './predicted.ts';
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

/** Every rule that a problem can carry: of reading (syntax, schema, values), those above, and of the prediction. */
export const ruleTable: readonly RuleInfo[] = [
  ...readingRules,
  ...RULES.map(({ id, severity, summary }) => ({ id, severity, summary })),
  ...predictedRules,
];

/** What the rules say of one document. */
export interface RuleResult {
  readonly problems: readonly Problem[];
  /** A rule found that this deployment cannot exist: there is nothing to simulate. */
  readonly impossible: boolean;
}

/** Runs every rule over one document. */
export function checkRules(draft: Draft, root: YamlMap): RuleResult {
  const problems: Problem[] = [];
  let impossible = false;
  for (const rule of RULES) {
    for (const finding of rule.check({ draft, root })) {
      const severity = finding.severity ?? rule.severity;
      problems.push({ rule: rule.id, ...finding, severity });
      if (severity === 'error' && rule.impossible === true) impossible = true;
    }
  }
  return { problems, impossible };
}
