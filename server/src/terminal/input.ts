/** Reading and writing files for the terminal program. Whatever goes wrong comes back in words. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createNodeFiles, withoutMark } from '../simulation/nodeFiles.ts';
import type { Files } from '../text/types.ts';
import type { ReadResult } from './io.ts';

/** Above this a file is no deployment, and its text no longer fits one string comfortably; bytes. */
const mostBytes = 256 * 2 ** 20;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the disk cannot be written to',
  ENOTDIR: 'a part of its path is a file, not a folder',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
};

/** Text of a file, UTF-8. Bytes that are none become U+FFFD: the parser then says what it makes of them. */
export async function readText(path: string): Promise<ReadResult> {
  try {
    const about = await stat(path);
    if (about.isDirectory()) return { ok: false, reason: 'it is a folder: name the files in it' };
    // A pipe (shell: `<(command)`, /dev/stdin) is fine; a device such as /dev/zero never ends.
    if (!about.isFile() && !about.isFIFO()) return { ok: false, reason: 'it is neither a file nor a pipe' };
    if (about.size > mostBytes) return { ok: false, reason: `it is larger than ${mostBytes / 2 ** 20} MiB` };
    return { ok: true, text: withoutMark(await readFile(path, 'utf8')) };
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
}

/** @returns null, or why the file could not be written. */
export async function writeText(path: string, text: string): Promise<string | null> {
  try {
    await writeFile(path, text);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

const filesBesideUri = createNodeFiles();

/** Reads what the document at `documentPath` names (traces, model configurations), from the document's folder. */
export function filesBeside(documentPath: string): Files {
  return filesBesideUri(pathToFileURL(resolve(documentPath)).href);
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (Object.hasOwn(reasons, code)) return reasons[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}
