/**
 * The output of consecutive samples while it is being made. Its files lie under the lease's token in
 * the staging folder; nothing is visible under a final name before the coordinator has the commit.
 *
 * A piece is staged in this order: the files are made durable, then their names, then one index that
 * lists them. The first index staged for a token and range stands for ever: should a worker have died
 * between staging and commit, the next one takes over what its predecessor staged and drops its own, so
 * that a commit on its way always means these bytes.
 */
import { assert, must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { SampleRange } from '../core/base/range.ts';
import type { LeaseId } from '../core/base/units.ts';
import { codedPartOf } from '../core/format/coded-part.ts';
import type { StagedPiece } from '../core/node/holder-protocol.ts';
import type { DraftFiles, GrowingFile, OutputDraft, OutputStore } from '../ports/output-store.ts';
import type { JobBatch } from './batch.ts';
import { idDigits, checkName, nameTaken, nameUnfit } from './output-name.ts';
import { leaseFolder, stagedIndexName } from './output-paths.ts';
import {
  asStagedPiece,
  decodePieceIndex,
  encodePieceIndex,
  type PieceFile,
  type PieceRecord,
  type QuarantinedSample,
} from './piece-index.ts';
import { errorText } from './error-text.ts';
import { findOwner } from './publish.ts';
import type { AppendFile, OutputRecord, PartWriter, Sink, SinkPart } from './sink.ts';

export interface StagingOptions {
  readonly out: OutputStore;
  readonly leaseId: LeaseId;
  /** Tells the files of this go from those of any other process or go at the same lease. */
  readonly nonce: string;
  readonly signal: AbortSignal;
  /** Absolute path of the job module, to point into it where its own sink fails. */
  readonly modulePath?: string;
}

interface OpenAppend {
  readonly file: GrowingFile;
  readonly name: (range: SampleRange) => string;
  readonly records: OutputRecord[];
}

interface WholeFile {
  readonly final: string;
  readonly sampleId: number;
  readonly bytes: number;
}

export class StagedPart implements PartWriter {
  readonly start: number;
  readonly signal: AbortSignal;
  readonly #options: StagingOptions;
  readonly #draft: OutputDraft;
  #part: SinkPart<unknown> | null = null;
  readonly #kind: string;
  /** In the order of the draft's growing files. */
  readonly #appends: OpenAppend[] = [];
  /** In the order of the draft's whole files. */
  readonly #wholes: WholeFile[] = [];
  readonly #owners: Map<string, number> = new Map<string, number>();
  readonly #quarantined: QuarantinedSample[] = [];
  #inputBytes = 0;

  private constructor(options: StagingOptions, kind: string, start: number, draft: OutputDraft) {
    this.#kind = kind;
    this.#options = options;
    this.start = start;
    this.signal = options.signal;
    this.#draft = draft;
  }

  static async open(
    sink: Sink<unknown>,
    options: StagingOptions,
    start: number,
  ): Promise<StagedPart> {
    const folder = `${idDigits(start)}.${options.nonce}`;
    const draft = await options.out.draft(leaseFolder(options.leaseId), folder);
    const part = new StagedPart(options, sink.kind, start, draft);
    try {
      part.#part = await part.#ofSink('openPart', () => sink.openPart(part));
    } catch (error) {
      await draft.remove();
      throw error;
    }
    return part;
  }

  /** What a sink throws outside of `write` is about no sample: it ends the job with the sink's own words. */
  async #ofSink<T>(step: string, body: () => T | Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (error instanceof Mx8Error || this.signal.aborted) throw error;
      const words = errorText(error, this.#options.modulePath ?? null);
      const kind = this.#kind;
      const message = `the sink "${kind}" of the job failed in ${step}() of the output of the samples from ${this.start} on: ${words}`;
      throw new Mx8Error('sink_failed', message, { sink: kind, sample_id: this.start }, error);
    }
  }

  async appendFile(name: (range: SampleRange) => string): Promise<AppendFile> {
    const file = await this.#draft.grow();
    const records: OutputRecord[] = [];
    this.#appends.push({ file, name, records });
    return {
      get sizeBytes() {
        return file.sizeBytes;
      },
      append: (bytes) => file.append(bytes),
      record: (record) => {
        checkRecord(record, records.at(-1));
        records.push(record);
      },
    };
  }

  async wholeFile(name: string, data: Uint8Array, sampleId: number): Promise<void> {
    const final = this.#checkedName(name, sampleId);
    const owner = this.#owners.get(final);
    if (owner !== undefined) throw nameTaken(final, sampleId, owner);
    this.#owners.set(final, sampleId);
    this.#wholes.push({ final, sampleId, bytes: data.length });
    const steps = [this.#draft.add(data), this.#checkFree(final, sampleId)];
    for (const step of await Promise.allSettled(steps)) {
      if (step.status === 'rejected') throw step.reason;
    }
  }

  async #checkFree(final: string, sampleId: number): Promise<void> {
    const { out } = this.#options;
    if (!(await out.has(final))) return;
    const other = await findOwner(out, final);
    // Another node that worked on it too was first: what this one makes of it will not be committed.
    if (other !== sampleId) throw nameTaken(final, sampleId, other);
  }

  #checkedName(name: string, sampleId: number): string {
    const final = checkName(name, sampleId);
    const fault = this.#options.out.nameFault(final);
    if (fault !== null) throw nameUnfit(final, sampleId, fault);
    return final;
  }

  /** Writes the rows of a batch, or nothing of them. */
  async write(rows: readonly unknown[], batch: JobBatch): Promise<void> {
    const mark = this.#draft.mark();
    const recordCounts = this.#appends.map(({ records }) => records.length);
    try {
      assert(this.#part !== null, 'the part is open');
      await this.#part.write(rows, batch);
    } catch (error) {
      for (const [index, { records }] of this.#appends.entries()) {
        records.length = recordCounts[index] ?? 0;
      }
      for (const { final } of this.#wholes.splice(mark.wholes)) this.#owners.delete(final);
      await this.#draft.undo(mark);
      throw error;
    }
  }

  /** Bytes of samples that were read for this part, whatever came out of them. */
  countInput(bytes: number): void {
    this.#inputBytes += bytes;
  }

  /** Sets a sample aside: it has no output, and the index says why. */
  quarantine(sample: QuarantinedSample): void {
    this.#quarantined.push(sample);
  }

  /** Stages samples [start, end) durably; what it returns may be committed. */
  async finish(end: number): Promise<StagedPiece> {
    const { out, leaseId } = this.#options;
    const range = { start: this.start, end };
    await this.#ofSink('finish', () => this.#part?.finish());
    const { files, records } = this.#filesOf(range, await this.#draft.finish());
    this.#quarantined.sort((a, b) => a.sampleId - b.sampleId);
    const quarantined = this.#quarantined;
    const inputBytes = this.#inputBytes;
    const index = { leaseId, ...range, inputBytes, files, records, quarantined };
    await out.settleDrafts(leaseFolder(leaseId));
    const name = stagedIndexName(leaseId, range);
    if (await out.create(name, encodePieceIndex(index))) return asStagedPiece(index);
    const standing = await out.read(name);
    await this.#draft.remove();
    const path = `${out.location}/${name}`;
    if (standing === null) throw staleStaging(path);
    return asStagedPiece(decodePieceIndex(Buffer.from(standing).toString(), path));
  }

  /** Throws away everything of the part. */
  async abort(): Promise<void> {
    try {
      await this.#part?.abort?.();
    } finally {
      await this.#draft.remove();
    }
  }

  #filesOf(
    range: SampleRange,
    { grown, wholes }: DraftFiles,
  ): { readonly files: PieceFile[]; readonly records: PieceRecord[] } {
    const files: PieceFile[] = [];
    const records: PieceRecord[] = [];
    for (const [at, { name, records: spans }] of this.#appends.entries()) {
      const file = grown[at] ?? null;
      if (file === null) continue;
      const final = this.#checkedName(name(range), range.start);
      if (files.some((other) => other.final === final)) {
        throw nameTaken(final, range.start, 'another file of its part');
      }
      for (const { offset, length, sampleId, hint = '' } of spans) {
        const span = { offset, length };
        const bytes = codedPartOf(hint)?.bytes ?? length;
        records.push({ file: files.length, span, bytes, sampleId, hint });
      }
      files.push({ ...file, final });
    }
    assert(wholes.length === this.#wholes.length, 'every whole file was staged');
    for (const [at, file] of wholes.entries()) {
      const { final, sampleId, bytes } = must(this.#wholes[at], 'a staged file has a name');
      records.push({ file: files.length, span: null, bytes, sampleId, hint: '' });
      files.push({ ...file, final });
    }
    return { files, records };
  }
}

function checkRecord(record: OutputRecord, before: OutputRecord | undefined): void {
  const { offset, length, hint } = record;
  const isShared = hint !== undefined && before?.offset === offset && before.length === length;
  const from = isShared ? offset : before === undefined ? 0 : before.offset + before.length;
  if (hint !== undefined && codedPartOf(hint) === null) {
    throw new Mx8Error(
      'row_invalid',
      `${JSON.stringify(hint)} is no decode hint of an output record`,
    );
  }
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (whole && length > 0 && offset >= from) return;
  const message = `an output record lies after the one before it and has bytes; expected an offset of at least ${from} and a length above 0, got offset ${offset} and length ${length}`;
  throw new Mx8Error('row_invalid', message, { offset, length });
}

function staleStaging(path: string): Mx8Error {
  const message = `the staged output ${path} was there and is gone: another process is clearing this output folder`;
  return new Mx8Error('output_write_failed', message, { path });
}
