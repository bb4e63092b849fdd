/** Who gets the next request. */

/** The first of those with the least score. */
export function leastOf<T extends object>(choices: readonly T[], score: (choice: T) => number): T {
  let best = choices[0]!;
  if (choices.length === 1) return best;
  let least = Number.POSITIVE_INFINITY;
  for (const choice of choices) {
    const own = score(choice);
    if (own >= least) continue;
    least = own;
    best = choice;
  }
  return best;
}

/**
 * vLLM's balancer between data-parallel ranks: whoever waits counts four times
 * (vllm/v1/engine/core_client.py, `DPLBAsyncMPClient.get_core_engine_for_request`). There the counts are up to 100 ms
 * old; here they are those of the arrival.
 * @param load requests in hand; @param waiting those of them that wait.
 */
export function rankScore(load: number, waiting: number): number {
  return load + 3 * waiting;
}
