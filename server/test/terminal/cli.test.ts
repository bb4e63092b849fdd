/** The bundle that ships, as a process of its own: exit codes, clean stdout, and every kind of bad input. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const cli = 'dist/cli.js';
const figure1 = 'samples/llama-2-7b-l20-figure-1.layerkv.yaml';

interface Result {
  readonly files: readonly {
    readonly file: string;
    readonly problems: readonly { readonly rule: string; readonly severity: string }[];
    readonly workloads: readonly {
      readonly name: string;
      readonly policy: string;
      readonly ttftMs: { readonly mean: number };
      readonly tpotMs: { readonly mean: number };
      readonly queueShare: number;
      readonly perRequest?: readonly unknown[];
    }[];
  }[];
}

function layerkv(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { NO_COLOR: _no, FORCE_COLOR: _force, ...rest } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8',
    env: { ...rest, ...env },
    maxBuffer: 2 ** 28,
  });
  return { code: status, out: stdout, err: stderr };
}

function resultOf(out: string): Result {
  return JSON.parse(out) as Result;
}

describe('layerkv, the process', function () {
  this.timeout(60_000);
  let folder = '';

  before(() => {
    assert.ok(existsSync(cli), `${cli} is missing: npm run build`);
    folder = mkdtempSync(join(tmpdir(), 'layerkv-cli-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const write = (name: string, content: string | Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  it('tells the version of package.json', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.deepEqual(layerkv(['--version']), { code: 0, out: `${version}\n`, err: '' });
  });

  it('simulates figure 1 with vLLM, then LayerKV, over the same requests', () => {
    const { code, out, err } = layerkv([
      'simulate',
      figure1,
      '--json',
      '--policy',
      'compare',
      '--per-request',
      '--no-interval',
    ]);
    assert.equal(err, '');
    assert.equal(code, 0);
    const [file] = resultOf(out).files;
    assert.equal(file?.file, figure1);
    assert.deepEqual(
      file?.workloads.map(({ policy }) => policy),
      ['vllm', 'layerkv'],
    );
    const arrivals = file?.workloads.map(({ perRequest }) =>
      perRequest?.map((record) => {
        const { arrivalS, inputTokens, outputTokens } = record as Record<string, number>;
        return [arrivalS, inputTokens, outputTokens];
      }),
    );
    assert.equal(arrivals?.[0]?.length, 100);
    assert.deepEqual(arrivals?.[0], arrivals?.[1]);
  });

  it('finds what the paper found for figure 1: vLLM queues for tens of seconds, LayerKV does not', () => {
    const { out } = layerkv(['simulate', figure1, '--json', '--policy', 'compare', '--no-interval']);
    const [vllm, own] = resultOf(out).files[0]?.workloads ?? [];
    assert.ok(vllm && own);
    assert.ok(vllm.ttftMs.mean > 15_000 && vllm.ttftMs.mean < 60_000, `vLLM: ${vllm.ttftMs.mean} ms`);
    assert.ok(vllm.queueShare > 0.9, `queue share: ${vllm.queueShare}`);
    assert.ok(own.ttftMs.mean < 2000, `LayerKV: ${own.ttftMs.mean} ms`);
    assert.ok(own.tpotMs.mean > vllm.tpotMs.mean, 'LayerKV has a price, and it is TPOT');
  });

  it('prints the same bytes for the same seed, and others for another', () => {
    const seven = () => layerkv(['simulate', figure1, '--json', '--seed', '7', '--no-interval']).out;
    assert.equal(seven(), seven());
    assert.notEqual(seven(), layerkv(['simulate', figure1, '--json', '--seed', '8', '--no-interval']).out);
  });

  it('colours nothing where stdout is no terminal, unless told to, and never with NO_COLOR', () => {
    const colour = '\u001b[';
    assert.ok(!layerkv(['check', 'samples/several-mistakes.layerkv.yaml']).out.includes(colour));
    assert.ok(layerkv(['check', 'samples/several-mistakes.layerkv.yaml'], { FORCE_COLOR: '1' }).out.includes(colour));
    const both = layerkv(['check', 'samples/several-mistakes.layerkv.yaml'], { FORCE_COLOR: '1', NO_COLOR: '1' });
    assert.ok(!both.out.includes(colour));
  });

  it('keeps the file as given, whatever stands in the path', () => {
    const path = write('a plan #1.layerkv.yaml', readFileSync(figure1, 'utf8'));
    const { out } = layerkv(['check', path, '--format', 'json']);
    assert.equal(resultOf(out).files[0]?.file, path);
  });

  describe('what cannot be read', () => {
    it('a folder', () => {
      const { code, out, err } = layerkv(['simulate', 'samples', '--json']);
      assert.deepEqual([code, resultOf(out).files], [3, []]);
      assert.match(err, /Cannot read samples: it is a folder: name the files in it/);
    });

    it('a file that is not there', () => {
      const { code, err } = layerkv(['check', 'no/such/plan.yaml']);
      assert.equal(code, 3);
      assert.match(err, /there is no such file/);
    });

    it('a path through a file', () => {
      assert.equal(layerkv(['check', join(figure1, 'plan.yaml')]).code, 3);
    });
  });

  describe('bad input', () => {
    const whole = readFileSync(figure1, 'utf8');
    /** The figure 1 plan with one thing changed. */
    const plan = (from: string, to: string): string => {
      assert.ok(whole.includes(from), `the sample no longer says '${from}'`);
      return whole.replace(from, to);
    };
    const bomb = Array.from(
      { length: 12 },
      (_, i) => `a${i}: &a${i} [${`*a${i - 1}, `.repeat(i === 0 ? 0 : 9)}x]`,
    ).join('\n');
    const theirs = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: "1"}\n';

    /** What it is, content of the file, exit code of `check`, a rule among the findings (null: none at all). */
    const table: readonly [string, () => string | Uint8Array, number, string | null][] = [
      ['empty', () => '', 0, 'empty-file'],
      ['binary', () => Uint8Array.from({ length: 4096 }, (_, i) => (i * 7) % 256), 2, 'binary-file'],
      ['tabs', () => plan('  model:\n    id', '\tmodel:\n\t\tid'), 2, 'tab-indentation'],
      ['duplicate keys', () => plan('    requests: 100', '    requests: 100\n    requests: 200'), 2, 'duplicate-key'],
      ['unknown key', () => plan('gpuMemoryUtilization', 'gpuMemoryUtilisation'), 2, 'unknown-key'],
      ['wrong type', () => plan('requests: 100', 'requests: [100]'), 2, 'wrong-type'],
      ['negative quantity', () => plan('ttft: 3s', 'ttft: -3s'), 2, 'invalid-quantity'],
      ['negative number', () => plan('seed: 3', 'seed: -3'), 2, 'out-of-range'],
      ['absurd number of requests', () => plan('requests: 100', 'requests: 1e300'), 2, 'out-of-range'],
      ['absurd prompt', () => plan('tokens: 2048', 'tokens: 99999999999'), 2, 'out-of-range'],
      ['absurdly slow', () => plan('rate: 1\n', 'rate: 1e-300\n'), 2, 'out-of-range'],
      ['absurdly fast', () => plan('rate: 1\n', 'rate: 1e300\n'), 2, 'out-of-range'],
      ['absurd memory', () => plan('hostPool: 200GiB', 'hostPool: 999999999999TiB'), 2, 'invalid-quantity'],
      ['unknown unit', () => plan('ttft: 3s', 'ttft: 3 parsecs'), 2, 'invalid-quantity'],
      ['unknown model', () => plan('Llama-2-7b-hf', 'Llama-2-7c-hf'), 2, 'unknown-model'],
      ['unknown GPU', () => plan('gpu: L20', 'gpu: L21'), 2, 'unknown-gpu'],
      ['alias bomb', () => `${whole}\n---\n${bomb}\napiVersion: layerkv/v1\nkind: ServingPlan\n`, 2, 'alias-expansion'],
      ['rate 0', () => plan('rate: 1\n', 'rate: 0\n'), 2, 'zero-rate'],
      ['zero requests', () => plan('requests: 100', 'requests: 0'), 2, 'zero-requests'],
      [
        'missing trace',
        () => plan('    requests: 100', '    trace: ./none.csv\n    requests: 100'),
        2,
        'trace-unreadable',
      ],
      ['only a key', () => 'apiVersion: layerkv/v1\n', 2, 'missing-key'],
      ['somebody else’s', () => theirs, 0, null],
    ];

    for (const [name, content, expected, rule] of table) {
      it(name, () => {
        const path = write(`${name}${rule === null ? '' : '.layerkv'}.yaml`, content());
        const { code, out, err } = layerkv(['check', path, '--format', 'json']);
        const problems = resultOf(out).files[0]?.problems ?? [];
        assert.deepEqual([code, err], [expected, ''], out);
        if (rule === null) assert.deepEqual(problems, []);
        else
          assert.ok(
            problems.some((problem) => problem.rule === rule),
            out,
          );
      });
    }

    it('CRLF and a byte order mark change no figure', () => {
      const simulate = (path: string) => resultOf(layerkv(['simulate', path, '--json', '--no-interval']).out).files[0];
      const plain = simulate(figure1);
      const windows = simulate(write('windows.layerkv.yaml', `\ufeff${whole.replaceAll('\n', '\r\n')}`));
      assert.equal(plain?.workloads.length, 1);
      assert.deepEqual(windows?.workloads, plain?.workloads);
      assert.deepEqual(windows?.problems, plain?.problems);
    });

    it('a broken plan does not keep the other one of its file from being simulated', () => {
      const { code, out } = layerkv(['simulate', 'samples/several-mistakes.layerkv.yaml', '--json', '--no-interval']);
      assert.equal(code, 2);
      assert.ok(resultOf(out).files[0]?.workloads.some(({ name }) => name === 'all-well'));
    });

    it('ten megabytes of YAML: said where it is ours, passed over where it is not', () => {
      const long = Array.from({ length: 1_000_000 }, (_, i) => `key${i}: value\n`).join('');
      const rules = (path: string) => {
        const { code, out, err } = layerkv(['check', path, '--format', 'json']);
        return [code, err, resultOf(out).files[0]?.problems.map(({ rule }) => rule)];
      };
      assert.deepEqual(rules(write('theirs.yaml', long)), [0, '', []]);
      assert.deepEqual(rules(write('long.layerkv.yaml', `${whole}\n${long}`)), [0, '', ['file-too-large']]);
    });

    it('deep nesting', () => {
      const { code, err } = layerkv([
        'check',
        write('deep.layerkv.yaml', `apiVersion: layerkv/v1\nx: ${'['.repeat(100_000)}`),
      ]);
      assert.equal(code, 2);
      assert.equal(err, '');
    });
  });

  it('reads a trace beside the plan, not beside the working folder', () => {
    mkdirSync(join(folder, 'nested'), { recursive: true });
    const row = (i: number) => JSON.stringify({ timestamp: i * 1000, input_length: 100 + i, output_length: 20 });
    write('nested/trace.jsonl', Array.from({ length: 20 }, (_, i) => row(i)).join('\n'));
    const text = readFileSync(figure1, 'utf8').replace(
      '    requests: 100',
      '    trace: ./trace.jsonl\n    requests: 20',
    );
    const { out } = layerkv(['simulate', write('nested/plan.layerkv.yaml', text), '--json', '--no-interval']);
    assert.equal(resultOf(out).files[0]?.workloads.length, 1, out);
  });
});
