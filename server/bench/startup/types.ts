/** What a published start-up log of vLLM tells. */
import type { ModelShape, SchedulerKind, WeightDtype } from '../../src/engine/types.ts';

export interface StartupLog {
  readonly name: string;
  readonly source: string;
  /** Catalogue id, or a shape from its published config.json. */
  readonly model: string | ModelShape;
  readonly weightDtype?: WeightDtype;
  readonly kvDtype?: 'fp8';
  /** Catalogue id; `totalGiB` where the log prints another total. */
  readonly gpu: string;
  readonly totalGiB?: number;
  readonly tensor?: number;
  readonly interconnect?: 'nvlink';
  readonly version: string;
  readonly scheduler?: SchedulerKind;
  readonly utilization: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly enforceEager?: true;
  /** The log says so: FlashInfer was installed, which a plan cannot state. */
  readonly flashInfer?: true;
  readonly published: {
    readonly kvGiB?: number;
    readonly kvBytes?: number;
    readonly blocks?: number;
    readonly tokens?: number;
    readonly weightsGiB?: number;
    readonly activationGiB?: number;
  };
  /** Why the printed pool cannot be a test of the memory law; the other figures still are. */
  readonly notAPool?: string;
}
