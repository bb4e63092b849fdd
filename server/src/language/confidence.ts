/** How sure the figures are and where they come from, in the words that hover, terminal and report share. */
import type { Band, Cell, Prediction } from '../forecast/types.ts';
import { formatDurationMs, formatPercent } from '../plan/quantity.ts';
import { plainNumber } from './words.ts';

type Provenance = Prediction['provenance'];

const LAWS: Readonly<Record<string, string>> = {
  fitted: 'fitted to kernels timed on this GPU',
  roofline: "roofline: this GPU's datasheet, at shares of peak timed on other GPUs",
  linear: 'linear, as the plan states it',
};

/** "calibrated (chat.calibration.json)": which law the times are from. */
export function costWords({ cost, calibration }: Provenance): string {
  return calibration === undefined ? (LAWS[cost] ?? cost) : `${cost} (${calibration})`;
}

/** "vllm 0.9.1 (0.9.0 until 0.10.0, GPUs from 70 GiB but A100)": whose defaults, by which row of the table. */
export function defaultsWords({ engineDefaults, engineDefaultsRow }: Provenance): string {
  return `${engineDefaults} (${engineDefaultsRow})`;
}

/** A mean, and within what eight of ten measurements lay of such a prediction. */
export interface LikelyFigure {
  readonly name: 'TTFT' | 'TPOT' | 'output';
  /** "0.9–1.5 s". */
  readonly range: string;
  readonly measurements: number;
  /** What they have in common: "Hopper GPUs, dense models, little queueing". */
  readonly alike: string;
}

/** The figures that have a band. */
export function likelyFigures({ provenance, ttftMs, tpotMs, throughput }: Prediction): readonly LikelyFigure[] {
  const bands = provenance.confidence;
  if (bands === undefined) return [];
  const figure = (
    name: LikelyFigure['name'],
    mean: number | undefined,
    band: Band | null,
    write: (value: number) => string,
  ): readonly LikelyFigure[] => {
    if (mean === undefined || band === null) return [];
    const { low, high, measurements, cell } = band;
    return [{ name, range: range(write(low * mean), write(high * mean)), measurements, alike: cellWords(cell) }];
  };
  return [
    ...figure('TTFT', ttftMs?.mean, bands.ttft, formatDurationMs),
    ...figure('TPOT', tpotMs?.mean, bands.tpot, formatDurationMs),
    ...figure('output', throughput?.outputTokensPerS, bands.throughput, (rate) => `${plainNumber(rate)} tokens/s`),
  ];
}

/** A unit that both ends share is said once. */
function range(from: string, to: string): string {
  const unit = / \S+$/.exec(from)?.[0] ?? '';
  return to.endsWith(unit) ? `${from.slice(0, from.length - unit.length)}–${to}` : `${from} to ${to}`;
}

const FAMILIES: Readonly<Record<string, string>> = {
  ampere: 'Ampere',
  hopper: 'Hopper',
  blackwell: 'Blackwell',
  ada: 'Ada',
  adaEcc: 'Ada with ECC',
  blackwellGddr: 'Blackwell with GDDR',
  ampereGddr: 'Ampere with GDDR',
  ampereGddrEcc: 'Ampere with GDDR and ECC',
};
const MODELS = { dense: 'dense models', moe: 'models with experts', mla: 'models with latent attention' } as const;
const LOADS = {
  light: 'little queueing',
  loaded: 'some queueing',
  crowded: 'mostly queueing',
  backlogged: 'mostly queueing, open arrivals',
} as const;

/** "Hopper GPUs, dense models, little queueing": what the measurements have in common. */
export function cellWords({ basis, gpu, model, load }: Cell): string {
  const start =
    basis === 'calibrated'
      ? 'deployments calibrated under another load'
      : basis === 'standIn'
        ? "GPUs predicted from other families' kernels"
        : gpu === null
          ? 'all GPUs'
          : `${FAMILIES[gpu] ?? gpu} GPUs`;
  return [start, ...(model === null ? [] : [MODELS[model]]), ...(load === null ? [] : [LOADS[load]])].join(', ');
}

/** "mean TTFT 0.9–1.5 s, TPOT 21–25 ms (51 on Hopper GPUs, …)": figures of one cell share its words; null without bands. */
export function likelyText(prediction: Prediction): string | null {
  const figures = likelyFigures(prediction);
  if (figures.length === 0) return null;
  const groups = [...new Set(figures.map(({ alike }) => alike))].map((alike) => {
    const mine = figures.filter((figure) => figure.alike === alike);
    const counts = mine.map(({ measurements }) => measurements);
    const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
    const count = fewest === most ? `${most}` : `${fewest} to ${most}`;
    return `${mine.map((figure) => `${figure.name} ${figure.range}`).join(', ')} (${count} on ${alike})`;
  });
  const measured = prediction.policy === 'vllm' ? '' : '; they ran vLLM, of LayerKV there is only its paper';
  return `8 of 10 published measurements like this: mean ${groups.join('; ')}${measured}`;
}

/** Where the verdict on the SLO would be another one within the bands: what then; null where it holds. */
export function withinErrorText({ verdict, violationRate }: Prediction, attainment: number): string | null {
  const span = violationRate?.withinError;
  if (span === undefined || violationRate === null) return null;
  const breaks = (share: number): boolean => 1 - share < attainment;
  const [least, most] = span.any;
  const at = (end: string, share: number): string =>
    `Within the model's error of the SLO: with times at the ${end} end of such measurements ${formatPercent(share)} ` +
    `of the requests miss it, not ${formatPercent(violationRate.any)}`;
  if (verdict === 'met' && breaks(most)) {
    const names = [...(breaks(span.ttft[1]) ? ['TTFT'] : []), ...(breaks(span.tpot[1]) ? ['TPOT'] : [])];
    const by = names.length === 0 ? '' : ` (${names.join(' and ')})`;
    return `${at('high', most)}${by}.`;
  }
  return verdict === 'violated' && !breaks(least) ? `${at('low', least)}.` : null;
}
