/** Release numbers of vLLM, as image tags write them. */

/** Numbers of a release; post releases and build marks are read as the release itself. Null: no release. */
export function parseVersion(version: string): { readonly text: string; readonly numbers: readonly number[] } | null {
  const match = /^v?(\d{1,4}(?:\.\d{1,4}){1,3})(?:[-.+_]?(?:post|rc|dev|cu|a|b)[\w.+-]*)*$/i.exec(version.trim());
  const text = match?.[1];
  return text === undefined ? null : { text, numbers: numbersOf(text) };
}

/** @param version digits and dots. */
export function numbersOf(version: string): readonly number[] {
  return version.split('.').map(Number);
}

/** "0.10" of "v0.10.2": patch releases keep kernels and scheduler. */
export function minor(version: string): string {
  return version.replace(/^v/, '').split('.').slice(0, 2).join('.');
}

/** Negative, zero or positive; what is not written counts as 0. */
export function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
