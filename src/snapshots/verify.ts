/**
 * Reads every sample of a pinned data set again and says what differs from its manifest. Damage is not
 * an error here, it is the answer.
 */
import { setImmediate } from 'node:timers/promises';

import { Mx8Error } from '../core/base/errors.ts';
import { USTAR_BLOCK_BYTES } from '../core/base/ustar.ts';
import { codedPartOf } from '../core/format/coded-part.ts';
import type { CodedPart } from '../core/format/coded-part.ts';
import { FormatError } from '../core/format/format-error.ts';
import { SampleTests } from '../core/format/sample-fault.ts';
import { schemeOf } from '../core/manifest/location.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { PartReader } from '../decode/part-reader.ts';
import type { FileStamp, ManifestReader } from '../ports/manifest-store.ts';
import { LocalBytes } from '../storage/local-bytes.ts';
import { PlaceBytes } from '../storage/place-bytes.ts';
import { isRemote } from '../storage/places.ts';
import {
  DIFFERENCES_MAX,
  IO_CHUNK_BYTES,
  PROGRESS_SAMPLES,
  TURN_READS,
  VERIFY_RANGE_BYTES,
} from './limits.ts';
import type { Difference } from './difference.ts';
import { hasHeader, headerDifference } from './packed-entry.ts';
import { resolveLink } from './resolve-link.ts';
import type { ResolvedLink, ResolveOptions, ResolveProgress } from './resolve-link.ts';
import { SampleFile } from './sample-file.ts';
import { contentDifference, foundOf, ObjectVerifier } from './verify-objects.ts';

export interface VerifyProgress {
  readonly phase: ResolveProgress['phase'] | 'verifying';
  readonly samples: number;
  /** Of `verifying`; null before. */
  readonly samplesTotal: number | null;
  readonly bytes: number;
  readonly differences: number;
}

export interface VerifyOptions extends Omit<ResolveOptions, 'onProgress'> {
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Called for each difference as it is found. */
  readonly onDifference?: (difference: Difference) => void;
}

export interface VerifyResult {
  readonly link: ResolvedLink;
  readonly bytes: number;
  readonly differenceCount: number;
  /** The first `DIFFERENCES_MAX`, in id order. */
  readonly differences: readonly Difference[];
}

export async function verify(link: string, options: VerifyOptions): Promise<VerifyResult> {
  const { store, clock, events, places, signal, onProgress } = options;
  const { format = null, columns = null, rowsPerSample = null, unpack } = options;
  const resolved = await resolveLink(link, {
    store,
    clock,
    events,
    places,
    format,
    columns,
    rowsPerSample,
    ...(unpack === undefined ? {} : { unpack }),
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ phase, samples }) =>
      onProgress?.({ phase, samples, samplesTotal: null, bytes: 0, differences: 0 }),
  });
  const reader = await store.open(resolved.hash);
  try {
    const run = new VerifyRun(reader, options);
    await run.run();
    const { bytes, differenceCount, differences } = run;
    return { link: resolved, bytes, differenceCount, differences };
  } finally {
    await reader.close();
  }
}

class VerifyRun {
  readonly differences: Difference[] = [];
  differenceCount = 0;
  #localBytes = 0;
  readonly #objects: ObjectVerifier | null;
  readonly #reader: ManifestReader;
  readonly #options: VerifyOptions;
  readonly #buffer = Buffer.allocUnsafeSlow(IO_CHUNK_BYTES);
  /** The file of the last sample: the samples of a shard follow each other. */
  #file: SampleFile | null = null;
  #reads = 0;
  readonly #tests: SampleTests = new SampleTests();
  readonly #bytes: LocalBytes = new LocalBytes();
  readonly #parts: PartReader = new PartReader(this.#bytes);
  /** Of shards in stores; null: where nobody reads from stores. */
  readonly #remote: PlaceBytes | null;
  readonly #remoteParts: PartReader;

  constructor(reader: ManifestReader, options: VerifyOptions) {
    this.#reader = reader;
    this.#options = options;
    const { places, signal } = options;
    this.#objects = places === undefined ? null : new ObjectVerifier(places, signal);
    this.#remote = places === undefined ? null : new PlaceBytes(() => places);
    this.#remoteParts = new PartReader(this.#remote ?? this.#bytes);
  }

