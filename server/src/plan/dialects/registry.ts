/** The dialects, in the order in which they are asked. A new one is one file and one row. */
import type { ParsedDocument } from '../../text/tree.ts';
import type { DialectReader } from './dialect.ts';
import { native } from './native.ts';

const DIALECTS: readonly DialectReader[] = [native];

/** Which dialect a document is in; undefined: none of ours, stay silent. */
export function dialectOf(document: ParsedDocument): DialectReader | undefined {
  return DIALECTS.find((dialect) => dialect.detect(document));
}
