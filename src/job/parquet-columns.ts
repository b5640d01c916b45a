/** The columns of a Parquet output: as the job names them, or as its first rows have them. */
import { Mx8Error } from '../core/base/errors.ts';
import { isColumnTable } from '../core/format/column-table.ts';
import type { JobBatch } from './batch.ts';
import { PARQUET_COLUMNS_MAX } from './limits.ts';
import { PARQUET_TYPES, Unfit, columnKind, typeOfValue } from './parquet-types.ts';
import type { ColumnKind, ParquetColumnType } from './parquet-types.ts';

/** Values by the names of their columns. A column that is not there, or undefined, is null. */
export type ParquetRow = Readonly<Record<string, unknown>>;

export interface ParquetColumn {
  readonly name: string;
  readonly type: ParquetColumnType;
  readonly kind: ColumnKind;
}

export interface ParquetColumns {
  readonly list: readonly ParquetColumn[];
  readonly byName: ReadonlyMap<string, ParquetColumn>;
  /** Nobody named them. */
  readonly isInferred: boolean;
}

/** As the job names them. `job_invalid` for types that are none. */
export function namedColumns(columns: Readonly<Record<string, ParquetColumnType>>): ParquetColumns {
  const entries = Object.entries(columns);
  for (const [name, type] of entries) {
    if (PARQUET_TYPES.includes(type)) continue;
    throw new Mx8Error(
      'job_options_invalid',
      `parquet(): column ${JSON.stringify(name)} has the type ${JSON.stringify(type)}; expected one of ${PARQUET_TYPES.filter((known) => !known.endsWith('[]')).join(', ')}, or a list such as float[].`,
      { column: name },
    );
  }
  if (entries.length === 0 || entries.length > PARQUET_COLUMNS_MAX) {
    throw new Mx8Error(
      'job_options_invalid',
      `parquet(): columns names ${entries.length} columns; expected 1 to ${PARQUET_COLUMNS_MAX}.`,
    );
  }
  return columnsOf(entries, false);
}

/** As the first rows have them, in the order in which they come up. */
export function inferredColumns(rows: readonly ParquetRow[], batch: JobBatch): ParquetColumns {
  const types = new Map<string, ParquetColumnType | null>();
  for (const [index, row] of rows.entries()) {
    checkIsRow(row, index, rows.length, batch);
    for (const [name, value] of Object.entries(row)) {
      const before = types.get(name) ?? null;
      const type = typeOfValue(value);
      if (before !== null && type !== null && before !== type) {
        const what = `column ${JSON.stringify(name)} is ${type} here and ${before} in rows before it`;
        throw badRow(index, rows.length, batch, `${what}; name its type: ${wayOut(name)}`);
      }
      types.set(name, before ?? type);
    }
  }
  if (types.size > PARQUET_COLUMNS_MAX) {
    const what = `the first rows have ${types.size} columns; at most ${PARQUET_COLUMNS_MAX} are written`;
    throw badRow(0, rows.length, batch, what);
  }
  if (types.size === 0) throw badRow(0, rows.length, batch, 'it has no column');
  // Of a column of nulls nothing is known: one of JSON takes whatever comes.
  const known = Array.from(types, ([name, type]) => [name, type ?? 'json'] as const);
  return columnsOf(known, true);
}

function columnsOf(
  entries: readonly (readonly [string, ParquetColumnType])[],
  isInferred: boolean,
): ParquetColumns {
  const list = entries.map(([name, type]) => ({ name, type, kind: columnKind(type) }));
  return { list, byName: new Map(list.map((column) => [column.name, column])), isInferred };
}

/** The values of a row in the order of the columns, as they are stored. `row_invalid` where one is none of them. */
export function storedRow(
  columns: ParquetColumns,
  row: ParquetRow,
  index: number,
  rowCount: number,
  batch: JobBatch,
): readonly unknown[] {
  checkIsRow(row, index, rowCount, batch);
  for (const name of Object.keys(row)) {
    if (columns.byName.has(name) || row[name] === undefined) continue;
    const who = columns.isInferred ? 'the first rows do not have' : 'the job does not name';
    const what = `it has a column ${JSON.stringify(name)}, which ${who}`;
    throw badRow(index, rowCount, batch, `${what}; add it: ${wayOut(name)}`);
  }
  return columns.list.map(({ name, type, kind }) => {
    try {
      return kind.stored(Object.hasOwn(row, name) ? row[name] : null);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      const told = columns.isInferred ? `, as the first rows have it; or ${wayOut(name)}` : '';
      const what = `column ${JSON.stringify(name)} cannot be stored: ${error.message}`;
      throw badRow(index, rowCount, batch, `${what}. Expected ${type}${told}`);
    }
  });
}

function wayOut(name: string): string {
  return `parquet(dir, { columns: { ${JSON.stringify(name)}: … } })`;
}

function checkIsRow(row: unknown, index: number, rowCount: number, batch: JobBatch): void {
  if (isColumnTable(row) || row instanceof Uint8Array) {
    const what = 'it is columns, and those before it are rows';
    throw badRow(index, rowCount, batch, `${what}: an output file has either rows or columns`);
  }
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return;
  const what = row === null ? 'null' : Array.isArray(row) ? 'an array' : typeof row;
  throw badRow(index, rowCount, batch, `it is ${what}, not an object of columns`);
}

function badRow(index: number, rowCount: number, batch: JobBatch, reason: string): Mx8Error {
  const sampleId = rowCount === batch.length ? batch.sampleIds[index] : undefined;
  const owner =
    sampleId === undefined ? `row ${index} of the batch` : `the row of sample ${sampleId}`;
  const details = sampleId === undefined ? { row: index } : { sample_id: sampleId };
  return new Mx8Error('row_invalid', `${owner} cannot be written as Parquet: ${reason}`, details);
}
