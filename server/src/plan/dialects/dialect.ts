/** What one file of this folder offers: how to recognise a document and how to read it. */
import type { LineIndex } from '../../text/lines.ts';
import type { ParsedDocument } from '../../text/tree.ts';
import type { Files, Problem } from '../../text/types.ts';
import type { Dialect, ExtractedWorkload, Plan } from '../types.ts';

/** What a dialect may use while it reads one document. */
export interface ReadContext {
  readonly lines: LineIndex;
  readonly files: Files;
  /** Name of the document's file. */
  readonly fileName: string;
  /** No calibration counts, named or beside. */
  readonly uncalibrated: boolean;
}

/** What came of one document. */
export interface DocumentReading {
  readonly problems: readonly Problem[];
  readonly plans: readonly Plan[];
  readonly workloads: readonly ExtractedWorkload[];
}

export interface DialectReader {
  readonly dialect: Dialect;
  /** By content only: names of files lie. */
  detect(document: ParsedDocument): boolean;
  read(document: ParsedDocument, context: ReadContext): Promise<DocumentReading>;
}
