/** Hover: the prediction on what the plan is about, help and effective value on every key. */
import type { Hover } from 'vscode-languageserver-types';
import { dialectOf } from '../plan/dialects/registry.ts';
import { documentAt, type KeyAt, keyAt } from '../plan/keyHelp.ts';
import type { Plan } from '../plan/types.ts';
import type { ParsedText } from '../text/parse.ts';
import type { Position } from '../text/types.ts';
import { predictionCard } from './card.ts';
import { effectiveValue, versionDefault } from './values.ts';
import type { DocumentView } from './view.ts';
import { escapeMarkdown, inlineCode } from './words.ts';

/** Keys that speak of the whole plan, of its load or of its goals. */
const CARD =
  /^(?:apiVersion|kind|metadata(?:\.name)?|spec|spec\.workload(?:\..*)?|spec\.slo(?:\..*)?|spec\.engine\.layerkv(?:\.enabled)?)$/;

const ORIGINS = { stated: 'stated here', default: 'default', inferred: 'inferred' } as const;

export function hover(view: DocumentView, parsed: ParsedText, position: Position): Hover | null {
  if (!view.analysis.relevant) return null;
  const document = documentAt(parsed, position);
  // Other kinds of documents in the same file have keys of the same names; they are none of our business.
  if (document === undefined || dialectOf(document)?.dialect !== 'native') return null;
  const key = keyAt(parsed, position);
  if (key === null) return null;
  const workload = view.workloads.find(({ plan }) => plan.documentIndex === key.documentIndex);
  const card = workload !== undefined && CARD.test(key.path.join('.')) ? [predictionCard(workload)] : [];
  const value = [...card, keyHelp(key, workload?.plan ?? null)].join('\n\n---\n\n');
  const range = key.on === 'value' && key.node.kind === 'scalar' ? key.node.range : key.keyRange;
  return { contents: { kind: 'markdown', value }, range };
}

function keyHelp(key: KeyAt, plan: Plan | null): string {
  const name = key.path.filter((step) => typeof step === 'string').at(-1) ?? '';
  const lines = [`${inlineCode(name)} ${key.description}`.trimEnd()];
  const effective = plan === null ? null : effectiveValue(plan, key.path);
  if (effective !== null) {
    const source = effective.source === null ? '' : `: ${effective.source}`;
    lines.push(`Here: **${escapeMarkdown(effective.text)}** (${ORIGINS[effective.origin]}${escapeMarkdown(source)})`);
  }
  const usual = plan === null ? null : versionDefault(plan, key.path);
  if (usual !== null && effective?.origin === 'stated') {
    lines.push(`Default of ${escapeMarkdown(usual.release)}: ${inlineCode(usual.text)} (${escapeMarkdown(usual.row)})`);
  } else if (usual === null && key.defaultValue !== undefined) {
    lines.push(`Default: ${inlineCode(shown(key.defaultValue))}`);
  }
  if (key.allowed.length > 1) lines.push(`One of ${key.allowed.map(inlineCode).join(', ')}`);
  if (key.examples.length > 0)
    lines.push(`For example ${key.examples.map((each) => inlineCode(shown(each))).join(' or ')}`);
  return lines.join('\n\n');
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
