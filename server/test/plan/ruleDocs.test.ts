import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ruleTable } from '../../src/plan/rules/rules.ts';

const page = readFileSync('docs/rules.md', 'utf8');
const sections = [...page.matchAll(/^## ([a-z0-9-]+)\n\n\*(\w+)\.\* (.+)$/gm)];

describe('docs/rules.md', () => {
  it('has one section for every rule, and none besides', () => {
    const documented = sections.map((section) => section[1]);
    assert.deepEqual([...documented].sort(), ruleTable.map((rule) => rule.id).sort());
  });

  it('states the severity that the rule has', () => {
    for (const { id, severity } of ruleTable) {
      assert.equal(sections.find((section) => section[1] === id)?.[2], severity, id);
    }
  });
});
