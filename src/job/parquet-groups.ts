/** The bytes of a Parquet file, row group by row group, with a way back to before a group that was not written. */
import { zstdCompressSync } from 'node:zlib';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';

import type { ParquetColumns } from './parquet-columns.ts';

const MAGIC: Uint8Array = Buffer.from('PAR1');

export interface EncodedGroup {
  /** Where in the file it begins and ends. */
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** How far the file is. */
export interface GroupsMark {
  readonly offset: number;
  readonly groups: number;
  readonly indexes: number;
  readonly rows: bigint;
}

export class ParquetGroups {
  readonly #columns: ParquetColumns;
  readonly #bytes: ByteWriter = new ByteWriter();
  readonly #writer: ParquetWriter;

  constructor(columns: ParquetColumns) {
    this.#columns = columns;
    const { list } = columns;
    const root = { name: 'root', num_children: list.length };
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: [root, ...list.flatMap(({ name, kind }) => kind.elements(name))],
      codec: 'ZSTD',
      compressors: { ZSTD: (input) => zstdCompressSync(input) },
      createdBy: 'mx8',
    });
    // The magic that it begins with is written with the first group.
    this.#bytes.index = 0;
  }

  mark(): GroupsMark {
    const { row_groups: groups, pendingIndexes: indexes, num_rows: rows } = this.#writer;
    return { offset: this.#bytes.offset, groups: groups.length, indexes: indexes.length, rows };
  }

  /** What was encoded since then is not in the file. */
  undo({ offset, groups, indexes, rows }: GroupsMark): void {
    this.#bytes.index = 0;
    this.#bytes.offset = offset;
    this.#writer.row_groups.length = groups;
    this.#writer.pendingIndexes.length = indexes;
    this.#writer.num_rows = rows;
  }

  /** `rows`: values in the order of the columns. */
  encode(rows: readonly (readonly unknown[])[]): EncodedGroup {
    const start = this.#bytes.offset;
    const columnData = this.#columns.list.map(({ name }, index) => ({
      name,
      data: rows.map((row) => row[index]),
      offsetIndex: false,
    }));
    void this.#writer.write({ columnData, rowGroupSize: rows.length });
    const bytes = this.#take();
    const isFirst = start === MAGIC.length;
    return {
      start,
      end: this.#bytes.offset,
      bytes: isFirst ? Buffer.concat([MAGIC, bytes]) : bytes,
    };
  }

  /** The end of the file. */
  footer(): Uint8Array {
    void this.#writer.finish();
    return this.#take();
  }

  #take(): Uint8Array {
    const bytes = this.#bytes.getBytes().slice();
    this.#bytes.index = 0;
    return bytes;
  }
}
