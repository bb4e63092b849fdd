/**
 * Time laws of single kernels over shape, GPU facts and a few coefficients per GPU family. The same functions run in the
 * engine and in the fit (`server/bench/fit`), so that what was fitted is what predicts.
 */

/** A matrix product: fixed time plus the softer maximum of arithmetic and traffic. Shares are of datasheet peaks. */
export interface ProductCoefficients {
  readonly launchS: number;
  readonly flopsShare: number;
  readonly streamShare: number;
  /** Exponent p of (x^p + y^p)^(1/p): large is a hard corner between arithmetic and traffic. */
  readonly sharpness: number;
}

/** Routed experts of one layer: grouped products over the experts that any token chose. */
export interface ExpertCoefficients extends ProductCoefficients {
  /** Rows of padding that every touched expert computes beside its own. */
  readonly padTokens: number;
  /** Share of bandwidth at which tokens are sorted to experts, activated and gathered. */
  readonly tokenStreamShare: number;
}

/** Prefill attention of one layer. */
export interface PrefillAttentionCoefficients {
  readonly launchS: number;
  /** Of peak 16-bit arithmetic, over the causal half. */
  readonly flopsShare: number;
  /** Keys that every query pays for beside its own context: partly filled tiles. */
  readonly extraTokens: number;
}

/** Decode attention of one layer. */
export interface DecodeAttentionCoefficients {
  readonly launchS: number;
  readonly streamShare: number;
  /** Sequences × KV heads at which half of the streaming rate is reached. */
  readonly halfRateUnits: number;
  /** Fixed time of each sequence and query head, s. */
  readonly perHeadS: number;
}

/** Norms, rotary embedding, activation: kernels that only move data. */
export interface ElementwiseCoefficients {
  readonly launchS: number;
  readonly streamShare: number;
}

/** All-reduce of a tensor-parallel group. */
export interface AllReduceCoefficients {
  /** At 2, 4 and 8 ranks, s; between them by straight line over the logarithm. */
  readonly latencyS: readonly [number, number, number];
  /** Bus bandwidth over one direction of NVLink, or of the host link, at 2, 4 and 8 ranks. */
  readonly busShare: readonly [number, number, number];
}

/** The smoother maximum of two times, s. */
export function softMaximum(a: number, b: number, sharpness: number): number {
  const most = Math.max(a, b);
  if (most === 0) return 0;
  return most * ((a / most) ** sharpness + (b / most) ** sharpness) ** (1 / sharpness);
}

/**
 * y[m, n] = x[m, k] · W[n, k], s.
 * @param weightBytes bytes of one weight; activations are 16 bit. @param flopsPerS peak; @param bytesPerS peak.
 */
export function productS(
  law: ProductCoefficients,
  m: number,
  n: number,
  k: number,
  weightBytes: number,
  flopsPerS: number,
  bytesPerS: number,
): number {
  const arithmeticS = (2 * m * n * k) / (flopsPerS * law.flopsShare);
  const trafficS = (weightBytes * n * k + 2 * m * (n + k)) / (bytesPerS * law.streamShare);
  return law.launchS + softMaximum(arithmeticS, trafficS, law.sharpness);
}

/** What a rank of a MoE layer holds and sees. */
export interface ExpertShape {
  readonly hiddenSize: number;
  /** Width of an expert on this rank. */
  readonly width: number;
  readonly experts: number;
  readonly topK: number;
  /** Ranks that share out whole experts. */
  readonly expertRanks: number;
}

/** Experts that at least one of `tokens` tokens chose, if choices are even. */
export function touchedExperts(tokens: number, experts: number, topK: number): number {
  return experts * (1 - (1 - topK / experts) ** tokens);
}

/**
 * Routed experts of one layer on one rank, s.
 * @param rows tokens times experts chosen, on this rank; @param touched experts of this rank that any token chose.
 */
export function routedExpertsS(
  law: ExpertCoefficients,
  rows: number,
  touched: number,
  { hiddenSize, width }: Pick<ExpertShape, 'hiddenSize' | 'width'>,
  weightBytes: number,
  flopsPerS: number,
  bytesPerS: number,
): number {
  const weights = 3 * hiddenSize * width;
  const arithmeticS = (2 * weights * (rows + touched * law.padTokens)) / (flopsPerS * law.flopsShare);
  const trafficS = (touched * weights * weightBytes) / (bytesPerS * law.streamShare);
  const sortingS = (rows * (2 * hiddenSize + 3 * width) * 2) / (bytesPerS * law.tokenStreamShare);
  return law.launchS + softMaximum(arithmeticS, trafficS, law.sharpness) + sortingS;
}

/**
 * How much more than the mean the fullest of several expert-parallel ranks has, without redundant experts: production
 * traffic shows ranks at 1.2 to 2 times the mean (github.com/deepseek-ai/EPLB exists for that).
 */
const RANK_IMBALANCE = 0.5;

/** Routed experts of one layer on one rank, s, for `tokens` tokens that enter the layer and choose evenly. */
export function expertsS(
  law: ExpertCoefficients,
  tokens: number,
  shape: ExpertShape,
  weightBytes: number,
  flopsPerS: number,
  bytesPerS: number,
): number {
  const { experts, topK, expertRanks } = shape;
  const touched = touchedExperts(tokens, experts, topK) / expertRanks;
  const rows = ((tokens * topK) / expertRanks) * (expertRanks > 1 ? 1 + RANK_IMBALANCE : 1);
  return routedExpertsS(law, rows, touched, shape, weightBytes, flopsPerS, bytesPerS);
}

/**
 * @param pairs query-key pairs under the causal mask, summed over sequences; @param tokens queries.
 * @param pairFlops operations of one pair over the rank's heads.
 */
export function prefillAttentionS(
  law: PrefillAttentionCoefficients,
  pairs: number,
  tokens: number,
  pairFlops: number,
  flopsPerS: number,
): number {
  return law.launchS + (pairFlops * (pairs + tokens * law.extraTokens)) / (flopsPerS * law.flopsShare);
}

/** Seconds for one byte of KV that `seqs` sequences with `kvHeads` heads each read. */
export function kvByteS(law: DecodeAttentionCoefficients, seqs: number, kvHeads: number, bytesPerS: number): number {
  return (1 + law.halfRateUnits / (seqs * kvHeads)) / (bytesPerS * law.streamShare);
}

/** What decode attention takes beside reading KV, s. */
export function decodeFixedS(law: DecodeAttentionCoefficients, seqs: number, queryHeads: number): number {
  return law.launchS + law.perHeadS * seqs * queryHeads;
}

export function elementwiseS(law: ElementwiseCoefficients, bytes: number, bytesPerS: number): number {
  return law.launchS + bytes / (bytesPerS * law.streamShare);
}

/** One all-reduce of `bytes` over `ranks`, s. @param linkBytesPerS one direction of the link. */
export function allReduceS(law: AllReduceCoefficients, ranks: number, bytes: number, linkBytesPerS: number): number {
  const bus = (2 * (ranks - 1)) / ranks;
  return atRanks(law.latencyS, ranks) + (bus * bytes) / (linkBytesPerS * atRanks(law.busShare, ranks));
}

function atRanks([two, four, eight]: readonly [number, number, number], ranks: number): number {
  const doublings = Math.log2(Math.max(2, ranks));
  if (doublings <= 2) return two + (four - two) * (doublings - 1);
  return four + (eight - four) * (doublings - 2);
}
