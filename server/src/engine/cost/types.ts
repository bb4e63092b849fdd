/** How long one engine step takes. */
import type { StageLaw } from './stages.ts';

/** What a step computes, summed over its requests. */
export interface StepBatch {
  /** Requests that produce one token from cached context. */
  decodeSeqs: number;
  /** Σ over them of the tokens attended to, the new one included. */
  decodeContextTokens: number;
  /** The same with each context capped at the sliding window. */
  decodeWindowTokens: number;
  /** Prompts (or chunks of prompts) in the step. */
  prefillSeqs: number;
  /** Prompt tokens computed in the step. */
  prefillTokens: number;
  /** Σ over chunks of c·(p + (c + 1)/2): query-key pairs, c tokens after p cached ones. */
  prefillPairs: number;
  /** The same with each query's context capped at the sliding window. */
  prefillWindowPairs: number;
  /** Rows that reach the output head: decodes and last chunks. */
  sampledSeqs: number;
}

/** The affine law of a pure decode step at a fixed number of sequences, seconds. */
export interface DecodeLaw {
  /** At no context. */
  readonly baseS: number;
  readonly perContextTokenS: number;
  /** Zero for models without sliding windows. */
  readonly perWindowTokenS: number;
}

/** Collectives of one step over the tensor-parallel group. */
export interface CollectiveLaw {
  readonly perStep: number;
  /** Seconds of a step's collectives, for all tokens in it. */
  secondsS(tokens: number): number;
}

/** What the data-parallel ranks of a mixture of experts compute together in each step: its experts. */
export interface TogetherLaw {
  /** What a rank's step takes beyond its `stepS`, s, where `all` tokens are on all ranks and `most` on the fullest. */
  moreS(all: number, most: number, own: RankStep): number;
}

/** One rank's step. */
export interface RankStep {
  readonly tokens: number;
  readonly seqs: number;
  /** Whether prompts are among all ranks' tokens. */
  readonly prompts: boolean;
}

/** Receives, tokenises and answers requests, beside the engine's steps. */
export interface FrontEndLaw {
  /** Its work on one request before the scheduler gets it, s: one request after the other. */
  serviceS(promptTokens: number): number;
  /** What delays every request alike and holds up nobody: the ways there and back, s. */
  readonly latencyS: number;
}

export interface CostModel {
  /** Seconds of one step: all stages of a pipeline, one after the other. */
  stepS(batch: StepBatch): number;
  /** Pure decode: baseS + perContextTokenS·contexts + perWindowTokenS·capped contexts, for `seqs` ≥ 1. */
  decodeLaw(seqs: number): DecodeLaw;
  /** What the host takes between two steps of `seqs` sequences, s, part of `stepS`; all stages of a pipeline together. */
  hostS(seqs: number): number;
  /** Sliding window, tokens; Infinity where every layer attends to everything. */
  readonly windowTokens: number;
  /** Collectives inside a step, null on one GPU. */
  readonly collectives: CollectiveLaw | null;
  /** What other ranks' tokens add to a step; null where they add nothing. */
  readonly together: TogetherLaw | null;
  /** The process in front of the scheduler; null where requests reach the scheduler at once. */
  readonly frontEnd: FrontEndLaw | null;
  /** The next step is put together while one runs (v1, asynchronous scheduling). */
  readonly stepsAhead: boolean;
  /** How a step splits over the stages of a pipeline; null without one. */
  readonly stages: StageLaw | null;
  readonly provenance: 'fitted' | 'roofline' | 'linear';
}

export function emptyBatch(): StepBatch {
  return {
    decodeSeqs: 0,
    decodeContextTokens: 0,
    decodeWindowTokens: 0,
    prefillSeqs: 0,
    prefillTokens: 0,
    prefillPairs: 0,
    prefillWindowPairs: 0,
    sampledSeqs: 0,
  };
}

/** Empties a batch that is used again. */
export function clearBatch(batch: StepBatch): void {
  batch.decodeSeqs = 0;
  batch.decodeContextTokens = 0;
  batch.decodeWindowTokens = 0;
  batch.prefillSeqs = 0;
  batch.prefillTokens = 0;
  batch.prefillPairs = 0;
  batch.prefillWindowPairs = 0;
  batch.sampledSeqs = 0;
}

/** Adds a chunk of `tokens` prompt tokens after `cached` ones to a batch. */
export function addPrefill(
  batch: StepBatch,
  tokens: number,
  cached: number,
  last: boolean,
  windowTokens: number,
): void {
  batch.prefillSeqs += 1;
  batch.prefillTokens += tokens;
  const pairs = causalPairs(tokens, cached);
  batch.prefillPairs += pairs;
  batch.prefillWindowPairs += cached + tokens <= windowTokens ? pairs : windowPairs(tokens, cached, windowTokens);
  if (last) batch.sampledSeqs += 1;
}

/** Query-key pairs of `tokens` queries after `cached` tokens under a causal mask. */
export function causalPairs(tokens: number, cached: number): number {
  return tokens * (cached + (tokens + 1) / 2);
}

function windowPairs(tokens: number, cached: number, window: number): number {
  const growing = Math.min(tokens, Math.max(0, window - cached));
  return causalPairs(growing, cached) + (growing < tokens ? (tokens - growing) * window : 0);
}
