/**
 * Parquet and Arrow, from the file to JavaScript, against DuckDB's Node package on the same file and columns in the
 * same run, which decodes in C++ on all cores. Columns: row groups as a worker decodes them, into Arrow IPC
 * streams with their CRC-32, against the vectors of DuckDB's chunks, of which no value is taken either. Rows: as lines
 * of JSON, against row objects. `formats-memory.ts` reads each of them in a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { ColumnTable } from '../src/core/format/column-table.ts';
import type { TableFormat } from '../src/core/format/format-name.ts';
import { ColumnMemory } from '../src/decode/column-memory.ts';
import { parquetRows } from '../src/decode/parquet-rows.ts';
import { RangeCutter, openTable } from '../src/decode/range-reader.ts';
import { load } from '../src/index.ts';
import { LocalBytes } from '../src/storage/local-bytes.ts';
import { median } from './median.ts';
import { openDuckDb } from './duckdb.ts';
import type { DuckConnection } from './duckdb.ts';
import type { MemoryAnswer, MemorySettings } from './formats-memory.ts';
import { duckWriteRate, rowsOf, tablesOf, writeRate } from './parquet-writes.ts';
import { benchRow } from './report.ts';
import type { BenchRow, Benchmark } from './report.ts';

const ROWS = 60_000;
const GROUP_ROWS = 15_000;
/** Of rows, which take seconds, and of columns. */
const ROUNDS = 3;
const COLUMN_ROUNDS = 9;

/** What is read of a row: numbers only; a number and a text of some hundred characters; a vector. */
const SHAPES = {
  numbers: ['id', 'score'],
  texts: ['id', 'text'],
  vectors: ['id', 'vector'],
} as const;

async function makeFile(connection: DuckConnection, path: string): Promise<void> {
  await connection.run(`
    COPY (
      SELECT i AS id, sin(i) AS score, i % 20 AS kind,
        repeat(md5(i::VARCHAR) || ' ', 6) AS text,
        [((i * 7 + j * 13) % 1000)::FLOAT / 1000 FOR j IN range(64)] AS vector
      FROM range(${ROWS}) t(i)
    ) TO '${path}' (FORMAT PARQUET, COMPRESSION ZSTD, ROW_GROUP_SIZE ${GROUP_ROWS})`);
}

/** Rows per second: objects by column, made of chunks as they come. */
async function duckRate(
  connection: DuckConnection,
  path: string,
  columns: readonly string[],
): Promise<number> {
  const startMs = performance.now();
  const result = await connection.stream(`SELECT ${columns.join(', ')} FROM '${path}'`);
  const names = result.deduplicatedColumnNames();
  let rows = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) break;
    rows += chunk.getRowObjects(names).length;
  }
  return rate(rows, startMs);
}

/** Rows per second: the vectors of chunks as they come, where they are in memory. */
async function duckColumnRate(
  connection: DuckConnection,
  path: string,
  columns: readonly string[],
): Promise<number> {
  const startMs = performance.now();
  const result = await connection.stream(`SELECT ${columns.join(', ')} FROM '${path}'`);
  let rows = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) break;
    for (let column = 0; column < chunk.columnCount; column += 1) {
      if (chunk.getColumnVector(column).itemCount === chunk.rowCount) continue;
      throw new Error('a vector of DuckDB is not as long as its chunk');
    }
    rows += chunk.rowCount;
  }
  return rate(rows, startMs);
}

/** That it may use for one query: all cores, if nobody says otherwise. */
async function duckThreads(connection: DuckConnection): Promise<string> {
  const result = await connection.stream("SELECT current_setting('threads') AS threads");
  const [row] = (await result.fetchChunk())?.getRowObjects(['threads']) ?? [];
  return String((row as { readonly threads: unknown }).threads);
}

/** As a worker decodes row groups: in memory that it has from the file before, into a slab, with the CRC-32 that is compared. */
async function columnRate(
  path: string,
  columns: readonly string[],
  format: TableFormat = 'parquet',
): Promise<number> {
  const source = new LocalBytes();
  const cutter = new RangeCutter();
  const startMs = performance.now();
  const table = await openTable(format, { source, location: path, columns }, memory);
  let rows = 0;
  for await (const group of table.groups()) {
    const plan = cutter.cut(group, { start: 0, end: group.rows });
    if (slab.length < plan.bytes) slab = new Uint8Array(plan.bytes);
    const into = slab.subarray(0, plan.bytes);
    plan.write(into);
    crc32(into);
    rows += ColumnTable.read(into).rows;
  }
  await source.close();
  return rate(rows, startMs);
}

