/** Measurements whose engine printed its KV blocks, beside the blocks that the memory model predicts. */
import { findModel } from '../../src/catalog/models.ts';
import { memoryModel } from '../../src/engine/memory.ts';
import type { ValidationRow } from '../validate/row.ts';
import { inputOf } from './pools.ts';
import type { StartupLog } from './types.ts';

/** Signed relative error of each row's blocks. */
export function pinnedPools(
  rows: readonly ValidationRow[],
): readonly { readonly name: string; readonly error: number }[] {
  return rows.flatMap((row) => {
    const model = findModel(row.model);
    if (row.numGpuBlocks === undefined || row.gpuMemoryUtilization === undefined || model === undefined) return [];
    const log: StartupLog = {
      name: row.id,
      source: row.id,
      model: row.model,
      gpu: row.gpu,
      tensor: row.tp,
      version: row.engineVersion,
      utilization: row.gpuMemoryUtilization,
      maxModelLen: row.maxModelLen ?? model.shape.maxPositionTokens,
      ...(row.maxNumSeqs === undefined ? {} : { maxNumSeqs: row.maxNumSeqs }),
      ...(row.maxNumBatchedTokens === undefined ? {} : { maxNumBatchedTokens: row.maxNumBatchedTokens }),
      published: { blocks: row.numGpuBlocks },
    };
    return [{ name: row.id, error: memoryModel(inputOf(log)).gpuBlocks / row.numGpuBlocks - 1 }];
  });
}
