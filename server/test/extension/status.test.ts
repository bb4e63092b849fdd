import assert from 'node:assert/strict';
import { statusText } from '../../../extension/src/features/status/wording.ts';

const about = { uri: 'file:///chat.layerkv.yaml', version: 3 };

describe('the language status', () => {
  it('says that a plan is simulated, and with which seed', () => {
    const text = statusText({
      ...about,
      state: 'simulated',
      workloads: 1,
      seed: 7,
      headlines: ['vLLM · TTFT p99 1 s'],
    });
    assert.deepEqual(text, {
      text: 'simulated, seed 7',
      detail: 'vLLM · TTFT p99 1 s',
      busy: false,
      tone: 'information',
    });
  });

  it('counts plans where there are several', () => {
    const text = statusText({ ...about, state: 'simulated', workloads: 2, seed: 7, headlines: ['a', 'b'] });
    assert.equal(text?.detail, '2 plans');
  });

  it('is busy while it simulates, and red when that failed', () => {
    assert.equal(statusText({ ...about, state: 'simulating', fraction: 0.426 })?.busy, true);
    assert.equal(statusText({ ...about, state: 'simulating', fraction: 0.426 })?.detail, '43 %');
    assert.equal(statusText({ ...about, state: 'failed', message: 'out of memory' })?.tone, 'error');
  });

  it('shows nothing for files that are not ours', () => {
    assert.equal(statusText({ ...about, state: 'idle', reason: 'not-ours' }), null);
    assert.equal(statusText({ ...about, state: 'idle', reason: 'closed' }), null);
    assert.match(statusText({ ...about, state: 'idle', reason: 'disabled' })?.detail ?? '', /off/);
  });
});
