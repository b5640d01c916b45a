/** What `parquet()` writes a second, of columns and of rows, into memory; DuckDB copies the same columns to a file. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { ColumnTable } from '../src/core/format/column-table.ts';
import { load } from '../src/index.ts';
import { MemoryPart } from '../test/support/parquet-part.ts';
import type { DuckConnection } from './duckdb.ts';

export interface Written {
  readonly path: string;
  readonly columns: readonly string[];
  readonly groupRows: number;
  /** Of the manifest store. */
  readonly storeRoot: string;
}

/** Each as `sample.columns()` shows it, in memory of its own. */
export async function tablesOf(of: Written): Promise<readonly ColumnTable[]> {
  const { path, columns, groupRows, storeRoot: manifestStoreRoot } = of;
  const tables: ColumnTable[] = [];
  const options = { columns, rowsPerSample: groupRows, batchSize: 1, manifestStoreRoot };
  for await (const batch of load(path, options)) {
    for (let at = 0; at < batch.sampleCount; at += 1) {
      tables.push(ColumnTable.read(batch.sample(at).slice()));
    }
  }
  return tables;
}

export async function rowsOf(of: Written): Promise<readonly object[]> {
  const { path, columns, storeRoot: manifestStoreRoot } = of;
  const rows: object[] = [];
  for await (const batch of load(path, { columns, batchSize: 512, manifestStoreRoot })) {
    for (let at = 0; at < batch.sampleCount; at += 1) rows.push(Object(batch.row(at)) as object);
  }
  return rows;
}

/** Rows per second. */
export async function writeRate(rows: readonly unknown[], count: number): Promise<number> {
  const part = await MemoryPart.open();
  const startMs = performance.now();
  const each = Math.min(rows.length, 512);
  for (let at = 0; at < rows.length; at += each) await part.write(rows.slice(at, at + each));
  await part.finish();
  const tookMs = performance.now() - startMs;
  if (part.bytes.length === 0) throw new Error('nothing was written');
  return (count / tookMs) * 1000;
}

export async function duckWriteRate(
  connection: DuckConnection,
  { path, columns, groupRows, storeRoot }: Written,
  count: number,
): Promise<number> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE held AS SELECT ${columns.join(', ')} FROM '${path}'`,
  );
  const to = join(storeRoot, 'copy.parquet');
  const startMs = performance.now();
  await connection.run(
    `COPY held TO '${to}' (FORMAT PARQUET, COMPRESSION ZSTD, ROW_GROUP_SIZE ${groupRows})`,
  );
  const tookMs = performance.now() - startMs;
  rmSync(to);
  return (count / tookMs) * 1000;
}
