/**
 * Rows of Parquet, from the file to JavaScript values: row groups decoded as a worker decodes them, and whole
 * `load()`, against DuckDB's Node package on the same file and columns in the same run. DuckDB decodes in C++ on
 * all cores; that it must hand its values to JavaScript is what both have in common.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parquetRows } from '../src/decode/parquet-rows.ts';
import { load } from '../src/index.ts';
import { LocalBytes } from '../src/storage/local-bytes.ts';
import { openDuckDb } from './duckdb.ts';
import type { DuckConnection } from './duckdb.ts';
import { benchRow } from './report.ts';
import type { BenchRow, Benchmark } from './report.ts';

const ROWS = 60_000;
const GROUP_ROWS = 15_000;
const ROUNDS = 3;

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

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0;
}

async function shapeRows(
  connection: DuckConnection,
  name: keyof typeof SHAPES,
  path: string,
  root: string,
): Promise<readonly BenchRow[]> {
  const columns = SHAPES[name];
  const [groups, loads, ducks]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const figures = [
      await groupRate(path, columns),
      await loadRate(path, columns, root),
      await duckRate(connection, path, columns),
    ] as const;
    // The first is for warming up.
    if (round === 0) continue;
    groups.push(figures[0]);
    loads.push(figures[1]);
    ducks.push(figures[2]);
  }
  const limit = median(ducks);
  const note = `${columns.join(', ')} of ${ROWS.toLocaleString('en-US')} rows in groups of ${GROUP_ROWS.toLocaleString('en-US')}; limit: row objects of DuckDB`;
  const unit = 'rows/s';
  return [
    benchRow({
      name: `formats: Parquet row groups, ${name}`,
      ours: median(groups),
      limit,
      unit,
      target: { atLeast: 1 },
      note,
    }),
    benchRow({
      name: `formats: Parquet through load(), ${name}`,
      ours: median(loads),
      limit,
      unit,
      target: null,
      note,
    }),
  ];
}

export const benchmark: Benchmark = {
  name: 'formats',
  async run() {
    const root = mkdtempSync(join(tmpdir(), 'mx8-bench-formats-'));
    const instance = await openDuckDb();
    const connection = await instance.connect();
    try {
      const path = join(root, 'rows.parquet');
      await makeFile(connection, path);
      process.stderr.write(`  ${Math.round(statSync(path).size / 1e6)} MB of Parquet\n`);
      const rows: BenchRow[] = [];
      for (const name of ['numbers', 'texts', 'vectors'] as const) {
        rows.push(...(await shapeRows(connection, name, path, root)));
      }
      return rows;
    } finally {
      connection.closeSync();
      instance.closeSync();
      rmSync(root, { recursive: true, force: true });
    }
  },
};
