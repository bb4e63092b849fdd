/** Length distributions of a plan: `{tokens}`, `{uniform}`, `{lognormal}`, `{percentiles, mean}`. */
import type { LengthDistribution } from '../../engine/types.ts';
import { MOST_TOKENS } from '../../engine/workload/lengths.ts';
import { nearest } from '../../text/nearest.ts';
import { entryOf, type YamlEntry, type YamlMap, type YamlNode } from '../../text/tree.ts';
import {
  at,
  type Failure,
  field,
  isEmpty,
  lacking,
  list,
  located,
  numberIn,
  type Parsed,
  type Parser,
  shorten,
  tokensIn,
  wrongType,
} from '../read.ts';

/** Longest length that is taken, tokens: beyond every context window. */
export const TOKENS = { min: 1, max: MOST_TOKENS };

/** Reads one distribution. */
export const lengths: Parser<LengthDistribution> = (node) => {
  if (node.kind !== 'map') return wrongType(node, 'a length such as {tokens: 2048}');
  const forms = ['tokens', 'uniform', 'lognormal', 'percentiles'];
  const [form, second] = node.entries.filter((entry) => forms.includes(entry.key));
  if (form === undefined) {
    return (
      mistyped(node, forms) ?? {
        ok: false,
        rule: 'missing-key',
        message: `Say how long the requests are: ${list(forms.map((each) => `\`${each}\``))}, for example {tokens: 2048}.`,
      }
    );
  }
  if (second !== undefined) {
    return {
      ok: false,
      rule: 'unknown-key',
      message: `\`${second.key}\` and \`${form.key}\` exclude each other. Keep one of them.`,
      range: second.keyRange,
    };
  }
  switch (form.key) {
    case 'tokens': {
      const tokens = field(node, 'tokens', tokensIn(TOKENS));
      return tokens.ok ? { ok: true, value: { kind: 'fixed', tokens: tokens.value } } : tokens;
    }
    case 'uniform':
      return uniform(form.value);
    case 'lognormal':
      return lognormal(form);
    default:
      return percentiles(form.value, entryOf(node, 'mean'));
  }
};

/** What is missing stands there, misspelt: one matter, at the place of the mistake. */
function mistyped(node: YamlMap, forms: readonly string[]): Failure | null {
  for (const { key, keyRange } of node.entries) {
    const meant = nearest(key, forms);
    if (meant === undefined) continue;
    return {
      ok: false,
      rule: 'unknown-key',
      message: `\`${shorten(key)}\` is not a key known here. Did you mean \`${meant}\`?`,
      range: keyRange,
      fixes: [{ title: `Rename to ${meant}`, edits: [{ range: keyRange, newText: meant }] }],
    };
  }
  return null;
}

function lognormal({ value: node, keyRange }: YamlEntry): Parsed<LengthDistribution> {
  if (node.kind !== 'map' && !isEmpty(node))
    return at(node, wrongType(node, 'median and spread, such as {median: 900, sigma: 0.8}'));
  const missing = lacking(node, ['median', 'sigma']);
  // What is missing is nowhere in the value: the key that lacks it is the place.
  if (missing !== null) return { ...missing, range: missing.range ?? keyRange };
  const median = field(node, 'median', tokensIn(TOKENS));
  if (!median.ok) return median;
  const sigma = field(node, 'sigma', numberIn({ min: 0, max: 5 }));
  return sigma.ok ? { ok: true, value: { kind: 'lognormal', median: median.value, sigma: sigma.value } } : sigma;
}

function uniform(node: YamlNode): Parsed<LengthDistribution> {
  if (node.kind !== 'sequence' || node.items.length !== 2)
    return at(node, wrongType(node, 'the shortest and the longest length, such as [128, 2048]'));
  const [min, max] = node.items.map((item) => located(item, tokensIn(TOKENS)(item)));
  if (min === undefined || max === undefined) return at(node, wrongType(node, 'two lengths'));
  if (!min.ok) return min;
  if (!max.ok) return max;
  if (min.value > max.value) {
    return at(node, {
      ok: false,
      rule: 'out-of-range',
      message: `The shortest length comes first: write [${max.value}, ${min.value}].`,
    });
  }
  return { ok: true, value: { kind: 'uniform', min: min.value, max: max.value } };
}

function percentiles(node: YamlNode, meanEntry: YamlEntry | undefined): Parsed<LengthDistribution> {
  if (node.kind !== 'map' || node.entries.length === 0)
    return at(node, wrongType(node, 'percentiles such as {p50: 900, p99: 4000, max: 8000}'));
  const stray = node.entries.find(({ key }) => shareOf(key) === null);
  if (stray !== undefined) {
    return {
      ok: false,
      rule: 'unknown-key',
      message: `\`${shorten(stray.key)}\` is no percentile. Write p50, p99, p99.9 or max.`,
      range: stray.keyRange,
    };
  }
  const points: (readonly [number, number, YamlEntry])[] = [];
  for (const entry of node.entries) {
    const share = shareOf(entry.key) ?? 1;
    const tokens = located(entry.value, tokensIn(TOKENS)(entry.value));
    if (!tokens.ok) return tokens;
    points.push([share, tokens.value, entry]);
  }
  points.sort((a, b) => a[0] - b[0]);
  for (const [i, point] of points.entries()) {
    const below = points[i - 1];
    if (below !== undefined && below[1] > point[1]) {
      return at(point[2].value, {
        ok: false,
        rule: 'out-of-range',
        message: `\`${point[2].key}\` (${point[1]}) is shorter than \`${below[2].key}\` (${below[1]}). Higher percentiles are at least as long.`,
      });
    }
  }
  const mean =
    meanEntry === undefined ? null : located(meanEntry.value, numberIn({ min: 1, max: TOKENS.max })(meanEntry.value));
  if (mean !== null && !mean.ok) return mean;
  return {
    ok: true,
    value: { kind: 'percentiles', points: points.map(([share, tokens]) => [share, tokens]), mean: mean?.value ?? null },
  };
}

/** The share of requests that a percentile's name stands for; null where it is none. */
function shareOf(key: string): number | null {
  if (key === 'max') return 1;
  const share = Number(/^p(\d{1,2}(?:\.\d+)?)$/.exec(key)?.[1] ?? Number.NaN) / 100;
  return share > 0 && share <= 1 ? share : null;
}
