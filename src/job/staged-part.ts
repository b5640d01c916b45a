/**
 * The output of consecutive samples while it is being made. Its files lie under the lease's token in
 * the staging folder; nothing is visible under a final name before the coordinator has the commit.
 *
 * A piece is staged in this order: the files are made durable, then their names, then one index that
 * lists them. The first index staged for a token and range stands for ever: should a worker have died
 * between staging and commit, the next one takes over what its predecessor staged and drops its own, so
 * that a commit on its way always means these bytes.
 */
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { assert } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { SampleRange } from '../core/base/range.ts';
import type { LeaseId } from '../core/base/units.ts';
import { codedPartOf } from '../core/format/coded-part.ts';
import type { StagedPiece } from '../core/node/holder-protocol.ts';
import {
  forEachBounded,
  isThere,
  makeFolder,
  readIfThere,
  removeTree,
  syncFile,
  syncFolder,
  unlinkIfThere,
  writeWholeOnce,
} from '../storage/local-output.ts';
import { OutputFile } from '../storage/output-file.ts';
import { writing } from '../storage/output-error.ts';
import type { JobBatch } from './batch.ts';
import { idDigits, checkName, nameTaken } from './output-name.ts';
import { leaseFolder, stagedIndexPath } from './output-paths.ts';
import {
  asStagedPiece,
  decodePieceIndex,
  encodePieceIndex,
  type PieceFile,
  type PieceRecord,
  type QuarantinedSample,
} from './piece-index.ts';
import { findOwner } from './publish.ts';
import type { AppendFile, OutputRecord, PartWriter, Sink, SinkPart } from './sink.ts';

export interface StagingOptions {
  /** The output folder, absolute. */
  readonly out: string;
  readonly leaseId: LeaseId;
  /** Tells the files of this go from those of any other process or go at the same lease. */
  readonly nonce: string;
  readonly signal: AbortSignal;
}

interface OpenAppend {
  readonly staged: string;
  readonly file: OutputFile;
  readonly name: (range: SampleRange) => string;
  readonly records: OutputRecord[];
}

interface WholeFile {
  readonly staged: string;
  readonly final: string;
  readonly sampleId: number;
  readonly bytes: number;
}

export class StagedPart implements PartWriter {
  readonly start: number;
  readonly signal: AbortSignal;
  readonly #options: StagingOptions;
  /** Name of the folder of this part's files, below the lease's folder. */
  readonly #folder: string;
  #part: SinkPart<unknown> | null = null;
  readonly #appends: OpenAppend[] = [];
  readonly #wholes: WholeFile[] = [];
  readonly #owners: Map<string, number> = new Map<string, number>();
  readonly #quarantined: QuarantinedSample[] = [];
  #fileCount = 0;
  #inputBytes = 0;

  private constructor(options: StagingOptions, start: number) {
    this.#options = options;
    this.start = start;
    this.signal = options.signal;
    this.#folder = `${idDigits(start)}.${options.nonce}`;
  }

