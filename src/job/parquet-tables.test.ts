/** Columns that become Parquet, as mx8 itself, hyparquet and the records of the part find them afterwards. */
import assert from 'node:assert/strict';
import { crc32, zstdDecompressSync } from 'node:zlib';
import test from 'node:test';
import { memorySource } from '../../test/support/memory-source.ts';
import { batchOf, MemoryPart } from '../../test/support/parquet-part.ts';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';

import { Mx8Error } from '../core/base/errors.ts';
import { codedPartOf } from '../core/format/coded-part.ts';
import { ColumnTable, TableColumn } from '../core/format/column-table.ts';
import type { ColumnField, ColumnType } from '../core/format/column-data.ts';
import { planStream } from '../core/format/arrow-write.ts';
import { schemaMessage } from '../decode/arrow-schema.ts';
import { columnOf } from '../decode/column-of-values.ts';
import { RangeReader } from '../decode/range-reader.ts';
import { columnTable } from './column-table-of.ts';
import { PARQUET_TABLE_GROUP_ROWS } from './limits.ts';
import { jsonl } from './jsonl-sink.ts';
import type { ParquetTableRow } from './parquet-tables.ts';

/** What the records say, read as a job reads it: their lengths and sums are compared on the way. */
async function tablesOf({ bytes, records }: MemoryPart): Promise<readonly ColumnTable[]> {
  const reader = new RangeReader(memorySource(bytes));
  const tables: ColumnTable[] = [];
  for (const { offset, length, hint } of records) {
    const part = codedPartOf(hint ?? '');
    assert.ok(part !== null && part.codec === 'parquet' && part.rows !== null, hint);
    assert.ok(offset + length <= bytes.length);
    const stream = new Uint8Array(part.bytes);
    await reader.read('/x', part, offset, stream);
    assert.equal(crc32(stream), part.crc32);
    tables.push(ColumnTable.read(stream));
  }
  reader.close();
  return tables;
}

const plainly = (table: ColumnTable): unknown[] =>
  Array.from({ length: table.rows }, (_, row) => plain(table.row(row)));

function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, plain(of)]));
}

async function hyparquetRows(file: Buffer): Promise<readonly Record<string, unknown>[]> {
  const { buffer, byteOffset, length } = file;
  const bytes = buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer;
  const compressors = { ZSTD: (input: Uint8Array): Uint8Array => zstdDecompressSync(input) };
  return parquetReadObjects({ file: bytes, compressors, utf8: false });
}

async function refusal(body: Promise<unknown>): Promise<Mx8Error> {
  const error: unknown = await body.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Mx8Error, String(error));
  return error;
}

