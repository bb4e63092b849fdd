/** Which YAML may be ours. Cheap enough to run on every YAML file that is opened: one pass over the text. */

const planFile = /\.layerkv\.ya?ml$/i;
const planContent = /["']?apiVersion["']?\s*:\s*["']?layerkv\//;

/** May this file hold a plan of ours? The language server has the last word. */
export function mayBeOurs(path: string, text: string): boolean {
  return planFile.test(path) || planContent.test(text);
}

/**
 * 0-based index of the YAML document that holds `line` (0-based), where that document looks like a plan of ours;
 * undefined elsewhere, which asks the server for the file's first plan.
 */
export function planAtLine(text: string, line: number): number | undefined {
  const lines = text.split(/\r\n|\r|\n/);
  let index = 0;
  let start = 0;
  // A `---` before any content opens the first document instead of ending one.
  let hasContent = false;
  for (let at = 0; at <= Math.min(line, lines.length - 1); at++) {
    const here = lines[at] ?? '';
    if (/^---(\s|$)/.test(here)) {
      if (hasContent) index++;
      start = at + 1;
      hasContent = true;
    } else if (!/^\s*(#|%|$)/.test(here) && !/^\.\.\.(\s|$)/.test(here)) {
      hasContent = true;
    }
  }
  let end = Math.max(start, line);
  while (end < lines.length && !(end > line && /^---(\s|$)/.test(lines[end] ?? ''))) end++;
  return planContent.test(lines.slice(start, end).join('\n')) ? index : undefined;
}
