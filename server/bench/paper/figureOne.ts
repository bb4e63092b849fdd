/** Figure 1 of the LayerKV paper (arXiv 2410.00428): what it shows, and the same runs by our engine. */
import type { EngineInput } from '../../src/engine/types.ts';
import { loneTtft, runSeeds, type SeedFigures } from './runs.ts';

/** The plan of the figure at 2048 tokens; other contexts change nothing but the prompt. */
export const FIGURE_ONE_SAMPLE = 'llama-2-7b-l20-figure-1';
/** A row of the figure, read off its bars: times about ±5 %, queue share ±0.003. */
export interface PublishedRow {
  readonly promptTokens: number;
  readonly meanTtftS: number;
  readonly meanTpotS: number;
  readonly queueShare: number;
}

/** Stock vLLM, Llama-2-7B, one L20 48 GB, Poisson 1 request/s, mean over 100 requests. */
export const PUBLISHED: readonly PublishedRow[] = [
  { promptTokens: 128, meanTtftS: 0.054, meanTpotS: 0.0295, queueShare: 0.237 },
  { promptTokens: 256, meanTtftS: 0.074, meanTpotS: 0.0322, queueShare: 0.232 },
  { promptTokens: 512, meanTtftS: 0.11, meanTpotS: 0.0386, queueShare: 0.17 },
  { promptTokens: 1024, meanTtftS: 1.79, meanTpotS: 0.0578, queueShare: 0.893 },
  { promptTokens: 2048, meanTtftS: 26.5, meanTpotS: 0.066, queueShare: 0.975 },
  { promptTokens: 4096, meanTtftS: 89, meanTpotS: 0.066, queueShare: 0.983 },
  { promptTokens: 16384, meanTtftS: 538, meanTpotS: 0.066, queueShare: 0.983 },
];

/** All policies on the requests of one context length. */
export interface ContextRuns {
  readonly published: PublishedRow;
  /** TTFT of a request alone, s. */
  readonly loneS: number;
  readonly vllm: readonly SeedFigures[];
  readonly layerkv: readonly SeedFigures[];
  /** Ablation: layer-wise KV without the SLO gate. */
  readonly noSlo: readonly SeedFigures[];
  /** `lostRequests: ignore`: requests whose SLO is lost leave the gate's minimum. */
  readonly ignoreLost: readonly SeedFigures[];
  /** `countReloadWait: true`: the gate counts the wait for layers. */
  readonly countWait: readonly SeedFigures[];
}

/** Runs the seven contexts, each with seeds 1 to `seeds`. */
export function figureOne(plan: EngineInput, seeds: number): readonly ContextRuns[] {
  return PUBLISHED.map((published) => {
    const { promptTokens } = published;
    return {
      published,
      loneS: loneTtft(plan)(promptTokens),
      vllm: runSeeds(plan, { promptTokens, policy: 'vllm' }, seeds),
      layerkv: runSeeds(plan, { promptTokens, policy: 'layerkv' }, seeds),
      noSlo: runSeeds(plan, { promptTokens, policy: 'layerkv-no-slo' }, seeds),
      ignoreLost: runSeeds(plan, { promptTokens, policy: 'layerkv', layerkv: { lostRequests: 'ignore' } }, seeds),
      countWait: runSeeds(plan, { promptTokens, policy: 'layerkv', layerkv: { countReloadWait: true } }, seeds),
    };
  });
}
