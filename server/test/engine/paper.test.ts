/**
 * The LayerKV paper's published behaviour, within bounds that were fixed before the engine was written. Hardware, models
 * and engine settings are the samples'; every figure is a mean over 20 seeds. `docs/figure-1.md` shows the same runs.
 */
import assert from 'node:assert/strict';
import { type ContextRuns, FIGURE_ONE_SAMPLE, figureOne } from '../../bench/paper/figureOne.ts';
import { runSeed, type SeedFigures, spread } from '../../bench/paper/runs.ts';
import {
  bestPoint,
  type Curve,
  figureOneCurve,
  reductionPoints,
  SETTINGS,
  violationPercent,
} from '../../bench/paper/violationCurves.ts';
import { sampleInput, vary } from '../../bench/samples.ts';
import { figureOneInput } from './inputs.ts';

const SEEDS = 20;

const mean = (runs: readonly SeedFigures[], of: (figures: SeedFigures) => number): number => spread(runs, of).mean;
const meanTtftS = (runs: readonly SeedFigures[]): number => mean(runs, (run) => run.meanTtftS);
const meanTpotS = (runs: readonly SeedFigures[]): number => mean(runs, (run) => run.meanTpotS);

function within(value: number, low: number, high: number, what: string): void {
  assert.ok(value >= low && value <= high, `${what}: ${value.toFixed(4)}, wanted ${low} to ${high}`);
}

