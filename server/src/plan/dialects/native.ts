/** Our own format, `apiVersion: layerkv/v1`, `kind: ServingPlan`: text → draft → plan. */
import type { LinearCost } from '../../engine/types.ts';
import type { LineIndex } from '../../text/lines.ts';
import { entryOf, type ParsedDocument, type YamlMap, type YamlNode } from '../../text/tree.ts';
import type { Range } from '../../text/types.ts';
import { byDefault, completePlan, type Draft, inferred } from '../draft.ts';
import {
  durationIn,
  field,
  integerIn,
  isEmpty,
  lacking,
  numberIn,
  oneOf,
  type Parsed,
  Reader,
  text,
  wrongType,
} from '../read.ts';
import { checkRules } from '../rules/rules.ts';
import type { Located } from '../types.ts';
import type { DialectReader, DocumentReading, ReadContext } from './dialect.ts';
import { readCalibration } from './nativeCalibration.ts';
import { readEngine } from './nativeEngine.ts';
import { nativeFacts } from './nativeFacts.ts';
import { readLayerKv } from './nativeLayerKv.ts';
import { asBlock, readHardware, readModel } from './nativeModel.ts';
import { readWorkload } from './nativeWorkload.ts';

/** Reads documents that say `kind: ServingPlan` (or no kind yet); defaults documents hold no plan. */
export const native: DialectReader = {
  dialect: 'native',
  detect: (document) => {
    const version = entryOf(document.root, 'apiVersion')?.value;
    return version?.kind === 'scalar' && typeof version.value === 'string' && version.value.startsWith('layerkv/');
  },
  read: readNative,
};

async function readNative(document: ParsedDocument, context: ReadContext): Promise<DocumentReading> {
  const { root } = document;
  if (root?.kind !== 'map') return { problems: [], plans: [], workloads: [] };
  const workloads = [nativeFacts(root, document.index)];
  const reader = new Reader();
  const spec = entryOf(root, 'spec')?.value;
  if (spec?.kind !== 'map') {
    const frame = { kind: '`kind: ServingPlan`', spec: '`spec:` with `model`, `hardware` and `workload`' };
    reader.require(root, frame, keyOrStart(root));
    return { problems: reader.problems, plans: [], workloads };
  }
  const specKey = entryOf(root, 'spec')?.keyRange ?? spec.range;
  const needed = {
    model: '`model: {id: meta-llama/Llama-3.1-8B-Instruct}`',
    hardware: '`hardware: {gpu: L20}`',
    workload: '`workload:` with `arrivals`, `input` and `output`',
  };
  reader.require(spec, needed, specKey);
  const hardware = entryOf(spec, 'hardware');
  if (hardware?.value.kind === 'scalar' && !isEmpty(hardware.value))
    reader.fail(asBlock(hardware.value, 'gpu'), hardware.value.range);
  if (hardware?.value.kind === 'map') {
    reader.require(hardware.value, { gpu: '`gpu: L20`, or another GPU of the catalogue' }, hardware.keyRange);
  }
  const draft = await readDraft(reader, document, root, spec, context);
  const { problems, impossible } = checkRules(draft, root);
  const plan = impossible ? null : completePlan(draft);
  return { problems: [...reader.problems, ...problems], plans: plan === null ? [] : [plan], workloads };
}

