/** Views for the feature tests: real analysis and memory model, predictions made by hand. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { assess } from '../../src/forecast/assess.ts';
import type { Distribution, Prediction } from '../../src/forecast/types.ts';
import type { DocumentView } from '../../src/language/view.ts';
import { analyse } from '../../src/plan/analyse.ts';
import type { Plan } from '../../src/plan/types.ts';
import type { Simulation } from '../../src/simulation/port.ts';
import { indexLines } from '../../src/text/lines.ts';
import type { Position } from '../../src/text/types.ts';

/** The paper's figure 1, as users open it. */
export const FIGURE_1 = readFileSync('samples/llama-2-7b-l20-figure-1.layerkv.yaml', 'utf8');
export const URI = 'file:///plans/a.layerkv.yaml';

export async function viewOf(
  text: string,
  simulation: Simulation = { kind: 'pending', last: null },
): Promise<DocumentView> {
  const analysis = await analyse(text, { fileName: 'a.layerkv.yaml', files: { readText: async () => null } });
  const workloads = analysis.plans.map((plan) => ({ plan, assessment: assess(plan), simulation }));
  return { uri: URI, version: 1, text, analysis, workloads };
}

export async function planOf(text: string): Promise<Plan> {
  const plan = (await viewOf(text)).workloads[0]?.plan;
  assert.ok(plan, 'the text holds no plan');
  return plan;
}

/** Splits a text at its `│` marks: the cursors. */
export function cursors(marked: string): { readonly text: string; readonly positions: readonly Position[] } {
  const parts = marked.split('│');
  const text = parts.join('');
  const lines = indexLines(text);
  let offset = 0;
  const positions = parts.slice(0, -1).map((part) => {
    offset += part.length;
    return lines.positionAt(offset);
  });
  return { text, positions };
}

/** Where `needle` first stands. */
export function positionOf(text: string, needle: string): Position {
  const offset = text.indexOf(needle);
  assert.ok(offset >= 0, `no ${needle}`);
  return indexLines(text).positionAt(offset);
}

export function distribution(mean: number, p99: number): Distribution {
  return { mean, p50: mean, p90: mean, p95: mean, p99, max: p99 };
}

/** Frozen figures, so that the sentences can be compared word for word. */
export function prediction(changes: Partial<Prediction> = {}): Prediction {
  return {
    name: 'long-chat',
    document: 0,
    policy: 'vllm',
    scheduler: 'v0',
    requests: 100,
    finished: 100,
    seed: 1,
    memory: {
      weightsBytesPerGpu: 13.5e9,
      activationBytesPerGpu: 1.5e9,
      kvBytesPerToken: 524_288,
      gpuBlocks: 3000,
      kvTokens: 48_000,
      fullLengthSequences: 2.84,
      hostPoolTokens: null,
    },
    ttftMs: distribution(12_300, 26_500),
    tpotMs: distribution(66, 90),
    e2eMs: distribution(46_000, 60_000),
    queueShare: 0.97,
    ttftParts: { queueMs: 11_931, prefillMs: 369, offloadMs: 0 },
    violationRate: { ttft: 0.74, tpot: 0, any: 0.74, interval: [0.69, 0.79] },
    throughput: { requestsPerS: 0.58, outputTokensPerS: 297, goodputPerS: 0.15 },
    makespanS: 172,
    preemptions: 0,
    offload: null,
    verdict: 'saturated',
    provenance: {
      cost: 'roofline',
      engineDefaults: 'vllm 0.5.5',
      engineDefaultsRow: '0.5.0 until 0.8.0, all GPUs',
      seed: 1,
    },
    ...changes,
  };
}

export function ready(changes: Partial<Prediction> = {}): Simulation {
  return { kind: 'ready', prediction: prediction(changes), intervalPending: false };
}
