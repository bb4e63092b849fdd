/** Text → problems, plans, facts. The one door into this room; never throws, whatever the text. */
import { before, contains, type LineIndex, sameRange } from '../text/lines.ts';
import { nearest } from '../text/nearest.ts';
import { type ParsedText, parseText } from '../text/parse.ts';
import { binaryOffset, isNativeFileName, isPossiblyOurs, MAX_TEXT_LENGTH, nativeMarkOffset } from '../text/sniff.ts';
import { entryOf, type ParsedDocument, toData, type YamlMap, type YamlNode } from '../text/tree.ts';
import type { Files, Problem, Range } from '../text/types.ts';
import type { DocumentReading, ReadContext } from './dialects/dialect.ts';
import { dialectOf } from './dialects/registry.ts';
import { validateDefaultsDocument, validatePlanDocument } from './generated/validators.js';
import { PLAN_SCHEMA } from './keyHelp.ts';
import { replaceFix, shorten } from './read.ts';
import { ruleTable } from './rules/rules.ts';
import { schemaProblems } from './schemaProblems.ts';
import type { JsonSchema } from './schemaWalk.ts';
import { unknownSuppressions, withoutSuppressed } from './suppress.ts';
import type { Analysis } from './types.ts';

/** What analysis needs beside the text. */
export interface AnalysisContext {
  /** Name or path of the file; `*.layerkv.yaml` and `layerkv.yaml` are ours whatever they hold. */
  readonly fileName: string;
  readonly files: Files;
  /** Reads plans as if nobody had measured them: what is about to be measured anew must not count. */
  readonly uncalibrated?: boolean;
  /** Shared by the versions of one file; absent: everything is read anew. */
  readonly memory?: AnalysisMemory;
}

/** What one version of a file leaves for the next: documents whose text did not change are not read again. */
export class AnalysisMemory {
  #parsed: ParsedText | null = null;
  readonly #readings = new WeakMap<ParsedDocument, { reading: DocumentReading; heard: Heard }>();

