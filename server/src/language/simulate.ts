/** `layerkv/simulate`: one plan of an open document, simulated now because someone asked. */
import type { Prediction, RequestRecord } from '../forecast/types.ts';
import type { Plan } from '../plan/types.ts';
import type { PlanSummary, RequestColumns, SimulateParams, SimulateResult } from '../protocol.ts';
import type { SimulationPort, SimulationRun } from '../simulation/port.ts';
import type { DocumentView } from './view.ts';
import { describeArrivals, describeLength } from './words.ts';

export interface SimulationRequest {
  /** Null when it was cancelled. */
  readonly result: Promise<SimulateResult | null>;
  cancel(): void;
}

export function simulateDocument(
  params: SimulateParams,
  view: Promise<DocumentView | null>,
  port: SimulationPort,
  onProgress: (fraction: number) => void,
): SimulationRequest {
  let run: SimulationRun | null = null;
  let cancelled = false;
  const start = async (): Promise<SimulateResult | null> => {
    const found = await view;
    if (cancelled) return null;
    const plan = planOf(found, params.document);
    if (found === null || plan === null) return { ok: false, message: whyNoPlan(found, params.document) };
    const { policy, seed, requests, interval = true } = params;
    const options = {
      interval,
      perRequest: true,
      ...(policy !== undefined && { policy }),
      ...(seed !== undefined && { seed }),
      ...(requests !== undefined && { requests }),
    };
    run = port.run({ plan, options, priority: 'user' }, onProgress);
    const outcome = await run.outcome;
    if (outcome.kind === 'cancelled') return null;
    if (outcome.kind === 'failed') return { ok: false, message: `The simulation failed: ${outcome.message}.` };
    const { uri, version } = found;
    const predictions = outcome.predictions.map(withColumns);
    return { ok: true, uri, version, document: plan.documentIndex, plan: summary(plan), predictions };
  };
  return {
    result: start(),
    cancel: () => {
      cancelled = true;
      run?.cancel();
    },
  };
}

function planOf(view: DocumentView | null, document: number | undefined): Plan | null {
  const plans = view?.analysis.plans ?? [];
  return (document === undefined ? plans[0] : plans.find(({ documentIndex }) => documentIndex === document)) ?? null;
}

function whyNoPlan(view: DocumentView | null, document: number | undefined): string {
  if (view === null) return 'This file holds no serving plan. Open a file that begins with `apiVersion: layerkv/v1`.';
  if (document !== undefined && view.analysis.plans.length > 0) {
    return `Document ${document + 1} of this file holds no plan that can be simulated. Mend its errors first.`;
  }
  return 'The plan in this file cannot be simulated yet. Mend the errors that are marked in it, then run this again.';
}

function withColumns({ perRequest = [], ...prediction }: Prediction): {
  readonly prediction: Omit<Prediction, 'perRequest'>;
  readonly requests: RequestColumns;
} {
  const column = <K extends keyof RequestRecord>(key: K): RequestRecord[K][] => perRequest.map((each) => each[key]);
  return {
    prediction,
    requests: {
      arrivalS: column('arrivalS'),
      inputTokens: column('inputTokens'),
      outputTokens: column('outputTokens'),
      prefillStartS: column('prefillStartS'),
      firstTokenS: column('firstTokenS'),
      finishS: column('finishS'),
    },
  };
}

function summary(plan: Plan): PlanSummary {
  const { arrivals, input, output, trace } = plan.workload;
  const fromTrace = trace.value !== null;
  return {
    name: plan.name.value,
    model: plan.model.value.id,
    weightDtype: plan.weightDtype.value,
    gpu: plan.gpu.value.id,
    gpusPerReplica: plan.gpusPerReplica.value,
    replicas: plan.replicas.value,
    tensor: plan.tensor.value,
    pipeline: plan.pipeline.value,
    engineVersion: plan.engine.version.value,
    maxModelLenTokens: plan.engine.maxModelLen.value,
    arrivals: trace.value === null ? describeArrivals(arrivals.value) : `trace ${trace.value.path}`,
    input: fromTrace ? 'from the trace' : describeLength(input.value),
    output: fromTrace ? 'from the trace' : describeLength(output.value),
    slo: {
      ttftMs: plan.slo.ttftMs.value,
      tpotMs: plan.slo.tpotMs.value,
      attainment: plan.slo.attainment.value,
    },
  };
}
