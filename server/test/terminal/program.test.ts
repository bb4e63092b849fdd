import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { Analysis } from '../../src/plan/types.ts';
import { type Rooms, realRooms } from '../../src/terminal/rooms.ts';
import type { Problem, Severity } from '../../src/text/types.ts';
import { planText } from '../plan/marks.ts';
import { layerkv } from './harness.ts';

const ajv = new Ajv({ strict: false });
const validators = {
  result: ajv.compile(JSON.parse(readFileSync('schemas/result.schema.json', 'utf8'))),
  extract: ajv.compile(JSON.parse(readFileSync('schemas/extract.schema.json', 'utf8'))),
};

function assertValid(name: keyof typeof validators, text: string): void {
  const validate = validators[name];
  assert.ok(validate(JSON.parse(text)), `${name}: ${ajv.errorsText(validate.errors)}`);
}

/** Rooms where a file's text is the list of the severities that are found in it. */
const scripted: Rooms = {
  ...realRooms,
  analyse: async (text): Promise<Analysis> => ({
    relevant: true,
    problems: text
      .split(' ')
      .filter((word) => word !== '')
      .map((word): Problem => {
        const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 1 } };
        return {
          rule: `is-${word}`,
          severity: word as Severity,
          message: `This is ${word}.`,
          range,
          tags: ['deprecated'],
        };
      }),
    plans: [],
    workloads: [],
  }),
};

const files = {
  'fine.yaml': '',
  'note.yaml': 'information hint',
  'warned.yaml': 'warning',
  'broken.yaml': 'warning error',
};

describe('terminal: exit codes', () => {
  const table: readonly [string, number][] = [
    ['check fine.yaml', 0],
    ['check note.yaml', 0],
    ['check warned.yaml', 1],
    ['check broken.yaml', 2],
    ['check fine.yaml warned.yaml', 1],
    ['check broken.yaml warned.yaml fine.yaml', 2],
    ['check missing.yaml', 3],
    ['check broken.yaml missing.yaml', 3],
    ['check warned.yaml --format json', 1],
    ['check broken.yaml --format sarif', 2],
    ['simulate fine.yaml', 0],
    ['simulate warned.yaml', 0],
    ['simulate broken.yaml', 2],
    ['simulate broken.yaml --json', 2],
    ['simulate missing.yaml fine.yaml --json', 3],
    ['extract fine.yaml --json', 0],
    ['extract warned.yaml', 0],
    ['extract broken.yaml --json', 2],
    ['extract missing.yaml --json', 3],
    ['', 3],
    ['simulate', 3],
    ['simulate fine.yaml --nonsense', 3],
    ['--help', 0],
    ['check --help', 0],
    ['--version', 0],
  ];
  for (const [line, code] of table) {
    it(`${code}: layerkv ${line}`, async () => {
      const argv = line === '' ? [] : line.split(' ');
      assert.equal((await layerkv(argv, files, scripted)).code, code);
    });
  }
});

