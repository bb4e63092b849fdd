import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PREDICTION_RULES } from '../../src/language/predictionProblems.ts';
import { ruleTable } from '../../src/plan/rules/rules.ts';

const page = readFileSync('docs/rules.md', 'utf8');
const sections = [...page.matchAll(/^## ([a-z0-9-]+)\n\n\*(\w+)\.\* (.+)$/gm)];

describe('docs/rules.md', () => {
  it('has one section for every rule, and none besides', () => {
    const documented = sections.map((section) => section[1]);
    const rules = new Set([...ruleTable.map((rule) => rule.id), ...PREDICTION_RULES]);
    assert.deepEqual([...documented].sort(), [...rules].sort());
  });

  it('states the severity that the rule has', () => {
    for (const { id, severity } of ruleTable) {
      assert.equal(sections.find((section) => section[1] === id)?.[2], severity, id);
    }
  });
});
