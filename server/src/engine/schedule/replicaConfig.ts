/** What a replica is made of. */
import type { Passage } from '../cost/stages.ts';
import type { CostModel } from '../cost/types.ts';
import type { HybridGroups } from '../kv/hybrid.ts';
import type { LinkLaw } from '../kv/link.ts';
import type { EngineLimits } from '../types.ts';
import type { LayerKvConfig } from './layerkv.ts';
import type { LmCacheSetup } from './lmCache.ts';
import type { LengthPredictor } from './predictor.ts';

export interface ReplicaConfig {
  readonly limits: EngineLimits;
  /** What a block of tokens takes a block in: every layer, or with the hybrid KV cache manager every group of layers. */
  readonly layers: number;
  /** Usable blocks, each spanning all layers; with the hybrid KV cache manager each of one group. */
  readonly poolBlocks: number;
  /** Groups of layers, where those with a sliding window keep no more than it. */
  readonly hybrid: HybridGroups | null;
  /** Blocks a prompt must leave free when it is admitted (v0's watermark). */
  readonly watermarkBlocks: number;
  readonly cost: CostModel;
  /** Where steps stay under way, stage by stage or until other ranks' end too; null where one follows the other. */
  readonly passage: Passage | null;
  /** Batches that take turns over this pool: as many as the pipeline has stages, 1 without one or where others share it. */
  readonly lanes: number;
}

/** What turns a replica's baseline into LayerKV. */
export interface LayerKvSetup {
  readonly config: LayerKvConfig;
  readonly predictor: LengthPredictor;
}

/** What brings KV from the host to a replica's prefix cache: the cache's own host tier over this link, or LMCache. */
export type HostSetup = { readonly connector: 'offloading'; readonly link: LinkLaw } | LmCacheSetup;
