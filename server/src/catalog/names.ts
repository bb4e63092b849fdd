/** Look-up by name where case and separators do not matter, and the nearest names where nothing matches. */
import { editDistance } from '../text/nearest.ts';

/** Letters and digits only, small. */
export function compact(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/**
 * Names most like `wanted`, best first: few edits, or one the beginning or part of the other (an `A100` without its
 * memory size is a part of four catalogue names). Empty when nothing is near.
 *
 * @param entries `key` is compared (already compacted), `name` is answered.
 */
export function similarNames(
  wanted: string,
  entries: readonly { readonly key: string; readonly name: string }[],
  max: number,
): readonly string[] {
  if (wanted === '') return [];
  const best = new Map<string, number>();
  for (const { key, name } of entries) {
    const score = likeness(wanted, key);
    if (score > (best.get(name) ?? 0)) best.set(name, score);
  }
  return [...best]
    .filter(([, score]) => score >= 0.5)
    .sort((a, b) => b[1] - a[1])
    .slice(0, max)
    .map(([name]) => name);
}

/** 1: equal; 0: nothing in common. Parts count from three letters on, so that `l4` does not match half the list. */
function likeness(wanted: string, key: string): number {
  const longest = Math.max(wanted.length, key.length);
  const shortest = Math.min(wanted.length, key.length);
  const edits = 1 - editDistance(wanted, key) / longest;
  if (shortest < 3) return edits;
  const share = shortest / longest;
  // A name cut short is likelier than one with something added.
  if (key.startsWith(wanted)) return Math.max(edits, 0.8 + 0.2 * share);
  if (wanted.startsWith(key)) return Math.max(edits, 0.6 + 0.2 * share);
  if (key.includes(wanted) || wanted.includes(key)) return Math.max(edits, 0.5 + 0.2 * share);
  return edits;
}
