/** Largest text that is analysed, UTF-16 units: about 100 000 lines, half a second of parsing. */
export const MAX_TEXT_LENGTH = 4_000_000;

const NATIVE_MARK = /apiVersion["']?[ \t]*:[ \t]*["']?layerkv\//;

/** True where a text may hold a document of ours. Cheap: one search for a rare word; most files end there. */
function mentionsLayerKv(text: string): boolean {
  return text.includes('layerkv/') && NATIVE_MARK.test(text);
}

/** Files that say by their name that they are ours: `*.layerkv.yaml` and `layerkv.yaml` (or `.yml`). */
export function isNativeFileName(fileName: string): boolean {
  return /(?:^|[./\\])layerkv\.ya?ml$/i.test(fileName);
}

/** True where a language server should look at this text at all. */
export function isPossiblyOurs(text: string, fileName: string): boolean {
  return isNativeFileName(fileName) || mentionsLayerKv(text);
}

/** Offset of the mark that made a text look like ours; 0 where only the name says so. */
export function nativeMarkOffset(text: string): number {
  const match = NATIVE_MARK.exec(text);
  return match?.index ?? 0;
}

/** Offset of the first character that no YAML text holds (NUL and other control characters), or -1. */
export function binaryOffset(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Tab, LF, VT (seen in pasted text), FF and CR are the only ones below the space that people write.
    if (code < 9 || (code > 13 && code < 32 && code !== 27)) return i;
  }
  return -1;
}
