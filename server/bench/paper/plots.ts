/** What the paper's page draws. */

import { type Axis, type Panel, plot, type Series } from '../plot.ts';
import type { ContextRuns } from './figureOne.ts';
import { type SeedFigures, spread } from './runs.ts';
import { type Curve, crossings, PUBLISHED_REDUCTION, violationPercent } from './violationCurves.ts';

/** TTFT and TPOT against context: published, ours, and LayerKV. */
export function latencyPlot(contexts: readonly ContextRuns[]): string {
  const x: Axis = {
    kind: 'log',
    min: 110,
    max: 19000,
    ticks: contexts.map(({ published: { promptTokens } }) => ({ at: promptTokens, label: tokens(promptTokens) })),
    title: 'prompt, tokens',
  };
  const ours = (look: 'vllm' | 'layerkv', label: string, of: (run: SeedFigures) => number): Series => ({
    look,
    label,
    points: contexts.map((context) => {
      const { mean, min, max } = spread(context[look], of);
      return { x: context.published.promptTokens, y: mean, low: min, high: max };
    }),
  });
  const published = (of: (context: ContextRuns['published']) => number): Series => ({
    look: 'published',
    label: 'vLLM, published',
    points: contexts.map(({ published: row }) => ({ x: row.promptTokens, y: of(row) })),
  });
  const alone: Series = {
    look: 'reference',
    label: 'the prompt alone',
    points: contexts.map(({ published: { promptTokens }, loneS }) => ({ x: promptTokens, y: loneS })),
  };
  const ttft: Panel = {
    title: 'Mean time to first token',
    x,
    y: {
      kind: 'log',
      min: 0.02,
      max: 1000,
      ticks: [
        { at: 0.1, label: '0.1 s' },
        { at: 1, label: '1 s' },
        { at: 10, label: '10 s' },
        { at: 100, label: '100 s' },
        { at: 1000, label: '1000 s' },
      ],
    },
    series: [
      alone,
      ours('vllm', 'vLLM, ours', (run) => run.meanTtftS),
      ours('layerkv', 'LayerKV, ours', (run) => run.meanTtftS),
      published((row) => row.meanTtftS),
    ],
    limit: { y: 3, label: 'SLO 3 s' },
  };
  const tpot: Panel = {
    title: 'Mean time per output token',
    x,
    y: {
      kind: 'linear',
      min: 0,
      max: 0.4,
      ticks: [0, 0.1, 0.2, 0.3, 0.4].map((at) => ({ at, label: `${Math.round(at * 1000)} ms` })),
    },
    series: [
      ours('vllm', 'vLLM, ours', (run) => run.meanTpotS),
      ours('layerkv', 'LayerKV, ours', (run) => run.meanTpotS),
      published((row) => row.meanTpotS),
    ],
    limit: { y: 0.2, label: 'SLO 200 ms' },
  };
  return plot([ttft, tpot], {
    title: 'Figure 1 of the LayerKV paper, published and simulated',
    vertical: 'means; bands are the range of 20 seeds',
    description:
      'Mean TTFT (log scale) and mean TPOT against prompt length for Llama-2-7B on one L20: vLLM as published, vLLM and LayerKV as simulated, with the range of 20 seeds.',
  });
}

/** SLO violations against the request rate, a panel a model. */
export function violationPlot(curves: readonly Curve[]): string {
  const panels = curves.map((curve): Panel => {
    const rates = curve.points.map(({ ratePerS }) => ratePerS);
    const most = Math.max(...rates);
    const step = most > 1.5 ? 0.5 : 0.25;
    const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, k) => k * step);
    const series = (
      look: 'vllm' | 'layerkv' | 'ablation',
      label: string,
      key: 'vllm' | 'layerkv' | 'noSlo',
    ): Series => ({
      look,
      label,
      points: curve.points.map((point) => ({ x: point.ratePerS, y: violationPercent(point[key]) })),
    });
    return {
      title: curve.setting.title,
      x: {
        kind: 'linear',
        min: 0,
        max: most * 1.03,
        ticks: ticks.map((at) => ({ at, label: String(at) })),
        title: 'requests a second',
      },
      y: {
        kind: 'linear',
        min: 0,
        max: 100,
        ticks: [0, 25, 50, 75, 100].map((at) => ({ at, label: `${at} %` })),
      },
      series: [
        series('vllm', 'vLLM', 'vllm'),
        series('layerkv', 'LayerKV', 'layerkv'),
        series('ablation', 'LayerKV without the SLO scheduler', 'noSlo'),
      ],
      notes: crossings(curve, PUBLISHED_REDUCTION)
        .slice(0, 1)
        .map((ratePerS) => ({
          x: ratePerS,
          ...between(curve, ratePerS),
          text: String(PUBLISHED_REDUCTION),
        })),
    };
  });
  return plot(panels, {
    title: 'SLO violations against the request rate',
    vertical: 'requests that break an SLO',
    description:
      'Share of requests that break an SLO against requests a second for Llama-2-7B, Yi-34B-200K and Llama-3.1-70B on L20s: vLLM, LayerKV, and LayerKV without its SLO scheduler.',
  });
}

/** Both curves at a rate between their points, percent. */
function between({ points }: Curve, ratePerS: number): { readonly low: number; readonly high: number } {
  const k = points.findIndex((point) => point.ratePerS >= ratePerS);
  const [before, after] = [points[k - 1]!, points[k]!];
  const share = (ratePerS - before.ratePerS) / (after.ratePerS - before.ratePerS);
  const at = (key: 'vllm' | 'layerkv'): number =>
    violationPercent(before[key]) * (1 - share) + violationPercent(after[key]) * share;
  return { low: at('layerkv'), high: at('vllm') };
}

function tokens(count: number): string {
  return count < 1024 ? String(count) : `${count / 1024}k`;
}
