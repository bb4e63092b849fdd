/** The validator's errors in plain words, one a place, at the exact range. */
import { nearest } from '../text/nearest.ts';
import { entryAtPath, nodeAtPath, type Path, type YamlMap, type YamlNode } from '../text/tree.ts';
import type { Problem, Range } from '../text/types.ts';
import type { SchemaError } from './generated/validators.js';
import { areMissing, isEmpty, list, replaceFix, shorten, wrongType } from './read.ts';
import { type JsonSchema, knownKeys, schemasAt } from './schemaWalk.ts';

/** Keywords that say "none of my branches, or several": what the branches say below is one matter. */
const UNIONS = new Set(['anyOf', 'oneOf']);
/** Keywords that only repeat what another error says better. */
const ECHOES = new Set(['if', 'not', 'allOf']);
/** An object of thousands of unknown keys is told by its first ones. */
const MAX_PROBLEMS = 50;

/** @param schema the schema that `errors` came from, to name what is allowed. */
export function schemaProblems(root: YamlMap, errors: readonly SchemaError[], schema: JsonSchema): readonly Problem[] {
  const problems: Problem[] = [];
  const places = new Map<string, SchemaError[]>();
  const unions = new Set(errors.filter((error) => UNIONS.has(error.keyword)).map((error) => error.instancePath));
  for (const error of errors) {
    if (ECHOES.has(error.keyword)) continue;
    // The outermost union stands for what its branches complain about.
    const place = outermost(error.instancePath, unions) ?? error.instancePath;
    const group = places.get(place);
    if (group === undefined) places.set(place, [error]);
    else group.push(error);
  }
  for (const [pointer, group] of places) {
    const path = pathOf(root, pointer);
    // Cut before the work, not after it: an object of 100 000 unknown keys has as many errors.
    const told = unions.has(pointer)
      ? unionProblems(root, path, group.slice(0, MAX_PROBLEMS), schema)
      : placeProblems(root, path, group.slice(0, MAX_PROBLEMS), schema);
    problems.push(...told);
    if (problems.length >= MAX_PROBLEMS) break;
  }
  return onePerPlace(problems).slice(0, MAX_PROBLEMS);
}

/** What is wrong at one place; all that is missing there is one matter. */
function placeProblems(
  root: YamlMap,
  path: Path,
  group: readonly SchemaError[],
  schema: JsonSchema,
): readonly Problem[] {
  const missing = new Set(group.filter(isMissing).map((error) => String(error.params['missingProperty'])));
  const others = group.filter((error) => !isMissing(error)).map((error) => problemOf(root, path, error, schema));
  if (missing.size === 0) return others;
  const message = `${areMissing([...missing])} Add ${missing.size === 1 ? 'it' : 'them'}.`;
  return [...others, { rule: 'missing-key', severity: 'error', message, range: keyOf(root, path) }];
}

function isMissing({ keyword }: SchemaError): boolean {
  return keyword === 'required';
}

/** A value that fits none of several forms: what is surely wrong, or one sentence for the whole. */
function unionProblems(
  root: YamlMap,
  path: Path,
  group: readonly SchemaError[],
  schema: JsonSchema,
): readonly Problem[] {
  const node = nodeAtPath(root, path);
  const inner = group.filter((error) => !UNIONS.has(error.keyword));
  if (node?.kind !== 'map') return [valueProblem(root, path, inner, schema)];
  const known = knownKeys(schema, path);
  const strange = node.entries.filter((entry) => !entry.merged && !known.includes(entry.key));
  if (known.length > 0 && strange.length > 0) {
    return strange.slice(0, MAX_PROBLEMS).map((entry) => unknownKey(entry.key, entry.keyRange, known));
  }
  const deeper = inner.filter((error) => error.instancePath.split('/').length > path.length + 1);
  const [best] = deeper;
  if (best !== undefined) {
    const here = deeper.filter((error) => error.instancePath === best.instancePath);
    return placeProblems(root, pathOf(root, best.instancePath), isMissing(best) ? here : [best], schema);
  }
  const missing = inner.filter(isMissing).map((error) => String(error.params['missingProperty']));
  if (missing.length === 0) {
    const message =
      'These keys do not go together here. Keep one of them; the help of the key shows the forms it can take.';
    return [{ rule: 'invalid-value', severity: 'error', message, range: node.range }];
  }
  const words = [...new Set(missing)].map((key) => `\`${key}\``);
  return [
    { rule: 'missing-key', severity: 'error', message: `This block needs ${list(words)}.`, range: keyOf(root, path) },
  ];
}

function problemOf(root: YamlMap, path: Path, error: SchemaError, schema: JsonSchema): Problem {
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params['additionalProperty']);
    const entry = entryAtPath(root, [...path, key]);
    return unknownKey(key, entry?.keyRange ?? keyOf(root, path), knownKeys(schema, path));
  }
  if (error.keyword === 'dependencies') {
    const key = String(error.params['property']);
    const needed = String(error.params['missingProperty']);
    const range = entryAtPath(root, [...path, key])?.keyRange ?? keyOf(root, path);
    return {
      rule: 'missing-key',
      severity: 'error',
      message: `\`${key}\` only means something beside \`${needed}\`. Add that, or remove this.`,
      range,
    };
  }
  return valueProblem(root, path, [error], schema);
}