  get bytes(): number {
    return this.#localBytes + (this.#objects?.bytes ?? 0);
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    try {
      for await (const records of this.#reader.records(0, this.#reader.sampleCount, signal)) {
        const stampOf = await this.#stampsOf(records);
        for (const group of groupsOf(records)) await this.#verifyGroup(group, stampOf);
      }
      this.#tell(this.#reader.sampleCount);
    } finally {
      this.#file?.close();
      await this.#parts.close();
      await this.#remoteParts.close();
      await this.#remote?.close();
      await this.#bytes.close();
    }
  }

  /** Of samples that follow each other and are all in stores, or all on this machine. */
  async #verifyGroup(
    { areRemote, records }: Group,
    stampOf: (sampleId: number) => FileStamp | null,
  ): Promise<void> {
    if (areRemote && this.#objects !== null) {
      const found = await this.#objects.verify(records, stampOf);
      for (const record of records) {
        const difference = found.get(record.sampleId);
        if (difference !== undefined) this.#report(record, difference.kind, difference.what);
      }
      this.#tell(records.at(-1)?.sampleId ?? 0);
      return;
    }
    for (const record of records) {
      await this.#verify(record, stampOf(record.sampleId));
      if (record.sampleId % PROGRESS_SAMPLES === 0) this.#tell(record.sampleId);
    }
  }

  /** What the files of these records were like when they were pinned, by sample id. */
  async #stampsOf(
    records: readonly SampleRecord[],
  ): Promise<(sampleId: number) => FileStamp | null> {
    const start = records[0]?.sampleId ?? 0;
    const stamps = await this.#reader.stamps(start, start + records.length);
    return (sampleId) => {
      const [bytes, mtimeMs] = [
        stamps?.bytes[sampleId - start] ?? -1,
        stamps?.mtimesMs[sampleId - start] ?? -1,
      ];
      // Of samples in objects only the ETag is known.
      return bytes === -1 && mtimeMs === -1 ? null : { bytes, mtimeMs };
    };
  }

  async #verify(record: SampleRecord, stamp: FileStamp | null): Promise<void> {
    try {
      const difference = await this.#differenceOf(record, stamp);
      if (difference !== null) this.#report(record, difference[0], difference[1]);
    } catch (error) {
      if (!(error instanceof Mx8Error)) throw error;
      if (error.code === 'sample_missing') this.#report(record, 'missing', error.message);
      else if (error.code === 'sample_unreadable')
        this.#report(record, 'unreadable', error.message);
      else throw error;
    }
  }

  async #differenceOf(
    record: SampleRecord,
    stamp: FileStamp | null,
  ): Promise<readonly [Difference['kind'], string] | null> {
    const part = codedPartOf(record.decodeHint);
    if (this.#remote === null || part === null) refuseRemote(record.location);
    if (part !== null) return await this.#codedDifference(record, part, stamp);
    const file = this.#open(record.location);
    const { byteOffset, byteLength } = record;
    if (byteOffset === null || byteLength === null) {
      if (file.size === 0) return ['empty', `The file ${record.location} is empty.`];
      return (await this.#read(file, 0, file.size))
        ? stampDifference(file, stamp)
        : shorter(record, file.size, 'while it was read');
    }
    const end = byteOffset + byteLength;
    if (file.size < end) return shorter(record, file.size, `but the sample ends at ${end}`);
    if (hasHeader(record)) {
      const header = new Uint8Array(USTAR_BLOCK_BYTES);
      file.readAt(header, Math.max(0, byteOffset - USTAR_BLOCK_BYTES));
      const what = headerDifference(header, record);
      if (what !== null) return ['header', what];
    }
    const test = byteLength > VERIFY_RANGE_BYTES ? null : this.#tests.of(record);
    const content = test === null ? null : new Uint8Array(byteLength);
    if (!(await this.#read(file, byteOffset, end, content))) {
      return shorter(record, file.size, 'while it was read');
    }
    const fault = content === null || test === null ? null : test(content);
    return fault === null ? null : ['content', contentDifference(record, fault)];
  }

  async #codedDifference(
    { location, byteOffset, sampleId }: SampleRecord,
    part: CodedPart,
    stamp: FileStamp | null,
  ): Promise<readonly [Difference['kind'], string] | null> {
    this.#options.signal?.throwIfAborted();
    const areRemote = isRemote(location);
    const parts = areRemote ? this.#remoteParts : this.#parts;
    if (areRemote) this.#remote?.expect(location, Math.max(0, stamp?.mtimeMs ?? 0));
    try {
      await parts.read(location, part, byteOffset ?? 0, null);
    } catch (error) {
      if (areRemote && !(error instanceof FormatError)) {
        const { kind, what } = foundOf(error);
        return [kind, what];
      }
      if (!(error instanceof FormatError)) throw error;
      const where = `at decompressed byte ${part.start} of ${location}`;
      return ['content', `Sample ${sampleId} ${where}: ${error.message}.`];
    }
    this.#localBytes += part.bytes;
    return null;
  }

  #open(path: string): SampleFile {
    if (this.#file?.path === path) return this.#file;
    this.#file?.close();
    this.#file = null;
    this.#file = SampleFile.open(path);
    return this.#file;
  }

  /** False when the file ends before `end`. Into `content`, where somebody wants to look at it. */
  async #read(
    file: SampleFile,
    start: number,
    end: number,
    content: Uint8Array | null = null,
  ): Promise<boolean> {
    for (let at = start; at < end;) {
      const length = Math.min(this.#buffer.length, end - at);
      const bytes = file.readAt(this.#buffer.subarray(0, length), at);
      this.#reads += 1;
      if (this.#reads % TURN_READS === 0) {
        await setImmediate();
        this.#options.signal?.throwIfAborted();
      }
      if (bytes === 0) return false;
      content?.set(this.#buffer.subarray(0, bytes), at - start);
      at += bytes;
      this.#localBytes += bytes;
    }
    return true;
  }

  #report(record: SampleRecord, kind: Difference['kind'], what: string): void {
    const { sampleId, location } = record;
    const difference = { sampleId, location, kind, what };
    this.differenceCount += 1;
    if (this.differences.length < DIFFERENCES_MAX) this.differences.push(difference);
    this.#options.onDifference?.(difference);
  }

  #tell(samples: number): void {
    this.#options.onProgress?.({
      phase: 'verifying',
      samples,
      samplesTotal: this.#reader.sampleCount,
      bytes: this.bytes,
      differences: this.differenceCount,
    });
  }
}

