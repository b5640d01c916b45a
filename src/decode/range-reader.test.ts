/** Columns have the values of rows, whichever tool wrote the file and whichever rows are taken; damage is refused. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { memorySource } from '../../test/support/memory-source.ts';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { tableFromIPC } from '@uwdata/flechette';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { ColumnSource } from 'hyparquet-writer';

import { ColumnTable } from '../core/format/column-table.ts';
import type { TableColumn } from '../core/format/column-table.ts';
import { FormatError, PartChangedError } from '../core/format/format-error.ts';
import type { TableFormat } from '../core/format/format-name.ts';
import { arrowRows } from './arrow-rows.ts';
import { parquetRows } from './parquet-rows.ts';
import { RangeCutter, RangeReader, openTable } from './range-reader.ts';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/formats/', import.meta.url));
const PARQUET = [
  'rows.none.parquet',
  'rows.snappy.parquet',
  'rows.zstd.parquet',
  'rows.gzip.parquet',
  'rows.brotli.parquet',
  'rows.lz4.parquet',
  'duckdb.v1.parquet',
  'duckdb.v2.parquet',
] as const;
const ARROW = ['rows.none.arrow', 'rows.zstd.arrow', 'rows.lz4.feather', 'rows.arrows'] as const;

const files = new Map<string, Buffer>();
for (const name of [...PARQUET, ...ARROW]) files.set(name, await readFile(`${FIXTURES}${name}`));
const fileOf = (name: string): Buffer => files.get(name) ?? Buffer.alloc(0);
const formatOf = (name: string): TableFormat => (name.endsWith('.parquet') ? 'parquet' : 'arrow');

async function rowsOf(
  format: TableFormat,
  file: Uint8Array,
  columns: readonly string[] | null = null,
): Promise<unknown[]> {
  const table = { source: memorySource(file), location: '/x', columns };
  const chunks = format === 'parquet' ? parquetRows(table, 0) : arrowRows(table, 0);
  let text = '';
  for await (const { bytes } of chunks) text += Buffer.from(bytes).toString();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

/** Streams of at most so many rows each. */
async function streamsOf(
  format: TableFormat,
  file: Uint8Array,
  rowsMax: number,
  columns: readonly string[] | null = null,
): Promise<Uint8Array[]> {
  const table = await openTable(format, { source: memorySource(file), location: '/x', columns });
  const cutter = new RangeCutter();
  const streams: Uint8Array[] = [];
  for await (const group of table.groups()) {
    for (let start = 0; start < group.rows; start += rowsMax) {
      const plan = cutter.cut(group, { start, end: Math.min(group.rows, start + rowsMax) });
      assert.equal(plan.bytes % 8, 0);
      const into = new Uint8Array(plan.bytes).fill(0xaa);
      plan.write(into);
      streams.push(into);
    }
  }
  return streams;
}

const TICKS_PER_MS: Readonly<Record<string, number>> = { s: 0.001, ms: 1, us: 1e3, ns: 1e6 };