  /** The parsed text; of an earlier version's documents those that stand there unchanged. */
  parse(text: string): ParsedText {
    if (this.#parsed?.lines.text !== text) this.#parsed = parseText(text, this.#parsed);
    return this.#parsed;
  }

  /** What was read of this document before, as long as the files it names still say the same; else it is read now. */
  async read(
    document: ParsedDocument,
    files: Files,
    read: (files: Files) => Promise<DocumentReading>,
  ): Promise<DocumentReading> {
    const known = this.#readings.get(document);
    if (known !== undefined && (await saysStill(known.heard, files))) return known.reading;
    const heard = new Map<string, string | null>();
    const reading = await read({
      readText: async (path) => {
        const text = await files.readText(path);
        heard.set(path, text);
        return text;
      },
    });
    this.#readings.set(document, { reading, heard });
    return reading;
  }
}

/** What other files said, by path; null where there was none. */
type Heard = ReadonlyMap<string, string | null>;

async function saysStill(heard: Heard, files: Files): Promise<boolean> {
  for (const [path, text] of heard) if ((await files.readText(path)) !== text) return false;
  return true;
}

/** Asks for each file once, however many documents name it. */
function askingOnce(files: Files): Files {
  const asked = new Map<string, Promise<string | null>>();
  return {
    readText: (path) => {
      const answer = asked.get(path) ?? files.readText(path);
      asked.set(path, answer);
      return answer;
    },
  };
}

const NOTHING: Analysis = { relevant: false, problems: [], plans: [], workloads: [] };
const NOTHING_READ: DocumentReading = { problems: [], plans: [], workloads: [] };
const VERSION = 'layerkv/v1';
const RULE_IDS = ruleTable.map(({ id }) => id);
/** A Helm or Jinja expression; `{{` alone may be a map in a map. */
const TEMPLATE = /^[^#\n]*?\{\{[-\s]*[.$\w"(][^}\n]*\}\}/m;

/** Analyses a file. Asynchronous only because plans may name other files. */
export async function analyse(text: string, context: AnalysisContext): Promise<Analysis> {
  if (!isPossiblyOurs(text, context.fileName)) return NOTHING;
  const unreadable = unreadableProblem(text);
  if (unreadable !== null) return { ...NOTHING, relevant: true, problems: [unreadable] };
  const { memory = new AnalysisMemory() } = context;
  return analyseParsed(memory.parse(text), memory, context);
}

async function analyseParsed(
  parsed: ParsedText,
  memory: AnalysisMemory,
  { fileName, files, uncalibrated = false }: AnalysisContext,
): Promise<Analysis> {
  const named = isNativeFileName(fileName);
  const once = askingOnce(files);
  const { lines, documents } = parsed;
  const problems: Problem[] = [];
  const readings: DocumentReading[] = [];
  let relevant = named;
  for (const document of documents) {
    if (!isNative(document, lines)) {
      if (named) problems.push(...unidentified(document));
      continue;
    }
    relevant = true;
    const reading = await memory.read(document, once, (heard) =>
      readDocument(document, { lines, files: heard, fileName, uncalibrated }),
    );
    readings.push(reading);
    problems.push(...document.problems, ...reading.problems);
  }
  if (named && documents.every((document) => document.root === null && document.problems.length === 0)) {
    problems.push(emptyFile(lines));
  }
  if (relevant) problems.push(...unknownSuppressions(lines, RULE_IDS));
  const inOrder = [...problems].sort(byPlace);
  return {
    relevant,
    problems: withoutSuppressed(inOrder, lines),
    plans: readings.flatMap((reading) => reading.plans),
    workloads: readings.flatMap((reading) => reading.workloads),
  };
}

async function readDocument(document: ParsedDocument, context: ReadContext): Promise<DocumentReading> {
  const template = templateProblem(document, context.lines);
  if (template !== null) return { ...NOTHING_READ, problems: [template] };
  // A half-read document would seem to lack what stands after the mistake.
  if (document.problems.some(({ rule, severity }) => severity === 'error' && rule !== 'duplicate-key'))
    return NOTHING_READ;
  const { root } = document;
  if (root?.kind !== 'map') return NOTHING_READ;
  const version = entryOf(root, 'apiVersion')?.value;
  if (version?.kind === 'scalar' && version.value !== VERSION) {
    return { ...NOTHING_READ, problems: [unknownVersion(version.value, version.range)] };
  }
  const kind = entryOf(root, 'kind')?.value;
  if (kind?.kind === 'scalar' && kind.value === 'ServingDefaults') {
    return { ...NOTHING_READ, problems: validated(root, 'defaults') };
  }
  if (kind !== undefined && (kind.kind !== 'scalar' || kind.value !== 'ServingPlan')) {
    return { ...NOTHING_READ, problems: [unknownKind(kind)] };
  }
  const reading = (await dialectOf(document)?.read(document, context)) ?? NOTHING_READ;
  return { ...reading, problems: [...reading.problems, ...notToldBy(reading.problems, validated(root, 'plan'))] };
}

/** Defaults documents hold any part of a plan's spec, and overrides of the same; only their frame differs. */
const DEFAULTS_SCHEMA: JsonSchema = {
  ...PLAN_SCHEMA,
  properties: {
    ...PLAN_SCHEMA.properties,
    overrides: {
      items: { properties: { name: {}, namespace: {}, spec: PLAN_SCHEMA.properties?.['spec'] ?? {} } },
    },
  },
};

function validated(root: YamlMap, what: 'plan' | 'defaults'): readonly Problem[] {
  const validate = what === 'plan' ? validatePlanDocument : validateDefaultsDocument;
  if (validate(toData(root))) return [];
  return schemaProblems(root, validate.errors ?? [], what === 'plan' ? PLAN_SCHEMA : DEFAULTS_SCHEMA);
}

/** Drops what reading has already told, in better words, of the same place. */
function notToldBy(told: readonly Problem[], problems: readonly Problem[]): readonly Problem[] {
  const errors = told.filter((problem) => problem.severity === 'error');
  return problems.filter(({ rule, message, range }) => {
    if (rule === 'unknown-key') return !errors.some((error) => sameRange(error.range, range));
    const here = errors.filter((error) => within(error.range, range) || within(range, error.range));
    if (rule !== 'missing-key') return here.length === 0;
    // Several keys may be missing at one place: only the same ones are told already.
    const missing = [...message.matchAll(/`([^`]+)`/g)];
    return !missing.every(([, key]) => here.some((error) => error.message.includes(`\`${key}`)));
  });
}

