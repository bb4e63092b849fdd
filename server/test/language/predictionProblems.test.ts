import assert from 'node:assert/strict';
import { assess } from '../../src/forecast/assess.ts';
import type { Prediction } from '../../src/forecast/types.ts';
import { predictionProblems } from '../../src/language/predictionProblems.ts';
import { indexLines } from '../../src/text/lines.ts';
import type { Problem } from '../../src/text/types.ts';
import { FIGURE_1, planOf, prediction } from './views.ts';

async function problemsOf(text: string, ...predictions: readonly Prediction[]): Promise<readonly Problem[]> {
  const plan = await planOf(text);
  return predictionProblems(plan, assess(plan), predictions.length === 0 ? null : predictions);
}

const textAt = (text: string, { range }: Problem): string => {
  const lines = indexLines(text);
  return text.slice(lines.offsetAt(range.start), lines.offsetAt(range.end));
};

const TOO_LARGE = `apiVersion: layerkv/v1
kind: ServingPlan
spec:
  model: {id: meta-llama/Llama-3.1-70B-Instruct, dtype: bf16}
  hardware: {gpu: H100, gpusPerReplica: 1}
  parallelism: {tensor: 1}
  engine: {maxModelLen: 8192}
  workload: {arrivals: {process: poisson, rate: 1}, input: {tokens: 1024}, output: {tokens: 128}}
`;

function apply(text: string, problem: Problem): string {
  const lines = indexLines(text);
  const edits = [...(problem.fixes?.[0]?.edits ?? [])].sort(
    (a, b) => lines.offsetAt(b.range.start) - lines.offsetAt(a.range.start),
  );
  assert.ok(edits.length > 0, 'there is no fix');
  return edits.reduce(
    (changed, { range, newText }) =>
      changed.slice(0, lines.offsetAt(range.start)) + newText + changed.slice(lines.offsetAt(range.end)),
    text,
  );
}