/** As the row has it: times as texts, numbers beyond 2^53, NaN and infinities too, and bytes in base64. */
function jsonOf(column: TableColumn, index: number): unknown {
  const value = column.at(index);
  if (value === null) return null;
  const unit = /^timestamp\[(\w+)/.exec(column.type)?.[1];
  if (unit !== undefined) {
    const ticks = TICKS_PER_MS[unit] ?? 1;
    return dateText(Math.floor(Number(value) / ticks));
  }
  if (column.type === 'date32') return dateText(Number(value) * 86_400_000);
  // What has no columns of its own is the text of its JSON.
  if (column.name === 'm') return typeof value === 'string' ? JSON.parse(value) : value;
  if (column.type.startsWith('list') || column.type.startsWith('fixed_size_list')) {
    const items = column.children[0];
    const start = column.offsets?.[index] ?? index * (column.stride ?? 0);
    const end = column.offsets?.[index + 1] ?? (index + 1) * (column.stride ?? 0);
    return items === undefined ? [] : range(start, end).map((at) => jsonOf(items, at));
  }
  if (column.type.startsWith('map')) {
    const [start = 0, end = 0] = [column.offsets?.[index], column.offsets?.[index + 1]];
    const [keys, values] = column.children[0]?.children ?? [];
    if (keys === undefined || values === undefined) return {};
    return Object.fromEntries(
      range(start, end).map((at) => [String(keys.at(at)), jsonOf(values, at)]),
    );
  }
  if (column.type.startsWith('struct')) {
    return Object.fromEntries(column.children.map((child) => [child.name, jsonOf(child, index)]));
  }
  return plain(value);
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  }
  // JSON has no other zero.
  if (value === 0) return 0;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function dateText(ms: number): string {
  return new Date(ms).toISOString();
}

function range(start: number, end: number): readonly number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

function columnRows(streams: readonly Uint8Array[]): unknown[] {
  return streams.flatMap((stream) => {
    const table = ColumnTable.read(stream);
    return range(0, table.rows).map((row) =>
      Object.fromEntries([...table].map((column) => [column.name, jsonOf(column, row)])),
    );
  });
}

test('columns of what pyarrow and DuckDB wrote have the values of its rows, in ranges of any size', async () => {
  for (const name of [...PARQUET, ...ARROW]) {
    const rows = await rowsOf(formatOf(name), fileOf(name));
    assert.ok(rows.length >= 60, name);
    for (const rowsMax of [1, 7, 64, 4_000]) {
      const streams = await streamsOf(formatOf(name), fileOf(name), rowsMax);
      assert.deepEqual(columnRows(streams), rows, `${name} in ${rowsMax}`);
    }
  }
});

test('the bytes of a range are an Arrow stream that others read', async () => {
  const [stream] = await streamsOf('parquet', fileOf('duckdb.v2.parquet'), 50, [
    'id',
    'text',
    'vec',
  ]);
  const table = tableFromIPC(stream ?? new Uint8Array(0));
  assert.deepEqual(table.names, ['id', 'text', 'vec']);
  assert.equal(table.numRows, 50);
  const [first] = await rowsOf('parquet', fileOf('duckdb.v2.parquet'), ['id', 'text', 'vec']);
  const got = { ...table.at(0), vec: Array.from(table.getChild('vec')?.at(0) as Float32Array) };
  assert.deepEqual(got, first);
});

test('numbers are typed arrays, texts bytes with offsets, vectors numbers with a stride', async () => {
  const columns = ['tiny', 'small', 'u32', 'u64', 'f', 'd', 'text', 'vec', 'ints', 'ok', 'at'];
  const [stream] = await streamsOf('parquet', fileOf('duckdb.v1.parquet'), 300, columns);
  const table = ColumnTable.read(stream ?? new Uint8Array(0));
  const shapes = [...table].map(({ name, type, values }) => [name, type, values?.constructor.name]);
  assert.deepEqual(shapes, [
    ['tiny', 'int8', 'Int8Array'],
    ['small', 'uint16', 'Uint16Array'],
    ['u32', 'uint32', 'Uint32Array'],
    ['u64', 'uint64', 'BigUint64Array'],
    ['f', 'float32', 'Float32Array'],
    ['d', 'float64', 'Float64Array'],
    ['text', 'utf8', 'Uint8Array'],
    ['vec', 'list<float32>', undefined],
    ['ints', 'list<int64>', undefined],
    ['ok', 'bool', 'Uint8Array'],
    ['at', 'timestamp[us]', 'BigInt64Array'],
  ]);
  const vectors = table.column('vec');
  assert.equal(vectors.stride, 8);
  assert.equal(vectors.children[0]?.values?.length, 300 * 8);
  assert.equal(table.column('ints').stride, null);
  assert.equal(table.column('d').nullCount, 33);
  assert.ok(table.column('ints').nullCount > 0);
  assert.throws(() => table.column('nothing'), /no column "nothing"; there are tiny, small/);
  assert.throws(() => vectors.at(300), /column vec has the values 0 to 299, not 300/);
});

const ENCODINGS = {
  INT32: ['PLAIN', 'DELTA_BINARY_PACKED', 'BYTE_STREAM_SPLIT', undefined],
  INT64: ['PLAIN', 'DELTA_BINARY_PACKED', 'BYTE_STREAM_SPLIT', undefined],
  FLOAT: ['PLAIN', 'BYTE_STREAM_SPLIT', undefined],
  DOUBLE: ['PLAIN', 'BYTE_STREAM_SPLIT', undefined],
  STRING: ['PLAIN', 'DELTA_LENGTH_BYTE_ARRAY', 'DELTA_BYTE_ARRAY', undefined],
  BOOLEAN: ['PLAIN', 'RLE', undefined],
} as const;
const VALUES = {
  INT32: fc.integer(),
  INT64: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  FLOAT: fc.float(),
  DOUBLE: fc.double(),
  STRING: fc.string({ unit: 'grapheme', maxLength: 40 }),
  BOOLEAN: fc.boolean(),
} as const;
type Basic = keyof typeof ENCODINGS;
const BASICS = Object.keys(ENCODINGS) as readonly Basic[];

function columnArbitrary(rows: number): fc.Arbitrary<Omit<ColumnSource, 'name'>> {
  return fc.constantFrom(...BASICS).chain((type) =>
    fc.record({
      type: fc.constant(type),
      nullable: fc.constant(true),
      encoding: fc.constantFrom(...ENCODINGS[type]),
      data: fc.oneof(
        fc.array(VALUES[type] as fc.Arbitrary<unknown>, { minLength: rows, maxLength: rows }),
        fc.array(fc.option(VALUES[type] as fc.Arbitrary<unknown>), {
          minLength: rows,
          maxLength: rows,
        }),
        // Few values, many times: dictionaries and runs.
        fc
          .array(VALUES[type] as fc.Arbitrary<unknown>, { minLength: 1, maxLength: 3 })
          .map((few) => range(0, rows).map((row) => few[(row >> 2) % few.length])),
      ),
    }),
  ) as fc.Arbitrary<Omit<ColumnSource, 'name'>>;
}

test('columns of any values, encodings, codecs and sizes of pages have the values of rows', async () => {
  const table = fc.integer({ min: 1, max: 120 }).chain((rows) =>
    fc.record({
      columns: fc.array(columnArbitrary(rows), { minLength: 1, maxLength: 4 }),
      codec: fc.constantFrom('UNCOMPRESSED' as const, 'SNAPPY' as const),
      pageSize: fc.constantFrom(64, 1_000, 1_000_000),
      groupRows: fc.integer({ min: 1, max: 130 }),
      rowsMax: fc.integer({ min: 1, max: 50 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(table, async ({ columns, codec, pageSize, groupRows, rowsMax }) => {
      const columnData = columns.map((column, index) => ({
        ...column,
        ...(column.encoding === undefined ? {} : { encoding: column.encoding }),
        name: `c${index}`,
      })) as ColumnSource[];
      const file = new Uint8Array(
        parquetWriteBuffer({ columnData, codec, pageSize, rowGroupSize: groupRows }),
      );
      const got = columnRows(await streamsOf('parquet', file, rowsMax));
      assert.deepEqual(got, await rowsOf('parquet', file));
    }),
    { numRuns: 100 },
  );
});

async function refusal(reading: Promise<unknown>): Promise<Error> {
  try {
    await reading;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  assert.fail('it was read');
}

/** Those that are decoded here: hyparquet, which decodes the nested ones, has loops of its own that damage can lengthen. */
const FAST_COLUMNS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  PARQUET.map((name) => [
    name,
    name.startsWith('rows')
      ? ['id', 'text', 'score', 'raw', 'tags', 'at', 'big']
      : [
          'id',
          'big',
          'tiny',
          'u32',
          'f',
          'd',
          'ok',
          'maybe',
          'text',
          'kind',
          'at',
          'vec',
          'ints',
          'tags',
        ],
  ]),
);

const [arrowRow] = await rowsOf('arrow', fileOf('rows.none.arrow'));
const ARROW_COLUMNS: string[] = Object.keys(arrowRow as object);

test('a file with changed bytes gives columns or is refused, in no time and no more memory', async () => {
  const change = fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat(255)));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...PARQUET, ...ARROW),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.option(fc.subarray(ARROW_COLUMNS, { minLength: 1 })),
      async (name, changes, some) => {
        const file = Buffer.from(fileOf(name));
        // A footer is hyparquet's, which may loop over a count that damage made up.
        const isParquet = formatOf(name) === 'parquet';
        const footerBytes = isParquet ? file.readUInt32LE(file.length - 8) + 8 : 0;
        for (const [at, value] of changes) file[at % (file.length - footerBytes)] = value;
        try {
          const streams = await streamsOf(formatOf(name), file, 64, FAST_COLUMNS[name] ?? some);
          for (const stream of streams) ColumnTable.read(stream);
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      },
    ),
    { numRuns: 600 },
  );
});

test('more than the budget of a row group is refused before memory is taken for it', async () => {
  const rows = 40_000;
  const text = 'x'.repeat(10_000);
  const columnData = [{ name: 'text', type: 'STRING' as const, data: new Array(rows).fill(text) }];
  const file = new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: rows }));
  assert.ok(file.length < 100_000, 'one text in a dictionary');
  const error = await refusal(streamsOf('parquet', file, rows));
  assert.ok(error instanceof FormatError);
  assert.match(
    error.message,
    /a Parquet row group of 4\d{8} bytes, decompressed; at most 268435456/,
  );
});

