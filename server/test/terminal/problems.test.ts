import assert from 'node:assert/strict';
import { byPlace, countProblems, describeProblem, type Layout } from '../../src/terminal/problems.ts';
import { sarifLog } from '../../src/terminal/sarif.ts';
import { painter, printable, table, wrap } from '../../src/terminal/style.ts';
import { indexLines } from '../../src/text/lines.ts';
import type { Problem, Range, Severity } from '../../src/text/types.ts';

const plain: Layout = { paint: painter(false), columns: 80 };

function range(line: number, from: number, to: number, endLine = line): Range {
  return { start: { line, character: from }, end: { line: endLine, character: to } };
}

function problem(at: Range, severity: Severity = 'error', message = 'Wrong.', rule = 'a-rule'): Problem {
  return { rule, severity, message, range: at };
}

function describeIn(text: string, found: Problem, layout: Layout = plain): readonly string[] {
  return describeProblem('plan.yaml', indexLines(text), found, layout);
}

describe('terminal: problems as text', () => {
  it('shows place, message, source line and caret, counted from one', () => {
    assert.deepEqual(describeIn('a: 1\nmodel: Lama\n', problem(range(1, 7, 11))), [
      'plan.yaml:2:8: error',
      '  Wrong. [a-rule]',
      '  2 | model: Lama',
      '    |        ^~~~',
    ]);
  });

  it('puts one caret under an empty range and stops at the end of the line', () => {
    assert.equal(describeIn('ab\ncd', problem(range(0, 2, 2))).at(-1), '    |   ^');
    assert.equal(describeIn('ab\ncd', problem(range(0, 1, 1, 1))).at(-1), '    |  ^');
  });

  it('quotes nothing for a blank line or an empty file', () => {
    assert.equal(describeIn('', problem(range(0, 0, 0))).length, 2);
  });

  it('keeps tabs before the caret, so that it stands under its place', () => {
    assert.deepEqual(describeIn('\tkey: x', problem(range(0, 1, 4))).slice(2), ['  1 | \tkey: x', '    | \t^~~']);
  });

  it('cuts a long line to a window around the place', () => {
    const text = `${'x'.repeat(5000)}HERE${'y'.repeat(5000)}`;
    const [quoted = '', caret = ''] = describeIn(text, problem(range(0, 5000, 5004))).slice(2);
    assert.ok(quoted.length <= 80);
    assert.equal(quoted.slice(caret.indexOf('^'), caret.indexOf('^') + 4), 'HERE');
    assert.ok(caret.endsWith('^~~~'));
  });

  it('takes out what a terminal would obey', () => {
    const lines = describeIn('key: \u001b[2Jx', problem(range(0, 5, 9), 'error', 'Bad \u001b]0;title\u0007'));
    for (const control of ['\u0007', '\u001b']) assert.ok(!lines.join('\n').includes(control));
    assert.equal(printable('a\tb\nc\u009b\u202e'), 'a\tb\nc··');
  });

  it('names related places', () => {
    const found = { ...problem(range(0, 0, 1)), related: [{ message: 'stated here', range: range(3, 0, 1) }] };
    assert.equal(describeIn('a\nb\nc\nd', found).at(-1), '  line 4: stated here');
  });

  it('colours only when asked', () => {
    const [head = ''] = describeIn('a', problem(range(0, 0, 1)), { paint: painter(true), columns: 80 });
    assert.ok(head.includes('\u001b[31merror\u001b[39m'));
  });

  it('counts by severity', () => {
    const at = range(0, 0, 1);
    const found = [problem(at), problem(at, 'warning'), problem(at, 'warning'), problem(at, 'information')];
    assert.equal(countProblems(found, plain.paint), '1 error, 2 warnings, 1 note');
    assert.equal(countProblems([], plain.paint), 'no problems');
  });

  it('sorts by place and keeps the order at one place', () => {
    const late = problem(range(2, 0, 1));
    const first = problem(range(0, 4, 5), 'error', 'first');
    const second = problem(range(0, 4, 5), 'hint', 'second');
    assert.deepEqual(byPlace([late, first, second]), [first, second, late]);
  });
});

