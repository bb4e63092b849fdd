/** Completion from the schema (keys, words) and the catalogue (models, GPUs, versions). Simulates nothing. */
import type { CompletionItem } from 'vscode-languageserver-types';
import { knownVersions } from '../catalog/engineDefaults.ts';
import { allGpus, gpuFactsLine } from '../catalog/gpus.ts';
import { allModels, modelFactsLine } from '../catalog/models.ts';
import { dialectOf } from '../plan/dialects/registry.ts';
import { documentAt, helpFor, PLAN_SCHEMA } from '../plan/keyHelp.ts';
import { type JsonSchema, schemasAt } from '../plan/schemaWalk.ts';
import { before } from '../text/lines.ts';
import type { ParsedText } from '../text/parse.ts';
import { isNativeFileName } from '../text/sniff.ts';
import type { Path } from '../text/tree.ts';
import type { Position } from '../text/types.ts';
import { type CompletionPlace, completionPlace } from './completionPlace.ts';
import type { DocumentView } from './view.ts';

const KIND = { property: 10, value: 12, enumMember: 20, snippet: 15 } as const;
const SNIPPET = 2;
const PLAN_SNIPPET = `apiVersion: layerkv/v1
kind: ServingPlan
metadata:
  name: \${1:my-plan}
spec:
  model:
    id: \${2:meta-llama/Llama-3.1-8B-Instruct}
  hardware:
    gpu: \${3:L20}
  workload:
    arrivals: {process: poisson, rate: \${4:1}}
    input: {tokens: \${5:2048}}
    output: {tokens: \${6:512}}
    requests: 100
  slo: {ttft: \${7:3s}, tpot: \${8:200ms}}
`;

export function completion(view: DocumentView, parsed: ParsedText, position: Position): CompletionItem[] {
  // Behind the last key of a document the parser sees nothing of it any more.
  const document =
    documentAt(parsed, position) ?? parsed.documents.findLast(({ extent }) => !before(position, extent.start));
  const ours = document !== undefined && dialectOf(document) !== undefined;
  const blank = document === undefined || document.root === null || document.root.kind === 'scalar';
  // In a document that is not ours yet only a file of ours by name gets the offer to begin one.
  if (!ours && !(blank && isNativeFileName(view.uri))) return [];
  const place = completionPlace(view.text, position);
  if (place === null) return [];
  if (place.on === 'value') return values(place);
  return !ours && place.path.length === 0 ? [planSnippet(place), ...keys(place)] : keys(place);
}

function planSnippet({ replace }: CompletionPlace): CompletionItem {
  return {
    label: 'Serving plan',
    filterText: 'apiVersion serving plan',
    kind: KIND.snippet,
    detail: 'A whole plan to fill in',
    insertTextFormat: SNIPPET,
    textEdit: { range: replace, newText: PLAN_SNIPPET },
    sortText: '0',
  };
}

function keys({ path, flow, replace, siblings }: CompletionPlace): CompletionItem[] {
  const taken = new Set(siblings);
  const known = helpFor(path)?.keys ?? [];
  const required = new Set(schemasAt(PLAN_SCHEMA, path).flatMap((schema) => schema.required ?? []));
  return known.flatMap((key, i) => {
    if (taken.has(key)) return [];
    const here = [...path, key];
    const help = helpFor(here);
    return [
      {
        label: key,
        kind: KIND.property,
        detail: required.has(key) ? 'required' : detailOf(help?.defaultValue),
        documentation: { kind: 'markdown' as const, value: help?.description ?? '' },
        insertTextFormat: SNIPPET,
        textEdit: { range: replace, newText: keySnippet(key, here, flow) },
        // Order of the schema; what is needed first.
        sortText: `${required.has(key) ? 0 : 1}${String(i).padStart(3, '0')}`,
      },
    ];
  });
}

function detailOf(defaultValue: unknown): string {
  return defaultValue === undefined ? 'optional' : `default ${JSON.stringify(defaultValue)}`;
}

function keySnippet(key: string, path: Path, flow: boolean): string {
  const here = schemasAt(PLAN_SCHEMA, path);
  const words = valueWords(path);
  const scalar = words.length > 0 || here.some((schema) => hasScalarType(schema));
  if (!scalar) return flow ? `${key}: {$0}` : `${key}:\n  $0`;
  const only = words.length === 1 ? words[0] : undefined;
  return only === undefined ? `${key}: $0` : `${key}: ${only}`;
}

function hasScalarType({ type }: JsonSchema): boolean {
  const types = type === undefined ? [] : [type].flat();
  return types.some((each) => each !== 'object' && each !== 'array' && each !== 'null');
}

function valueWords(path: Path): readonly string[] {
  const allowed = helpFor(path)?.allowed ?? [];
  if (allowed.length > 0) return allowed;
  const boolean = schemasAt(PLAN_SCHEMA, path).some(({ type }) => [type].flat().includes('boolean'));
  return boolean ? ['true', 'false'] : [];
}

function values({ path, replace, flow }: CompletionPlace): CompletionItem[] {
  const item = (label: string, kind: number, detail?: string, newText = label): CompletionItem => ({
    label,
    kind: kind as NonNullable<CompletionItem['kind']>,
    filterText: newText,
    textEdit: { range: replace, newText },
    ...(detail !== undefined && { detail }),
  });
  switch (path.join('.')) {
    case 'spec.hardware.gpu':
      return allGpus().map((gpu) => item(gpu.id, KIND.value, gpuFactsLine(gpu)));
    case 'spec.model.id':
      return allModels().map((model) => item(model.id, KIND.value, modelFactsLine(model)));
    case 'spec.engine.version':
      // Newest first; in quotes, because YAML reads 0.10 as the number 0.1.
      return knownVersions()
        .toReversed()
        .map((version, i) => ({
          ...item(version, KIND.value, 'vLLM', `"${version}"`),
          sortText: String(i).padStart(3, '0'),
        }));
    default: {
      const help = helpFor(path);
      const words = valueWords(path);
      if (words.length > 0) {
        return words.map((word) =>
          item(word, KIND.enumMember, word === String(help?.defaultValue) ? 'default' : undefined),
        );
      }
      const examples = (help?.examples ?? []).filter((each) => typeof each !== 'object' && !flow);
      return examples.map((example) => item(String(example), KIND.value, 'example'));
    }
  }
}
