import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasShared, SHARED } from '../shared.ts';
import { analyseText, filesOf } from './marks.ts';

describe('manifests that are not ours', () => {
  it('are none of our business', async function () {
    if (!hasShared()) this.skip();
    const folder = join(SHARED, 'corpus/manifests');
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.ya?ml$/.test(name));
    assert.ok(names.length > 100);
    for (const name of names) {
      const analysis = await analyseText(readFileSync(join(folder, name), 'utf8'), filesOf(), name);
      assert.deepEqual(analysis, { relevant: false, problems: [], plans: [], workloads: [] }, name);
    }
  });
});