function valueProblem(root: YamlMap, path: Path, errors: readonly SchemaError[], schema: JsonSchema): Problem {
  const node = nodeAtPath(root, path);
  const key = entryAtPath(root, path);
  if (node === undefined) {
    return {
      rule: 'invalid-value',
      severity: 'error',
      message: 'This value is not allowed here.',
      range: keyOf(root, path),
    };
  }
  if (key !== undefined && isEmpty(node)) return emptyValue(key.key, key.keyRange);
  const here = schemasAt(schema, path);
  const words = here
    .flatMap((each) => [...(each.enum ?? []), ...(each.const === undefined ? [] : [each.const])])
    .map(String);
  if (words.length > 0 && node.kind === 'scalar') return notAWord(node, words);
  const onlyText = here.length > 0 && here.every((each) => each.type === 'string');
  if (onlyText && node.kind === 'scalar' && node.value !== null && typeof node.value !== 'string')
    return unquoted(node);
  const limit = errors.find((error) => /imum$/i.test(error.keyword));
  if (limit !== undefined) return beyondLimit(node, limit);
  const types = [...new Set(here.flatMap((each) => each.type ?? []).map(typeInWords))];
  const examples = here
    .flatMap((each) => each.examples ?? [])
    .filter((each) => typeof each !== 'object')
    .map(String);
  if (errors.some(({ keyword }) => keyword === 'pattern') && node.kind === 'scalar' && examples.length > 0) {
    const message = `"${shorten(String(node.value))}" cannot be read here. Write a value such as ${list(examples)}.`;
    return { rule: 'invalid-quantity', severity: 'error', message, range: node.range };
  }
  const expected = `${types.length === 0 ? 'another value' : list(types)}${examples.length === 0 ? '' : `, such as ${examples[0]}`}`;
  return { rule: 'wrong-type', severity: 'error', message: wrongType(node, expected).message, range: node.range };
}

function notAWord(node: YamlNode & { readonly kind: 'scalar' }, words: readonly string[]): Problem {
  const written = typeof node.value === 'string' ? node.value : node.source;
  const meant = nearest(written, words);
  return {
    rule: 'invalid-value',
    severity: 'error',
    message: `"${shorten(written)}" is not a value known here. Write ${list([...new Set(words)])}.${meant === undefined ? '' : ` Did you mean "${meant}"?`}`,
    range: node.range,
    ...(meant === undefined ? {} : { fixes: [replaceFix(node.range, meant)] }),
  };
}

/** `version: 0.10` reads as the number 0.1 in most tools; what is meant is clear enough to go on. */
function unquoted(node: YamlNode & { readonly kind: 'scalar' }): Problem {
  return {
    rule: 'wrong-type',
    severity: 'warning',
    message: `YAML reads ${shorten(node.source)} as a ${typeof node.value === 'number' ? 'number' : 'truth value'}, but a text is meant. Put it in quotes.`,
    range: node.range,
    fixes: [{ title: 'Put the value in quotes', edits: [{ range: node.range, newText: `"${node.source}"` }] }],
  };
}

function beyondLimit(node: YamlNode, error: SchemaError): Problem {
  const limit = String(error.params['limit']);
  const word = {
    minimum: 'at least',
    exclusiveMinimum: 'more than',
    maximum: 'at most',
    exclusiveMaximum: 'less than',
  }[error.keyword];
  const found = node.kind === 'scalar' ? shorten(node.source) : 'this';
  return {
    rule: 'out-of-range',
    severity: 'error',
    message: `${found} is outside of what makes sense here: write ${word ?? 'a value near'} ${limit}.`,
    range: node.range,
  };
}

/** A key that the format does not know, with the nearest one that it does. */
function unknownKey(key: string, range: Range, known: readonly string[]): Problem {
  const meant = nearest(key, known);
  const hint =
    meant === undefined
      ? known.length === 0
        ? 'Remove it.'
        : `Known here: ${list(known)}.`
      : `Did you mean \`${meant}\`?`;
  return {
    rule: 'unknown-key',
    severity: 'error',
    message: `\`${shorten(key)}\` is not a key known here, and is ignored. ${hint}`,
    range,
    ...(meant === undefined ? {} : { fixes: [{ title: `Rename to ${meant}`, edits: [{ range, newText: meant }] }] }),
  };
}

/** A key without a value counts as if it were not there. */
function emptyValue(key: string, range: Range): Problem {
  return {
    rule: 'empty-value',
    severity: 'warning',
    message: `\`${shorten(key)}\` has no value, which is as good as no such line. Write a value, or remove it.`,
    range,
  };
}

function typeInWords(type: string): string {
  const words: Readonly<Record<string, string>> = {
    integer: 'a whole number',
    number: 'a number',
    string: 'a text',
    boolean: 'true or false',
    object: 'a block of keys',
    array: 'a list',
    null: 'nothing',
  };
  return words[type] ?? type;
}

/** The key that holds the value; of a list's item the item itself, of the document its first key. */
function keyOf(root: YamlMap, path: Path): Range {
  return (
    entryAtPath(root, path)?.keyRange ??
    (path.length === 0 ? root.entries[0]?.keyRange : nodeAtPath(root, path)?.range) ??
    root.range
  );
}

/** JSON pointer → path; numbers where the tree has a list. */
function pathOf(root: YamlNode, pointer: string): Path {
  const path: (string | number)[] = [];
  for (const step of pointer.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(nodeAtPath(root, path)?.kind === 'sequence' ? Number(name) : name);
  }
  return path;
}

function outermost(pointer: string, unions: ReadonlySet<string>): string | undefined {
  const steps = pointer.split('/');
  for (let i = 1; i <= steps.length; i++) {
    const prefix = steps.slice(0, i).join('/');
    if (unions.has(prefix)) return prefix;
  }
  return undefined;
}

function onePerPlace(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ rule, message, range: { start, end } }) => {
    // Several missing keys share one place; each is told.
    const what = rule === 'missing-key' ? message : '';
    const key = [start.line, start.character, end.line, end.character, what].join(':');
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}
