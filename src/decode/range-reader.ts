/**
 * Row ranges of tables as Arrow IPC streams, written where they are wanted. The group of rows that was decoded last
 * is kept, for its other ranges; best they are asked for in order.
 */
import { crc32 } from 'node:zlib';

import { planStream } from '../core/format/arrow-write.ts';
import type { StreamPlan } from '../core/format/arrow-write.ts';
import type { CodedPart, RowRange } from '../core/format/coded-part.ts';
import { FormatError, PartChangedError } from '../core/format/format-error.ts';
import type { TableFormat } from '../core/format/format-name.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { ArrowTable } from './arrow-columns.ts';
import { schemaMessage } from './arrow-schema.ts';
import { ColumnMemory } from './column-memory.ts';
import { ParquetTable } from './parquet-columns.ts';
import type { TableFile } from './table-file.ts';
import type { OpenTable, TableGroup } from './table-group.ts';

/** `memory` is that of the files before, of which no group is needed any more. */
export function openTable(
  format: TableFormat,
  file: TableFile,
  memory: ColumnMemory = new ColumnMemory(),
): Promise<OpenTable> {
  return format === 'parquet' ? ParquetTable.open(file, memory) : ArrowTable.open(file, memory);
}

/** Cuts ranges from one group after the other; what is described is alike, and written once. */
export class RangeCutter {
  #group: TableGroup | null = null;
  #schema: Uint8Array = new Uint8Array(0);

  cut(group: TableGroup, { start, end }: RowRange): StreamPlan {
    if (this.#group?.fields !== group.fields) this.#schema = schemaMessage(group.fields);
    this.#group = group;
    return planStream(this.#schema, group.columns, start, end);
  }
}

interface Open {
  readonly location: string;
  readonly part: CodedPart;
  readonly table: OpenTable;
}

export class RangeReader {
  readonly #source: ByteSource;
  readonly #cutter: RangeCutter = new RangeCutter();
  readonly #stop: AbortController = new AbortController();
  readonly #memory: ColumnMemory = new ColumnMemory();
  #open: Open | null = null;
  #group: TableGroup | null = null;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** See `PartReader.read`. */
  async read(
    location: string,
    part: CodedPart,
    frameAt: number,
    into: Uint8Array | null,
    upcoming: readonly number[] = [],
  ): Promise<void> {
    if (!this.#holds(location, part, frameAt)) {
      const table = await this.#tableOf(location, part);
      this.#group = null;
      this.#group = await table.groupAt(frameAt, upcoming);
    }
    this.#write(part, frameAt, into ?? new Uint8Array(part.bytes));
  }

  /** The same at once, where the group of rows is decoded. */
  readNow(location: string, part: CodedPart, frameAt: number, into: Uint8Array): boolean {
    if (!this.#holds(location, part, frameAt)) return false;
    this.#write(part, frameAt, into);
    return true;
  }

  close(): void {
    this.#stop.abort();
    this.leave();
  }

  /** Lets go of what is decoded. Not while something is, but for closing: then its memory is left to be collected. */
  leave(): void {
    this.#forget();
    if (!this.#stop.signal.aborted) this.#memory.clear();
  }

  #forget(): void {
    this.#open?.table.leave();
    this.#open = null;
    this.#group = null;
  }

  #holds(location: string, part: CodedPart, frameAt: number): boolean {
    return this.#group?.at === frameAt && isOf(this.#open, location, part);
  }

  async #tableOf(location: string, part: CodedPart): Promise<OpenTable> {
    const open = this.#open;
    if (open !== null && isOf(open, location, part)) return open.table;
    this.#forget();
    const { signal } = this.#stop;
    const file = { source: this.#source, location, columns: part.columns, signal };
    const format = part.codec === 'arrow' ? 'arrow' : 'parquet';
    const table = await openTable(format, file, this.#memory);
    this.#open = { location, part, table };
    return table;
  }

  #write(part: CodedPart, frameAt: number, into: Uint8Array): void {
    const group = this.#group;
    const { rows } = part;
    if (group === null || rows === null) throw new FormatError('no rows were decoded', frameAt);
    if (rows.start >= rows.end || rows.end > group.rows) {
      const what = `its rows ${rows.start} to ${rows.end} are not there: the group has ${group.rows}, and has changed`;
      throw new PartChangedError(what, frameAt);
    }
    const plan = this.#cutter.cut(group, rows);
    if (plan.bytes === into.length) {
      plan.write(into);
      if (crc32(into) === part.crc32) return;
    }
    const what =
      'its rows are not those that were pinned (another length or CRC-32): the file has changed, or is damaged';
    throw new PartChangedError(what, frameAt);
  }
}

function isOf(open: Open | null, location: string, { codec, columns }: CodedPart): boolean {
  if (open?.location !== location || open.part.codec !== codec) return false;
  return open.part.columns === columns || String(open.part.columns) === String(columns);
}
