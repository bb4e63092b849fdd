import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AnalysisMemory, analyse } from '../../src/plan/analyse.ts';
import { filesOf, planText } from './marks.ts';

const fileName = 'a.layerkv.yaml';
const THREE = ['one', 'two', 'three'].map((name) => planText({ 'name:': `name: ${name}` })).join('---\n');
const PIECES = [
  '0',
  'x',
  '\n',
  '---\n',
  '# note\n',
  '\t',
  '"',
  '{',
  '  ',
  '...\n',
  '%YAML 1.2\n',
  ' # layerkv-disable-line',
];

const edits = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.nat({ max: 3 }),
    insert: fc.constantFrom(...PIECES),
    undo: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

describe('analysis of one version after another', () => {
  it('finds what it would find anew', async () => {
    await fc.assert(
      fc.asyncProperty(edits, async (steps) => {
        const memory = new AnalysisMemory();
        let text = THREE;
        for (const { at, remove, insert, undo } of steps) {
          const offset = Math.floor(at * text.length);
          const changed = text.slice(0, offset) + insert + text.slice(offset + remove);
          for (const version of undo ? [changed, text] : [changed]) {
            const context = { fileName, files: filesOf() };
            assert.deepEqual(await analyse(version, { ...context, memory }), await analyse(version, context));
          }
          if (!undo) text = changed;
        }
      }),
      { numRuns: 150 },
    );
  });

  it('keeps the plans of documents that did not change', async () => {
    const memory = new AnalysisMemory();
    const plansOf = async (text: string) => (await analyse(text, { fileName, files: filesOf(), memory })).plans;
    const before = await plansOf(THREE);
    const after = await plansOf(THREE.replace('name: two', 'name: 2nd'));
    assert.deepEqual(
      after.map((plan, i) => plan === before[i]),
      [true, false, true],
    );
    assert.equal(after[1]?.name.value, '2nd');
  });

  it('asks other files again for every version', async () => {
    const memory = new AnalysisMemory();
    const text = planText({ 'arrivals:': 'trace: ./t.csv', 'input:': '', 'output:': '', 'requests:': '' });
    const rows = async (...lines: readonly string[]) => {
      const files = filesOf({ './t.csv': ['arrival_s,input_tokens,output_tokens', ...lines].join('\n') });
      return (await analyse(text, { fileName, files, memory })).plans[0]?.workload.requests.value;
    };
    assert.equal(await rows('0,10,20'), 1);
    assert.equal(await rows('0,10,20', '1,10,20'), 2);
  });
});
