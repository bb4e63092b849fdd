/** The report's tables as rows of text: the page only lays them out. */
import type { Distribution } from '../../../server/src/forecast/types.ts';
import { costWords, defaultsWords, type LikelyFigure, likelyFigures } from '../../../server/src/language/confidence.ts';
import { missShare, POLICY_NAMES, plainNumber, versusText } from '../../../server/src/language/words.ts';
import { formatBytes, formatDurationMs, formatPercent } from '../../../server/src/plan/quantity.ts';
import { type Figures, PERCENTS, type PolicyReport, type ReportModel } from './model.ts';
import { verdictText } from './wording.ts';

/** A table: column heads, then groups of rows; the first cell of a row is its head. */
export interface Table {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly groups: readonly { readonly name: string | null; readonly rows: readonly Row[] }[];
}

export interface Row {
  readonly head: string;
  readonly cells: readonly string[];
  /** Index of the policy the row is about, for its colour mark; null where it is about all. */
  readonly policy: number | null;
  /** What the figure means. */
  readonly help?: string;
}

const NONE = '–';

/** "52,416": exact, thousands grouped. */
function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function orNone<T>(value: T | null, write: (value: T) => string): string {
  return value === null ? NONE : write(value);
}

const statistics = ['mean', 'p50', 'p90', 'p95', 'p99', 'max'] as const satisfies readonly (keyof Distribution)[];

/** TTFT, TPOT and end-to-end time, one row a policy. */
export function latencyTable({ policies }: ReportModel): Table {
  const metrics = [
    { name: 'Time to first token (TTFT)', of: (figures: Figures) => figures.ttftMs },
    { name: 'Time per output token (TPOT)', of: (figures: Figures) => figures.tpotMs },
    { name: 'Between two tokens (ITL)', of: (figures: Figures) => figures.itlMs ?? null },
    { name: 'End to end', of: (figures: Figures) => figures.e2eMs },
  ];
  return {
    caption: 'Latency',
    columns: ['', ...statistics],
    groups: metrics.map(({ name, of }) => ({
      name,
      rows: policies.map(({ policy, prediction }, index) => ({
        head: POLICY_NAMES[policy],
        cells: statistics.map((statistic) => orNone(of(prediction), (figures) => formatDurationMs(figures[statistic]))),
        policy: index,
      })),
    })),
  };
}

interface Line {
  readonly head: string;
  readonly help?: string;
  readonly of: (figures: Figures) => string;
}

/** Only where there are two. */
const versusLine: Line = {
  head: 'Change over ten further seeds',
  help: 'The 95 % interval of the difference in that share, both policies given the same requests for each seed.',
  of: ({ versus }) => (versus === undefined ? '–' : versusText(versus)),
};

const serviceLines: readonly Line[] = [
  { head: 'Verdict', of: (figures) => verdictText(figures).text },
  {
    head: 'Requests that miss an SLO',
    help: 'In brackets the 95 % interval over ten further seeds: how much depends on chance.',
    of: ({ violationRate }) => orNone(violationRate, missShare),
  },
  versusLine,
  { head: 'Miss the TTFT SLO', of: ({ violationRate }) => orNone(violationRate, (rate) => formatPercent(rate.ttft)) },
  { head: 'Miss the TPOT SLO', of: ({ violationRate }) => orNone(violationRate, (rate) => formatPercent(rate.tpot)) },
  {
    head: 'Finished requests',
    of: ({ finished, requests }) => `${count(finished)} of ${count(requests)}`,
  },
  {
    head: 'Requests per second',
    of: ({ throughput }) => orNone(throughput, (rates) => plainNumber(rates.requestsPerS)),
  },
  {
    head: 'Output tokens per second',
    of: ({ throughput }) => orNone(throughput, (rates) => plainNumber(rates.outputTokensPerS)),
  },
  {
    head: 'Goodput, requests per second',
    help: 'Requests that keep both SLOs.',
    of: ({ throughput }) => orNone(throughput, (rates) => plainNumber(rates.goodputPerS)),
  },
  {
    head: 'Time until the last request finished',
    of: ({ makespanS }) => orNone(makespanS, (s) => formatDurationMs(s * 1000)),
  },
  {
    head: 'Waiting or parked, half-way and when the last request arrives',
    help: 'Requests that have arrived and that nothing is being done for.',
    of: ({ backlog }) => (backlog === undefined ? NONE : `${count(backlog.atHalf)}, then ${count(backlog.atEnd)}`),
  },
  { head: 'Preemptions', of: ({ preemptions }) => count(preemptions) },
];

const memoryLines: readonly Line[] = [
  { head: 'Weights per GPU', of: ({ memory }) => formatBytes(memory.weightsBytesPerGpu) },
  { head: 'Activations per GPU, at their peak', of: ({ memory }) => formatBytes(memory.activationBytesPerGpu) },
  { head: 'KV cache per token', of: ({ memory }) => formatBytes(memory.kvBytesPerToken) },
  {
    head: 'KV cache on the GPUs',
    of: ({ memory }) => `${count(memory.kvTokens)} tokens, ${count(memory.gpuBlocks)} blocks`,
  },
  {
    head: 'Sequences of full length that fit',
    help: 'KV tokens over max-model-len.',
    of: ({ memory }) => plainNumber(memory.fullLengthSequences),
  },
  {
    head: 'KV cache on the host',
    of: ({ memory }) => orNone(memory.hostPoolTokens, (tokens) => `${count(tokens)} tokens`),
  },
];

