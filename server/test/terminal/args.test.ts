import assert from 'node:assert/strict';
import { readArguments } from '../../src/terminal/args.ts';

function check(line: string): ReturnType<typeof readArguments> {
  return readArguments(line === '' ? [] : line.split(' '));
}

function mistake(line: string): string {
  const args = check(line);
  assert.equal(args.command, 'mistake', `'${line}' should be refused`);
  return args.command === 'mistake' ? args.message : '';
}

describe('terminal: arguments', () => {
  it('reads simulate with everything after the file', () => {
    assert.deepEqual(
      check('simulate a.yaml b.yaml --json --policy compare --seed 7 --requests=20 --per-request --no-interval'),
      {
        command: 'simulate',
        files: ['a.yaml', 'b.yaml'],
        json: true,
        policy: 'compare',
        seed: 7,
        requests: 20,
        perRequest: true,
        interval: false,
        annotated: false,
      },
    );
  });

  it("runs the plan's own policy, seed and requests with an interval by default", () => {
    assert.deepEqual(check('simulate a.yaml'), {
      command: 'simulate',
      files: ['a.yaml'],
      json: false,
      policy: undefined,
      seed: undefined,
      requests: undefined,
      perRequest: false,
      interval: true,
      annotated: false,
    });
  });

  it('reads check and extract', () => {
    assert.deepEqual(check('check a.yaml'), { command: 'check', files: ['a.yaml'], format: 'text' });
    assert.deepEqual(check('check --format sarif a.yaml'), { command: 'check', files: ['a.yaml'], format: 'sarif' });
    assert.deepEqual(check('extract a.yaml --json'), { command: 'extract', files: ['a.yaml'], json: true });
  });

  it('reads calibrate with several benchmarks', () => {
    assert.deepEqual(check('calibrate p.yaml --bench a.json --bench=b.json --log s.log --json'), {
      command: 'calibrate',
      file: 'p.yaml',
      benchmarks: ['a.json', 'b.json'],
      log: 's.log',
      out: undefined,
      json: true,
    });
  });

  it('takes what follows -- as files', () => {
    assert.deepEqual(check('check -- --format'), { command: 'check', files: ['--format'], format: 'text' });
  });

  it('asks for help and version', () => {
    assert.deepEqual(check('--help'), { command: 'help', about: undefined });
    assert.deepEqual(check('-h'), { command: 'help', about: undefined });
    assert.deepEqual(check('simulate -h'), { command: 'help', about: 'simulate' });
    assert.deepEqual(check('check a.yaml --help'), { command: 'help', about: 'check' });
    assert.deepEqual(check('--version'), { command: 'version' });
  });

  const mistakes: readonly [string, RegExp][] = [
    ['', /Name a command/],
    ['simulat a.yaml', /Unknown command 'simulat'\. Did you mean 'simulate'\?/],
    ['--json a.yaml', /option before a command '--json'/],
    ['simulate', /at least one file/],
    ['simulate --json', /at least one file/],
    ['simulate a.yaml --polici compare', /no option '--polici'\. Did you mean '--policy'\?/],
    ['simulate a.yaml -x', /no option '-x'/],
    ['simulate a.yaml --toString', /no option '--toString'/],
    ['check a.yaml --json', /'layerkv check' has no option '--json'/],
    ['simulate a.yaml --policy', /needs a value/],
    ['simulate a.yaml --policy=', /needs a value/],
    ['simulate a.yaml --policy layerkw', /one of vllm, layerkv, layerkv-no-slo, compare.*Did you mean 'layerkv'\?/],
    ['simulate a.yaml --json=yes', /'--json' takes no value/],
    ['simulate a.yaml --seed -1', /--seed is a whole number from 0/],
    ['simulate a.yaml --seed 1.5', /--seed is a whole number/],
    ['simulate a.yaml --seed 4294967296', /--seed is a whole number from 0/],
    ['simulate a.yaml --seed 99999999999999999999', /--seed is a whole number/],
    ['simulate a.yaml --requests 0', /--requests is a whole number from 1/],
    ['simulate a.yaml --requests many', /not 'many'/],
    ['simulate a.yaml --requests 99999999999', /--requests is a whole number/],
    ['check a.yaml --format xml', /one of text, json, sarif/],
  ];
  for (const [line, message] of mistakes) {
    it(`refuses 'layerkv ${line}'`, () => assert.match(mistake(line), message));
  }
});
