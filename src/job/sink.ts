/**
 * Where a job's rows go, and how to write a sink of your own.
 *
 * A sink turns rows into files of an output folder. It never sees a final path, a lease or a commit: it
 * writes through a `PartWriter`, whose files are staged, made durable, committed through the
 * coordinator and only then given their names. So a sink is short:
 *
 *   const upperCase: Sink<string> = {
 *     kind: 'upper-case',
 *     dir: 'out',
 *     async openPart(part) {
 *       const file = await part.appendFile((range) => `part-${range.start}-${range.end}.txt`);
 *       return {
 *         async write(rows, batch) {
 *           for (const [index, row] of rows.entries()) {
 *             const bytes = new TextEncoder().encode(row.toUpperCase() + '\n');
 *             file.record({ offset: file.sizeBytes, length: bytes.length, sampleId: batch.sampleIds[index] ?? null });
 *             await file.append(bytes);
 *           }
 *         },
 *         async finish() {},
 *       };
 *     },
 *   };
 */
import type { SampleRange } from '../core/base/range.ts';
import type { JobBatch } from './batch.ts';

export interface Sink<Row> {
  /** Names the format; an output folder holds outputs of one kind. 1 to 64 of a-z, 0-9 and `-`. */
  readonly kind: string;
  /** Output folder, relative to the working directory; null when it is given by --out. */
  readonly dir: string | null;
  /** Begins the output of consecutive samples. One part becomes one committed piece. */
  openPart(part: PartWriter): SinkPart<Row> | Promise<SinkPart<Row>>;
}

export interface SinkPart<Row> {
  /**
   * Takes the rows of one batch: all of them, or it throws. What it wrote to its files before it threw
   * is undone; whatever else it keeps in memory it must leave as it was. Throwing counts as a failure
   * of the batch's samples, which are then tried again or set aside.
   */
  write(rows: readonly Row[], batch: JobBatch): void | Promise<void>;
  /** The last chance to write (a footer, a trailer). The files are closed for it afterwards. */
  finish(): void | Promise<void>;
  /** The part is thrown away. Only for what the sink itself opened; files are removed for it. */
  abort?(): void | Promise<void>;
}

/** One output record: bytes of a file that make one sample of the output data set. */
export interface OutputRecord {
  readonly offset: number;
  /** > 0. */
  readonly length: number;
  /** The input sample it was made from; null when that is not one sample. */
  readonly sampleId: number | null;
  /**
   * The decode hint: which part of what its bytes are decompressed to the sample is. Samples with hints may share
   * bytes. Absent: the sample is its bytes.
   */
  readonly hint?: string;
}

export interface AppendFile {
  /** Length so far: where the next `append` goes. */
  readonly sizeBytes: number;
  append(bytes: Uint8Array): Promise<void>;
  /** Lists bytes of this file as a sample of the output data set; in order of offset. */
  record(record: OutputRecord): void;
}

export interface PartWriter {
  /** Id of the part's first sample. */
  readonly start: number;
  readonly signal: AbortSignal;
  /**
   * A file that grows over the batches of the part. Its name below the output folder is asked for when
   * the part is finished, as only then its last sample is known; include both ends of the range in it.
   */
  appendFile(name: (range: SampleRange) => string): Promise<AppendFile>;
  /**
   * One whole file that is one sample of the output data set. The name is relative to the output
   * folder and used by no other sample.
   */
  wholeFile(name: string, data: Uint8Array, sampleId: number): Promise<void>;
}
