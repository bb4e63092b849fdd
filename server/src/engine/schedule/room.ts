/** Blocks for the next step of the decode batch that is being looked at. */
import type { Replica } from './replica.ts';

/**
 * Preempts from the tail until every running request has its next block; where layers are on their way out, waits for
 * them first.
 * @param preempt gives up whoever is last. @returns whether anyone was preempted.
 */
export function makeRoomForDecode(replica: Replica, preempt: () => void): boolean {
  let preempted = false;
  while (replica.decode.count > 0 && isShortForDecode(replica)) {
    if (replica.layerkv?.parking.awaitLeaving() === true) continue;
    preempt();
    preempted = true;
  }
  return preempted;
}

function isShortForDecode({ decode, layerkv, freeLayerBlocks }: Replica): boolean {
  if (decode.gpuBlocksForNextStep() > freeLayerBlocks - (layerkv?.transientHeld ?? 0)) return true;
  return layerkv !== null && decode.hostBlocksForNextStep() > layerkv.holdings.hostFree;
}