describe('terminal: output', () => {
  it('puts a result on stdout and says on stderr what could not be read', async () => {
    const { out, err } = await layerkv(['simulate', 'missing.yaml', 'broken.yaml', '--json'], files, scripted);
    assertValid('result', out);
    assert.deepEqual(
      (JSON.parse(out) as { files: { file: string }[] }).files.map(({ file }) => file),
      ['broken.yaml'],
    );
    assert.equal(err, 'Cannot read missing.yaml: there is no such file.\n');
  });

  it('prints a problem in JSON as rule, severity, message, range and nothing else', async () => {
    const { out } = await layerkv(['simulate', 'warned.yaml', '--json'], files, scripted);
    assert.deepEqual(JSON.parse(out), {
      schema: 'layerkv/result/v1',
      files: [
        {
          file: 'warned.yaml',
          problems: [
            {
              rule: 'is-warning',
              severity: 'warning',
              message: 'This is warning.',
              range: { start: { line: 0, character: 0 }, end: { line: 0, character: 1 } },
            },
          ],
          workloads: [],
        },
      ],
    });
  });

  it('honours the comments that silence what the prediction says, as the editor does', async () => {
    const plan = (comment: string): string =>
      planText({ 'arrivals:': `arrivals: {process: burst}${comment}`, 'ttft:': `ttft: 1ms${comment}` });
    const rulesOf = async (text: string): Promise<readonly string[]> => {
      const { out } = await layerkv(['check', 'a.layerkv.yaml', '--format', 'json'], { 'a.layerkv.yaml': text });
      const [file] = (JSON.parse(out) as { files: { problems: Problem[] }[] }).files;
      return file?.problems.map(({ rule }) => rule) ?? [];
    };
    assert.ok((await rulesOf(plan(''))).includes('slo-missed'));
    const silenced = await rulesOf(plan(' # layerkv-disable-line slo-missed'));
    assert.ok(!silenced.includes('slo-missed'), silenced.join());
  });

  it('prints extract as its schema says', async () => {
    const { out, err } = await layerkv(['extract', 'broken.yaml', 'fine.yaml', '--json'], files, scripted);
    assertValid('extract', out);
    assert.equal(err, '');
  });

  it('prints check as text, JSON and SARIF', async () => {
    const text = await layerkv(['check', 'broken.yaml'], files, scripted);
    assert.match(text.out, /^broken\.yaml:1:1: warning$/m);
    assert.match(text.out, /1 error, 1 warning in 1 file\n$/);
    const json = await layerkv(['check', 'broken.yaml', '--format', 'json'], files, scripted);
    assert.equal((JSON.parse(json.out) as { schema: string }).schema, 'layerkv/check/v1');
    const sarif = await layerkv(['check', 'broken.yaml', '--format', 'sarif'], files, scripted);
    assert.equal((JSON.parse(sarif.out) as { version: string }).version, '2.1.0');
    assert.deepEqual([json.err, sarif.err], ['', '']);
  });

  it('counts no problems where no file could be read', async () => {
    assert.deepEqual(await layerkv(['check', 'missing.yaml'], files, scripted), {
      code: 3,
      out: '',
      err: 'Cannot read missing.yaml: there is no such file.\n',
      written: {},
    });
  });

  it('explains a mistake on stderr, with the usage of the command, and leaves stdout empty', async () => {
    const { out, err } = await layerkv(['simulate', 'fine.yaml', '--jsn'], files, scripted);
    assert.equal(out, '');
    assert.match(err, /Did you mean '--json'\?/);
    assert.match(err, /Usage: layerkv simulate FILE/);
  });

  it('refuses more records than a text can hold, before it simulates', async () => {
    const argv = ['simulate', 'a.yaml', '--json', '--per-request', '--policy', 'compare', '--requests', '500001'];
    const { code, out, err } = await layerkv(argv, { 'a.yaml': planText() });
    assert.deepEqual([code, out], [3, '']);
    assert.match(err, /would write 1000002 records; 1000000 are the most\. Lower --requests/);
  });

  it('prints per-request records in the order of arrival, whichever engine served them', async () => {
    const plan = planText({
      'arrivals:': 'arrivals: {process: closed, concurrency: 3}',
      'tensor:': 'tensor: 1\n    data: 2',
    });
    const { out } = await layerkv(['simulate', 'a.yaml', '--json', '--per-request', '--no-interval'], {
      'a.yaml': plan,
    });
    const [{ workloads }] = JSON.parse(out).files;
    const arrivals: number[] = workloads[0].perRequest.map(({ arrivalS }: { arrivalS: number }) => arrivalS);
    assert.deepEqual(
      arrivals,
      arrivals.toSorted((a, b) => a - b),
    );
    assert.equal(arrivals.filter((arrivalS) => arrivalS === 0).length, 3);
  });

  it('prints help and version on stdout', async () => {
    assert.match((await layerkv(['--help'], {})).out, /Usage: layerkv COMMAND FILE/);
    assert.match((await layerkv(['simulate', '--help'], {})).out, /--policy vllm\|layerkv\|layerkv-no-slo\|compare/);
    assert.equal((await layerkv(['--version'], {})).out, '1.2.3\n');
  });

  it('keeps its help within 80 columns', async () => {
    for (const argv of [['--help'], ['simulate', '--help'], ['check', '--help'], ['extract', '--help']]) {
      const { out } = await layerkv(argv, {});
      assert.deepEqual(
        out.split('\n').filter((line) => line.length > 80),
        [],
      );
    }
  });

  it('says on stderr that a file holds no plan', async () => {
    const { code, out, err } = await layerkv(['simulate', 'map.yaml'], { 'map.yaml': 'kind: ConfigMap\n' });
    assert.deepEqual([code, out], [0, '']);
    assert.match(err, /map\.yaml: no plan in this file/);
  });

  it('does not let a file name talk to the terminal', async () => {
    const { err } = await layerkv(['check', 'a\u001b[2J.yaml'], {});
    assert.ok(!err.includes('\u001b'));
  });
});