const offloadLines: readonly Line[] = [
  {
    head: 'Layers kept on the GPU',
    help: 'At the mean prompt; the others go to the host during the prefill.',
    of: ({ offload }) =>
      orNone(offload, ({ retainedLayers, layers }) => `${count(retainedLayers)} of ${count(layers)}`),
  },
  {
    head: 'Offloading hidden behind compute',
    of: ({ offload }) => orNone(offload?.hiddenShare ?? null, formatPercent),
  },
  { head: 'Moved to the host', of: ({ offload }) => orNone(offload, (moved) => formatBytes(moved.deviceToHostBytes)) },
  { head: 'Moved back', of: ({ offload }) => orNone(offload, (moved) => formatBytes(moved.hostToDeviceBytes)) },
  {
    head: 'Waiting to rejoin, all requests together',
    help: 'Between a request’s first token and its return to the decode batch.',
    of: ({ offload }) => orNone(offload, (moved) => formatDurationMs(moved.parkedS * 1000)),
  },
];

const likelyLine = (head: string, figure: LikelyFigure['name']): Line => ({
  head,
  help: '8 of 10 published measurements lay this far from what is predicted of them. All of them ran vLLM.',
  of: (figures) => {
    const likely = likelyFigures(figures).find(({ name }) => name === figure);
    return likely === undefined ? NONE : `${likely.range} (${likely.measurements} on ${likely.alike})`;
  },
});

const provenanceLines: readonly Line[] = [
  likelyLine('Mean TTFT in 8 of 10 measurements like this', 'TTFT'),
  likelyLine('Mean TPOT in 8 of 10', 'TPOT'),
  likelyLine('Output in 8 of 10', 'output'),
  { head: 'Step times', of: ({ provenance }) => costWords(provenance) },
  { head: 'Engine defaults', of: ({ provenance }) => defaultsWords(provenance) },
  { head: 'Scheduler', of: ({ scheduler }) => scheduler },
  { head: 'Seed', of: ({ provenance }) => String(provenance.seed) },
];

/** Everything else, one column a policy. Offload rows only where a policy offloads. */
export function numbersTable({ policies }: ReportModel): Table {
  const group = (name: string, lines: readonly Line[]): Table['groups'][number] => ({
    name,
    rows: lines.map(({ head, help, of }) => ({
      head,
      cells: policies.map(({ prediction }) => of(prediction)),
      policy: null,
      ...(help === undefined ? {} : { help }),
    })),
  });
  const offloads = policies.some(({ prediction }) => prediction.offload !== null);
  return {
    caption: 'All figures',
    columns: ['', ...policies.map(({ policy }) => POLICY_NAMES[policy])],
    groups: [
      group('Service', policies.length > 1 ? serviceLines : serviceLines.filter((line) => line !== versusLine)),
      group('Memory', memoryLines),
      ...(offloads ? [group('Offload to the host', offloadLines)] : []),
      group('Where the figures come from', provenanceLines),
    ],
  };
}

/** Table twin of the TTFT plot. */
export function ttftTable({ policies }: ReportModel): Table {
  return {
    caption: 'Time to first token: this share of the requests waits at most this long',
    columns: ['Requests', ...policies.map(({ policy }) => POLICY_NAMES[policy])],
    groups: [
      {
        name: null,
        rows: PERCENTS.map((percentValue, row) => ({
          head: `${percentValue} %`,
          cells: policies.map(({ ttftAtPercent }) => orNone(ttftAtPercent[row] ?? null, formatDurationMs)),
          policy: null,
        })),
      },
    ],
  };
}

/** Parts of the mean TTFT, for the bars and their table twin. */
export interface Part {
  readonly name: string;
  readonly ms: number;
  readonly share: number;
}

/** The mean TTFT in parts; null without figures. */
export function ttftParts({ prediction }: PolicyReport): readonly Part[] | null {
  const parts = prediction.ttftParts;
  if (parts === null) return null;
  const total = parts.queueMs + parts.prefillMs + parts.offloadMs;
  const share = (ms: number): number => (total > 0 ? ms / total : 0);
  return [
    { name: 'Waiting in the queue', ms: parts.queueMs, share: share(parts.queueMs) },
    { name: 'Computing the prefill', ms: parts.prefillMs, share: share(parts.prefillMs) },
    { name: 'Offloading that compute did not hide', ms: parts.offloadMs, share: share(parts.offloadMs) },
  ];
}

/** Table twin of the bars. */
export function partsTable({ policies }: ReportModel): Table {
  const names = ['Waiting in the queue', 'Computing the prefill', 'Offloading that compute did not hide'];
  return {
    caption: 'Mean time to first token, in parts',
    columns: ['', ...policies.map(({ policy }) => POLICY_NAMES[policy])],
    groups: [
      {
        name: null,
        rows: names.map((head, row) => ({
          head,
          cells: policies.map((policy) => {
            const part = ttftParts(policy)?.[row];
            return part === undefined ? NONE : `${formatDurationMs(part.ms)} (${formatPercent(part.share)})`;
          }),
          policy: null,
        })),
      },
    ],
  };
}
