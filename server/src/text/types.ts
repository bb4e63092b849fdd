/** Positions in a document, as the Language Server Protocol counts them: zero-based, UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

export type Severity = 'error' | 'warning' | 'information' | 'hint';

/** A finding about the user's text. Never thrown, always placed. */
export interface Problem {
  /** Stable kebab-case id; also the name of the section in `docs/rules.md`. */
  readonly rule: string;
  readonly severity: Severity;
  /** Says what is wrong and what to do about it, in plain words. */
  readonly message: string;
  readonly range: Range;
  readonly related?: readonly { readonly message: string; readonly range: Range }[];
  /** Edits that mend it; first is preferred. */
  readonly fixes?: readonly Fix[];
  readonly tags?: readonly ('deprecated' | 'unnecessary')[];
}

export interface Fix {
  readonly title: string;
  readonly edits: readonly { readonly range: Range; readonly newText: string }[];
}

/** Reads files beside the document; the only way in for trace and config files. */
export interface Files {
  /** Text of `path`, resolved against the document's folder; null when it cannot be read. */
  readText(path: string): Promise<string | null>;
}
