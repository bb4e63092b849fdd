import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  formatBytes,
  formatDurationMs,
  formatPercent,
  formatTokens,
  parseBytes,
  parseDurationMs,
  parseTokens,
  type QuantityResult,
} from '../../src/plan/quantity.ts';

type Parse = (input: unknown) => QuantityResult;

function check(parse: Parse, cases: Readonly<Record<string, number>>): void {
  for (const [text, value] of Object.entries(cases)) assert.deepEqual(parse(text), { ok: true, value }, text);
}

function refuses(parse: Parse, cases: readonly (readonly [unknown, RegExp])[]): void {
  for (const [input, message] of cases) {
    const result = parse(input);
    assert.ok(!result.ok, String(input));
    assert.match(result.message, message);
  }
}

describe('durations', () => {
  it('reads units', () =>
    check(parseDurationMs, {
      '3s': 3000,
      '200ms': 200,
      '1.5 s': 1500,
      ' 2min ': 120000,
      '1h': 3.6e6,
      '1e3ms': 1000,
      '0': 0,
      '0s': 0,
      '500us': 0.5,
      '.5s': 500,
      '2S': 2000,
    }));
  it('refuses what is not one, and says how to write it', () =>
    refuses(parseDurationMs, [
      [3, /no unit\. Did you mean `3s` or `3ms`/],
      ['3', /no unit/],
      ['3 parsecs', /Unknown unit `parsecs`.*Did you mean `3ms` or `3s`/],
      ['-3s', /negative\. Did you mean `3s`/],
      [-3, /negative/],
      ['fast', /such as `200ms`/],
      [Number.NaN, /Expected/],
      [Number.POSITIVE_INFINITY, /Expected/],
      ['1e300s', /too large/],
      [null, /empty/],
      [[1], /a list/],
      [{}, /a group of keys/],
      [true, /`true`/],
      ['', /Expected/],
    ]));
});

describe('sizes', () => {
  it('reads decimal and binary units in any case, and plain bytes', () =>
    check(parseBytes, {
      '256GiB': 256 * 2 ** 30,
      '100GB': 1e11,
      '0GiB': 0,
      '4MiB': 4 * 2 ** 20,
      '512Mi': 512 * 2 ** 20,
      '10Gi': 10 * 2 ** 30,
      '1.5 gb': 1.5e9,
      '2TiB': 2 * 2 ** 40,
      '4096': 4096,
      '1kB': 1000,
    }));
  it('reads numbers', () => assert.deepEqual(parseBytes(4194304), { ok: true, value: 4194304 }));
  it('refuses what is not one', () =>
    refuses(parseBytes, [
      ['256GiBs', /Unknown unit `GiBs`.*Did you mean `256GiB` or `256GB`/],
      ['-1GiB', /negative/],
      ['999999999TiB', /too large/],
      ['1,000 GB', /Expected/],
      [undefined, /empty/],
      [`${'9'.repeat(500)}`, /too large|Expected/],
    ]));
});

describe('token counts', () => {
  it('reads as vLLM does: small letters decimal, capitals binary', () =>
    check(parseTokens, {
      '2048': 2048,
      '2k': 2000,
      '2K': 2048,
      '16Ki': 16384,
      '25.6k': 25600,
      '1m': 1e6,
      '2k tokens': 2000,
      '512 tokens': 512,
    }));
  it('refuses what is not one', () =>
    refuses(parseTokens, [
      [1.5, /not a whole number of tokens\. Did you mean `2`/],
      ['16,384', /Did you mean `16384`/],
      ['16_384', /Did you mean `16384`/],
      ['3s', /Unknown unit `s`.*Did you mean `3k` or `3K`/],
      [-5, /negative/],
      [false, /Expected/],
    ]));
});

