/** The workload and what is expected of it. */
import { changeTo, placeOf, type Rule } from './rule.ts';

const noSlo: Rule = {
  id: 'no-slo',
  severity: 'information',
  summary: 'Without objectives there is no violation rate, and LayerKV’s scheduler has nothing to keep.',
  check: ({ draft }) => {
    const { ttftMs, tpotMs } = draft.slo;
    // Not yet advice where the plan itself is still incomplete.
    if (draft.model === null || draft.gpu === null || draft.workload.arrivals === null) return [];
    if (ttftMs === null || tpotMs === null || ttftMs.value !== null || tpotMs.value !== null) return [];
    return [
      {
        message:
          'No service-level objective is stated, so there is nothing to compare the prediction with. Add for example `slo: {ttft: 3s, tpot: 200ms}`.',
        range: draft.anchor,
      },
    ];
  },
};

const traceShorter: Rule = {
  id: 'trace-shorter-than-requests',
  severity: 'information',
  summary: 'The trace has fewer rows than the requests asked for.',
  check: ({ draft }) => {
    const { trace, requests } = draft.workload;
    const rows = trace?.value?.columns.arrivalS.length;
    if (rows === undefined || requests === null || requests.origin !== 'stated' || requests.value <= rows) return [];
    return [
      {
        message: `The trace has ${rows} requests, fewer than the ${requests.value} asked for; ${rows} are simulated.`,
        range: placeOf(draft, requests),
        ...changeTo(requests, String(rows), `Set requests to ${rows}`),
      },
    ];
  },
};

const traceReplaces: Rule = {
  id: 'trace-replaces-workload',
  severity: 'information',
  summary: 'A trace replaces arrivals, input and output.',
  check: ({ draft }) => {
    const { trace, arrivals, input, output } = draft.workload;
    if (trace === null || trace.value === null) return [];
    return [arrivals, input, output].flatMap((each) =>
      each?.range && each.keyRange
        ? [
            {
              message: 'The trace replaces this; it has no effect. Remove either.',
              range: each.keyRange,
              ...(trace.range === null ? {} : { related: [{ message: 'the trace', range: trace.range }] }),
            },
          ]
        : [],
    );
  },
};

/** Rules of this theme. */
export const workloadRules: readonly Rule[] = [noSlo, traceShorter, traceReplaces];
