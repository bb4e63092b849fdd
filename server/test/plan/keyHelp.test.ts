import assert from 'node:assert/strict';
import { helpFor, keyAt, locatedAt, locatedPaths, PLAN_SCHEMA } from '../../src/plan/keyHelp.ts';
import { knownKeys } from '../../src/plan/schemaWalk.ts';
import { indexLines } from '../../src/text/lines.ts';
import { parseText } from '../../src/text/parse.ts';
import { analyseText, LEAST, planText } from './marks.ts';

/** The key at the `|` in a text. */
function keyAtBar(marked: string) {
  const offset = marked.indexOf('|');
  const text = marked.slice(0, offset) + marked.slice(offset + 1);
  return keyAt(parseText(text), indexLines(text).positionAt(offset));
}

describe('key help', () => {
  it('finds the key under the position, on key and value', () => {
    const onKey = keyAtBar(planText({ 'maxNumSeqs:': 'max|NumSeqs: 256' }));
    assert.deepEqual(onKey?.path, ['spec', 'engine', 'maxNumSeqs']);
    assert.equal(onKey?.on, 'key');
    const onValue = keyAtBar(planText({ 'maxNumSeqs:': 'maxNumSeqs: 2|56' }));
    assert.deepEqual(onValue?.path, ['spec', 'engine', 'maxNumSeqs']);
    assert.equal(onValue?.on, 'value');
    assert.deepEqual(keyAtBar(planText({ 'arrivals:': 'arrivals: {process: poisson, ra|te: 1}' }))?.path, [
      'spec',
      'workload',
      'arrivals',
      'rate',
    ]);
  });

  it('is silent off the keys, and on keys that the format does not have', () => {
    assert.equal(keyAtBar(planText({ 'maxNumSeqs:': 'wh|at: 1' })), null);
    assert.equal(keyAtBar('# a com|ment\na: 1\n'), null);
    assert.equal(keyAt(parseText(''), { line: 0, character: 0 }), null);
    assert.equal(keyAt(parseText(planText()), { line: 900, character: 7 }), null);
  });

  it('tells the documents of a file apart', () => {
    assert.equal(keyAtBar(`${planText()}---\n${planText({ 'maxNumSeqs:': 'max|NumSeqs: 1' })}`)?.documentIndex, 1);
  });

  it('describes every key that has a place in the plan', async () => {
    const { plans } = await analyseText(planText());
    for (const path of locatedPaths()) {
      assert.ok((helpFor(path)?.description ?? '').length > 20, `no help for ${path.join('.')}`);
      assert.ok(plans[0] && locatedAt(plans[0], path), path.join('.'));
    }
  });

  it('finds a value for every key of the schema that holds one', () => {
    const located = new Set(locatedPaths().map((path) => path.join('.')));
    for (const group of [
      'engine',
      'engine.kvOffload',
      'parallelism',
      'slo',
      'engine.layerkv',
      'engine.layerkv.predictor',
    ]) {
      const path = ['spec', ...group.split('.')];
      for (const key of knownKeys(PLAN_SCHEMA, path)) {
        const full = [...path, key].join('.');
        assert.ok(located.has(full) || knownKeys(PLAN_SCHEMA, [...path, key]).length > 0, `${full} holds no value`);
      }
    }
  });

  it('names no default that a plan without the key does not have', async () => {
    const {
      plans: [plan],
    } = await analyseText(LEAST);
    assert.ok(plan);
    const parse = (value: unknown): unknown => (value === 'auto' ? 'bf16' : value === '4MiB' ? 4 * 2 ** 20 : value);
    const compared = locatedPaths().flatMap((path) => {
      const located = locatedAt(plan, path);
      const told = helpFor(path)?.defaultValue;
      if (told === undefined || located?.origin !== 'default') return [];
      return [[path.join('.'), parse(told), located.value] as const];
    });
    assert.ok(compared.length > 20, `only ${compared.length} defaults`);
    for (const [path, told, actual] of compared) assert.equal(told, actual, path);
  });

  it('says what words are allowed and what keys go below', () => {
    assert.deepEqual(helpFor(['spec', 'engine', 'scheduler'])?.allowed, ['v0', 'v1']);
    assert.ok(helpFor(['spec', 'workload'])?.keys.includes('arrivals'));
    assert.equal(helpFor(['spec', 'engine', 'nothing']), null);
  });
});
