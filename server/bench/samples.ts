/** Engine inputs read from the samples, so that benches and the paper's page run what users open. */
import { readFile } from 'node:fs/promises';
import type { EngineInput, LayerKvOptions, LengthDistribution, Policy } from '../src/engine/types.ts';
import { engineInput } from '../src/forecast/input.ts';
import { analyse } from '../src/plan/analyse.ts';
import type { Plan } from '../src/plan/types.ts';

/** The only plan of a text that is known to be sound. */
export async function planOf(text: string, fileName: string): Promise<Plan> {
  const { plans, problems } = await analyse(text, { fileName, files: { readText: async () => null } });
  const [plan] = plans;
  if (plan === undefined) throw new Error(`${fileName} is no plan: ${problems[0]?.message}`);
  return plan;
}

/** The plan of a sample; the working folder is the repository's root. */
export async function samplePlan(name: string): Promise<Plan> {
  const fileName = `samples/${name}.layerkv.yaml`;
  return planOf(await readFile(fileName, 'utf8'), fileName);
}

/** The engine's input of a sample, with what the plan itself says. */
export async function sampleInput(name: string): Promise<EngineInput> {
  return engineInput(await samplePlan(name));
}

/** What a study varies over a plan; what is absent stays as the plan says. */
export interface Variation {
  readonly policy?: Policy;
  readonly seed?: number;
  readonly requests?: number;
  /** Poisson arrivals at this rate. */
  readonly ratePerS?: number;
  /** Prompts of this length. */
  readonly promptTokens?: number;
  readonly layerkv?: Partial<LayerKvOptions>;
}

/** @returns `input` with other requests or another policy. */
export function vary(input: EngineInput, variation: Variation): EngineInput {
  const { workload } = input;
  if (workload.source.kind !== 'synthetic')
    throw new Error('a study needs arrivals by rate, this plan replays a trace');
  const { ratePerS, promptTokens } = variation;
  const prompts: LengthDistribution =
    promptTokens === undefined ? workload.source.input : { kind: 'fixed', tokens: promptTokens };
  return {
    ...input,
    policy: variation.policy ?? input.policy,
    layerkv: { ...input.layerkv, ...variation.layerkv },
    workload: {
      requests: variation.requests ?? workload.requests,
      seed: variation.seed ?? workload.seed,
      source: {
        ...workload.source,
        arrivals: ratePerS === undefined ? workload.source.arrivals : { kind: 'poisson', ratePerS },
        input: prompts,
      },
    },
  };
}
