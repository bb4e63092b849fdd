/** The committed page on figure 1 says what the engine computes today, to the last digit. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type PageFiles, paperPage } from '../../bench/paper/page.ts';

describe("the page on the paper's figure 1", () => {
  let files: PageFiles;
  before(async () => {
    files = await paperPage();
  });

  for (const path of ['docs/figure-1.md', 'docs/images/figure-1-latency.svg', 'docs/images/figure-1-violations.svg']) {
    it(`${path} is what a rerun writes`, () => {
      const committed = readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
      assert.equal(committed, files[path], 'run `node scripts/paper.mjs`, look at the page, and commit it');
    });
  }
});