function refuseRemote(path: string): void {
  const scheme = schemeOf(path);
  if (scheme === null) return;
  throw new Mx8Error(
    'scheme_unsupported',
    `${path} cannot be verified: it is in no place that mx8 verify was given.`,
    { location: path, scheme },
  );
}

interface Group {
  readonly areRemote: boolean;
  readonly records: readonly SampleRecord[];
}

function groupsOf(records: readonly SampleRecord[]): readonly Group[] {
  const groups: { areRemote: boolean; records: SampleRecord[] }[] = [];
  for (const record of records) {
    const areRemote = isRemote(record.location) && codedPartOf(record.decodeHint) === null;
    const last = groups.at(-1);
    if (last?.areRemote === areRemote) last.records.push(record);
    else groups.push({ areRemote, records: [record] });
  }
  return groups;
}

function stampDifference(
  { path, size, mtimeMs }: SampleFile,
  stamp: FileStamp | null,
): readonly [Difference['kind'], string] | null {
  if (stamp === null || stamp.bytes === -1) return null;
  if (size !== stamp.bytes) {
    return [
      'resized',
      `The file ${path} has ${size} bytes; it had ${stamp.bytes} when it was pinned.`,
    ];
  }
  if (mtimeMs === stamp.mtimeMs) return null;
  return [
    'modified',
    `The file ${path} has the ${size} bytes that it had when it was pinned, but was written or replaced since.`,
  ];
}

function shorter(
  record: SampleRecord,
  size: number,
  detail: string,
): readonly [Difference['kind'], string] {
  return ['shorter', `The file ${record.location} has ${size} bytes, ${detail}.`];
}
