/** One row group of a Parquet file, column by column, of which nothing is decoded before its turn, but much may be read. */
import type { ColumnMetaData, Compressors } from 'hyparquet';

import { must } from '../core/base/assert.ts';
import type { ColumnData } from '../core/format/column-data.ts';
import type { ColumnMemory } from './column-memory.ts';
import { columnOf } from './column-of-values.ts';
import { ChunkAhead } from './parquet-ahead.ts';
import type { AheadRoom, Chunk, Lane } from './parquet-ahead.ts';
import { decodeColumn } from './parquet-column.ts';
import { checkBytes, chunkRange, compressorsFor } from './parquet-file.ts';
import type { Decompress } from './parquet-file.ts';
import { rowObjects, told } from './parquet-objects.ts';
import type { GroupOfFile } from './parquet-objects.ts';
import type { ColumnPlan } from './parquet-schema.ts';
import { spansOf } from './parquet-spans.ts';
import type { ByteRange, BytesIn, Span } from './parquet-spans.ts';
import { OtherEncoding } from './parquet-values.ts';
import { readAll } from './table-file.ts';

interface GroupOptions extends GroupOfFile {
  readonly plans: readonly ColumnPlan[];
  readonly memory: ColumnMemory;
  readonly room: AheadRoom;
  readonly lane: Lane;
}

interface Asked {
  readonly plan: ColumnPlan;
  /** Null: not decoded here. */
  readonly chunk: AskedChunk | null;
}

interface AskedChunk {
  readonly meta: ColumnMetaData;
  readonly ahead: ChunkAhead;
  /** What it is read with. Null: it cannot be read. */
  readonly span: Span | null;
}

export class GroupReading {
  readonly #options: GroupOptions;
  readonly #budget: { bytes: number } = { bytes: 0 };
  readonly #compressors: Compressors;
  readonly #asked: readonly Asked[];

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#compressors = compressorsFor(this.#budget, options.at);
    this.#asked = this.#chunksOf(options.plans);
  }

  /** Before its turn: reads it, as far as there is room. */
  read(): void {
    for (const { chunk } of this.#asked) chunk?.ahead.read();
  }

  /** Before its turn: that, and decompresses. */
  unpack(): void {
    this.read();
    for (const { chunk } of this.#asked) chunk?.ahead.unpack();
  }

  /** What was done before its turn is of no use any more. */
  leave(): void {
    for (const { chunk } of this.#asked) chunk?.ahead.leave();
  }

  /** Once, in its turn. `otherwise` stands for those whose types or encodings are not decoded here. */
  async columns<T>(
    otherwise: (plan: ColumnPlan) => T | Promise<T>,
  ): Promise<readonly (ColumnData | T)[]> {
    const { memory, at } = this.#options;
    memory.begin((bytes) => checkBytes(bytes, at));
    const columns: (ColumnData | T)[] = [];
    try {
      for (const { chunk } of this.#asked) chunk?.ahead.ask();
      for (const { plan, chunk } of this.#asked) {
        const taken = await chunk?.ahead.take();
        await this.#options.lane.turn();
        const column = taken === undefined ? null : this.#column(plan, taken, chunk?.meta);
        if (taken !== undefined && chunk?.span?.doneWithOne() === true) {
          memory.giveBack(taken.whole);
        }
        columns.push(column ?? (await otherwise(plan)));
      }
    } finally {
      // Of a column that was not taken, as one before it failed, pages may still be on their way.
      this.leave();
      for (const { chunk } of this.#asked) await chunk?.ahead.over();
    }
    return columns;
  }

  #chunksOf(plans: readonly ColumnPlan[]): readonly Asked[] {
    const { file, size, room, lane } = this.#options;
    const found = plans.map((plan) => {
      const meta = plan.type === 'other' ? null : this.#metaOf(plan.leaf.path);
      return { plan, meta, range: meta === null ? null : soundRange(meta, size) };
    });
    const spans = spansOf(found.flatMap(({ range }) => range ?? []));
    return found.map(({ plan, meta, range }) => {
      if (meta === null) return { plan, chunk: null };
      const span = range === null ? null : must(spans.get(range), 'each range is in a span');
      const read = async (): Promise<BytesIn> => {
        const wanted = range ?? chunkRange(meta, size);
        return must(span, 'a range is in one').take(wanted, (at, bytes) =>
          readAll(file, at, bytes),
        );
      };
      const bytesToRead = (): number => span?.bytesToRead ?? 0;
      const ahead = new ChunkAhead({ meta, read, bytesToRead, room, lane });
      return { plan, chunk: { meta, ahead, span } };
    });
  }

  /** Null: not decoded here. */
  #column(plan: ColumnPlan, chunk: Chunk, meta: ColumnMetaData | undefined): ColumnData | null {
    const { at, rows, memory } = this.#options;
    if (plan.type === 'other' || meta === undefined) return null;
    const pages = this.#pagesOf(meta, chunk);
    if (pages === null) return null;
    try {
      return decodeColumn(plan, pages, rows, memory);
    } catch (error) {
      if (error instanceof OtherEncoding) return null;
      throw told(error, at);
    }
  }

  #pagesOf(
    { codec, num_values: slots }: ColumnMetaData,
    { bytes, whole, pages }: Chunk,
  ): Parameters<typeof decodeColumn>[1] | null {
    const slotsMax = Number(slots);
    if (codec === 'UNCOMPRESSED') return { bytes, whole, slotsMax, decompress: null };
    const unpack = this.#compressors[codec];
    if (unpack === undefined) return null;
    const decompress: Decompress = (packed, size) => {
      const page = pages.get(packed.byteOffset);
      if (page === undefined) return unpack(packed, size);
      this.#budget.bytes += size;
      checkBytes(this.#budget.bytes, this.#options.at);
      return page;
    };
    return { bytes, whole, slotsMax, decompress };
  }

  #metaOf(path: readonly string[]): ColumnMetaData | null {
    const name = path.join('\n');
    for (const { meta_data: meta } of this.#options.group.columns) {
      if (meta?.path_in_schema.join('\n') === name) return meta;
    }
    return null;
  }

  /** By way of JavaScript values, which are those of rows. */
  async byValues({ field }: ColumnPlan): Promise<ColumnData> {
    const decoded = await rowObjects(this.#options, [field.name], this.#compressors);
    try {
      return columnOf(
        field.type,
        decoded.map((row) => row[field.name]),
      );
    } catch (error) {
      throw told(error, this.#options.at);
    }
  }
}

/** Null: who reads it is told what is wrong with it. */
function soundRange(meta: ColumnMetaData, size: number): ByteRange | null {
  try {
    return chunkRange(meta, size);
  } catch {
    return null;
  }
}
