/**
 * Figures at the end of the lines that decide them, within the 43 characters that VS Code shows of a hint. Shown
 * for stated keys only: a hint beside nothing helps nobody.
 */
import type { InlayHint } from 'vscode-languageserver-types';
import type { Assessment } from '../forecast/assess.ts';
import type { Prediction } from '../forecast/types.ts';
import { formatBytes, formatDurationMs, formatPercent, formatTokens } from '../plan/quantity.ts';
import type { Located, Plan } from '../plan/types.ts';
import type { Settings } from '../protocol.ts';
import type { Position, Range } from '../text/types.ts';
import { type DocumentView, predictionOf, type WorkloadView } from './view.ts';
import { plainNumber } from './words.ts';

type Categories = Settings['inlayHints'];

interface Hint {
  readonly line: number;
  readonly label: string;
  readonly tooltip: string;
}

export function inlayHints(view: DocumentView, range: Range, categories: Categories): InlayHint[] {
  const lineEnd = lineEnds(view.text);
  return view.workloads
    .flatMap((workload) => hintsOf(workload, categories))
    .filter(({ line }) => range.start.line <= line && line <= range.end.line)
    .map(({ line, label, tooltip }) => ({ position: lineEnd(line), label, tooltip, paddingLeft: true }));
}

function hintsOf(workload: WorkloadView, categories: Categories): Hint[] {
  const { plan, assessment } = workload;
  if (assessment === null) return [];
  return [
    ...(categories.kvTokens ? kvHints(plan, assessment) : []),
    ...(categories.weights ? weightHints(plan, assessment) : []),
    ...(categories.layers ? layerHints(plan, assessment, predictionOf(workload)) : []),
  ];
}

function kvHints(plan: Plan, { memory, fits, oneSequenceFits, shortfallBytesPerGpu }: Assessment): Hint[] {
  const { maxModelLen, gpuMemoryUtilization, numGpuBlocks } = plan.engine;
  const tooltip =
    'What the KV cache holds on one replica, from the memory model: GPU memory × utilisation − weights − activations.';
  const pool = fits
    ? `${formatTokens(memory.kvTokens)} KV tokens`
    : `no room for KV cache: ${formatBytes(shortfallBytesPerGpu)} missing per GPU`;
  const sequences = `${plainNumber(memory.fullLengthSequences)} full-length sequences`;
  const room = fits && !oneSequenceFits ? `${sequences}: vLLM refuses to start` : sequences;
  const poolLine = lineOf(gpuMemoryUtilization) ?? lineOf(numGpuBlocks);
  const lengthLine = lineOf(maxModelLen);
  if (poolLine !== null && lengthLine !== null) {
    return [{ line: poolLine, label: pool, tooltip }, ...(fits ? [{ line: lengthLine, label: room, tooltip }] : [])];
  }
  const line = poolLine ?? lengthLine ?? lineOf(plan.gpu);
  return line === null ? [] : [{ line, label: fits ? `${pool} · ${room}` : pool, tooltip }];
}

function weightHints(plan: Plan, { memory, usableBytesPerGpu }: Assessment): Hint[] {
  const line = lineOf(plan.tensor) ?? lineOf(plan.weightDtype) ?? lineOf(plan.model);
  if (line === null) return [];
  const label = `weights ${formatBytes(memory.weightsBytesPerGpu)} per GPU of ${formatBytes(usableBytesPerGpu)} usable`;
  return [{ line, label, tooltip: 'Weights on one GPU, and what the engine may use of it.' }];
}

function layerHints(plan: Plan, { layerkv }: Assessment, prediction: Prediction | null): Hint[] {
  const { enabled } = plan.layerkv;
  const line =
    lineOf(enabled) ??
    Object.values(plan.layerkv)
      .map(lineOf)
      .find((each) => each !== null) ??
    null;
  if (line === null) return [];
  if (!layerkv.canAct) {
    return [{ line, label: 'cannot act', tooltip: 'Without a host link or a host pool no layer can leave the GPU.' }];
  }
  const kept = `${layerkv.retainedLayers}/${layerkv.layers} layers kept`;
  const hiddenShare = prediction?.policy === 'vllm' ? null : (prediction?.offload?.hiddenShare ?? null);
  const hides = layerkv.offloadS <= layerkv.prefillS;
  const hidden =
    hiddenShare !== null
      ? `offload ${formatPercent(hiddenShare)} hidden`
      : `offload ${hides ? 'hidden' : 'not hidden'}`;
  const tooltip =
    `Mean prompt: moving ${layerkv.layers - layerkv.retainedLayers} layers to the host takes ` +
    `${formatDurationMs(layerkv.offloadS * 1000)}, its prefill ${formatDurationMs(layerkv.prefillS * 1000)}.`;
  return [{ line, label: enabled.value ? `${kept} · ${hidden}` : `if on: ${kept} · ${hidden}`, tooltip }];
}

/** Where a stated value's key stands; null for defaults. */
function lineOf(located: Located<unknown>): number | null {
  return located.origin === 'stated' ? ((located.keyRange ?? located.range)?.start.line ?? null) : null;
}

/** Ends of lines without the line break, found once per request. */
function lineEnds(text: string): (line: number) => Position {
  const lines = text.split(/\r\n|\r|\n/);
  return (line) => ({ line, character: lines[line]?.length ?? 0 });
}
