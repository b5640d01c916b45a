/**
 * Reads samples that are parts of compressed files; batches without any go straight to the reader inside. A
 * file can only be decompressed from a place on, so batches of them are read one at a time, in the order in
 * which they were asked for, and the file stays open behind the last sample for the next batch, or lease.
 */
import { FormatError } from '../core/format/format-error.ts';
import type { CodedPart } from '../core/format/coded-part.ts';
import { must } from '../core/base/assert.ts';
import { PartReader } from '../decode/part-reader.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { FillState } from '../storage/fill-state.ts';
import type { PlacedJob } from '../storage/fill-together.ts';
import { isOfObject } from '../storage/place-reader.ts';
import { isRemote } from '../storage/places.ts';
import type { ReadJob, ReadResult } from '../storage/read-job.ts';
import type { SampleReader } from '../storage/sample-reader.ts';

type Filled = Awaited<ReturnType<SampleReader['fill']>>;

export class CodedReader implements SampleReader {
  readonly #inner: SampleReader;
  readonly #bytes: ByteSource;
  readonly #parts: PartReader;
  #last: Promise<unknown> = Promise.resolve();
  /** Batches that wait for those before them. */
  readonly #waiting: ReadJob[] = [];
  /** Whether the last batch was one for the reader inside. */
  #isPlain: boolean = true;
  #isClosed = false;

  constructor(inner: SampleReader, bytes: ByteSource) {
    this.#inner = inner;
    this.#bytes = bytes;
    this.#parts = new PartReader(bytes);
  }

