/**
 * `dropLast`: a reading ends with its last full batch. What would be left for a shorter one is not read, so that it is
 * no question of timing or of memory which samples that are: they are the last of the order. With ranks each reads
 * as much as every other.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { SampleRange } from '../core/base/range.ts';
import type { RecordTable } from '../core/manifest/record-table.ts';
import { warnProgram } from '../platform/warning.ts';
import type { EventSink } from '../ports/event-sink.ts';

export function compileDropLast(options: {
  readonly dropLast?: boolean | undefined;
  readonly job?: string | undefined;
}): boolean {
  const { dropLast = false, job } = options;
  if (!dropLast || job === undefined) return dropLast;
  throw new Mx8Error(
    'load_options_invalid',
    'load(): dropLast leaves samples out, and with job each sample of a lease has to be finished by somebody: who drops it would have its coordinator believe that it was used. Leave dropLast away, make the job with --block-size a multiple of batchSize, so that only its last lease ends with a shorter batch, and pass over that one in the loop (batch.sampleCount).',
    { option: 'dropLast' },
  );
}

/** Of the share of a rank what is in full batches, as much as the smallest share of the world has. */
export function fullBatches(share: SampleRange, smallest: number, batchSize: number): SampleRange {
  return { start: share.start, end: share.start + smallest - (smallest % batchSize) };
}

/**
 * Records of an order of unknown length, without those behind its last full batch; `position` is how many of the order
 * came before them. What cannot fill a batch yet is held back.
 */
export async function* inFullBatches(
  tables: AsyncIterable<RecordTable>,
  batchSize: number,
  position: number,
): AsyncGenerator<RecordTable, void, undefined> {
  let held: RecordTable[] = [];
  let seen = position;
  for await (const table of tables) {
    seen += table.length;
    // Behind the last full batch; maybe more than this table has.
    const over = seen % batchSize;
    if (over >= table.length) {
      held.push(table);
      continue;
    }
    yield* held;
    const cut = table.length - over;
    yield table.slice(0, cut);
    held = over === 0 ? [] : [table.slice(cut, table.length)];
  }
}

/** A loop without a turn is no mistake of the data, and looks like one. */
export function sayNothingFull(samples: number, batchSize: number, events: EventSink): void {
  events.emit('warn', 'no_full_batch', { samples, batch_size: batchSize });
  warnProgram(
    `load(): dropLast leaves no batch, as ${samples} samples do not fill one of batchSize ${batchSize}.`,
  );
}
