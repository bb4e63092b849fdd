/** Problems → LSP diagnostics. The same list is pushed or pulled, whatever the client has. */
import type { Diagnostic } from 'vscode-languageserver-types';
import { DIAGNOSTIC_SOURCE, type RuleSeverity } from '../protocol.ts';
import type { Fix, Problem, Severity } from '../text/types.ts';

/** Travels in `Diagnostic.data`, so that code actions need no second analysis. */
export interface DiagnosticData {
  readonly rule: string;
  /** Of the document; the fixes' ranges hold for this version only. */
  readonly version: number;
  readonly fixes: readonly Fix[];
}

export interface DiagnosticOptions {
  readonly uri: string;
  readonly version: number;
  /** The settings map `layerkv.rules`. */
  readonly rules: Readonly<Record<string, RuleSeverity>>;
  /** Where a rule is explained; null where the docs cannot be reached. */
  readonly docs: (rule: string) => string | null;
}

const SEVERITIES = { error: 1, warning: 2, information: 3, hint: 4 } as const satisfies Record<Severity, number>;
const TAGS = { unnecessary: 1, deprecated: 2 } as const;

export function diagnostics(problems: readonly Problem[], options: DiagnosticOptions): Diagnostic[] {
  return problems.flatMap((problem) => {
    const severity = options.rules[problem.rule] ?? problem.severity;
    if (severity === 'off') return [];
    return [diagnostic(problem, severity, options)];
  });
}

function diagnostic(problem: Problem, severity: Severity, { uri, version, docs }: DiagnosticOptions): Diagnostic {
  const href = docs(problem.rule);
  const data: DiagnosticData = { rule: problem.rule, version, fixes: problem.fixes ?? [] };
  return {
    range: problem.range,
    severity: SEVERITIES[severity],
    source: DIAGNOSTIC_SOURCE,
    code: problem.rule,
    message: problem.message,
    data,
    ...(href !== null && { codeDescription: { href } }),
    ...(problem.tags !== undefined && { tags: problem.tags.map((tag) => TAGS[tag]) }),
    ...(problem.related !== undefined && {
      relatedInformation: problem.related.map(({ message, range }) => ({ message, location: { uri, range } })),
    }),
  };
}

/** What a client sent back, if it is ours and unharmed. */
export function diagnosticData(data: unknown): DiagnosticData | null {
  if (typeof data !== 'object' || data === null || !('rule' in data) || typeof data.rule !== 'string') return null;
  const fixes = 'fixes' in data && Array.isArray(data.fixes) ? data.fixes.filter(isFix) : [];
  const version = 'version' in data && typeof data.version === 'number' ? data.version : -1;
  return { rule: data.rule, version, fixes };
}

function isFix(value: unknown): value is Fix {
  return (
    typeof value === 'object' && value !== null && 'title' in value && 'edits' in value && Array.isArray(value.edits)
  );
}