test('columns come back as they were written, by sample, with what is null', async () => {
  const part = await MemoryPart.open();
  const first = columnTable({
    id: BigInt64Array.of(1n, -(2n ** 63n), 2n ** 63n - 1n),
    small: Uint8Array.of(0, 7, 255),
    score: Float64Array.of(0.1, Number.NaN, -0),
    vector: { values: Float32Array.of(1, 2, 3, 4, 5, 6), stride: 2 },
    text: ['é', null, ''],
    raw: [null, Uint8Array.of(1, 2), new Uint8Array(0)],
    ok: [true, null, false],
    at: [new Date(0), null, new Date(-1)],
    tags: [['a', null], [], null],
  });
  const second = columnTable({
    // Another order, lists of another length, and a column of which nothing is known.
    vector: [Float32Array.of(9), null],
    tags: [null, null],
    raw: [null, null],
    ok: [null, true],
    at: [null, null],
    text: ['x', 'y'],
    score: Float64Array.of(1, 2),
    small: Uint8Array.of(1, 2),
    id: BigInt64Array.of(4n, 5n),
  });
  await part.write([first, second]);
  await part.finish();
  const shown = [
    { id: 1n, small: 0, score: 0.1, vector: [1, 2], text: 'é', raw: null, ok: true },
    { id: -(2n ** 63n), small: 7, score: NaN, vector: [3, 4], text: null, raw: [1, 2], ok: null },
    { id: 2n ** 63n - 1n, small: 255, score: -0, vector: [5, 6], text: '', raw: [], ok: false },
  ];
  const later = [
    { id: 4n, small: 1, score: 1, vector: [9], text: 'x', raw: null, ok: null },
    { id: 5n, small: 2, score: 2, vector: null, text: 'y', raw: null, ok: true },
  ];
  const times = [
    { at: 0n, tags: ['a', null] },
    { at: null, tags: [] },
    { at: -1n, tags: null },
  ];
  const tables = await tablesOf(part);
  assert.deepEqual(tables.map(plainly), [
    shown.map((row, index) => ({ ...row, ...times[index] })),
    later.map((row) => ({ ...row, at: null, tags: null })),
  ]);
  assert.deepEqual(
    part.records.map(({ sampleId, hint }) => [sampleId, /rows=(\d+-\d+)/.exec(hint ?? '')?.[1]]),
    [
      [0, '0-3'],
      [1, '3-5'],
    ],
  );
  const rows = await hyparquetRows(part.bytes);
  assert.deepEqual(
    rows.map(({ id, text, vector }) => [id, text, plain(vector)]),
    [...shown, ...later].map(({ id, text, vector }) => [id, text, vector]),
  );
  const { buffer, byteOffset, length } = part.bytes;
  const file = buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer;
  const group = parquetMetadata(file).row_groups[0];
  const meta = new Map(
    group?.columns.map(({ meta_data: of }) => [of?.path_in_schema.join('.'), of?.statistics]),
  );
  const { min_value: min, max_value: max } = meta.get('id') ?? {};
  assert.deepEqual([min, max], [-(2n ** 63n), 2n ** 63n - 1n]);
  assert.equal(meta.get('text')?.null_count, 1n);
});

const SCALARS: readonly ColumnType[] = [
  { kind: 'bool' },
  { kind: 'utf8' },
  { kind: 'binary' },
  ...([8, 16, 32, 64] as const).flatMap((bits) => [
    { kind: 'int' as const, bits, isSigned: true },
    { kind: 'int' as const, bits, isSigned: false },
  ]),
  { kind: 'float', bits: 32 },
  { kind: 'float', bits: 64 },
  { kind: 'date', unit: 'day' },
  { kind: 'timestamp', unit: 'us', zone: 'UTC' },
  { kind: 'timestamp', unit: 'ms', zone: null },
];

function item(type: ColumnType): ColumnField {
  return { name: 'item', type, isNullable: true };
}

function valueOf(type: ColumnType): fc.Arbitrary<unknown> {
  const some = ((): fc.Arbitrary<unknown> => {
    switch (type.kind) {
      case 'bool':
        return fc.boolean();
      case 'utf8':
        return fc.string({ maxLength: 5, unit: 'grapheme' });
      case 'binary':
        return fc.uint8Array({ maxLength: 5 });
      case 'float':
        return type.bits === 32 ? fc.float() : fc.double();
      case 'int':
        if (type.bits === 64)
          return type.isSigned
            ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
            : fc.bigInt(0n, 2n ** 64n - 1n);
        return type.isSigned
          ? fc.integer({ min: -(2 ** (type.bits - 1)), max: 2 ** (type.bits - 1) - 1 })
          : fc.integer({ min: 0, max: 2 ** type.bits - 1 });
      case 'date':
        return fc.integer({ min: -100_000, max: 100_000 });
      case 'timestamp':
        return fc.bigInt(-(2n ** 50n), 2n ** 50n);
      case 'list':
        return fc.array(valueOf(type.item.type), { maxLength: 4 });
      case 'struct':
        return fc.record(Object.fromEntries(type.fields.map((of) => [of.name, valueOf(of.type)])));
      default:
        return fc.constant(null);
    }
  })();
  return fc.oneof({ weight: 3, arbitrary: some }, { weight: 1, arbitrary: fc.constant(null) });
}

