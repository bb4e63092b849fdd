/** The plans whose speed is measured. */
import type { EngineInput, Policy } from '../../src/engine/types.ts';
import { engineInput } from '../../src/forecast/input.ts';
import type { Plan } from '../../src/plan/types.ts';
import { FIGURE_ONE_SAMPLE } from '../paper/figureOne.ts';
import { planOf, samplePlan, vary } from '../samples.ts';

/** A plan with a name. `w1` is the work on which other simulators were measured on a machine of two cores. */
export type WorkId =
  | 'w1-v1'
  | 'w1-v1-cached'
  | 'w1-v0'
  | 'figure1-vllm'
  | 'figure1-layerkv-0.45'
  | 'figure1-layerkv-1'
  | 'ranks';

/** What each is, for people. */
export const WORK_TITLES: Readonly<Record<WorkId, string>> = {
  'w1-v1': 'W1, v1',
  'w1-v1-cached': 'W1, v1 with prefix caching',
  'w1-v0': 'W1, v0',
  'figure1-vllm': 'figure 1, vLLM, 1/s (overload)',
  'figure1-layerkv-0.45': 'figure 1, LayerKV, 0.45/s (sustainable)',
  'figure1-layerkv-1': 'figure 1, LayerKV, 1/s (overload)',
  ranks: 'DeepSeek-V3 on eight ranks in step, v1, 2/s',
};

export interface Work {
  readonly plan: Plan;
  readonly policy: Policy;
}

/**
 * Llama-2-7B on an A100-80GB, Poisson 4/s, 1024 in, 256 out, up to 128 sequences; v1's budget 512 tokens, v0's 4096. The
 * peers that the targets come from have no prefix cache, so W1 runs without; v1 with it is a row of its own.
 */
function w1Text(scheduler: 'v0' | 'v1', prefixCaching: boolean): string {
  const [version, budget] = scheduler === 'v0' ? ['0.5.5', 4096] : ['0.10.0', 512];
  return `apiVersion: layerkv/v1
kind: ServingPlan
spec:
  model: {id: meta-llama/Llama-2-7b-hf, dtype: fp16}
  hardware: {gpu: A100 80GB SXM4}
  engine: {version: "${version}", scheduler: ${scheduler}, maxModelLen: 4096, maxNumSeqs: 128, maxNumBatchedTokens: ${budget}, prefixCaching: ${prefixCaching}}
  workload:
    arrivals: {process: poisson, rate: 4}
    input: {tokens: 1024}
    output: {tokens: 256}
    requests: 1000
`;
}

/** Eight data-parallel ranks that share experts: their steps go in rounds, one at a time. */
const RANKS = `apiVersion: layerkv/v1
kind: ServingPlan
spec:
  model: {id: deepseek-ai/DeepSeek-V3}
  hardware: {gpu: H200}
  parallelism: {data: 8, expert: 8}
  engine: {version: "0.11.0", maxModelLen: 16384, maxNumSeqs: 256, prefixCaching: false}
  workload:
    arrivals: {process: poisson, rate: 2}
    input: {lognormal: {median: 1500, sigma: 0.8}}
    output: {lognormal: {median: 300, sigma: 0.7}}
    requests: 1000
`;

/** @returns the plan and the policy to run it under. */
export async function workOf(id: WorkId): Promise<Work> {
  switch (id) {
    case 'w1-v1':
    case 'w1-v1-cached':
    case 'w1-v0': {
      const text = w1Text(id === 'w1-v0' ? 'v0' : 'v1', id === 'w1-v1-cached');
      return { plan: await planOf(text, `${id}.layerkv.yaml`), policy: 'vllm' };
    }
    case 'ranks':
      return { plan: await planOf(RANKS, `${id}.layerkv.yaml`), policy: 'vllm' };
    case 'figure1-vllm':
      return { plan: await samplePlan(FIGURE_ONE_SAMPLE), policy: 'vllm' };
    case 'figure1-layerkv-1':
      return { plan: await samplePlan(FIGURE_ONE_SAMPLE), policy: 'layerkv' };
    case 'figure1-layerkv-0.45': {
      const plan = await samplePlan(FIGURE_ONE_SAMPLE);
      const arrivals = { ...plan.workload.arrivals, value: { kind: 'poisson', ratePerS: 0.45 } as const };
      return { plan: { ...plan, workload: { ...plan.workload, arrivals } }, policy: 'layerkv' };
    }
  }
}

/** The same for the engine alone. */
export async function workInput(id: WorkId, requests: number): Promise<EngineInput> {
  const { plan, policy } = await workOf(id);
  return vary(engineInput(plan, { policy }), { requests });
}