let slab: Uint8Array = new Uint8Array(0);
const memory = new ColumnMemory();

/** The same file as an Arrow stream, a record batch for each row group. */
async function makeArrow(parquet: string, path: string): Promise<void> {
  const source = new LocalBytes();
  const cutter = new RangeCutter();
  const table = await openTable('parquet', { source, location: parquet, columns: null });
  const parts: Uint8Array[] = [];
  let schemaBytes = 0;
  for await (const group of table.groups()) {
    const plan = cutter.cut(group, { start: 0, end: group.rows });
    const stream = new Uint8Array(plan.bytes);
    plan.write(stream);
    schemaBytes = 8 + new DataView(stream.buffer).getInt32(4, true);
    // Each stream is the schema, a batch, and 8 bytes that end it.
    parts.push(stream.subarray(parts.length === 0 ? 0 : schemaBytes, stream.length - 8));
  }
  await source.close();
  writeFileSync(path, Buffer.concat(parts));
}

/** As a worker decodes row groups: lines of JSON. */
async function groupRate(path: string, columns: readonly string[]): Promise<number> {
  const source = new LocalBytes();
  const startMs = performance.now();
  let lines = 0;
  for await (const { bytes } of parquetRows({ source, location: path, columns }, 0)) {
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines += 1;
  }
  await source.close();
  return rate(lines, startMs);
}

/** From the pinned data set to the columns of all rows, without resolving. */
async function columnLoadRate(
  path: string,
  columns: readonly string[],
  root: string,
): Promise<number> {
  const manifestStoreRoot = join(root, 'store');
  const loader = load(path, {
    columns,
    rowsPerSample: GROUP_ROWS,
    batchSize: 1,
    manifestStoreRoot,
  });
  await loader.open();
  const startMs = performance.now();
  let rows = 0;
  for await (const batch of loader) {
    for (let at = 0; at < batch.sampleCount; at += 1) rows += batch.columns(at).rows;
  }
  return rate(rows, startMs);
}

/** From the pinned data set to the objects of all rows, without resolving. */
async function loadRate(path: string, columns: readonly string[], root: string): Promise<number> {
  const loader = load(path, { columns, batchSize: 512, manifestStoreRoot: join(root, 'store') });
  await loader.open();
  const startMs = performance.now();
  let rows = 0;
  for await (const batch of loader) {
    for (let at = 0; at < batch.sampleCount; at += 1) {
      if (batch.row(at) !== null) rows += 1;
    }
  }
  return rate(rows, startMs);
}

function rate(rows: number, startMs: number): number {
  if (rows !== ROWS) throw new Error(`${rows} of ${ROWS} rows were read`);
  return (rows / (performance.now() - startMs)) * 1000;
}

/** Medians of figures that are taken in turn, so that each meets the same of what else the machine does. */
async function mediansOf(
  rounds: number,
  makers: readonly (() => Promise<number>)[],
): Promise<readonly number[]> {
  const figures = makers.map((): number[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, make] of makers.entries()) {
      const figure = await make();
      // The first is for warming up.
      if (round > 0) figures[index]?.push(figure);
    }
  }
  return figures.map(median);
}

async function shapeRows(
  connection: DuckConnection,
  name: keyof typeof SHAPES,
  { parquet, arrow, root }: Files,
): Promise<readonly BenchRow[]> {
  const columns = SHAPES[name];
  const threads = await duckThreads(connection);
  const [vectors = 0, ...ranges] = await mediansOf(COLUMN_ROUNDS, [
    () => duckColumnRate(connection, parquet, columns),
    () => columnRate(parquet, columns),
    () => columnRate(arrow, columns, 'arrow'),
    () => columnLoadRate(parquet, columns, root),
  ]);
  const [rowObjects = 0, ...rows] = await mediansOf(ROUNDS, [
    () => duckRate(connection, parquet, columns),
    () => groupRate(parquet, columns),
    () => loadRate(parquet, columns, root),
  ]);
  const ours = [...ranges, ...rows];
  const of = `${columns.join(', ')} of ${ROWS.toLocaleString('en-US')} rows in groups of ${GROUP_ROWS.toLocaleString('en-US')}`;
  const row = (
    what: string,
    index: number,
    limit: number,
    target: BenchRow['target'],
    than: string,
  ): BenchRow =>
    benchRow({
      name: `formats: ${what}, ${name}`,
      ours: ours[index] ?? 0,
      limit,
      unit: 'rows/s',
      target,
      note: `${of}; limit: ${than} of DuckDB, ${threads} threads`,
    });
  return [
    row('Parquet row groups as columns', 0, vectors, { atLeast: 1 }, 'vectors'),
    row('Arrow record batches as columns', 1, vectors, { atLeast: 1 }, 'vectors, of Parquet,'),
    row('Parquet columns through load()', 2, vectors, null, 'vectors'),
    row('Parquet row groups as lines of JSON', 3, rowObjects, null, 'row objects'),
    row('Parquet rows through load()', 4, rowObjects, null, 'row objects'),
  ];
}

