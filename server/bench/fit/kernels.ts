/** Fits the laws of `cost/kernels.ts` to kernel measurements, one GPU family at a time. */
import { findGpu } from '../../src/catalog/gpus.ts';
import {
  allReduceS,
  decodeFixedS,
  elementwiseS,
  kvByteS,
  prefillAttentionS,
  productS,
  routedExpertsS,
} from '../../src/engine/cost/kernels.ts';
import type { GpuFacts } from '../../src/engine/types.ts';
import { type CsvRow, readCsv } from './csv.ts';
import { type Fit, fitLaw, type Sample, type Unknown } from './leastSquares.ts';
import { routed } from './routing.ts';

/** Formats as the measurement tables call them, with the bytes of a stored weight and the GPU's peak. */
const FORMATS = {
  bfloat16: { name: 'bf16', bytes: 2, peak: (gpu: GpuFacts) => gpu.bf16FlopsPerS },
  fp8: { name: 'fp8', bytes: 1, peak: (gpu: GpuFacts) => gpu.fp8FlopsPerS },
  fp8_block: { name: 'fp8Block', bytes: 1, peak: (gpu: GpuFacts) => gpu.fp8FlopsPerS },
  nvfp4: { name: 'nvfp4', bytes: 0.5 + 1 / 16, peak: (gpu: GpuFacts) => gpu.fp4FlopsPerS },
} as const;
type FormatKey = keyof typeof FORMATS;

const LAUNCH: Unknown = { start: 5e-6, least: 5e-7, most: 1e-4 };
const SHARE: Unknown = { start: 0.6, least: 0.05, most: 1 };
const SHARPNESS: Unknown = { start: 3, least: 1.3, most: 8 };

/** A fit as it is committed: coefficients beside how well they fit. */
export interface Fitted {
  readonly samples: number;
  readonly medianError: number;
  readonly p90Error: number;
  readonly [coefficient: string]: unknown;
}

/** GPUs of one family by their catalogue names. */
export interface Family {
  readonly name: string;
  readonly gpus: readonly string[];
}

export function fitProducts(folder: string, { gpus }: Family): Readonly<Record<string, Fitted>> {
  const rows = readCsv(folder, 'gemm.csv').filter((row) => gpus.includes(row.text('gpu')));
  return byFormat(rows, 'dtype', (of, format) => {
    const samples = of.flatMap((row) => {
      const shape = { m: row.number('m'), n: row.number('n'), k: row.number('k') };
      // The same weights over and over lie in the cache: small matrices at few tokens tell nothing of streaming.
      const cached = format.bytes * shape.n * shape.k < 30e6 && shape.m < 64;
      return cached ? [] : [{ ...sample(row), ...shape }];
    });
    return fitLaw(samples, { launchS: LAUNCH, flopsShare: SHARE, streamShare: SHARE, sharpness: SHARPNESS }, (s, law) =>
      productS(law, s.m, s.n, s.k, format.bytes, format.peak(s.gpu), s.gpu.memoryBandwidthBytesPerS),
    );
  });
}

/** Products of whole decoder layers (weights larger than caches), where a GPU has no table of single products. */
export function fitLayerProducts(folder: string, gpu: string): Readonly<Record<string, Fitted>> {
  const widths: Readonly<Record<string, readonly [number, number]>> = {
    'dense:qkv_proj': [6144, 4096],
    'dense:o_proj': [4096, 4096],
    'dense:gate_up_proj': [28672, 4096],
    'dense:down_proj': [4096, 14336],
  };
  const samples = readCsv(folder, 'layer-profiles.csv').flatMap((row) => {
    const width = widths[row.text('op')];
    if (width === undefined || row.text('gpu') !== gpu || row.text('model') !== 'meta-llama/Llama-3.1-8B') return [];
    return [{ ...sampleOf(gpu, row.number('timeUs') * 1e-6), m: row.number('tokens'), n: width[0], k: width[1] }];
  });
  const unknowns = { launchS: LAUNCH, flopsShare: SHARE, streamShare: SHARE, sharpness: SHARPNESS };
  return {
    bf16: rounded(
      fitLaw(samples, unknowns, (s, law) =>
        productS(law, s.m, s.n, s.k, 2, s.gpu.bf16FlopsPerS, s.gpu.memoryBandwidthBytesPerS),
      ),
    ),
  };
}

