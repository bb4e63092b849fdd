import assert from 'node:assert/strict';
import { type After, QUIET_MS, showIfSlow } from '../../../extension/src/progress.ts';

/** A clock that stands still until told. */
function handClock(): { readonly after: After; readonly pass: () => void; readonly pending: () => number[] } {
  const timers = new Map<() => void, number>();
  return {
    after: (delayMs, action) => {
      timers.set(action, delayMs);
      return () => timers.delete(action);
    },
    pass: () => {
      for (const action of [...timers.keys()]) {
        timers.delete(action);
        action();
      }
    },
    pending: () => [...timers.values()],
  };
}

function deferred<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('progress of long work', () => {
  it('is silent for work that ends in time', async () => {
    const clock = handClock();
    let shown = 0;
    assert.equal(await showIfSlow(Promise.resolve(7), () => shown++, clock.after), 7);
    clock.pass();
    assert.equal(shown, 0);
  });

  it('shows once after a second, until the work is over', async () => {
    const clock = handClock();
    const work = deferred<string>();
    const shown: Promise<void>[] = [];
    const result = showIfSlow(work.promise, (over) => shown.push(over), clock.after);
    assert.deepEqual(clock.pending(), [QUIET_MS]);
    assert.equal(QUIET_MS, 1000);
    clock.pass();
    assert.equal(shown.length, 1);
    work.resolve('done');
    assert.equal(await result, 'done');
    await shown[0];
  });

  it('passes a failure on and still takes the progress away', async () => {
    const clock = handClock();
    const work = deferred<never>();
    let over: Promise<void> | undefined;
    const result = showIfSlow(
      work.promise,
      (promise) => {
        over = promise;
      },
      clock.after,
    );
    clock.pass();
    work.reject(new Error('no'));
    await assert.rejects(result, /no/);
    assert.ok(over);
    await over;
  });
});
