/** Reads one shard through and hands on where its samples are, a few thousand at a time. */
import { crc32 } from 'node:zlib';

import { Mx8Error } from '../core/base/errors.ts';
import type { Checksum, FoundSample, SampleScanner } from '../core/format/scanner.ts';
import { codedHint, tableHint } from '../core/format/coded-part.ts';
import { CsvScanner } from '../core/format/csv-scanner.ts';
import { FormatError } from '../core/format/format-error.ts';
import { tableFormatOf } from '../core/format/format-name.ts';
import type { PartCodec, ShardFormat, TableFormat } from '../core/format/format-name.ts';
import { JsonlScanner } from '../core/format/jsonl-scanner.ts';
import { MdsScanner } from '../core/format/mds-scanner.ts';
import { WebDatasetScanner } from '../core/format/webdataset-scanner.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { unpackedFile } from '../decode/part-stream.ts';
import { RangeCutter, openTable } from '../decode/range-reader.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { SCAN_CHUNK_BYTES, SCAN_JUMP_BYTES_MIN, UNPACK_SLACK_BYTES } from './limits.ts';
import type { ShardFile } from './shard-files.ts';

/** What decompressing a shard may come to. */
export interface UnpackBudget {
  /** Decompressed bytes for each compressed one. */
  readonly ratioMax: number;
  /** Decompressed bytes of one file. */
  readonly bytesMax: number;
}

export interface ScanOptions {
  /** The data set, for sentences. */
  readonly base: string;
  readonly format: ShardFormat;
  /** Of formats with columns; null: all. */
  readonly columns: readonly string[] | null;
  /** Of formats with columns: so many rows are a sample, as columns; null: each is one, as a line of JSON. */
  readonly rowsPerSample: number | null;
  readonly source: ByteSource;
  readonly budget: UnpackBudget;
  readonly signal: AbortSignal | undefined;
}

/** A record but for its id. */
export type ScannedSample = Omit<SampleRecord, 'sampleId'>;

export async function* scanShard(
  shard: ShardFile,
  options: ScanOptions,
): AsyncGenerator<readonly ScannedSample[], void, undefined> {
  const codec: PartCodec | null = tableFormatOf(options.format) ?? shard.codec;
  const checksum: Checksum | null = codec === null ? null : crc32;
  const table = tableFormatOf(options.format);
  const { rowsPerSample } = options;
  const scanner = scannerOf(shard, options, checksum);
  try {
    if (table !== null && rowsPerSample !== null) {
      yield* scanRanges(shard, table, rowsPerSample, options);
    } else if (codec === null) yield* scanPlain(shard, scanner, options);
    else yield* scanPacked({ ...shard, codec }, scanner, options);
  } catch (error) {
    throw told(error, shard, options);
  }
}

function scannerOf(
  { mds, delimiter, location }: ShardFile,
  { format, columns }: ScanOptions,
  checksum: Checksum | null,
): SampleScanner {
  switch (format) {
    case 'jsonl':
      return new JsonlScanner(checksum);
    case 'parquet':
    case 'arrow':
      return new JsonlScanner(checksum, tableHint(format, columns));
    case 'webdataset':
      return new WebDatasetScanner(checksum);
    case 'csv':
      return new CsvScanner(delimiter, checksum);
    case 'mds':
      if (mds !== null) return new MdsScanner(mds, checksum);
      throw new Mx8Error(
        'link_invalid',
        `${location} is one file; the samples of MosaicML shards are known from their index.json, so give the folder that it is in.`,
        { location },
      );
    default:
      return format satisfies never;
  }
}

async function* scanPlain(
  { location }: ShardFile,
  scanner: SampleScanner,
  { source, signal }: ScanOptions,
): AsyncGenerator<readonly ScannedSample[], void, undefined> {
  const size = await source.sizeOf(location, signal);
  const found: FoundSample[] = [];
  const chunk = new Uint8Array(Math.min(SCAN_CHUNK_BYTES, size));
  while (scanner.position < size && scanner.indifferentBytes !== Infinity) {
    const jump = scanner.indifferentBytes;
    if (jump >= SCAN_JUMP_BYTES_MIN) {
      scanner.skip(Math.min(jump, size - scanner.position));
      continue;
    }
    const bytes = await source.read(location, scanner.position, chunk, signal);
    if (bytes === 0) break;
    scanner.push(chunk.subarray(0, bytes), found);
    if (found.length > 0) yield plainRecords(location, found.splice(0), size);
  }
  if (scanner.indifferentBytes === Infinity) scanner.skip(size - scanner.position);
  scanner.finish(found);
  if (found.length > 0) yield plainRecords(location, found, size);
}

function plainRecords(
  location: string,
  found: readonly FoundSample[],
  size: number,
): readonly ScannedSample[] {
  return found.map(({ start, end, hint }) => {
    if (end > size) {
      throw new FormatError(`the file has only ${size} bytes; a sample ends at ${end}`, size);
    }
    return { location, byteOffset: start, byteLength: end - start, decodeHint: hint };
  });
}

/** Places in a file where decompressing can begin, and the decompressed bytes before each. */
interface Frame {
  readonly at: number;
  readonly position: number;
}

/** What a scanner wants to see of a file at first: a byte order mark. */
const FIRST_BYTES_MIN = 3;