const scalar = fc.constantFrom(...SCALARS);
const anyType: fc.Arbitrary<ColumnType> = fc.oneof(
  scalar,
  scalar.map((type): ColumnType => ({ kind: 'list', item: item(type) })),
  scalar.map((type): ColumnType => ({
    kind: 'list',
    item: item({ kind: 'list', item: item(type) }),
  })),
  fc.tuple(scalar, scalar).map(([a, b]): ColumnType => ({
    kind: 'struct',
    fields: [
      { name: 'a', type: a, isNullable: true },
      { name: 'b', type: { kind: 'list', item: item(b) }, isNullable: true },
    ],
  })),
);

test('columns of any types, nested ones too, come back as Arrow streams and as columns', async () => {
  const tables = anyType.chain((type) =>
    fc.tuple(
      fc.constant(type),
      fc.array(fc.array(valueOf(type), { minLength: 1, maxLength: 20 }), {
        minLength: 1,
        maxLength: 4,
      }),
    ),
  );
  await fc.assert(
    fc.asyncProperty(tables, fc.boolean(), async ([type, lists], isStream) => {
      const field = { name: 'x', type, isNullable: true };
      const expected = lists.map(
        (values) =>
          new ColumnTable(values.length, [new TableColumn(field, columnOf(type, values))]),
      );
      const rows: ParquetTableRow[] = expected.map((table) => {
        if (!isStream) return table;
        const columns = [...table].map(({ data }) => data);
        const plan = planStream(schemaMessage([field]), columns, 0, table.rows);
        const bytes = new Uint8Array(plan.bytes);
        plan.write(bytes);
        return bytes;
      });
      const part = await MemoryPart.open();
      await part.write(rows);
      await part.finish();
      const got = (await tablesOf(part)).map((table) => [...table][0]);
      for (const [index, column] of got.entries()) {
        const values = expected[index]?.column('x');
        const isNested =
          type.kind === 'struct' || (type.kind === 'list' && type.item.type.kind === 'list');
        // Nested ones are read through JavaScript values: times to the millisecond, all numbers of 64 bits as they are.
        if (isNested && JSON.stringify(type).includes('"us"')) continue;
        const read = (of: TableColumn | undefined): unknown[] =>
          Array.from({ length: of?.length ?? 0 }, (_, row) => plain(of?.at(row)));
        assert.deepEqual(read(column), read(values));
      }
    }),
    { numRuns: 150 },
  );
});

test('a table with another schema says which sample and column, and leaves no trace', async () => {
  const first = columnTable({ id: Int32Array.of(1, 2), text: ['a', 'b'] });
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [
      columnTable({ id: BigInt64Array.of(1n), text: ['a'] }),
      /^the columns of sample 1 cannot be written as Parquet: column "id" is int64, and the first columns of this file have it as int32$/,
    ],
    [
      columnTable({ id: Int32Array.of(1) }),
      /it has no column "text", which the first columns of this file have as utf8/,
    ],
    [
      columnTable({ id: Int32Array.of(1), text: ['a'], more: ['b'] }),
      /it has a column "more"; the first columns of this file have id, text/,
    ],
    [
      { id: 1, text: 'a' },
      /it is object, and those before it are columns: an output file has either/,
    ],
    [Uint8Array.of(1, 2, 3), /its bytes are no Arrow IPC stream or file/],
  ];
  for (const [row, words] of cases) {
    const part = await MemoryPart.open();
    await part.write([first]);
    const error = await refusal(part.write([row]));
    assert.equal(error.code, 'row_invalid');
    assert.match(error.message, words);
    await part.write([columnTable({ text: [null], id: Int32Array.of(3) })]);
    await part.finish();
    const rows = (await tablesOf(part)).flatMap(plainly);
    assert.deepEqual(rows, [
      { id: 1, text: 'a' },
      { id: 2, text: 'b' },
      { id: 3, text: null },
    ]);
  }
  const rowsFirst = await MemoryPart.open();
  await rowsFirst.write([{ id: 1 }]);
  assert.match(
    (await refusal(rowsFirst.write([first]))).message,
    /it is columns, and those before it are rows/,
  );
  const unknown = await MemoryPart.open();
  assert.match(
    (await refusal(unknown.write([columnTable({ x: [null] })]))).message,
    /column "x" cannot be stored: it has only nulls, and so no type; name its type: columnTable/,
  );
});

