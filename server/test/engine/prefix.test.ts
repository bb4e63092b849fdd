import fc from 'fast-check';
import { checkAgainstReference } from './checkAgainstReference.ts';
import { prefixInput } from './prefixInputs.ts';

/** Plans per property run; raise it with FUZZ_RUNS for a long hunt. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1500);

describe('prefix caching', () => {
  it('agrees with the naive reference request by request', function () {
    this.timeout(120_000 + RUNS * 20);
    fc.assert(fc.property(prefixInput, checkAgainstReference), {
      numRuns: RUNS,
      endOnFailure: process.env['FUZZ_SHRINK'] === undefined,
    });
  });
});