export function fitExperts(folder: string, { gpus }: Family): Readonly<Record<string, Fitted>> {
  const rows = readCsv(folder, 'moe.csv').filter((row) => gpus.includes(row.text('gpu')));
  return byFormat(rows, 'dtype', (of, format) => {
    const samples = of.flatMap((row) => {
      // How many tokens the fullest of several expert-parallel ranks had is not recorded.
      if (row.number('moeEp') > 1) return [];
      const load = routed(
        row.text('loadDistribution'),
        row.number('tokens'),
        row.number('experts'),
        row.number('topK'),
      );
      if (load === null) return [];
      const shape = { hiddenSize: row.number('hiddenSize'), width: row.number('expertFfn') / row.number('moeTp') };
      return [{ ...sample(row), ...load, shape }];
    });
    const unknowns = {
      launchS: { start: 2e-5, least: 1e-6, most: 1e-4 },
      flopsShare: SHARE,
      streamShare: SHARE,
      sharpness: SHARPNESS,
      padTokens: { start: 30, least: 1, most: 256 },
      tokenStreamShare: { start: 0.5, least: 0.02, most: 1 },
    };
    return fitLaw(samples, unknowns, (s, law) =>
      routedExpertsS(law, s.rows, s.touched, s.shape, format.bytes, format.peak(s.gpu), s.gpu.memoryBandwidthBytesPerS),
    );
  });
}

export function fitPrefillAttention(folder: string, { gpus }: Family): Fitted | null {
  const samples = attentionRows(folder, gpus, 'prefill', 'bfloat16').map((row) => {
    const tokens = row.number('batch') * row.number('inputTokens');
    return {
      ...sample(row),
      tokens,
      pairs: (tokens * (row.number('inputTokens') + 1)) / 2,
      pairFlops: 4 * row.number('queryHeads') * row.number('headDim'),
    };
  });
  if (samples.length === 0) return null;
  const unknowns = { launchS: LAUNCH, flopsShare: SHARE, extraTokens: { start: 100, least: 1, most: 2000 } };
  return rounded(
    fitLaw(samples, unknowns, (s, law) => prefillAttentionS(law, s.pairs, s.tokens, s.pairFlops, s.gpu.bf16FlopsPerS)),
  );
}

export function fitDecodeAttention(folder: string, { gpus }: Family, kvDtype: 'bfloat16' | 'fp8'): Fitted | null {
  const samples = attentionRows(folder, gpus, 'decode', kvDtype).flatMap((row) => {
    const kvHeads = row.number('kvHeads');
    const batch = row.number('batch');
    const bytes =
      batch * row.number('contextTokens') * 2 * kvHeads * row.number('headDim') * (kvDtype === 'fp8' ? 1 : 2);
    const base = sample(row);
    // Faster than memory: the KV lay in the cache, which a real step has flushed with weights.
    if (bytes / base.measuredS > base.gpu.memoryBandwidthBytesPerS) return [];
    return [{ ...base, batch, kvHeads, queryHeads: row.number('queryHeads'), bytes }];
  });
  if (samples.length === 0) return null;
  const unknowns = {
    launchS: LAUNCH,
    streamShare: SHARE,
    halfRateUnits: { start: 2, least: 0.01, most: 50 },
    perHeadS: { start: 1e-9, least: 1e-11, most: 1e-7 },
  };
  return rounded(
    fitLaw(
      samples,
      unknowns,
      (s, law) =>
        decodeFixedS(law, s.batch, s.queryHeads) +
        s.bytes * kvByteS(law, s.batch, s.kvHeads, s.gpu.memoryBandwidthBytesPerS),
    ),
  );
}

/**
 * Layer profiles where there are some; else the large batches of Vidur's operation times, with the profiles' fixed time
 * (Vidur's small batches measure its own launches).
 */
export function fitElementwise(folder: string, { gpus }: Family, vidurName: string | null): Fitted | null {
  const profiled = readCsv(folder, 'layer-profiles.csv').flatMap((row) => {
    const gpu = row.text('gpu');
    const bytes = elementwiseBytes(row.text('op'), row.text('model'), Number(row.text('tp')), row.number('tokens'));
    return gpus.includes(gpu) && bytes !== null ? [{ ...sampleOf(gpu, row.number('timeUs') * 1e-6), bytes }] : [];
  });
  const samples = profiled.length > 0 || vidurName === null ? profiled : vidurMovers(folder, vidurName, gpus[0] ?? '');
  if (samples.length === 0) return null;
  const launchS = profiled.length > 0 ? LAUNCH : { start: 2.4e-6, least: 2.39e-6, most: 2.41e-6 };
  return rounded(
    fitLaw(samples, { launchS, streamShare: SHARE }, (s, law) =>
      elementwiseS(law, s.bytes, s.gpu.memoryBandwidthBytesPerS),
    ),
  );
}

function vidurMovers(
  folder: string,
  name: string,
  gpu: string,
): readonly (Sample & { gpu: GpuFacts; bytes: number })[] {
  const widths: Readonly<Record<string, readonly [number, number]>> = {
    'meta-llama/Llama-2-70b-hf': [8192, 28672],
    'meta-llama/Llama-2-7b-hf': [4096, 11008],
  };
  return readCsv(folder, 'vidur-mlp-ops.csv').flatMap((row) => {
    const [hidden, ffn] = widths[row.text('model')] ?? [0, 0];
    const tokens = row.number('tokens');
    if (row.text('gpu') !== name || hidden === 0 || tokens < 1024) return [];
    return [
      { ...sampleOf(gpu, row.number('inputLayernormMs') / 1000), bytes: tokens * hidden * 4 },
      { ...sampleOf(gpu, row.number('mlpActMs') / 1000), bytes: (tokens * ffn * 6) / row.number('tp') },
    ];
  });
}

