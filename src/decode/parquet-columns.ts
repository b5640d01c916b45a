/**
 * Row groups of a Parquet file as columns. Those of the usual types and encodings are decoded from their pages
 * into memory as Arrow has it; for the others hyparquet's values are put there. While one is decoded those that come next are
 * read, and decompressed in Node's threads.
 */
import type { FileMetaData, RowGroup } from 'hyparquet';

import type { ColumnField } from '../core/format/column-data.ts';
import { FormatError } from '../core/format/format-error.ts';
import type { ColumnMemory } from './column-memory.ts';
import { AHEAD_BYTES_MAX } from './limits.ts';
import { AheadRoom, Lane } from './parquet-ahead.ts';
import { checkColumns, checkGroup, readFooter, startOf } from './parquet-file.ts';
import { GroupReading } from './parquet-group.ts';
import { columnPlans } from './parquet-schema.ts';
import type { ColumnPlan } from './parquet-schema.ts';
import type { TableFile } from './table-file.ts';
import type { OpenTable, TableGroup } from './table-group.ts';

interface Place {
  readonly group: RowGroup;
  readonly at: number;
  /** The row of the file that it begins with. */
  readonly rowStart: number;
}

/** One file, of which row groups are decoded one at a time: each is valid until the next is asked for. */
export class ParquetTable implements OpenTable {
  readonly #file: TableFile;
  readonly #size: number;
  readonly #metadata: FileMetaData;
  readonly #plans: readonly ColumnPlan[];
  readonly #fields: readonly ColumnField[];
  readonly #memory: ColumnMemory;
  /** Groups with rows. */
  readonly #places: readonly Place[];
  readonly #room: AheadRoom = new AheadRoom(AHEAD_BYTES_MAX);
  readonly #lane: Lane = new Lane();
  readonly #ahead: Map<Place, GroupReading> = new Map();

  static async open(file: TableFile, memory: ColumnMemory): Promise<ParquetTable> {
    const size = await file.source.sizeOf(file.location, file.signal);
    return new ParquetTable(file, size, await readFooter(file, size), memory);
  }

  private constructor(file: TableFile, size: number, metadata: FileMetaData, memory: ColumnMemory) {
    this.#file = file;
    this.#size = size;
    this.#metadata = metadata;
    this.#memory = memory;
    checkColumns(metadata, file.columns, size);
    this.#plans = columnPlans(metadata, file.columns);
    this.#fields = this.#plans.map(({ field }) => field);
    this.#places = placesOf(metadata.row_groups);
  }

  async *groups(): AsyncGenerator<TableGroup, void, undefined> {
    try {
      for (const [index, place] of this.#places.entries()) {
        yield await this.#decode(place, this.#places.slice(index + 1, index + 1 + GROUPS_AHEAD));
      }
    } finally {
      this.leave();
    }
  }

  async groupAt(at: number, upcoming: readonly number[] = []): Promise<TableGroup> {
    const place = this.#placeAt(at);
    if (place === undefined) {
      throw new FormatError('no row group of the file starts there: it has changed', at);
    }
    const next = upcoming.map((nextAt) => this.#placeAt(nextAt));
    return this.#decode(
      place,
      next.filter((known) => known !== undefined),
    );
  }

  leave(): void {
    for (const reading of this.#ahead.values()) reading.leave();
    this.#ahead.clear();
  }

  #placeAt(wanted: number): Place | undefined {
    return this.#places.find(({ at }) => at === wanted);
  }

  async #decode(place: Place, upcoming: readonly Place[]): Promise<TableGroup> {
    const { group, at } = place;
    checkGroup(group, this.#file.columns, at);
    const reading = this.#ahead.get(place) ?? this.#readingOf(place);
    this.#ahead.delete(place);
    const deciding = reading.columns((plan) => reading.byValues(plan));
    this.#goAhead(upcoming);
    return { at, rows: Number(group.num_rows), fields: this.#fields, columns: await deciding };
  }

  /** The first of them is decompressed as well: what comes after it only once its own bytes are there. */
  #goAhead(upcoming: readonly Place[]): void {
    const wanted = upcoming
      .slice(0, GROUPS_AHEAD)
      .filter(({ group, at }) => this.#isSound(group, at));
    for (const [place, reading] of this.#ahead) {
      if (wanted.includes(place)) continue;
      reading.leave();
      this.#ahead.delete(place);
    }
    for (const [index, place] of wanted.entries()) {
      const reading = this.#ahead.get(place) ?? this.#readingOf(place);
      this.#ahead.set(place, reading);
      if (index === 0) reading.unpack();
      else reading.read();
    }
  }

  /** What is not says so in its turn. */
  #isSound(group: RowGroup, at: number): boolean {
    try {
      checkGroup(group, this.#file.columns, at);
      return true;
    } catch {
      return false;
    }
  }

  #readingOf({ group, at, rowStart }: Place): GroupReading {
    return new GroupReading({
      file: this.#file,
      size: this.#size,
      metadata: this.#metadata,
      plans: this.#plans,
      group,
      rowStart,
      rows: Number(group.num_rows),
      at,
      memory: this.#memory,
      room: this.#room,
      lane: this.#lane,
    });
  }
}

/** Bytes of two are under way while one is decoded: pages of the first are begun before that, when its bytes must be there. */
const GROUPS_AHEAD = 2;

function placesOf(groups: readonly RowGroup[]): readonly Place[] {
  const places: Place[] = [];
  let rowStart = 0;
  for (const group of groups) {
    if (group.num_rows > 0n) places.push({ group, at: startOf(group), rowStart });
    rowStart += Number(group.num_rows);
  }
  return places;
}