type PackedShard = Omit<ShardFile, 'codec'> & { readonly codec: PartCodec };

async function* scanPacked(
  shard: PackedShard,
  scanner: SampleScanner,
  { source, columns, signal, budget }: ScanOptions,
): AsyncGenerator<readonly ScannedSample[], void, undefined> {
  const { location, codec } = shard;
  const size = await source.sizeOf(location, signal);
  const meter = { bytes: 0 };
  const file = { source: metered(source, meter), location, columns, signal };
  const found: FoundSample[] = [];
  let frames: Frame[] = [];
  let position = 0;
  let held: Uint8Array | null = null;
  const records = (): readonly ScannedSample[] => {
    const samples = found.splice(0);
    const packed = samples.map((sample) => packedRecord(shard, sample, frames, size));
    const first = samples.at(-1)?.end ?? 0;
    // Frames before the one that the next sample can start in are done with.
    const keep = frames.findLastIndex((frame) => frame.position <= first);
    frames = frames.slice(Math.max(0, keep));
    return packed;
  };
  for await (const { bytes, frameAt, offset } of unpackedFile(file, codec, 0)) {
    if (offset === 0) frames.push({ at: frameAt, position });
    position += bytes.length;
    // A column of one value over and over takes no room in a group of rows, which has a limit of its own.
    checkBudget(position, tableFormatOf(codec) === null ? meter.bytes : Infinity, budget);
    // Small frames give small pieces, and the first must not be too small to know its start by.
    held = held === null ? bytes : Buffer.concat([held, bytes]);
    if (position < FIRST_BYTES_MIN) continue;
    scanner.push(held, found);
    held = null;
    if (found.length > 0) yield records();
  }
  if (held !== null) scanner.push(held, found);
  scanner.finish(found);
  if (found.length > 0) yield records();
}

/** Ranges of rows, each of one group, whose columns are looked at as they will be read. */
async function* scanRanges(
  { location }: ShardFile,
  format: TableFormat,
  rowsPerSample: number,
  { source, columns, signal, budget }: ScanOptions,
): AsyncGenerator<readonly ScannedSample[], void, undefined> {
  const size = await source.sizeOf(location, signal);
  const table = await openTable(format, { source, location, columns, signal });
  const cutter = new RangeCutter();
  let scratch = new Uint8Array(0);
  let position = 0;
  for await (const group of table.groups()) {
    const samples: ScannedSample[] = [];
    for (let start = 0; start < group.rows; start += rowsPerSample) {
      const rows = { start, end: Math.min(group.rows, start + rowsPerSample) };
      const plan = cutter.cut(group, rows);
      const { bytes } = plan;
      position += bytes;
      checkBudget(position, Infinity, budget);
      if (scratch.length < bytes) scratch = new Uint8Array(bytes);
      const stream = scratch.subarray(0, bytes);
      plan.write(stream);
      const part = { codec: format, start: 0, bytes, crc32: crc32(stream) };
      samples.push({
        location,
        byteOffset: group.at,
        byteLength: size - group.at,
        decodeHint: codedHint(tableHint(format, columns, rows), part),
      });
    }
    yield samples;
  }
}

function packedRecord(
  { location, codec }: PackedShard,
  { start, end, checksum, hint }: FoundSample,
  frames: readonly Frame[],
  size: number,
): ScannedSample {
  const frame = frames.findLast(({ position }) => position <= start) ?? { at: 0, position: 0 };
  const part = { codec, start: start - frame.position, bytes: end - start, crc32: checksum };
  return {
    location,
    byteOffset: frame.at,
    byteLength: size - frame.at,
    decodeHint: codedHint(hint, part),
  };
}

/** The source, counting what is read of it. */
function metered(source: ByteSource, meter: { bytes: number }): ByteSource {
  return {
    sizeOf: (location, signal) => source.sizeOf(location, signal),
    async read(location, position, into, signal) {
      const bytes = await source.read(location, position, into, signal);
      meter.bytes += bytes;
      return bytes;
    },
    expect: (location, tag) => source.expect(location, tag),
    close: () => source.close(),
  };
}

function checkBudget(unpacked: number, packed: number, { ratioMax, bytesMax }: UnpackBudget): void {
  if (unpacked > bytesMax) {
    throw new BudgetError(
      `more than ${bytesMax} bytes come out of it. If it is what it should be, raise --unpack-bytes-max`,
      packed,
    );
  }
  if (unpacked <= UNPACK_SLACK_BYTES || unpacked <= packed * ratioMax) return;
  throw new BudgetError(
    `${unpacked} bytes came out of its first ${packed}, more than ${ratioMax} for each. If it is what it should be, raise --unpack-ratio-max`,
    packed,
  );
}

class BudgetError extends FormatError {}

function told(error: unknown, { location }: ShardFile, { base, format }: ScanOptions): unknown {
  if (!(error instanceof FormatError)) return error;
  const isBudget = error instanceof BudgetError;
  return new Mx8Error(
    isBudget ? 'unpack_budget_exceeded' : 'shard_corrupt',
    `${location} at byte ${error.at}, read as ${format} for ${base}: ${error.message}.`,
    { location, byte_offset: error.at, base, format },
    error,
  );
}
