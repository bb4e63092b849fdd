/** Progress that stays out of the way: short work shows nothing at all. */

/** Runs `action` after `delayMs`; the returned function calls it off. */
export type After = (delayMs: number, action: () => void) => () => void;

/** The clock of the machine. */
export const realAfter: After = (delayMs, action) => {
  const timer = setTimeout(action, delayMs);
  return () => clearTimeout(timer);
};

/** How long work may take before anything is shown, ms. */
export const QUIET_MS = 1000;

/**
 * Waits for `work` and returns what it returns. Calls `show` once if the work is still going on after `QUIET_MS`,
 * with a promise that settles (never rejects) when the work is over.
 */
export async function showIfSlow<T>(
  work: Promise<T>,
  show: (over: Promise<void>) => void,
  after: After = realAfter,
): Promise<T> {
  const over = work.then(
    () => undefined,
    () => undefined,
  );
  const callOff = after(QUIET_MS, () => show(over));
  try {
    return await work;
  } finally {
    callOff();
  }
}
