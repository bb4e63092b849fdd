import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseTraceFile } from '../../src/engine/workload/traceFile.ts';

function columnsOf(text: string) {
  const trace = parseTraceFile(text);
  assert.ok(trace.ok, trace.ok ? '' : trace.message);
  const { arrivalS, inputTokens, outputTokens } = trace.columns;
  return {
    form: trace.form,
    failed: trace.failedRows,
    rows: [...arrivalS].map((time, i) => [time, inputTokens[i], outputTokens[i]]),
  };
}

describe('trace files', () => {
  it('reads Azure traces with their seven decimals', () => {
    const { form, rows } = columnsOf(
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n',
    );
    assert.equal(form, 'azure-csv');
    assert.equal(rows[0]?.[0], 0);
    assert.ok(Math.abs((rows[1]?.[0] ?? 0) - 4.314579) < 1e-6);
    assert.deepEqual(
      rows.map((row) => row.slice(1)),
      [
        [374, 44],
        [396, 109],
      ],
    );
    assert.equal(
      columnsOf('TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,1,2\n').rows.length,
      1,
    );
  });

  it('reads BurstGPT traces and leaves failures out', () => {
    const { form, rows, failed } = columnsOf(
      'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,0,1087,API log\n118,GPT-4,417,276,693,Conversation log\n',
    );
    assert.equal(form, 'burstgpt-csv');
    assert.equal(failed, 1);
    assert.deepEqual(rows, [
      [0, 472, 18],
      [113, 417, 276],
    ]);
  });

  it('reads Mooncake traces in milliseconds', () => {
    const { form, rows } = columnsOf(
      '{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}\n{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": []}\n',
    );
    assert.equal(form, 'mooncake-jsonl');
    assert.deepEqual(
      rows.map((row) => [Number(row[0]?.toFixed(6)), row[1], row[2]]),
      [
        [0, 6955, 52],
        [3.053, 6472, 26],
      ],
    );
  });

  it('keeps the ids of prompts that begin alike, numbered from 0', () => {
    const row = (timestamp: number, ids: readonly number[]): string =>
      JSON.stringify({ timestamp, input_length: 1500, output_length: 5, hash_ids: ids });
    const trace = parseTraceFile([row(5, [46, 47, 50]), row(0, [46, 47, 9]), row(9, [])].join('\n'));
    assert.ok(trace.ok);
    const { promptIds } = trace.columns;
    assert.equal(promptIds?.tokensPerId, 512);
    assert.deepEqual([...promptIds.starts], [0, 3, 6, 6]);
    assert.deepEqual([...promptIds.ids], [0, 1, 2, 0, 1, 3]);
  });

  it('reads APEX traces in nanoseconds', () => {
    assert.deepEqual(
      columnsOf(
        '{"StartTimeOffset": 0, "ContextTokens": 5, "GeneratedTokens": 6}\n{"StartTimeOffset": 2000000000, "ContextTokens": 7, "GeneratedTokens": 8}',
      ).rows,
      [
        [0, 5, 6],
        [2, 7, 8],
      ],
    );
  });

  it('reads plain CSV and JSON lines, with any line ends', () => {
    assert.deepEqual(columnsOf('\ufeffarrival_s,input_tokens,output_tokens\r\n1.5,10,20\r\n2.5,"30",40\r\n\r\n').rows, [
      [0, 10, 20],
      [1, 30, 40],
    ]);
    assert.deepEqual(columnsOf('output_tokens;arrival_ms;input_tokens\n1;2000;2\n3;1000;4').rows, [
      [0, 4, 3],
      [1, 2, 1],
    ]);
    assert.deepEqual(columnsOf('{"arrival_s": 3, "input_tokens": 1, "output_tokens": 2}').rows, [[0, 1, 2]]);
  });

  it('sorts by arrival, keeping the order of equal times', () => {
    assert.deepEqual(columnsOf('time,input_tokens,output_tokens\n9,1,1\n3,2,2\n3,3,3\n').rows, [
      [0, 2, 2],
      [0, 3, 3],
      [6, 1, 1],
    ]);
  });

  it('names the line of what it cannot read', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['', /empty/],
      ['arrival_s,input_tokens,output_tokens\n', /no rows/],
      ['arrival_s,input_tokens,output_tokens\n0,5,0\n', /all 1 rows are failed/],
      ['a,b,c\n1,2,3\n', /line 1 names no columns/],
      ['arrival_s,input_tokens,output_tokens\n0,1,1\nsoon,1,1\n', /line 3: "soon" is no time/],
      ['arrival_s,input_tokens,output_tokens\n-5,1,1\n1,1,1\n', /line 2: "-5" is no time from 0 on/],
      ['arrival_s,input_tokens,output_tokens\n0,1,1\n1e308,1,1\n', /line 3: "1e308" is no time/],
      ['{"timestamp": -5, "input_length": 1, "output_length": 1}\n', /line 1: "-5" is no time/],
      ['arrival_s,input_tokens,output_tokens\n0,-4,1\n', /line 2: "-4" is no token count/],
      ['arrival_s,input_tokens,output_tokens\n0,1\n', /line 2: "" is no token count/],
      ['TIMESTAMP,ContextTokens,GeneratedTokens\n17,1,1\n', /line 2: "17" is no date and time/],
      ['{"arrival_s": 0, "input_tokens": 1, "output_tokens": 1}\n{broken\n', /line 2 is not a JSON object/],
      ['{"x": 1}\n', /line 1 has no keys/],
      ['\0\u0001\u0002', /line 1 names no columns/],
    ];
    for (const [text, message] of cases) {
      const trace = parseTraceFile(text);
      assert.equal(trace.ok, false, text);
      assert.match(trace.ok ? '' : trace.message, message);
    }
  });

  it('gives back what was written, whatever the order', () => {
    const row = fc.tuple(
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.integer({ min: 1, max: 200_000 }),
      fc.integer({ min: 1, max: 200_000 }),
    );
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 50 }), (rows) => {
        const text = ['arrival_s,input_tokens,output_tokens', ...rows.map((each) => each.join(','))].join('\n');
        const sorted = [...rows].sort((a, b) => a[0] - b[0]);
        const start = sorted[0]?.[0] ?? 0;
        assert.deepEqual(
          columnsOf(text).rows,
          sorted.map(([time, input, output]) => [time - start, input, output]),
        );
      }),
    );
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof parseTraceFile(text).ok === 'boolean'));
  });
});
