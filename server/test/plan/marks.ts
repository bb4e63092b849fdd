/** Texts with marks: `«…»{rule-id}` says that this rule, and no other, is expected at exactly this range. */
import assert from 'node:assert/strict';
import { analyse } from '../../src/plan/analyse.ts';
import type { Analysis } from '../../src/plan/types.ts';
import { indexLines } from '../../src/text/lines.ts';
import type { Files, Problem } from '../../src/text/types.ts';

/** Files beside the document, by path. */
export function filesOf(contents: Readonly<Record<string, string>> = {}): Files {
  return { readText: async (path) => contents[path] ?? null };
}

export async function analyseText(
  text: string,
  files: Files = filesOf(),
  fileName = 'a.layerkv.yaml',
): Promise<Analysis> {
  return analyse(text, { fileName, files });
}

/** Analyses the text without its marks, and compares every problem with them. Rules in `ignore` may come or not. */
export async function check(
  marked: string,
  options: { files?: Files; ignore?: readonly string[]; fileName?: string } = {},
): Promise<Analysis> {
  const { text, expected } = unmark(marked);
  const analysis = await analyseText(text, options.files, options.fileName);
  const found = analysis.problems.filter(({ rule }) => !(options.ignore ?? []).includes(rule)).map(told);
  assert.deepEqual([...found].sort(), [...expected].sort());
  for (const problem of analysis.problems) {
    assertWellFormed(problem, text);
    if (problem.fixes?.length) await assertMends(problem, text, analysis, options);
  }
  return analysis;
}

/** The first fix leaves one problem of its rule less. */
async function assertMends(
  problem: Problem,
  text: string,
  { problems }: Analysis,
  { files, fileName }: { files?: Files; fileName?: string },
): Promise<void> {
  const mended = await analyseText(applyFix(text, problem), files, fileName);
  const count = (all: readonly Problem[]): number => all.filter(({ rule }) => rule === problem.rule).length;
  assert.equal(count(mended.problems), count(problems) - 1, `the fix does not mend ${problem.rule}`);
}

/** What every problem must be: told in a sentence, placed inside the text, its fixes too. */
export function assertWellFormed(problem: Problem, text: string): void {
  const lines = indexLines(text);
  const ranges = [
    problem.range,
    ...(problem.related ?? []).map((each) => each.range),
    ...(problem.fixes ?? []).flatMap((fix) => fix.edits.map((edit) => edit.range)),
  ];
  for (const { start, end } of ranges) {
    for (const position of [start, end]) {
      assert.deepEqual(
        lines.positionAt(lines.offsetAt(position)),
        position,
        `${problem.rule} lies outside of the text`,
      );
    }
    assert.ok(lines.offsetAt(start) <= lines.offsetAt(end), `${problem.rule} ends before it starts`);
  }
  assert.match(problem.rule, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  assert.match(problem.message, /[.?!]$/, `not a sentence: ${problem.message}`);
}

/** The text after a problem's first fix. */
export function applyFix(text: string, problem: Problem | undefined): string {
  const fix = problem?.fixes?.[0];
  assert.ok(fix, 'no fix is offered');
  const lines = indexLines(text);
  return [...fix.edits]
    .sort((a, b) => lines.offsetAt(b.range.start) - lines.offsetAt(a.range.start))
    .reduce(
      (done, { range, newText }) =>
        done.slice(0, lines.offsetAt(range.start)) + newText + done.slice(lines.offsetAt(range.end)),
      text,
    );
}

/** Text without marks, and what they say. */
export function unmark(marked: string): { readonly text: string; readonly expected: readonly string[] } {
  let text = '';
  const open: number[] = [];
  const places: { readonly rule: string; readonly start: number; readonly end: number }[] = [];
  for (let i = 0; i < marked.length; i++) {
    const char = marked[i];
    if (char === '«') open.push(text.length);
    else if (char === '»') {
      const rules = /^\{([a-z0-9-]+(?:,[a-z0-9-]+)*)\}/.exec(marked.slice(i + 1));
      const start = open.pop();
      assert.ok(rules?.[1] !== undefined && start !== undefined, 'a mark is «…»{rule-id}');
      for (const rule of rules[1].split(',')) places.push({ rule, start, end: text.length });
      i += rules[0].length;
    } else text += char;
  }
  const lines = indexLines(text);
  return { text, expected: places.map(({ rule, start, end }) => told({ rule, range: lines.range(start, end) })) };
}

function told({ rule, range: { start, end } }: Pick<Problem, 'rule' | 'range'>): string {
  return `${start.line + 1}:${start.character + 1}-${end.line + 1}:${end.character + 1} ${rule}`;
}

/** A sound plan; `changes` replace whole lines by their beginning (without indentation), '' removes one. */
export function planText(changes: Readonly<Record<string, string>> = {}): string {
  const used = new Set<string>();
  const lines = SOUND.split('\n').flatMap((line) => {
    const beginning = Object.keys(changes).find((each) => line.trimStart().startsWith(each));
    if (beginning === undefined) return [line];
    used.add(beginning);
    const replacement = changes[beginning] ?? '';
    return replacement === '' ? [] : [`${/^ */.exec(line)?.[0] ?? ''}${replacement}`];
  });
  for (const beginning of Object.keys(changes)) assert.ok(used.has(beginning), `no line begins with ${beginning}`);
  return lines.join('\n');
}

const SOUND = `apiVersion: layerkv/v1
kind: ServingPlan
metadata:
  name: sound
spec:
  model:
    id: meta-llama/Llama-3.1-8B-Instruct
  hardware:
    gpu: L20
    hostMemory: 256GiB
  parallelism:
    tensor: 1
  engine:
    version: "0.5.5"
    maxModelLen: 8192
    maxNumSeqs: 256
    layerkv:
      hostPool: 100GiB
  workload:
    arrivals: {process: poisson, rate: 1}
    input: {tokens: 2048}
    output: {tokens: 512}
    requests: 100
  slo:
    ttft: 3s
    tpot: 200ms
`;

/** As little as a plan can be. */
export const LEAST = `apiVersion: layerkv/v1
kind: ServingPlan
spec:
  model: {id: meta-llama/Llama-3.1-8B-Instruct}
  hardware: {gpu: l20}
  workload:
    arrivals: {process: poisson, rate: 1}
    input: {tokens: 2k}
    output: {tokens: 512}
`;