  fill(job: ReadJob, slab: ArrayBuffer): Promise<Filled> {
    const { coded } = job;
    this.#isPlain = coded === undefined;
    if (coded === undefined) return this.#inner.fill(job, slab);
    this.#waiting.push(job);
    const reading = this.#last.then(() => {
      this.#waiting.shift();
      return this.#fill(job, coded, slab);
    });
    this.#last = reading.catch(() => undefined);
    return reading;
  }

  fillBeside(jobs: readonly PlacedJob[]): readonly Promise<Filled>[] {
    const arePlain = jobs.every(({ job }) => job.coded === undefined);
    return arePlain
      ? this.#inner.fillBeside(jobs)
      : jobs.map(({ job, slab }) => this.fill(job, slab));
  }

  measure(paths: readonly string[]): Promise<Float64Array> {
    return this.#inner.measure(paths);
  }

  help(): boolean {
    return this.#inner.help();
  }

  get wouldReadNow(): boolean {
    return this.#isPlain && this.#inner.wouldReadNow;
  }

  fillNow(job: ReadJob, slab: ArrayBuffer): ReadResult | null {
    return job.coded === undefined ? this.#inner.fillNow(job, slab) : null;
  }

  get isBusy(): boolean {
    return this.#inner.isBusy;
  }

  get jobsUseful(): number {
    return this.#isPlain ? this.#inner.jobsUseful : Infinity;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // Whoever waits for a place far on in a file is not waited for.
    await this.#parts.close();
    await this.#last;
    await this.#bytes.close();
    await this.#inner.close();
  }

  async #fill(
    job: ReadJob,
    coded: readonly (CodedPart | null)[],
    buffer: ArrayBuffer,
  ): Promise<Filled> {
    const slab = new Uint8Array(buffer);
    const state = new FillState(job, slab, false);
    while (state.index < job.locations.length && state.nextBytes === 0 && !this.#isClosed) {
      const isWhole = job.offsets[state.index] === -1;
      const length = isWhole ? await this.#sizeOf(state) : (job.lengths[state.index] ?? 0);
      if (length === null) continue;
      if (length > job.capBytes) state.fail('too_large', length);
      else if (!state.fits(length, state.at)) state.nextBytes = length;
      else if (!this.#readNow(state, coded[state.index] ?? null, length)) {
        await this.#read(state, coded[state.index] ?? null, length);
      }
    }
    if (this.#isClosed) return { slab: buffer, result: null };
    const result: ReadResult = state.result();
    return { slab: buffer, result };
  }

  /** Of a whole file, among parts of others; null when it cannot be read. */
  async #sizeOf(state: FillState): Promise<number | null> {
    const { job, index } = state;
    const length = job.lengths[index] ?? -1;
    try {
      const location = job.locations[index] ?? '';
      this.#bytes.expect(location, job.tags?.[index] ?? 0);
      const size = await this.#bytes.sizeOf(location);
      if (size === 0) state.fail('empty', 0);
      else if (length !== -1 && length !== size) state.fail('resized', size);
      else return size;
    } catch (error) {
      this.#fail(state, error);
    }
    return null;
  }

  /** What is no fault of the sample is thrown; once the reader is closed nobody asks any more. */
  #fail(state: FillState, error: unknown): void {
    if (this.#isClosed) return;
    const location = state.job.locations[state.index] ?? '';
    if (error instanceof FormatError) state.refuse('sample_changed', error.message);
    else if (!isOfObject(error)) throw error;
    else if (isRemote(location)) state.failPlace(error);
    else state.refuse(error.code, error.message);
  }

  /** Nearly all parts are in the piece that is decompressed already. */
  #readNow(state: FillState, part: CodedPart | null, length: number): boolean {
    if (part === null) return false;
    const { job, index, at, slab } = state;
    const location = must(job.locations[index], 'a sample has a location');
    try {
      this.#bytes.expect(location, job.tags?.[index] ?? 0);
      const into = slab.subarray(at, at + length);
      if (!this.#parts.readNow(location, part, job.offsets[index] ?? 0, into)) return false;
      state.done(length);
    } catch (error) {
      this.#fail(state, error);
    }
    return true;
  }

  async #read(state: FillState, part: CodedPart | null, length: number): Promise<void> {
    const location = must(state.job.locations[state.index], 'a sample has a location');
    const offset = state.job.offsets[state.index] ?? 0;
    const into = state.slab.subarray(state.at, state.at + length);
    try {
      this.#bytes.expect(location, state.job.tags?.[state.index] ?? 0);
      if (part === null) await this.#readPlain(location, offset, into);
      else {
        const upcoming = part.rows === null ? [] : upcomingGroups(state, offset, this.#waiting);
        await this.#parts.read(location, part, offset, into, upcoming);
      }
      state.done(length);
    } catch (error) {
      this.#fail(state, error);
    }
  }

  /** A data set of compressed files and others has batches with both. */
  async #readPlain(location: string, offset: number, into: Uint8Array): Promise<void> {
    const bytes = await this.#bytes.read(location, Math.max(0, offset), into);
    if (bytes === into.length) return;
    throw new FormatError(`it has only ${bytes} of its ${into.length} bytes`, offset);
  }
}

/** Looking further for what comes next would take longer than it saves. */
const LOOKED_AT_MAX = 1024;
const UPCOMING_MAX = 2;

/**
 * Where the next groups of rows start that are read of this file before anything else is: in the rest of this batch, and in those
 * that wait.
 */
function upcomingGroups(
  { job: current, index: at }: Pick<FillState, 'job' | 'index'>,
  offset: number,
  waiting: readonly ReadJob[],
): readonly number[] {
  const location = current.locations[at];
  const found: number[] = [];
  let last = offset;
  let looked = 0;
  for (const job of [current, ...waiting]) {
    for (let index = job === current ? at + 1 : 0; index < job.locations.length; index += 1) {
      looked += 1;
      const rows = job.coded?.[index]?.rows ?? null;
      if (rows === null || job.locations[index] !== location || looked > LOOKED_AT_MAX) {
        return found;
      }
      const next = job.offsets[index] ?? 0;
      if (next === last) continue;
      found.push(next);
      if (found.length === UPCOMING_MAX) return found;
      last = next;
    }
  }
  return found;
}