describe('terminal: layout', () => {
  it('wraps at spaces and never inside a word', () => {
    assert.deepEqual(wrap('one two three', 7, ' '), [' one', ' two', ' three']);
    assert.deepEqual(wrap('a-very-long-word b', 5), ['a-very-long-word', 'b']);
  });

  it('keeps a figure and its unit on one line', () => {
    assert.deepEqual(wrap('it took 12.3 s here', 12), ['it took', '12.3 s here']);
    assert.deepEqual(wrap('miss 97 % of it', 7), ['miss', '97 % of', 'it']);
    assert.deepEqual(wrap('in 3 steps', 6), ['in 3', 'steps']);
  });

  it('aligns the first column left and the others right, colours not counted', () => {
    const rows = [
      ['x', { text: '1', style: 'red' as const }],
      ['long', '100'],
    ];
    assert.deepEqual(table(rows, painter(false), ''), ['x       1', 'long  100']);
    assert.equal(table(rows, painter(true), '')[0], 'x       \u001b[31m1\u001b[39m');
  });
});

interface SarifLog {
  readonly version: string;
  readonly $schema: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: { readonly name: string; readonly version: string; readonly rules: { id: string }[] };
    };
    readonly columnKind: string;
    readonly artifacts: readonly { readonly location: { readonly uri: string } }[];
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly locations: readonly unknown[];
      readonly relatedLocations?: readonly unknown[];
    }[];
  }[];
}

describe('terminal: SARIF', () => {
  const found = [
    problem(range(1, 2, 5), 'warning', 'Slow.', 'slow'),
    { ...problem(range(0, 0, 4), 'error', 'Wrong.', 'bad'), related: [{ message: 'here', range: range(4, 0, 1) }] },
    problem(range(9, 0, 0), 'information', 'By the way.', 'slow'),
    problem(range(9, 0, 0), 'hint', 'Psst.', 'slow'),
  ];
  const log = sarifLog([{ file: 'my plans/ä#1.yaml', problems: found }], '1.2.3') as SarifLog;
  const [run] = log.runs;

  it('is a 2.1.0 log with one run and one rule an id', () => {
    assert.equal(log.version, '2.1.0');
    assert.match(log.$schema, /sarif-2\.1\.0/);
    assert.deepEqual(run?.tool.driver, { name: 'layerkv', version: '1.2.3', rules: [{ id: 'bad' }, { id: 'slow' }] });
    for (const result of run?.results ?? []) {
      assert.equal(run?.tool.driver.rules[result.ruleIndex]?.id, result.ruleId);
    }
  });

  it('maps severities to levels', () => {
    assert.deepEqual(
      run?.results.map(({ level }) => level),
      ['warning', 'error', 'note', 'note'],
    );
  });

  it('counts lines and columns from one, in UTF-16 code units, the end excluded', () => {
    assert.equal(run?.columnKind, 'utf16CodeUnits');
    assert.deepEqual(run?.results[0]?.locations, [
      {
        physicalLocation: {
          artifactLocation: { uri: 'my%20plans/%C3%A4%231.yaml', index: 0 },
          region: { startLine: 2, startColumn: 3, endLine: 2, endColumn: 6 },
        },
      },
    ]);
    assert.equal(run?.results[1]?.relatedLocations?.length, 1);
    assert.equal(run?.results[0]?.relatedLocations, undefined);
  });

  it('makes absolute paths file URIs', () => {
    const absolute = sarifLog([{ file: process.cwd(), problems: [] }], '1') as SarifLog;
    assert.match(absolute.runs[0]?.artifacts[0]?.location.uri ?? '', /^file:\/\/\//);
  });
});
