/** Makes the batch that the consumer gets out of what was read. */
import { must } from '../core/base/assert.ts';
import { sampleError } from '../storage/sample-error.ts';
import type { ReadFailure } from '../storage/read-job.ts';
import { SlabBatch } from './batch.ts';
import type { PipelineOptions } from './contract.ts';
import type { InLine } from './lineup.ts';
import type { SlabPool } from './slab-pool.ts';

export interface AssembleContext {
  readonly slabs: SlabPool;
  readonly maxInflightBytes: number;
  readonly onSampleError: PipelineOptions['onSampleError'];
}

/** Throws the error of the first sample that is not to be skipped; its slab is then released. */
export function assemble(batch: InLine, streamEnd: number, context: AssembleContext): SlabBatch {
  const { slab, result } = must(batch.outcome, 'a batch that is delivered was read');
  const { job, stretch } = batch.plan;
  try {
    for (const failure of result.failures) judge(batch, failure, context);
    const startBytes = job.startBytes;
    if (result.failures.length === 0) {
      const table = stretch.table.slice(0, batch.count);
      const content = { table, sizes: result.sizes, startBytes, streamEnd };
      return new SlabBatch(context.slabs, slab, content);
    }
    const read: number[] = [];
    const sizes = new Float64Array(batch.count);
    for (let index = 0; index < batch.count; index += 1) {
      const size = result.sizes[index] ?? -1;
      if (size < 0) continue;
      sizes[read.length] = size;
      read.push(index);
    }
    const table = stretch.table.pick(read);
    return new SlabBatch(context.slabs, slab, { table, sizes, startBytes, streamEnd });
  } catch (error) {
    context.slabs.release(slab);
    throw error;
  }
}

function judge(batch: InLine, failure: ReadFailure, context: AssembleContext): void {
  if (failure.index >= batch.count) return;
  const record = batch.plan.stretch.table.record(failure.index);
  const error = sampleError(record, failure, context.maxInflightBytes);
  if (context.onSampleError?.(record, error) !== 'skip') throw error;
}