describe("the paper's figure 1", () => {
  let contexts: readonly ContextRuns[];
  before(async () => {
    contexts = figureOne(await sampleInput(FIGURE_ONE_SAMPLE), SEEDS);
  });

  const at = (promptTokens: number): ContextRuns => {
    const found = contexts.find(({ published }) => published.promptTokens === promptTokens);
    assert.ok(found, `no context of ${promptTokens}`);
    return found;
  };

  it("is the sample, with the catalogue's L20 and Llama-2-7B: no figure of the figure's own", async () => {
    const sample = await sampleInput(FIGURE_ONE_SAMPLE);
    assert.equal(sample.cost.kind, 'roofline');
    assert.deepEqual(runSeed(vary(sample, { seed: 5 })), runSeed(vary(figureOneInput(2048), { seed: 5 })));
  });

  describe('vLLM v0', () => {
    for (const promptTokens of [128, 256, 512, 2048, 4096, 16384]) {
      it(`has the published mean TTFT at ${promptTokens} tokens, within 1.75 times`, () => {
        const { published, vllm } = at(promptTokens);
        within(meanTtftS(vllm) / published.meanTtftS, 1 / 1.75, 1.75, 'ours over published');
      });
    }

    it('has the published mean TTFT at the knee, 1024 tokens, from a tenth to three times', () => {
      const { published, vllm } = at(1024);
      within(meanTtftS(vllm) / published.meanTtftS, 0.1, 3, 'ours over published');
    });

    for (const [promptTokens, tolerance] of [
      [128, 0.15],
      [256, 0.15],
      [512, 0.15],
      [1024, 0.15],
      [2048, 0.15],
      [4096, 0.15],
      [16384, 0.2],
    ] as const) {
      it(`has the published mean TPOT at ${promptTokens} tokens, within ${100 * tolerance} %`, () => {
        const { published, vllm } = at(promptTokens);
        within(meanTpotS(vllm) / published.meanTpotS, 1 - tolerance, 1 + tolerance, 'ours over published');
      });
    }

    it('starts to queue for memory between 512 and 1024 tokens', () => {
      // Below the knee a request waits at most for steps under way; beyond it, for blocks of others.
      for (const { published, loneS, vllm } of contexts) {
        const multiple = meanTtftS(vllm) / loneS;
        const [low, high] =
          published.promptTokens <= 512 ? ([1, 2] as const) : ([3, Number.POSITIVE_INFINITY] as const);
        within(multiple, low, high, `mean TTFT over that of a request alone at ${published.promptTokens}`);
      }
    });

    for (const promptTokens of [2048, 4096, 16384]) {
      it(`spends the published share of TTFT in the queue at ${promptTokens} tokens, within 0.1`, () => {
        const { published, vllm } = at(promptTokens);
        const share = mean(vllm, (run) => run.queueShare);
        within(share - published.queueShare, -0.1, 0.1, 'difference of shares');
      });
    }
  });

  describe('LayerKV beside it', () => {
    const gain = ({ vllm, layerkv }: ContextRuns): number => meanTtftS(vllm) / meanTtftS(layerkv);

    it('gains nothing and loses nothing up to 512 tokens', () => {
      for (const promptTokens of [128, 256, 512]) within(gain(at(promptTokens)), 0.95, 1.1, `gain at ${promptTokens}`);
    });

    it('gains 40 to 90 times in the mean and 30 to 90 times at P99 at 2048 tokens', () => {
      const { vllm, layerkv } = at(2048);
      within(gain(at(2048)), 40, 90, 'mean');
      within(mean(vllm, (run) => run.p99TtftS) / mean(layerkv, (run) => run.p99TtftS), 30, 90, 'P99');
    });

    it('gains little at 16384 tokens, where the queue outlasts any slack', () => {
      within(gain(at(16384)), 1, 2, 'gain');
    });

    it('never gives a first token before its prompt could be computed', () => {
      for (const context of contexts) {
        const { published, loneS, vllm, layerkv } = context;
        for (const runs of [vllm, layerkv, context.noSlo, context.ignoreLost, context.countWait]) {
          for (const run of runs)
            within(run.leastSlackS, -1e-9, Number.POSITIVE_INFINITY, 'TTFT less that of a request alone, s');
        }
        within(gain(context), 0, meanTtftS(vllm) / loneS, `gain at ${published.promptTokens}`);
      }
    });

    it('keeps total throughput within 3 % of vLLM', () => {
      for (const { published, vllm, layerkv } of contexts) {
        const ratio = mean(layerkv, (run) => run.outputTokensPerS) / mean(vllm, (run) => run.outputTokensPerS);
        within(ratio, 0.97, 1.03, `throughput over vLLM's at ${published.promptTokens}`);
      }
    });

    it('pays for the TTFT it saves with TPOT: no work is conjured away', () => {
      for (const { published, vllm, layerkv } of contexts) {
        const e2e = (runs: readonly SeedFigures[]): number => mean(runs, (run) => run.meanE2eS);
        // All served at once end no sooner in the mean than served in turn; vLLM can lose what it computes twice.
        within(
          e2e(layerkv) / e2e(vllm),
          0.98,
          1.5,
          `mean time to the last token over vLLM's at ${published.promptTokens}`,
        );
        for (const run of [...vllm, ...layerkv]) assert.equal(run.finished, 100);
      }
      for (const promptTokens of [2048, 4096, 16384]) {
        const { vllm, layerkv } = at(promptTokens);
        within(meanTpotS(layerkv) / meanTpotS(vllm), 1.5, 20, `TPOT over vLLM's at ${promptTokens}`);
      }
    });

    it('has TTFT as good or better without the scheduler, and can break more SLOs than vLLM', () => {
      for (const { published, layerkv, noSlo } of contexts) {
        within(
          meanTtftS(noSlo) / meanTtftS(layerkv),
          0,
          1.01,
          `TTFT without over with it at ${published.promptTokens}`,
        );
      }
      const worse = contexts.filter(({ vllm, noSlo }) => violationPercent(noSlo) > violationPercent(vllm));
      assert.notDeepEqual(worse, []);
    });
  });
});

describe("the paper's three models", () => {
  // Requests of figure 1, SLOs as tight as its own: see `figureOneCurve`.
  for (const setting of SETTINGS) {
    describe(setting.title, () => {
      let curve: Curve;
      before(async () => {
        curve = await figureOneCurve(setting, SEEDS);
      });

      it('has a rate at which LayerKV breaks SLOs of at least 18 in 100 requests fewer', () => {
        const best = bestPoint(curve);
        within(reductionPoints(best), 18, 100, `points at ${best.ratePerS}/s`);
      });

      it('has TTFT as good or better without the scheduler', () => {
        for (const { ratePerS, layerkv, noSlo } of curve.points) {
          within(meanTtftS(noSlo) / meanTtftS(layerkv), 0, 1.01, `TTFT without over with it at ${ratePerS}/s`);
        }
      });
    });
  }
});
