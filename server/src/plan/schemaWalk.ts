/** Finds the part of the plan's JSON Schema that describes a path: what keys it knows, what they mean. */
import type { Path } from '../text/tree.ts';

/** The JSON Schema (draft-07) keywords that are used here. */
export interface JsonSchema {
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
}

/** Every subschema that may describe the value at `path`, alternatives followed, outermost first. */
export function schemasAt(root: JsonSchema, path: Path): readonly JsonSchema[] {
  let here = spread(root);
  for (const step of path) here = here.flatMap((schema) => stepInto(schema, step));
  return here;
}

/** The keys known at `path`, in the order of the schema. */
export function knownKeys(root: JsonSchema, path: Path): readonly string[] {
  return [...new Set(schemasAt(root, path).flatMap((schema) => Object.keys(schema.properties ?? {})))];
}

function stepInto(schema: JsonSchema, step: string | number): readonly JsonSchema[] {
  if (typeof step === 'number') {
    const { items } = schema;
    if (items === undefined) return [];
    const item = isList(items) ? items[step] : items;
    return item === undefined ? [] : spread(item);
  }
  const named = Object.hasOwn(schema.properties ?? {}, step) ? schema.properties?.[step] : undefined;
  if (named !== undefined) return spread(named);
  const patterned = Object.entries(schema.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern).test(step));
  if (patterned !== undefined) return spread(patterned[1]);
  const other = schema.additionalProperties;
  return typeof other === 'object' ? spread(other) : [];
}

/** The schema itself and all it chooses from. The plan's schema is written without `$ref`, for the sake of this walk. */
function spread(schema: JsonSchema): readonly JsonSchema[] {
  const choices = [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return [schema, ...choices.flatMap(spread)];
}

function isList(items: JsonSchema | readonly JsonSchema[]): items is readonly JsonSchema[] {
  return Array.isArray(items);
}
