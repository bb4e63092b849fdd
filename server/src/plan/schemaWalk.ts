/** Finds the part of the plan's JSON Schema that describes a path: what keys it knows, what they mean. */
import type { Path } from '../text/tree.ts';

/** The JSON Schema (draft-07) keywords that are used here. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly markdownDescription?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
}

/** Every subschema that may describe the value at `path`, alternatives and references followed, outermost first. */
export function schemasAt(root: JsonSchema, path: Path): readonly JsonSchema[] {
  let here = spread(root, root);
  for (const step of path) here = here.flatMap((schema) => stepInto(root, schema, step));
  return here;
}

/** The keys known at `path`, in the order of the schema. */
export function knownKeys(root: JsonSchema, path: Path): readonly string[] {
  return [...new Set(schemasAt(root, path).flatMap((schema) => Object.keys(schema.properties ?? {})))];
}

function stepInto(root: JsonSchema, schema: JsonSchema, step: string | number): readonly JsonSchema[] {
  if (typeof step === 'number') {
    const { items } = schema;
    if (items === undefined) return [];
    const item = isList(items) ? items[step] : items;
    return item === undefined ? [] : spread(root, item);
  }
  const named = Object.hasOwn(schema.properties ?? {}, step) ? schema.properties?.[step] : undefined;
  if (named !== undefined) return spread(root, named);
  const patterned = Object.entries(schema.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern).test(step));
  if (patterned !== undefined) return spread(root, patterned[1]);
  const other = schema.additionalProperties;
  return typeof other === 'object' ? spread(root, other) : [];
}

/** The schema itself and all it refers to or chooses from. The project's schemas do not refer to themselves. */
function spread(root: JsonSchema, schema: JsonSchema): readonly JsonSchema[] {
  const choices = [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const target = schema.$ref === undefined ? undefined : resolve(root, schema.$ref);
  return [
    schema,
    ...(target === undefined ? [] : spread(root, target)),
    ...choices.flatMap((each) => spread(root, each)),
  ];
}

function resolve(root: JsonSchema, reference: string): JsonSchema | undefined {
  const name = /^#\/definitions\/([^/]+)$/.exec(reference)?.[1];
  return name === undefined ? undefined : root.definitions?.[name];
}

function isList(items: JsonSchema | readonly JsonSchema[]): items is readonly JsonSchema[] {
  return Array.isArray(items);
}
