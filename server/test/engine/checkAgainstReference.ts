/** What "the engine equals the reference" means. */
import assert from 'node:assert/strict';
import { simulate } from '../../src/engine/simulate.ts';
import type { EngineInput } from '../../src/engine/types.ts';
import { referenceRun } from './referencePipeline.ts';
import type { Stay } from './referenceState.ts';

function close(actual: number, expected: number, what: string): void {
  if (Number.isNaN(expected)) assert.ok(Number.isNaN(actual), `${what}: ${actual}, expected none`);
  else
    assert.ok(
      Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected)),
      `${what}: ${actual}, expected ${expected}`,
    );
}

/** Parked requests at a moment; an event within `leewayS` of it may count either way. */
function parkedAt(stays: readonly Stay[], timeS: number, leewayS: number): number {
  return stays.filter(({ fromS, toS }) => fromS <= timeS + leewayS && toS > timeS - leewayS).length;
}

/** Runs the engine and the reference on one input: every request's times, and the run's counts, have to agree. */
export function checkAgainstReference(input: EngineInput): void {
  const { records } = simulate(input);
  const reference = referenceRun(input);
  for (const expected of reference.requests) {
    const k = expected.id;
    close(records.arrivalS[k]!, expected.arrivalS, `arrival of ${k}`);
    close(records.prefillStartS[k]!, expected.prefillStartS, `prefill start of ${k}`);
    close(records.firstTokenS[k]!, expected.firstTokenS, `first token of ${k}`);
    close(records.finishS[k]!, expected.finishS, `finish of ${k}`);
  }
  if (reference.cachedTokens !== undefined) {
    assert.equal(records.cachedTokens, reference.cachedTokens, 'tokens found on the GPU');
    assert.equal(records.loadedTokens, reference.loadedTokens, 'tokens loaded from the host');
  }
  const stays = reference.stays ?? [];
  const parkedS = stays.reduce((sum, { fromS, toS }) => sum + toS - fromS, 0);
  close(records.parkedS, parkedS, 'time parked');
  records.watchS.forEach((timeS, k) => {
    const count = records.parkedAt[k]!;
    const leewayS = 1e-9 * Math.max(2, timeS);
    const least = parkedAt(stays, timeS, -leewayS);
    const most = parkedAt(stays, timeS, leewayS);
    assert.ok(least <= count && count <= most, `parked at ${timeS}: ${count}, expected ${least} to ${most}`);
  });
  assert.equal(records.preemptions, reference.preemptions, 'preemptions');
  assert.equal(records.refused, reference.refused, 'refused');
  close(records.deviceToHostBytes, reference.deviceToHostBytes, 'bytes to the host');
  close(records.hostToDeviceBytes, reference.hostToDeviceBytes, 'bytes from the host');
}
