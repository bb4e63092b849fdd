/** The narrow door between the terminal program and the world, so that tests need no process. */
import type { Files } from '../text/types.ts';

/** Text of a file that the user named, or why it could not be read, in words for the user. */
export type ReadResult = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

export interface Terminal {
  /** Standard output: the result, and nothing else. */
  out(text: string): void;
  /** Standard error: everything else. */
  err(text: string): void;
  /** Whether standard output shows colours (a terminal, and NO_COLOR is not set). */
  readonly color: boolean;
  /** Width to lay text out for, characters. */
  readonly columns: number;
  read(path: string): Promise<ReadResult>;
  /** Writes a file, in place of one that is there. @returns null, or why it could not, in words for the user. */
  write(path: string, text: string): Promise<string | null>;
  /** Shows how far a long run is, in place of what it showed before; '' ends it. Absent where nobody watches. */
  progress?(text: string): void;
  /** Reads what the document at `path` names, resolved against its folder. */
  filesBeside(path: string): Files;
}