/** Widths of the profiled models: hidden, feed-forward, all query and KV heads together. */
const PROFILED: Readonly<Record<string, readonly [number, number, number]>> = {
  'meta-llama/Llama-3.1-8B': [4096, 14336, 6144],
  'Qwen/Qwen3-32B': [5120, 25600, 10240],
};

function elementwiseBytes(op: string, model: string, tensor: number, tokens: number): number | null {
  const [hidden, ffn, heads] = PROFILED[model] ?? [0, 0, 0];
  if (hidden === 0) return null;
  if (op === 'dense:layernorm') return tokens * hidden * 4 * 2;
  if (op === 'dense:act_fn') return (tokens * 3 * ffn * 2) / tensor;
  if (op === 'dense:rotary_emb') return (tokens * 2 * heads * 2) / tensor;
  return null;
}

/** @param link one direction, bytes/s. `libraries` are tried by what a row's `library` begins with. */
export function fitAllReduce(
  folder: string,
  { gpus }: Family,
  library: (row: CsvRow) => boolean,
  link: (gpu: GpuFacts) => number,
): Fitted | null {
  const rows = readCsv(folder, 'collectives.csv').filter(
    (row) =>
      gpus.includes(row.text('gpu')) && row.text('op') === 'all_reduce' && library(row) && link(sample(row).gpu) > 0,
  );
  const fits = [2, 4, 8].map((ranks) => {
    const samples = rows
      .filter((row) => row.number('gpus') === ranks)
      .map((row) => ({ ...sample(row), bytes: row.number('bytes') }));
    if (samples.length === 0) return null;
    const unknowns = { latencyS: { ...LAUNCH, most: 1e-3 }, busShare: { ...SHARE, least: 0.01, most: 2 } };
    return fitLaw(samples, unknowns, (s, { latencyS, busShare }) =>
      allReduceS(
        { latencyS: [latencyS, latencyS, latencyS], busShare: [busShare, busShare, busShare] },
        ranks,
        s.bytes,
        link(s.gpu),
      ),
    );
  });
  if (fits.some((fit) => fit === null)) return null;
  const all = fits as readonly Fit<'latencyS' | 'busShare'>[];
  return {
    latencyS: all.map(({ values }) => round(values.latencyS)),
    busShare: all.map(({ values }) => round(values.busShare)),
    samples: all.reduce((sum, { samples }) => sum + samples, 0),
    medianError: round(Math.max(...all.map(({ medianError }) => medianError))),
    p90Error: round(Math.max(...all.map(({ p90Error }) => p90Error))),
  };
}

/**
 * H200's rows at other head counts than 32/8 are faster than those at fewer heads, so they ran with a window; they are
 * left out.
 */
function attentionRows(folder: string, gpus: readonly string[], op: string, kvDtype: string): readonly CsvRow[] {
  return readCsv(folder, 'attention.csv').filter(
    (row) =>
      gpus.includes(row.text('gpu')) &&
      !row.text('gpu').startsWith('H200') &&
      row.text('op') === op &&
      row.text('kvDtype') === kvDtype,
  );
}

function byFormat(
  rows: readonly CsvRow[],
  column: string,
  fitOf: (rows: readonly CsvRow[], format: (typeof FORMATS)[FormatKey]) => Fit<string>,
): Readonly<Record<string, Fitted>> {
  const found = (Object.keys(FORMATS) as FormatKey[]).flatMap((key) => {
    const of = rows.filter((row) => row.text(column) === key);
    return of.length === 0 ? [] : [[FORMATS[key].name, rounded(fitOf(of, FORMATS[key]))] as const];
  });
  return Object.fromEntries(found);
}

function sample(row: CsvRow): Sample & { readonly gpu: GpuFacts } {
  return sampleOf(row.text('gpu'), row.number('latencyMs') / 1000);
}

function sampleOf(gpuName: string, measuredS: number): Sample & { readonly gpu: GpuFacts } {
  const gpu = findGpu(gpuName);
  if (gpu === undefined) throw new Error(`the measurements name a GPU that the catalogue lacks: ${gpuName}`);
  return { gpu: gpu.facts, measuredS };
}

function rounded(fit: Fit<string>): Fitted {
  return {
    ...Object.fromEntries(Object.entries(fit.values).map(([name, value]) => [name, round(value)])),
    samples: fit.samples,
    medianError: round(fit.medianError),
    p90Error: round(fit.p90Error),
  };
}

/** Three digits say all that a fit with errors of percents knows. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}