describe('any input', () => {
  it('gives a result, never an exception, and a message of bounded length', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string(), fc.string({ unit: 'grapheme', maxLength: 2000 })), (input) => {
        for (const parse of [parseDurationMs, parseBytes, parseTokens]) {
          const result = parse(input);
          if (result.ok) assert.ok(result.value >= 0 && result.value <= Number.MAX_SAFE_INTEGER);
          else assert.ok(result.message.length > 0 && result.message.length < 250, result.message);
        }
      }),
    );
  });

  it('reads the same number in every unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (n) => {
        assert.deepEqual(parseDurationMs(`${n}s`), { ok: true, value: n * 1000 });
        assert.deepEqual(parseDurationMs(`${n * 1000}ms`), parseDurationMs(`${n}s`));
        assert.deepEqual(parseBytes(`${n}GiB`), parseBytes(`${n * 1024}MiB`));
        assert.deepEqual(parseBytes(`${n}GB`), parseBytes(n * 1e9));
        assert.deepEqual(parseTokens(`${n}k`), parseTokens(n * 1000));
        assert.deepEqual(parseTokens(`${n}K`), parseTokens(`${n * 1024}`));
      }),
    );
  });
});

describe('figures as text', () => {
  it('durations', () => {
    const cases = [
      0,
      0.01,
      0.06,
      4.25,
      9.96,
      54,
      480,
      999.4,
      999.5,
      1100,
      12345,
      99949,
      99950,
      538000,
      9_999_400,
      1.2e7,
      -5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ];
    assert.deepEqual(cases.map(formatDurationMs), [
      '0 ms',
      '<0.1 ms',
      '0.1 ms',
      '4.3 ms',
      '10 ms',
      '54 ms',
      '480 ms',
      '999 ms',
      '1.0 s',
      '1.1 s',
      '12.3 s',
      '99.9 s',
      '100 s',
      '538 s',
      '9999 s',
      '3.3 h',
      '-5.0 ms',
      '–',
      '–',
    ]);
  });
  it('sizes', () => {
    assert.deepEqual(
      [0, 512, 999.5, 524288, 13.48e9, 99.96e9, 214.7e9, 999.6e9, 3e15, 5e18, Number.NaN].map(formatBytes),
      ['0 B', '512 B', '1.0 kB', '524 kB', '13.5 GB', '100 GB', '215 GB', '1.0 TB', '3.0 PB', '5000 PB', '–'],
    );
  });
  it('token counts', () => {
    assert.deepEqual([0, 512, 9999, 10000, 47312, 128000, 999_600, 1_200_000, -20000].map(formatTokens), [
      '0',
      '512',
      '9999',
      '10.0k',
      '47.3k',
      '128k',
      '1.0M',
      '1.2M',
      '-20.0k',
    ]);
  });
  it('shares: never exactly none or all unless it is', () => {
    assert.deepEqual([0, 0.0001, 0.004, 0.0099, 0.42, 0.984, 0.9949, 0.9999, 1, 1.5, Number.NaN].map(formatPercent), [
      '0 %',
      '<0.1 %',
      '0.4 %',
      '1.0 %',
      '42 %',
      '98 %',
      '99.5 %',
      '>99.9 %',
      '100 %',
      '150 %',
      '–',
    ]);
  });

  it('come back within their printed precision', () => {
    const near = (parse: Parse, text: string, value: number): void => {
      const parsed = parse(text);
      assert.ok(parsed.ok, text);
      assert.ok(Math.abs(parsed.value - value) <= 0.051 * value, `${text} for ${value}`);
    };
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e10, noNaN: true }), (value) => {
        near(parseDurationMs, formatDurationMs(value), value);
        near(parseBytes, formatBytes(Math.round(value * 1e3)), Math.round(value * 1e3));
        near(parseTokens, formatTokens(Math.round(value)).replace('M', 'm'), Math.round(value));
      }),
    );
  });

  it('never shrink as the figure grows', () => {
    const read = (text: string): number => {
      const parsed = parseDurationMs(text.replace('<0.1 ms', '0.05 ms'));
      return parsed.ok ? parsed.value : Number.NaN;
    };
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (a, b) => {
          const [low, high] = a <= b ? [a, b] : [b, a];
          assert.ok(read(formatDurationMs(low)) <= read(formatDurationMs(high)) * (1 + 1e-9));
        },
      ),
    );
  });
});
