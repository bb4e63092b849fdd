/** What is on a replica's way between GPU and host, whoever sends it: LayerKV's layers, or blocks of the host tier. */
import type { Replica } from './replica.ts';

/** When the next transfer that something waits for ends, s; Infinity when none is under way. */
export function nextTransferS({ layerkv, loads }: Replica): number {
  return layerkv?.parking.nextEventS() ?? loads?.nextEventS() ?? Number.POSITIVE_INFINITY;
}

/** Nothing runs and nothing moves: whoever holds blocks that others wait for gives them up. @returns false if nobody does. */
export function untie({ layerkv, loads }: Replica): boolean {
  return layerkv?.parking.untie() ?? loads?.untie() ?? false;
}

/**
 * Nothing can run now. Waits for the next transfer, or no longer than the replica's `untilS`; where none is under way,
 * unties what holds requests up. @returns false when there is nothing to wait for.
 */
export function waitForTransfer(replica: Replica): boolean {
  const nextS = nextTransferS(replica);
  if (nextS === Number.POSITIVE_INFINITY) return untie(replica);
  replica.clockS = Math.max(replica.clockS, Math.min(nextS, replica.untilS));
  return true;
}