async function readDraft(
  reader: Reader,
  document: ParsedDocument,
  root: YamlMap,
  spec: YamlMap,
  context: ReadContext,
): Promise<Draft> {
  const { files, lines } = context;
  const parallelism = reader.section(spec, 'parallelism');
  const ranks = (key: string): Located<number> | null =>
    reader.value(parallelism, key, integerIn({ min: 1, max: 65_536 }), byDefault(1, 'vLLM default'));
  const [tensor, pipeline, data, expert] = [ranks('tensor'), ranks('pipeline'), ranks('data'), ranks('expert')];
  const ranksInAll =
    tensor === null || pipeline === null || data === null ? null : tensor.value * pipeline.value * data.value;
  const { model, weightDtype } = await readModel(reader, spec, files);
  const hardware = readHardware(reader, spec, ranksInAll);
  const slo = reader.section(spec, 'slo');
  const goal = (key: string): Located<number | null> | null =>
    reader.value<number | null>(slo, key, durationIn({ min: 0.001, max: 1e9 }), byDefault(null, 'none stated'));
  const read = {
    model,
    weightDtype,
    ...hardware,
    tensor,
    pipeline,
    data,
    expert,
    engine: readEngine(reader, spec, { model, gpu: hardware.gpu, weightDtype }),
    cost: readCost(reader, spec),
    anchor: anchorOf(document.range, lines),
  };
  const { calibration, numGpuBlocks } = await readCalibration(reader, spec, context, read);
  const { engine } = read;
  return {
    ...read,
    // What the plan states counts before what a log told.
    engine: numGpuBlocks === null || engine.numGpuBlocks?.value !== null ? engine : { ...engine, numGpuBlocks },
    calibration,
    dialect: 'native',
    documentIndex: document.index,
    documentRange: document.range,
    name: reader.value(
      reader.section(root, 'metadata'),
      'name',
      text,
      inferred(`plan ${document.index + 1}`, 'its place in the file'),
    ),
    replicas: reader.value(
      spec,
      'replicas',
      integerIn({ min: 1, max: 10_000 }),
      byDefault(1, 'LayerKV Planner default'),
    ),
    routing: reader.value(
      spec,
      'routing',
      oneOf<'roundRobin' | 'leastLoad'>({ roundRobin: 'roundRobin', leastLoad: 'leastLoad' }, [
        'roundRobin',
        'leastLoad',
      ]),
      byDefault('roundRobin', 'LayerKV Planner default'),
    ),
    layerkv: readLayerKv(reader, spec, hardware.hostMemoryBytes, hardware.gpusPerReplica),
    workload: await readWorkload(reader, spec, files),
    slo: {
      ttftMs: goal('ttft'),
      tpotMs: goal('tpot'),
      attainment: reader.value(
        slo,
        'attainment',
        numberIn({ min: 0, max: 1 }),
        byDefault(0.99, 'LayerKV Planner default'),
      ),
    },
  };
}

const COST_KEYS = [
  'prefillBaseMs',
  'prefillPerTokenMs',
  'decodeBaseMs',
  'decodePerSequenceMs',
  'decodePerContextTokenMs',
] as const;

function readCost(reader: Reader, spec: YamlMap): Draft['cost'] {
  const none = byDefault<LinearCost | null>(null, 'roofline of the GPU');
  return reader.value<LinearCost | null>(reader.section(spec, 'cost'), 'linear', linearCost, none);
}

function linearCost(node: YamlNode): Parsed<LinearCost> {
  if (node.kind !== 'map') return wrongType(node, 'the five coefficients of the linear cost law');
  const missing = lacking(node, COST_KEYS);
  if (missing !== null) return { ...missing, message: `${missing.message} Each is a number; 0 is allowed.` };
  const values: number[] = [];
  for (const key of COST_KEYS) {
    const parsed = field(node, key, numberIn({ min: 0, max: 1e9 }));
    if (!parsed.ok) return parsed;
    values.push(parsed.value);
  }
  const [
    prefillBaseMs = 0,
    prefillPerTokenMs = 0,
    decodeBaseMs = 0,
    decodePerSequenceMs = 0,
    decodePerContextTokenMs = 0,
  ] = values;
  return {
    ok: true,
    value: { prefillBaseMs, prefillPerTokenMs, decodeBaseMs, decodePerSequenceMs, decodePerContextTokenMs },
  };
}

function keyOrStart(root: YamlMap): Range {
  return root.entries[0]?.keyRange ?? root.range;
}

/** The first line only: a lens and its squiggle must not span the document. */
function anchorOf({ start, end }: Range, lines: LineIndex): Range {
  return { start, end: end.line === start.line ? end : { line: start.line, character: lines.line(start.line).length } };
}