describe('prediction problems', () => {
  it('say how much is missing, and the smallest change that fits', async () => {
    const [problem, ...others] = await problemsOf(TOO_LARGE);
    assert.ok(problem);
    assert.equal(others.length, 0);
    assert.equal(problem.rule, 'does-not-fit');
    assert.equal(problem.severity, 'error');
    assert.equal(textAt(TOO_LARGE, problem), '1');
    assert.match(problem.message, /^meta-llama\/Llama-3\.1-70B-Instruct in bf16 does not fit on 1 × H100/);
    assert.match(problem.message, /\d GB are missing on each GPU/);
    assert.match(problem.message, /parallelism\.tensor: 2 on 2 GPUs/);
    const mended = apply(TOO_LARGE, problem);
    assert.match(mended, /gpusPerReplica: 2/);
    assert.deepEqual(await problemsOf(mended), []);
  });

  it('add ranks to a mixture of experts that they share, and keep its expert parallel in step', async () => {
    const text = TOO_LARGE.replace('meta-llama/Llama-3.1-70B-Instruct, dtype: bf16', 'deepseek-ai/DeepSeek-V3')
      .replace('gpu: H100, gpusPerReplica: 1', 'gpu: H200, gpusPerReplica: 4')
      .replace('tensor: 1', 'tensor: 1, data: 4, expert: 4');
    const problem = (await problemsOf(text))[0]!;
    assert.match(problem.message, /does not fit on 4 × H200/);
    assert.match(problem.message, /parallelism\.data: 8 and parallelism\.expert: 8 on 8 GPUs/);
    for (const fix of problem.fixes!.slice(0, 2)) {
      const mended = apply(text, { ...problem, fixes: [fix] });
      assert.match(mended, /gpusPerReplica: 8/);
      assert.match(mended, /expert: 8/);
      assert.deepEqual(await problemsOf(mended), [], fix.title);
    }
  });

  it('name the largest max-model-len that starts', async () => {
    const text = TOO_LARGE.replace('Llama-3.1-70B-Instruct', 'Llama-3.1-8B-Instruct')
      .replace('gpu: H100', 'gpu: L4')
      .replace('8192', '131072');
    const [problem] = await problemsOf(text);
    assert.ok(problem);
    assert.equal(problem.rule, 'no-room-for-one-sequence');
    assert.equal(textAt(text, problem), '131072');
    const mended = apply(text, problem);
    assert.deepEqual(await problemsOf(mended), []);
    // One block more would not start.
    const largest = Number(/maxModelLen: (\d+)/.exec(mended)?.[1]);
    const [again] = await problemsOf(text.replace('131072', String(largest + 16)));
    assert.equal(again?.rule, 'no-room-for-one-sequence');
    const pinned = text.replace('maxModelLen:', 'numGpuBlocks: 100, maxModelLen:');
    const [small] = await problemsOf(pinned);
    assert.match(small?.message ?? '', /maxModelLen to 1600 or less, or raise engine\.numGpuBlocks \(100\)/);
  });

  it('tell a saturated deployment at the load and the missed goal at the goal', async () => {
    const problems = await problemsOf(FIGURE_1, prediction());
    assert.deepEqual(
      problems.map(({ rule, severity }) => [rule, severity]),
      [
        ['saturated', 'warning'],
        ['slo-missed', 'warning'],
      ],
    );
    const [saturated, missed] = problems;
    assert.ok(saturated && missed);
    // A block is pointed at by its key.
    assert.equal(textAt(FIGURE_1, saturated), 'arrivals');
    assert.equal(textAt(FIGURE_1, missed), '3s');
    assert.equal(
      missed.message,
      '74 % (69–79 %) of the requests wait longer than 3.0 s for their first token (p99 26.5 s); at most 1 % may ' +
        '(attainment 99 %). 97 % of the mean TTFT is waiting in the queue. Lower the rate, add replicas, or compare with LayerKV.',
    );
  });

  it('tell both goals where both are missed', async () => {
    const violationRate = { ttft: 0.1, tpot: 0.2, any: 0.25, interval: null };
    const problems = await problemsOf(FIGURE_1, prediction({ verdict: 'violated', violationRate }));
    assert.deepEqual(
      problems.map((problem) => [problem.rule, textAt(FIGURE_1, problem)]),
      [
        ['slo-missed', '3s'],
        ['slo-missed', '200ms'],
      ],
    );
    assert.match(
      problems[1]?.message ?? '',
      /^20 % of the requests get their tokens slower .*25 % break one SLO or the other/,
    );
  });

  it('tell a backlog that grows behind a verdict which does not see it, and say it once', async () => {
    const backlog = { atHalf: 12, atEnd: 47, parkedAtEnd: 46, grows: true };
    const met = {
      policy: 'layerkv',
      verdict: 'met',
      violationRate: { ttft: 0, tpot: 0, any: 0, interval: null },
    } as const;
    const [problem, ...others] = await problemsOf(FIGURE_1, prediction({ ...met, backlog }));
    assert.ok(problem);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [problem.rule, problem.severity, textAt(FIGURE_1, problem)],
      ['backlog-grows', 'warning', 'arrivals'],
    );
    assert.equal(
      problem.message,
      'The backlog grows (Poisson, 1 request/s): 47 requests were waiting when the last one arrived (46 of them parked ' +
        'after their first token), 12 half-way; this plan carries about 0.58 requests/s. The SLO holds for 100 requests; a ' +
        'longer run will break it. Lower the rate, or add replicas.',
    );
    const [open] = await problemsOf(FIGURE_1, prediction({ ...met, violationRate: null, backlog }));
    assert.match(open?.message ?? '', /in a longer run requests wait longer/i);
    const rulesOf = async (changes: Partial<Prediction>): Promise<readonly string[]> =>
      (await problemsOf(FIGURE_1, prediction(changes))).map(({ rule }) => rule);
    assert.deepEqual(await rulesOf({ backlog }), ['saturated', 'slo-missed']);
    assert.deepEqual(await rulesOf({ verdict: 'violated', backlog }), ['backlog-grows', 'slo-missed']);
    assert.deepEqual(await rulesOf({ ...met, backlog: { ...backlog, grows: false } }), []);
  });

  it('are silent about a plan that keeps its goals, and about another document', async () => {
    const met = prediction({ verdict: 'met', violationRate: { ttft: 0, tpot: 0, any: 0, interval: null } });
    assert.deepEqual(await problemsOf(FIGURE_1, met), []);
    assert.deepEqual(await problemsOf(FIGURE_1, prediction({ document: 1 })), []);
  });

  it('name the policy where several were simulated', async () => {
    const problems = await problemsOf(FIGURE_1, prediction(), prediction({ policy: 'layerkv' }));
    assert.equal(problems.filter(({ message }) => message.startsWith('With vLLM: ')).length, 2);
    assert.equal(problems.filter(({ message }) => message.startsWith('With LayerKV: ')).length, 2);
  });

  it('tell of requests never served, of an offload that shows, and of a pool that runs full', async () => {
    const offload = {
      layers: 32,
      retainedLayers: 0,
      hiddenShare: 0.4,
      deviceToHostBytes: 1,
      hostToDeviceBytes: 1,
      parkedS: 0,
    };
    const odd = prediction({ policy: 'layerkv', verdict: 'met', finished: 97, preemptions: 30, offload });
    assert.deepEqual(
      (await problemsOf(FIGURE_1, odd)).map(({ rule }) => rule),
      ['requests-not-served', 'offload-not-hidden', 'frequent-preemptions'],
    );
  });
});
