/** What a native plan states, in the vocabulary that all dialects share (`layerkv extract`). */
import { entryAtPath, type Path, type YamlMap, type YamlNode } from '../../text/tree.ts';
import type { Range } from '../../text/types.ts';
import { parseBytes, parseTokens } from '../quantity.ts';
import { isEmpty } from '../read.ts';
import type { ExtractedWorkload } from '../types.ts';

/** A fact, where it stands, and how its value is told; undefined: not a value that can be told. */
interface FactRow {
  readonly fact: string;
  readonly path: Path;
  readonly tell: (node: YamlNode) => unknown;
}

const asWritten = (node: YamlNode): unknown => (node.kind === 'scalar' && node.value !== null ? node.value : undefined);
const asText = (node: YamlNode): unknown => {
  if (node.kind !== 'scalar' || node.value === null) return undefined;
  return typeof node.value === 'string' ? node.value : node.source;
};
const asNumber = (node: YamlNode): unknown =>
  node.kind === 'scalar' && typeof node.value === 'number' ? node.value : undefined;
const asTokens = (node: YamlNode): unknown => {
  const parsed = node.kind === 'scalar' ? parseTokens(node.value) : undefined;
  return parsed?.ok === true ? parsed.value : undefined;
};
const asBytes = (node: YamlNode): unknown => {
  const parsed = node.kind === 'scalar' ? parseBytes(node.value) : undefined;
  return parsed?.ok === true ? parsed.value : undefined;
};

/** Formats vLLM calls a dtype; every other one it calls a quantization. */
const DTYPE_WORDS = /^(?:bf16|bfloat16|fp16|float16|half|auto)$/i;

const ROWS: readonly FactRow[] = [
  { fact: 'name', path: ['metadata', 'name'], tell: asText },
  { fact: 'resource', path: ['metadata', 'name'], tell: asText },
  { fact: 'model', path: ['spec', 'model', 'config'], tell: asText },
  { fact: 'model', path: ['spec', 'model', 'id'], tell: asText },
  { fact: 'dtype', path: ['spec', 'model', 'dtype'], tell: (node) => matching(asText(node), true) },
  { fact: 'quantization', path: ['spec', 'model', 'dtype'], tell: (node) => matching(asText(node), false) },
  { fact: 'gpuType', path: ['spec', 'hardware', 'gpu'], tell: asText },
  { fact: 'gpuType', path: ['spec', 'hardware', 'gpu', 'gpu'], tell: asText },
  { fact: 'gpusPerReplica', path: ['spec', 'hardware', 'gpusPerReplica'], tell: asNumber },
  { fact: 'tensorParallel', path: ['spec', 'parallelism', 'tensor'], tell: asNumber },
  { fact: 'pipelineParallel', path: ['spec', 'parallelism', 'pipeline'], tell: asNumber },
  { fact: 'dataParallel', path: ['spec', 'parallelism', 'data'], tell: asNumber },
  { fact: 'expertParallel', path: ['spec', 'parallelism', 'expert'], tell: (node) => above1(asNumber(node)) },
  { fact: 'replicas', path: ['spec', 'replicas'], tell: asNumber },
  { fact: 'maxModelLen', path: ['spec', 'engine', 'maxModelLen'], tell: asTokens },
  { fact: 'gpuMemoryUtilization', path: ['spec', 'engine', 'gpuMemoryUtilization'], tell: asNumber },
  { fact: 'maxNumSeqs', path: ['spec', 'engine', 'maxNumSeqs'], tell: asNumber },
  { fact: 'maxNumBatchedTokens', path: ['spec', 'engine', 'maxNumBatchedTokens'], tell: asTokens },
  { fact: 'kvCacheDtype', path: ['spec', 'engine', 'kvCacheDtype'], tell: asText },
  { fact: 'blockSize', path: ['spec', 'engine', 'blockSize'], tell: asNumber },
  {
    fact: 'enablePrefixCaching',
    path: ['spec', 'engine', 'prefixCaching'],
    tell: (node) => onlyBoolean(asWritten(node)),
  },
  {
    fact: 'kvOffload',
    path: ['spec', 'engine', 'kvOffload', 'hostPool'],
    tell: (node) => {
      const cpuBytes = asBytes(node);
      return cpuBytes === undefined ? undefined : { cpuBytes };
    },
  },
];

/** The facts of one plan, with the place of each; later rows of the table win over earlier ones. */
export function nativeFacts(root: YamlMap, documentIndex: number): ExtractedWorkload {
  const facts: Record<string, unknown> = {};
  const origins: Record<string, { readonly origin: 'stated'; readonly range: Range }> = {};
  for (const { fact, path, tell } of ROWS) {
    const entry = entryAtPath(root, path);
    if (entry === undefined || isEmpty(entry.value)) continue;
    const value = tell(entry.value);
    if (value === undefined) continue;
    facts[fact] = value;
    origins[fact] = { origin: 'stated', range: entry.value.range };
  }
  return { documentIndex, dialect: 'native', facts, origins };
}

function matching(word: unknown, isDtype: boolean): unknown {
  return typeof word === 'string' && DTYPE_WORDS.test(word) === isDtype ? word : undefined;
}

function above1(value: unknown): unknown {
  return typeof value === 'number' ? value > 1 : undefined;
}

function onlyBoolean(value: unknown): unknown {
  return typeof value === 'boolean' ? value : undefined;
}