test('a reader gives ranges in any order, and refuses rows that are not those that were pinned', async () => {
  const file = Buffer.from(fileOf('rows.zstd.parquet'));
  const reader = new RangeReader(memorySource(file));
  const table = await openTable('parquet', {
    source: memorySource(file),
    location: '/x',
    columns: null,
  });
  const cutter = new RangeCutter();
  const pinned: { at: number; start: number; stream: Uint8Array }[] = [];
  for await (const group of table.groups()) {
    for (let start = 0; start < group.rows; start += 10) {
      const plan = cutter.cut(group, { start, end: start + 10 });
      const stream = new Uint8Array(plan.bytes);
      plan.write(stream);
      pinned.push({ at: group.at, start, stream });
    }
  }
  assert.equal(pinned.length, 10);
  const partOf = (
    { start, stream }: { start: number; stream: Uint8Array },
    sum = crc32(stream),
  ) => ({
    codec: 'parquet' as const,
    columns: null,
    rows: { start, end: start + 10 },
    start: 0,
    bytes: stream.length,
    crc32: sum,
  });
  for (const one of [...pinned, ...pinned.toReversed()]) {
    const into = new Uint8Array(one.stream.length);
    const part = partOf(one);
    if (!reader.readNow('/x', part, one.at, into)) await reader.read('/x', part, one.at, into);
    assert.deepEqual(into, one.stream);
  }
  const [first] = pinned;
  assert.ok(first !== undefined);
  const another = await refusal(reader.read('/x', partOf(first, 7), first.at, null));
  assert.ok(another instanceof PartChangedError);
  const beyond = { ...partOf(first), rows: { start: 25, end: 31 } };
  assert.match(
    (await refusal(reader.read('/x', beyond, first.at, null))).message,
    /its rows 25 to 31 are not there: the group has 30/,
  );
  assert.match(
    (await refusal(reader.read('/x', partOf(first), 77, null))).message,
    /no row group of the file starts there/,
  );
});
