/** Who comes to which engine when: open arrivals through the router, and users of a closed loop. */
import type { FrontEnd } from './frontEnd.ts';
import { leastOf, rankScore } from './schedule/balancer.ts';
import type { Engine } from './schedule/engine.ts';
import type { Records } from './schedule/records.ts';
import type { EngineInput } from './types.ts';

/** The router picks a replica, the replica's balancer one of its data-parallel ranks. */
export function runOpen(
  replicas: readonly (readonly Engine[])[],
  records: Records,
  routing: EngineInput['routing'],
  frontEnd: FrontEnd | null,
): void {
  const byLoad = routing === 'leastLoad' && replicas.length > 1;
  const readyS = frontEnd?.readyTimes(records.arrivalS, replicas.length) ?? records.arrivalS;
  for (let request = 0; request < records.count; request++) {
    const atS = readyS[request]!;
    if (byLoad) for (const ranks of replicas) for (const engine of ranks) engine.run(atS);
    const ranks = byLoad ? leastOf(replicas, loadOf) : replicas[request % replicas.length]!;
    for (const engine of ranks) engine.run(atS);
    leastOf(ranks, (engine) => rankScore(engine.load(), engine.waiting())).enqueue(request, atS);
  }
  for (const ranks of replicas) for (const engine of ranks) engine.run(Number.POSITIVE_INFINITY);
}

/** Requests that a replica has in hand. */
function loadOf(ranks: readonly Engine[]): number {
  return ranks.reduce((sum, engine) => sum + engine.load(), 0);
}

/**
 * Users send their next request the moment the last one is answered. Each user stays with one engine, as sessions do;
 * requests are numbered in the order users send them, which begins with one each.
 */
export function runClosed(
  engines: readonly Engine[],
  records: Records,
  concurrency: number,
  frontEnd: FrontEnd | null,
): void {
  // Fewer users than engines leave some idle.
  const serving = engines.slice(0, concurrency);
  let users = 0;
  let begin = 0;
  serving.forEach((engine, index) => {
    const own = usersOf(concurrency, serving.length, index);
    users += own;
    // Each engine gets requests by its users, so that all are busy to the end.
    const end = Math.round((records.count * users) / concurrency);
    const part = { begin, end, first: Math.min(end, begin + own) };
    begin = end;
    if (frontEnd === null) runUsers(engine, records, part);
    else runUsersBehind(frontEnd, engine, records, part);
  });
}

/** Requests of one engine: from `begin` to before `end`, those before `first` at the very start. */
interface Users {
  readonly begin: number;
  readonly end: number;
  readonly first: number;
}

/** Requests reach the scheduler the moment they are sent. */
function runUsers(engine: Engine, records: Records, { begin, end, first }: Users): void {
  let next = first;
  let due = 0;
  let issuing = false;
  const issue = (): void => {
    // Refused requests answer at once: a loop, not a recursion.
    if (issuing) return;
    issuing = true;
    while (due > 0) {
      due -= 1;
      const request = next++;
      records.arrivalS[request] = engine.nowS;
      engine.enqueue(request, engine.nowS);
    }
    issuing = false;
  };
  engine.onAnswer(() => {
    if (next + due < end) due += 1;
    issue();
  });
  for (let request = begin; request < first; request++) {
    records.arrivalS[request] = 0;
    engine.enqueue(request, 0);
  }
  engine.run(Number.POSITIVE_INFINITY);
}

/** Requests go through the front end, so that the next one comes when steps have begun without it. */
function runUsersBehind(frontEnd: FrontEnd, engine: Engine, records: Records, { begin, end, first }: Users): void {
  const door = frontEnd.door();
  const readyS = new Float64Array(end - begin);
  let sent = begin;
  const send = (arrivalS: number): number => {
    records.arrivalS[sent] = arrivalS;
    const atS = door.pass(sent, arrivalS);
    readyS[sent - begin] = atS;
    sent += 1;
    return atS;
  };
  engine.onAnswer(() => {
    if (sent < end) engine.stopAt(send(engine.nowS + frontEnd.latencyS));
  });
  while (sent < first) send(0);
  for (let request = begin; request < end; ) {
    const atS = request < sent ? readyS[request - begin]! : Number.POSITIVE_INFINITY;
    engine.run(atS);
    if (atS === Number.POSITIVE_INFINITY) continue;
    engine.enqueue(request, atS);
    request += 1;
  }
  engine.run(Number.POSITIVE_INFINITY);
}

function usersOf(concurrency: number, engines: number, index: number): number {
  return Math.floor(concurrency / engines) + (index < concurrency % engines ? 1 : 0);
}
