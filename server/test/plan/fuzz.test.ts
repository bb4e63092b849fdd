import assert from 'node:assert/strict';
import fc from 'fast-check';
import { analyseText, assertWellFormed, filesOf, planText } from './marks.ts';

const TRACE = 'arrival_s,input_tokens,output_tokens\n0,10,20\n';
const SEEDS: readonly string[] = [
  planText(),
  planText({ 'arrivals:': 'trace: ./t.csv', 'input:': '', 'output:': '' }),
  planText({ 'input:': 'input: &l {lognormal: {median: 900, sigma: 0.8}}', 'output:': 'output: *l' }),
  `${planText()}---\n${planText({ 'name:': 'name: second' })}`,
  planText().replaceAll('\n', '\r\n'),
];
/** Pieces that have broken YAML readers before. */
const PIECES = [
  '\t',
  ':',
  ': ',
  '- ',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '|',
  '>',
  '&a ',
  '*a',
  '<<: ',
  '#',
  '%',
  '@',
  '!',
  '---\n',
  '...\n',
  '\r',
  '\ufeff',
  '\u2028',
  '🚀',
  '\ud800',
  '0',
  '-1',
  '1e999',
  '.nan',
  'null',
  '~',
  '? ',
  '__proto__',
  'constructor',
  '\n',
  '  ',
];

/** Deletes, doubles and inserts at random places. */
const mutated = fc
  .record({
    seed: fc.constantFrom(...SEEDS),
    edits: fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        remove: fc.integer({ min: 0, max: 40 }),
        insert: fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 8 })),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  })
  .map(({ seed, edits }) =>
    edits.reduce((text, { at, remove, insert }) => {
      const offset = Math.floor(at * text.length);
      return text.slice(0, offset) + insert + text.slice(offset + remove);
    }, seed),
  );

describe('random edits of a plan', () => {
  it('never throw, and every problem lies inside the text', async () => {
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        const { problems } = await analyseText(text, filesOf({ './t.csv': TRACE }));
        for (const problem of problems) assertWellFormed(problem, text);
      }),
      { numRuns: 1500 },
    );
  });

  it('leave no plan document without either a plan or an error that says why', async () => {
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        const { problems, plans, workloads } = await analyseText(text, filesOf({ './t.csv': TRACE }));
        const told = problems.filter(({ severity }) => severity === 'error').length;
        assert.ok(plans.length + told >= workloads.length, JSON.stringify(problems));
      }),
      { numRuns: 1000 },
    );
  });
});
