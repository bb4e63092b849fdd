/**
 * How tokens were spread over experts in the measurements of MoE kernels: evenly, or by a power law. The collector
 * (github.com/ai-dynamo/aiconfigurator, collector/vllm/collect_moe.py, power_law_logits_v3) draws each expert's share from
 * x^-alpha on [1, 0.8 tokens].
 */

/** What a layer computes whose experts all lie on one rank. */
export interface Routed {
  /** Tokens × experts chosen. */
  readonly rows: number;
  /** Experts that any token chose. */
  readonly touched: number;
}

/**
 * @param load 'balanced' or 'power_law_ALPHA'.
 * @returns null where the draw decides: with fewer choices than experts.
 */
export function routed(load: string, tokens: number, experts: number, topK: number): Routed | null {
  const rows = tokens * topK;
  if (load === 'balanced') return { rows, touched: Math.min(experts, rows) };
  if (tokens === 1) return { rows, touched: topK };
  if (rows <= experts) return null;
  const counts = powerLawCounts(Number(load.replace('power_law_', '')), tokens, experts, topK);
  return { rows, touched: Math.max(topK, counts.filter((count) => count > 0).length) };
}

/** Tokens of each expert, largest first: the quantiles of the law, rounded to `tokens * topK` in all. */
function powerLawCounts(alpha: number, tokens: number, experts: number, topK: number): readonly number[] {
  const choices = tokens * topK;
  const power = 1 - alpha;
  const most = tokens * 0.8;
  const shares = Array.from({ length: experts }, (_, index) => {
    const u = 1 - (index + 0.5) / experts;
    return ((most ** power - 1) * u + 1) ** (1 / power);
  });
  const sum = shares.reduce((total, share) => total + share, 0);
  const counts = shares.map((share) => Math.round((share / sum) * choices));
  const missing = choices - counts.reduce((total, count) => total + count, 0);
  for (let index = 0; index < Math.abs(missing); index++) counts[index % experts]! += Math.sign(missing);
  return counts;
}