/** Columns and rows that `parquet()` writes, beside each other and what DuckDB copies. */
async function writeRows(
  connection: DuckConnection,
  name: keyof typeof SHAPES,
  { parquet: path, root }: Files,
): Promise<readonly BenchRow[]> {
  const columns = SHAPES[name];
  const of = { path, columns, groupRows: GROUP_ROWS, storeRoot: join(root, 'store') };
  const [tables, rows] = [await tablesOf(of), await rowsOf(of)];
  const [copied = 0, fromColumns = 0, fromRows = 0] = await mediansOf(ROUNDS, [
    () => duckWriteRate(connection, of, ROWS),
    () => writeRate(tables, ROWS),
    () => writeRate(rows, ROWS),
  ]);
  const note = `${columns.join(', ')}; limit: COPY of DuckDB, ${await duckThreads(connection)} threads`;
  const shared = { limit: copied, unit: 'rows/s', target: null, note };
  return [
    benchRow({
      name: `formats: Parquet written of columns, ${name}`,
      ours: fromColumns,
      ...shared,
    }),
    benchRow({ name: `formats: Parquet written of rows, ${name}`, ours: fromRows, ...shared }),
  ];
}

/** Resident memory of a process that reads the file once, beyond what Node takes and what is in flight. */
function memoryRow(what: string, settings: MemorySettings): BenchRow {
  const script = join(import.meta.dirname, 'formats-memory.ts');
  const text = execFileSync(process.execPath, [script, JSON.stringify(settings)], {
    encoding: 'utf8',
  });
  const { peakBytes, inflightBytes } = JSON.parse(text) as MemoryAnswer;
  return benchRow({
    name: `formats: peak memory beside the cap, ${what}`,
    ours: (peakBytes - settings.maxInflightBytes) / 1024 ** 2,
    limit: null,
    unit: 'MiB',
    target: { atMost: 150 },
    note: `resident at most ${Math.round(peakBytes / 1024 ** 2)} MiB, cap ${settings.maxInflightBytes / 1024 ** 2} MiB, of which ${Math.round(inflightBytes / 1024 ** 2)} MiB were in flight`,
  });
}

interface Files {
  readonly parquet: string;
  readonly arrow: string;
  readonly root: string;
}

function memoryRows({ parquet, arrow, root }: Files): readonly BenchRow[] {
  const storeRoot = join(root, 'store');
  const cap = { storeRoot, maxInflightBytes: 64 * 1024 ** 2 };
  return (['numbers', 'texts', 'vectors'] as const).flatMap((name) => {
    const columns = SHAPES[name];
    const ranges = { ...cap, columns, rowsPerSample: GROUP_ROWS };
    return [
      memoryRow(`Parquet columns, ${name}`, { ...ranges, link: parquet }),
      memoryRow(`Arrow columns, ${name}`, { ...ranges, link: arrow }),
      memoryRow(`Parquet rows, ${name}`, { ...cap, columns, link: parquet, rowsPerSample: null }),
    ];
  });
}

export const benchmark: Benchmark = {
  name: 'formats',
  async run() {
    const root = mkdtempSync(join(tmpdir(), 'mx8-bench-formats-'));
    const instance = await openDuckDb();
    const connection = await instance.connect();
    try {
      const files = { parquet: join(root, 'rows.parquet'), arrow: join(root, 'rows.arrows'), root };
      await makeFile(connection, files.parquet);
      await makeArrow(files.parquet, files.arrow);
      process.stderr.write(`  ${Math.round(statSync(files.parquet).size / 1e6)} MB of Parquet\n`);
      const rows: BenchRow[] = [];
      for (const name of ['numbers', 'texts', 'vectors'] as const) {
        rows.push(...(await shapeRows(connection, name, files)));
        rows.push(...(await writeRows(connection, name, files)));
      }
      return [...rows, ...memoryRows(files)];
    } finally {
      connection.closeSync();
      instance.closeSync();
      rmSync(root, { recursive: true, force: true });
    }
  },
};
