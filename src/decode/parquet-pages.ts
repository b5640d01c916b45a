/** The pages of one column of a row group, decompressed, with their levels taken off. */
import type { PageHeader } from 'hyparquet';

import type { Decompress } from './parquet-file.ts';
import { ByteReader, readLevels, readZeros } from './parquet-levels.ts';
import type { Leaf } from './parquet-schema.ts';
import { readHeader } from './parquet-thrift.ts';
import { OtherEncoding } from './parquet-values.ts';

export interface DictionaryPage {
  readonly type: 'dictionary';
  readonly values: Uint8Array;
  readonly count: number;
  readonly memory: Uint8Array | null;
}

export interface DataPage {
  readonly type: 'data';
  readonly encoding: string;
  readonly values: Uint8Array;
  /** Values with those that are null, and lists that are null or empty. */
  readonly slots: number;
  /** Of each slot; null where all are values. */
  readonly definitions: Uint8Array | null;
  /** The slots that lists begin with; null where the column has none. */
  readonly starts: Int32Array | null;
  /** What its values are in, where nothing else is; null where they lie in the bytes of the column. */
  readonly memory: Uint8Array | null;
}

export interface ChunkPages {
  readonly bytes: Uint8Array;
  /** The memory that these are in, which columns beside it may share. */
  readonly whole: Uint8Array;
  readonly leaf: Leaf;
  /** Of lists: the rows that they are of; 0 where the column has none. */
  readonly listsMax: number;
  /** What the footer says there are. */
  readonly slotsMax: number;
  /** Null: they are as they are. */
  readonly decompress: Decompress | null;
}

export function* pagesOf(chunk: ChunkPages): Generator<DictionaryPage | DataPage, void, undefined> {
  let left = chunk.slotsMax;
  for (const { header, packed } of headersOf(chunk.bytes, chunk.slotsMax)) {
    const page = pageOf(header, packed, chunk);
    if (page?.type === 'data') {
      left -= page.slots;
      if (left < 0) throw new RangeError('pages with more values than their column');
    }
    if (page !== null) yield page;
  }
}

/** What is compressed in each page that has such, and how large it becomes. */
export function* packedPages(
  bytes: Uint8Array,
  slotsMax: number,
): Generator<{ readonly packed: Uint8Array; readonly size: number }, void, undefined> {
  for (const { header, packed } of headersOf(bytes, slotsMax)) {
    const { uncompressed_page_size: size, data_page_header_v2: second } = header;
    const levelBytes = second === undefined ? 0 : levelBytesOf(second);
    if (second?.is_compressed === false || size === levelBytes) continue;
    yield { packed: packed.subarray(levelBytes), size: size - levelBytes };
  }
}

/** Until there are as many values as their column has. */
function* headersOf(
  bytes: Uint8Array,
  slotsMax: number,
): Generator<{ readonly header: PageHeader; readonly packed: Uint8Array }, void, undefined> {
  const reader = new ByteReader(bytes);
  let left = slotsMax;
  while (left > 0) {
    const header = readHeader(reader);
    const packed = reader.take(header.compressed_page_size);
    yield { header, packed };
    const { data_page_header: first, data_page_header_v2: second } = header;
    left -= first?.num_values ?? second?.num_values ?? 0;
  }
}

function pageOf(
  header: PageHeader,
  packed: Uint8Array,
  chunk: ChunkPages,
): DictionaryPage | DataPage | null {
  const { uncompressed_page_size: size } = header;
  const { dictionary_page_header: dictionary } = header;
  if (dictionary !== undefined) {
    const count = checkCount(dictionary.num_values);
    const values = unpacked(packed, size, chunk.decompress);
    return { type: 'dictionary', values, count, memory: chunk.decompress === null ? null : values };
  }
  if (header.data_page_header !== undefined) return firstPage(header, packed, chunk);
  return header.data_page_header_v2 === undefined ? null : secondPage(header, packed, chunk);
}

/** Version 1: levels and values are compressed together, each level with its length before it. */
function firstPage(
  { data_page_header: header, uncompressed_page_size: size }: PageHeader,
  packed: Uint8Array,
  { leaf: { levelMax }, listsMax, slotsMax, decompress }: ChunkPages,
): DataPage {
  const slots = checkCount(header?.num_values ?? 0, slotsMax);
  const page = unpacked(packed, size, decompress);
  const reader = new ByteReader(page);
  const next = (encoding: string | undefined): Uint8Array => {
    if (encoding !== 'RLE') throw new OtherEncoding(`levels in ${String(encoding)}`);
    return reader.take(reader.uint32());
  };
  const isList = listsMax > 0;
  const repetition = header?.repetition_level_encoding;
  const starts = isList ? readZeros(next(repetition), slots, listsMax) : null;
  const hasLevels = levelMax > 0;
  const definition = header?.definition_level_encoding;
  const definitions = hasLevels ? readLevels(next(definition), levelMax, slots) : null;
  const values = reader.take(reader.left);
  return {
    type: 'data',
    encoding: header?.encoding ?? '',
    values,
    slots,
    definitions,
    starts,
    memory: decompress === null ? null : page,
  };
}

/** Version 2: the levels come first, as they are. */
function secondPage(
  { data_page_header_v2: header, uncompressed_page_size: size }: PageHeader,
  packed: Uint8Array,
  { leaf: { levelMax }, listsMax, slotsMax, decompress }: ChunkPages,
): DataPage {
  const slots = checkCount(header?.num_values ?? 0, slotsMax);
  const reader = new ByteReader(packed);
  const repetitionBytes = reader.take(header?.repetition_levels_byte_length ?? 0);
  const definitionBytes = reader.take(header?.definition_levels_byte_length ?? 0);
  const levelBytes = repetitionBytes.length + definitionBytes.length;
  const rest = reader.take(reader.left);
  const isPlain = header?.is_compressed === false || size === levelBytes;
  const values = isPlain ? rest : unpacked(rest, size - levelBytes, decompress);
  return {
    type: 'data',
    encoding: header?.encoding ?? '',
    values,
    slots,
    definitions: levelMax === 0 ? null : readLevels(definitionBytes, levelMax, slots),
    starts: listsMax > 0 ? readZeros(repetitionBytes, slots, listsMax) : null,
    memory: isPlain || decompress === null ? null : values,
  };
}

function levelBytesOf({
  repetition_levels_byte_length: repetition,
  definition_levels_byte_length: definition,
}: NonNullable<PageHeader['data_page_header_v2']>): number {
  return repetition + definition;
}

function unpacked(packed: Uint8Array, size: number, decompress: Decompress | null): Uint8Array {
  if (decompress === null) return packed;
  if (!(size >= 0)) throw new RangeError(`a page of ${size} bytes`);
  const page = decompress(packed, size);
  if (page.length === size) return page;
  throw new RangeError(`a page of ${page.length} bytes, decompressed, that should have ${size}`);
}

function checkCount(count: number, max: number = Infinity): number {
  if (count >= 0 && count <= max) return count;
  throw new RangeError(`a page of ${count} values; its column has ${max}`);
}
