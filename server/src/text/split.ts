/** Where the documents of a YAML file part, found without parsing: what did not change need not be parsed again. */

/**
 * Offsets at which each part of the text begins; the first is 0. Parsed one by one, the parts give the same documents
 * as the whole: a line `---` ends whatever stands before it, quotes and brackets included. Directives (`%YAML`) and
 * explicit ends (`...`) reach across that line; a text with either is one part.
 */
export function documentStarts(text: string): readonly number[] {
  const starts = [0];
  if (/^(?:%|\.\.\.)/.test(text) || text.includes('\n%') || text.includes('\n...')) return starts;
  // The first `---` opens the first document, unless one is there already.
  let hasContent = startsDocument(text, 0) || holdsContent(text, 0, nextMark(text, 0));
  for (let at = nextMark(text, 0); at < text.length; at = nextMark(text, at)) {
    if (hasContent) starts.push(at);
    hasContent = true;
  }
  return starts;
}

/** Offset of the next line `---` behind `from`, or the text's end. */
function nextMark(text: string, from: number): number {
  let at = text.indexOf('\n---', from);
  while (at >= 0 && !startsDocument(text, at + 1)) at = text.indexOf('\n---', at + 1);
  return at < 0 ? text.length : at + 1;
}

function startsDocument(text: string, at: number): boolean {
  return text.startsWith('---', at) && /^[ \t\r\n]?$/.test(text.charAt(at + 3));
}

/** True where anything but comments and blank lines stands there. */
function holdsContent(text: string, from: number, to: number): boolean {
  return /^[^\S\n]*[^\s#]/m.test(text.slice(from, to));
}
