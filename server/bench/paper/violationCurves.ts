/** Share of requests that break an SLO, against the request rate, for the paper's three models on L20s. */
import { costModel } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { sampleInput } from '../samples.ts';
import { FIGURE_ONE_SAMPLE } from './figureOne.ts';
import { loneTtft, runSeeds, type SeedFigures, spread } from './runs.ts';

/** Best reduction of SLO violations that the paper reports, points (its abstract). */
export const PUBLISHED_REDUCTION = 28.7;

/** A model and its deployment: hardware and engine are the sample's. */
export interface Setting {
  readonly title: string;
  readonly sample: string;
  /** Rates of the curve over figure 1's prompts and outputs, requests/s. */
  readonly ratesPerS: readonly number[];
  /** Rates of the curve over the sample's own requests, requests/s. */
  readonly sampleRatesPerS: readonly number[];
}

/** The models named in the paper, each from little load to overload. */
export const SETTINGS: readonly Setting[] = [
  {
    title: 'Llama-2-7B on one L20',
    sample: FIGURE_ONE_SAMPLE,
    ratesPerS: [0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2],
    sampleRatesPerS: [0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2],
  },
  {
    title: 'Yi-34B-200K on two L20s',
    sample: 'yi-34b-200k-2xl20',
    ratesPerS: [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1],
    sampleRatesPerS: [0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.12, 0.14, 0.16, 0.2],
  },
  {
    title: 'Llama-3.1-70B on four L20s',
    sample: 'llama-3.1-70b-4xl20',
    ratesPerS: [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1],
    sampleRatesPerS: [0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 1],
  },
];

/** Every policy on the same requests at one rate. */
export interface CurvePoint {
  readonly ratePerS: number;
  readonly vllm: readonly SeedFigures[];
  readonly layerkv: readonly SeedFigures[];
  readonly noSlo: readonly SeedFigures[];
}

export interface Curve {
  readonly setting: Setting;
  readonly input: EngineInput;
  readonly points: readonly CurvePoint[];
}

/**
 * The curve over figure 1's requests (2048 in, 512 out). The paper's SLOs of the larger models are not known, so they get
 * SLOs as tight as figure 1's: the same multiple of the prompt's own step time (TTFT) and of a lone decode step (TPOT).
 */
export async function figureOneCurve(setting: Setting, seeds: number): Promise<Curve> {
  const reference = await sampleInput(FIGURE_ONE_SAMPLE);
  const plan = await sampleInput(setting.sample);
  const input: EngineInput = {
    ...plan,
    slo: sameTightness(plan, reference),
    workload: { ...reference.workload, seed: plan.workload.seed },
  };
  return { setting, input, points: curve(input, setting.ratesPerS, seeds) };
}

/** The curve over the sample's own requests and SLOs. */
export async function sampleCurve(setting: Setting, seeds: number): Promise<Curve> {
  const input = await sampleInput(setting.sample);
  return { setting, input, points: curve(input, setting.sampleRatesPerS, seeds) };
}

function curve(input: EngineInput, ratesPerS: readonly number[], seeds: number): readonly CurvePoint[] {
  return ratesPerS.map((ratePerS) => ({
    ratePerS,
    vllm: runSeeds(input, { ratePerS, policy: 'vllm' }, seeds),
    layerkv: runSeeds(input, { ratePerS, policy: 'layerkv' }, seeds),
    noSlo: runSeeds(input, { ratePerS, policy: 'layerkv-no-slo' }, seeds),
  }));
}

const REFERENCE_PROMPT_TOKENS = 2048;

function sameTightness(plan: EngineInput, reference: EngineInput): EngineInput['slo'] {
  const { ttftS, tpotS, attainment } = reference.slo;
  if (ttftS === null || tpotS === null) throw new Error('the sample of figure 1 states both SLOs');
  const prefill = (input: EngineInput): number => loneTtft(input)(REFERENCE_PROMPT_TOKENS);
  return {
    ttftS: (ttftS * prefill(plan)) / prefill(reference),
    tpotS: (tpotS * loneDecodeS(plan)) / loneDecodeS(reference),
    attainment,
  };
}

function loneDecodeS(input: EngineInput): number {
  const law = costModel(input).decodeLaw(1);
  return law.baseS + law.perContextTokenS * REFERENCE_PROMPT_TOKENS;
}

/** Mean share of requests that break an SLO, percent. */
export function violationPercent(runs: readonly SeedFigures[]): number {
  return 100 * spread(runs, (run) => run.anyViolation).mean;
}

/** By how many points LayerKV's violations are below vLLM's, mean over seeds. */
export function reductionPoints(point: CurvePoint): number {
  return violationPercent(point.vllm) - violationPercent(point.layerkv);
}

/** The rate with the largest reduction. */
export function bestPoint({ points }: Curve): CurvePoint {
  return points.reduce((best, point) => (reductionPoints(point) > reductionPoints(best) ? point : best));
}

/** Rates at which the reduction passes `target` points, up or down, straight between the curve's points, requests/s. */
export function crossings({ points }: Curve, target: number): readonly number[] {
  return points.slice(1).flatMap((point, k) => {
    const before = points[k]!;
    const [low, high] = [reductionPoints(before) - target, reductionPoints(point) - target];
    if (low < 0 === high < 0) return [];
    return [before.ratePerS + ((point.ratePerS - before.ratePerS) * low) / (low - high)];
  });
}