test('types that the job names hold for columns, and give columns of nulls a type', async () => {
  const part = await MemoryPart.open({
    columns: { id: 'int64', at: 'timestamp', vector: 'float[]', note: 'string' },
  });
  const ids = columnTable({ id: [1, null] }, { id: 'int64' });
  await part.write([
    columnTable({
      note: [null, null],
      vector: [null, null],
      at: [null, null],
      id: ids.column('id'),
    }),
  ]);
  const error = await refusal(
    part.write([columnTable({ id: Int32Array.of(1), at: [null], vector: [null], note: [null] })]),
  );
  assert.match(error.message, /column "id" is int32, and the job names it as int64/);
  await part.finish();
  assert.deepEqual((await tablesOf(part)).flatMap(plainly), [
    { id: 1n, at: null, vector: null, note: null },
    { id: null, at: null, vector: null, note: null },
  ]);
});

test('tables share row groups up to their size, and one that fails to be written is not lost twice', async () => {
  const part = await MemoryPart.open();
  const rows = 50_000;
  const tableAt = (start: number): ColumnTable =>
    columnTable({ id: Float64Array.from({ length: rows }, (_, row) => start + row) });
  await part.write([tableAt(0)]);
  assert.equal(part.bytes.length, 0);
  part.isFull = true;
  await assert.rejects(part.write([tableAt(rows), tableAt(2 * rows)]), /the disk is full/);
  part.isFull = false;
  await part.write([tableAt(rows), tableAt(2 * rows)], 4);
  assert.ok(part.bytes.length > 0);
  await part.write([tableAt(3 * rows), columnTable({ id: new Float64Array(0) })]);
  await part.finish();
  const tables = await tablesOf(part);
  assert.deepEqual(
    tables.map((table) => table.column('id').at(rows - 1)),
    [1, 2, 3, 4].map((count) => count * rows - 1),
  );
  assert.deepEqual(
    part.records.map(({ sampleId }) => sampleId),
    [0, null, null, 5],
  );
  assert.equal(new Set(part.records.map(({ offset }) => offset)).size, 2);
  assert.ok(3 * rows > PARQUET_TABLE_GROUP_ROWS);
  const empty = await MemoryPart.open();
  await empty.write([columnTable({ id: new Float64Array(0) })]);
  await empty.finish();
  assert.equal(empty.bytes.length, 0);
});

test('columns are no row of another sink', async () => {
  const part = await jsonl(null).openPart({
    start: 0,
    signal: new AbortController().signal,
    wholeFile: () => Promise.reject(new Error('no such file')),
    appendFile: () =>
      Promise.resolve({ sizeBytes: 0, append: () => Promise.resolve(), record: () => undefined }),
  });
  const error = await refusal(
    Promise.resolve(part.write([columnTable({ id: [1] })], batchOf(7, 1))),
  );
  assert.match(error.message, /the row of sample 7 .* it is columns, which are no JSON: take row/);
});

test('columnTable says which column is not one', () => {
  assert.throws(() => columnTable({}), /there is no column/);
  assert.throws(
    () => columnTable({ a: [1], b: [] }),
    /column "b": it has 0 values, and column "a" has 1/,
  );
  assert.throws(
    () => columnTable({ a: [1, 'x'] }),
    /column "a": row 1 is string, and rows before it are double/,
  );
  assert.throws(
    () => columnTable({ a: { values: new Float32Array(5), stride: 2 } }),
    /5 values are not lists of 2/,
  );
  assert.throws(
    () => columnTable({ a: [1.5] }, { a: 'int32' }),
    /row 0: it is no whole number of 32 bits/,
  );
  assert.throws(() => columnTable({ a: 'text' as unknown as unknown[] }), /it is no typed array/);
});