  static async open(
    sink: Sink<unknown>,
    options: StagingOptions,
    start: number,
  ): Promise<StagedPart> {
    const part = new StagedPart(options, start);
    await makeFolder(part.#path(''));
    part.#part = await sink.openPart(part);
    return part;
  }

  async appendFile(name: (range: SampleRange) => string): Promise<AppendFile> {
    const staged = this.#nextFile();
    const file = await OutputFile.create(this.#path(staged));
    const records: OutputRecord[] = [];
    this.#appends.push({ staged, file, name, records });
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
    const final = checkName(name, sampleId);
    const owner = this.#owners.get(final);
    if (owner !== undefined) throw nameTaken(final, sampleId, owner);
    if (await isThere(join(this.#options.out, final))) {
      const other = await findOwner(this.#options.out, final);
      // Another node that worked on it too was first: what this one makes of it will not be committed.
      if (other !== sampleId) throw nameTaken(final, sampleId, other);
    }
    const staged = this.#nextFile();
    const path = this.#path(staged);
    this.#owners.set(final, sampleId);
    this.#wholes.push({ staged, final, sampleId, bytes: data.length });
    await writing('write', path, () => writeFile(path, data, { flag: 'wx' }));
  }

  /** Writes the rows of a batch, or nothing of them. */
  async write(rows: readonly unknown[], batch: JobBatch): Promise<void> {
    const sizes = this.#appends.map(({ file, records }) => ({
      bytes: file.sizeBytes,
      records: records.length,
    }));
    const wholeCount = this.#wholes.length;
    try {
      assert(this.#part !== null, 'the part is open');
      await this.#part.write(rows, batch);
    } catch (error) {
      await this.#undo(sizes, wholeCount);
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
    await this.#part?.finish();
    const { files, records } = await this.#close(range);
    this.#quarantined.sort((a, b) => a.sampleId - b.sampleId);
    const quarantined = this.#quarantined;
    const inputBytes = this.#inputBytes;
    const index = { leaseId, ...range, inputBytes, files, records, quarantined };
    const lease = leaseFolder(out, leaseId);
    await writing('sync', this.#path(''), () => syncFolder(this.#path('')));
    await writing('sync', lease, () => syncFolder(lease));
    const path = stagedIndexPath(out, leaseId, range);
    const temporary = `${path}.${this.#options.nonce}.tmp`;
    if (await writeWholeOnce(path, temporary, encodePieceIndex(index))) return asStagedPiece(index);
    const standing = await writing('read', path, () => readIfThere(path));
    await removeTree(this.#path(''));
    if (standing === null) throw staleStaging(path);
    return asStagedPiece(decodePieceIndex(standing.toString(), path));
  }

  /** Throws away everything of the part. */
  async abort(): Promise<void> {
    try {
      await this.#part?.abort?.();
    } finally {
      for (const { file } of this.#appends) await file.close();
      await removeTree(this.#path(''));
    }
  }

  async #close(
    range: SampleRange,
  ): Promise<{ readonly files: PieceFile[]; readonly records: PieceRecord[] }> {
    const files: PieceFile[] = [];
    const records: PieceRecord[] = [];
    for (const { staged, file, name, records: spans } of this.#appends) {
      await file.finish();
      if (file.sizeBytes === 0) {
        await unlinkIfThere(file.path);
        continue;
      }
      const final = checkName(name(range), range.start);
      if (files.some((other) => other.final === final)) {
        throw nameTaken(final, range.start, 'another file of its part');
      }
      for (const { offset, length, sampleId, hint = '' } of spans) {
        const span = { offset, length };
        const bytes = codedPartOf(hint)?.bytes ?? length;
        records.push({ file: files.length, span, bytes, sampleId, hint });
      }
      files.push({ staged: `${this.#folder}/${staged}`, final });
    }
    await forEachBounded(this.#wholes, ({ staged }) =>
      writing('sync', this.#path(staged), () => syncFile(this.#path(staged))),
    );
    for (const { staged, final, sampleId, bytes } of this.#wholes) {
      records.push({ file: files.length, span: null, bytes, sampleId, hint: '' });
      files.push({ staged: `${this.#folder}/${staged}`, final });
    }
    return { files, records };
  }

  async #undo(
    sizes: readonly { readonly bytes: number; readonly records: number }[],
    wholeCount: number,
  ): Promise<void> {
    // Files that the failed write opened come to nothing: empty files are not published.
    for (const [index, { file, records }] of this.#appends.entries()) {
      records.length = sizes[index]?.records ?? 0;
      await file.cutBack(sizes[index]?.bytes ?? 0);
    }
    for (const { staged, final } of this.#wholes.splice(wholeCount)) {
      this.#owners.delete(final);
      await unlinkIfThere(this.#path(staged));
    }
  }

  #nextFile(): string {
    this.#fileCount += 1;
    return String(this.#fileCount);
  }

  #path(name: string): string {
    const { out, leaseId } = this.#options;
    return join(leaseFolder(out, leaseId), this.#folder, name);
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
