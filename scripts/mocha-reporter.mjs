// Mocha's spec reporter that also writes its counts, as JSON, to the file named in LAYERKV_TEST_COUNTS.
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

const { Spec } = Mocha.reporters;

// biome-ignore lint/style/noDefaultExport: mocha takes a reporter by a module's default export.
export default class CountingReporter extends Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures, pending } = runner.stats;
      writeFileSync(
        process.env.LAYERKV_TEST_COUNTS,
        JSON.stringify({ passed: passes, failed: failures, skipped: pending }),
      );
    });
  }
}