function within(inner: Range, outer: Range): boolean {
  return contains(outer, inner.start) && contains(outer, inner.end);
}

/** By its content; where the YAML is broken, by a line that says so. */
function isNative(document: ParsedDocument, lines: LineIndex): boolean {
  if (dialectOf(document) !== undefined) return true;
  if (document.problems.length === 0) return false;
  return /^["']?apiVersion["']?[ \t]*:[ \t]*["']?layerkv\//m.test(sliceOf(document, lines));
}

function sliceOf({ extent }: ParsedDocument, lines: LineIndex): string {
  return lines.text.slice(lines.offsetAt(extent.start), lines.offsetAt(extent.end));
}

function unreadableProblem(text: string): Problem | null {
  const start = { line: 0, character: 0 };
  const binary = binaryOffset(text);
  if (binary >= 0) {
    const message = 'This file holds binary data, not YAML. Open the right file, or save it again as UTF-8 text.';
    return { rule: 'binary-file', severity: 'error', message, range: { start, end: start } };
  }
  if (text.length <= MAX_TEXT_LENGTH) return null;
  const line = text.slice(0, nativeMarkOffset(text)).split(/\r\n|\n|\r/).length - 1;
  const message = `This file is too large to be analysed (${Math.round(text.length / 1e6)} of at most ${MAX_TEXT_LENGTH / 1e6} million characters). Split it into several files.`;
  const place = { line, character: 0 };
  return { rule: 'file-too-large', severity: 'information', message, range: { start: place, end: place } };
}

function emptyFile(lines: LineIndex): Problem {
  return {
    rule: 'empty-file',
    severity: 'information',
    message: `There is no plan here yet. Begin with \`apiVersion: ${VERSION}\` and \`kind: ServingPlan\`.`,
    range: lines.range(0, 0),
  };
}

/** A document in a file of ours that does not say what it is. Those of another API are none of our business. */
function unidentified({ root, problems, extent }: ParsedDocument): readonly Problem[] {
  if (problems.length > 0) return problems;
  if (root === null || entryOf(root, 'apiVersion') !== undefined) return [];
  const range =
    root.kind === 'map' ? (root.entries[0]?.keyRange ?? root.range) : { start: extent.start, end: extent.start };
  const place = { start: root.range.start, end: root.range.start };
  const message = `This document does not say what it is. Begin a plan with \`apiVersion: ${VERSION}\`.`;
  const fixes =
    root.kind === 'map' && !root.flow && root.range.start.character === 0
      ? [{ title: `Add apiVersion: ${VERSION}`, edits: [{ range: place, newText: `apiVersion: ${VERSION}\n` }] }]
      : [];
  return [{ rule: 'missing-api-version', severity: 'warning', message, range, fixes }];
}

function unknownVersion(version: unknown, range: Range): Problem {
  return {
    rule: 'unknown-api-version',
    severity: 'error',
    message: `"${shorten(String(version))}" is not a version of the plan format known here. Write ${VERSION}.`,
    range,
    fixes: [replaceFix(range, VERSION)],
  };
}

function unknownKind(kind: YamlNode): Problem {
  const word = kind.kind === 'scalar' ? String(kind.value ?? '') : '';
  const meant = nearest(word, ['ServingPlan', 'ServingDefaults']);
  return {
    rule: 'unknown-kind',
    severity: 'error',
    message: `"${shorten(word)}" is not a kind of document known here. Write ServingPlan (or ServingDefaults in layerkv.yaml).`,
    range: kind.range,
    ...(meant === undefined ? {} : { fixes: [replaceFix(kind.range, meant)] }),
  };
}

function templateProblem(document: ParsedDocument, lines: LineIndex): Problem | null {
  const match = TEMPLATE.exec(sliceOf(document, lines));
  if (match === null) return null;
  const start = lines.offsetAt(document.extent.start) + match.index + match[0].lastIndexOf('{{');
  return {
    rule: 'template',
    severity: 'information',
    message:
      'This is a template; it can be read only after rendering. Render it (helm template, for instance) and open the result.',
    range: lines.range(start, start + 2),
  };
}

function byPlace(a: Problem, b: Problem): number {
  if (before(a.range.start, b.range.start)) return -1;
  return before(b.range.start, a.range.start) ? 1 : 0;
}
