/** Files that plans name, read with Node: each only when named, and again only when it has changed. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Files } from '../text/types.ts';

/** A trace of a million requests has 40 MB; what is larger is more likely a mistake. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;
const KEPT_FILES = 8;

interface Kept {
  readonly modifiedMs: number;
  readonly sizeBytes: number;
  readonly text: string;
}

export function createNodeFiles(): (uri: string) => Files {
  const kept = new Map<string, Kept>();

  async function read(path: string): Promise<string | null> {
    try {
      const found = await stat(path);
      const { mtimeMs: modifiedMs, size: sizeBytes } = found;
      // Devices and pipes may never end.
      if (!found.isFile() || sizeBytes > MAX_FILE_BYTES) return null;
      const known = kept.get(path);
      if (known?.modifiedMs === modifiedMs && known.sizeBytes === sizeBytes) return known.text;
      const text = withoutMark(await readFile(path, 'utf8'));
      kept.delete(path);
      kept.set(path, { modifiedMs, sizeBytes, text });
      const oldest = kept.keys().next().value;
      if (kept.size > KEPT_FILES && oldest !== undefined) kept.delete(oldest);
      return text;
    } catch {
      return null;
    }
  }

  return (uri) => ({
    readText: async (path) => {
      const folder = folderOf(uri);
      return folder === null ? null : read(resolve(folder, path));
    },
  });
}

/** The mark that some editors on Windows begin a UTF-8 file with is no part of it. */
export function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

/** Null for documents that lie on no disk. */
function folderOf(uri: string): string | null {
  try {
    return uri.startsWith('file:') ? dirname(fileURLToPath(uri)) : null;
  } catch {
    return null;
  }
}
