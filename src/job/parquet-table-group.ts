/**
 * Row groups of tables: the columns of each become pages at once, which are held until the group is full. What stands
 * in memory is compressed, and the tables are no longer needed.
 */
import { ByteWriter } from 'hyparquet-writer';
import type { ParquetWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';

import { must } from '../core/base/assert.ts';
import type { ColumnData } from '../core/format/column-data.ts';
import { PARQUET_PAGE_BYTES } from './limits.ts';
import { encodePage, mergeExtremes } from './parquet-page.ts';
import type { EncodedPage } from './parquet-page.ts';
import type { FileShape, LeafShape } from './parquet-shape.ts';
import { leafSlots } from './parquet-slots.ts';

/** What a footer says of a group. */
export type RowGroup = ParquetWriter['row_groups'][number];

export const PARQUET_MAGIC: Uint8Array = Buffer.from('PAR1');

/** Pages of some rows, by leaf. */
export interface EncodedTable {
  readonly rows: number;
  readonly pages: readonly (readonly EncodedPage[])[];
  /** Of all pages, if nothing were compressed: what a reader needs for them. */
  readonly plainBytes: number;
}

export function encodeTable(
  shape: FileShape,
  columns: readonly ColumnData[],
  rows: number,
): EncodedTable {
  const pages: EncodedPage[][] = shape.leaves.map(() => []);
  let leaf = 0;
  for (const column of columns) {
    const pageRows = Math.max(1, Math.floor((rows * PARQUET_PAGE_BYTES) / (bytesOf(column) + 1)));
    const first = leaf;
    for (let from = 0; from < rows; from += pageRows) {
      leaf = first;
      const to = Math.min(rows, from + pageRows);
      for (const slots of leafSlots(column, from, to)) {
        const of = must(shape.leaves[leaf], 'each column has its leaves');
        must(pages[leaf], 'each leaf has pages').push(encodePage(of, slots, to - from));
        leaf += 1;
      }
    }
  }
  const plainBytes = pages.flat().reduce((sum, page) => sum + page.plainBytes, 0);
  return { rows, pages, plainBytes };
}

/** About what the values take. */
function bytesOf({ length, values, offsets, children }: ColumnData): number {
  const own = (values?.length ?? 0) + (offsets === null ? 0 : length * 4);
  return children.reduce((sum, child) => sum + bytesOf(child), own);
}

export interface EncodedTables {
  readonly bytes: Uint8Array;
  readonly group: RowGroup;
}

/** A row group that begins at byte `start` of the file. */
export function encodeGroup(
  shape: FileShape,
  tables: readonly EncodedTable[],
  start: number,
): EncodedTables {
  const parts: Uint8Array[] = [];
  let at = start;
  let plain = 0;
  const columns = shape.leaves.map((leaf, index) => {
    const pages = tables.flatMap((table) => table.pages[index] ?? []);
    const bytes = pages.reduce((sum, page) => sum + page.bytes.length, 0);
    const plainBytes = pages.reduce((sum, page) => sum + page.plainBytes, 0);
    for (const page of pages) parts.push(page.bytes);
    const column = { file_offset: BigInt(at), meta_data: columnMetaData(leaf, pages, at) };
    at += bytes;
    plain += plainBytes;
    return column;
  });
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const group = {
    columns,
    total_byte_size: BigInt(plain),
    num_rows: BigInt(rows),
    file_offset: BigInt(start),
    total_compressed_size: BigInt(at - start),
  };
  return { bytes: Buffer.concat(parts), group };
}

function columnMetaData(
  { element, path }: LeafShape,
  pages: readonly EncodedPage[],
  at: number,
): NonNullable<RowGroup['columns'][number]['meta_data']> {
  const sumOf = (one: (page: EncodedPage) => number): number =>
    pages.reduce((sum, page) => sum + one(page), 0);
  const extremes = pages.reduce<EncodedPage['extremes']>(
    (sum, page) => mergeExtremes(sum, page.extremes),
    null,
  );
  const range = extremes === null ? {} : { min_value: extremes.min, max_value: extremes.max };
  return {
    type: must(element.type, 'a leaf has a type'),
    encodings: ['PLAIN', 'RLE'],
    path_in_schema: [...path],
    codec: 'ZSTD',
    num_values: BigInt(sumOf((page) => page.slots)),
    total_uncompressed_size: BigInt(sumOf((page) => page.plainBytes)),
    total_compressed_size: BigInt(sumOf((page) => page.bytes.length)),
    data_page_offset: BigInt(at),
    statistics: { null_count: BigInt(sumOf((page) => page.nulls)), ...range },
    encoding_stats: [{ page_type: 'DATA_PAGE_V2', encoding: 'PLAIN', count: pages.length }],
  };
}

/** What ends the file. */
export function encodeFooter(shape: FileShape, groups: readonly RowGroup[]): Uint8Array {
  const writer = new ByteWriter();
  const rows = groups.reduce((sum, group) => sum + group.num_rows, 0n);
  writeMetadata(writer, {
    version: 2,
    created_by: 'mx8',
    schema: [...shape.schema],
    num_rows: rows,
    row_groups: [...groups],
    metadata_length: 0,
  });
  return Buffer.concat([writer.getBytes(), PARQUET_MAGIC]);
}
