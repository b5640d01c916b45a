/** Lines that were pinned stay as they are: those written from columns are those of hyparquet's values, byte by byte. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import test from 'node:test';
import { memorySource } from '../../test/support/memory-source.ts';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';

import { FormatError } from '../core/format/format-error.ts';
import { rowText } from './json-lines.ts';
import { UNPACK_CHUNK_BYTES } from './limits.ts';
import { compressorsFor } from './parquet-file.ts';
import { parquetRows } from './parquet-rows.ts';
import { openTable } from './range-reader.ts';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/formats/', import.meta.url));
const NAMES = (await readdir(FIXTURES)).filter((name) => name.endsWith('.parquet'));
const files = new Map<string, Buffer>();
for (const name of NAMES) files.set(name, await readFile(`${FIXTURES}${name}`));

async function linesOf(
  file: Uint8Array,
  columns: readonly string[] | null = null,
): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  let place = { frameAt: -1, offset: 0 };
  const table = { source: memorySource(file), location: '/x', columns };
  for await (const { bytes, frameAt, offset } of parquetRows(table, 0)) {
    if (frameAt !== place.frameAt) place = { frameAt, offset: 0 };
    assert.equal(offset, place.offset);
    place.offset += bytes.length;
    parts.push(Buffer.from(bytes));
  }
  const whole = Buffer.concat(parts);
  const lines: Buffer[] = [];
  for (let at = 0; at < whole.length;) {
    const end = whole.indexOf(10, at);
    lines.push(whole.subarray(at, end));
    at = end + 1;
  }
  return lines;
}

/** What lines were made of before columns were. */
async function pinnedLines(
  file: Uint8Array,
  columns: readonly string[] | null = null,
): Promise<Buffer[]> {
  const buffer = new Uint8Array(file).buffer;
  const metadata = parquetMetadata(buffer);
  const lines: Buffer[] = [];
  let rowStart = 0;
  for (const { num_rows: count } of metadata.row_groups) {
    const rows = await parquetReadObjects({
      file: buffer,
      metadata,
      ...(columns === null ? {} : { columns: [...columns] }),
      rowStart,
      rowEnd: rowStart + Number(count),
      compressors: compressorsFor({ bytes: 0 }, 0),
      utf8: false,
    });
    for (const row of rows) lines.push(Buffer.from(rowText(row)));
    rowStart += Number(count);
  }
  return lines;
}

async function assertPinned(
  file: Uint8Array,
  columns: readonly string[] | null = null,
): Promise<void> {
  const expected = await pinnedLines(file, columns);
  const got = await linesOf(file, columns);
  assert.deepEqual(got.map(String), expected.map(String));
  assert.ok(got.every((line, index) => line.equals(expected[index] ?? Buffer.alloc(0))));
}

test('lines of what pyarrow and DuckDB wrote are those that were pinned, whatever columns are chosen', async () => {
  assert.ok(NAMES.length >= 8);
  for (const file of files.values()) {
    await assertPinned(file);
    const names = Object.keys(JSON.parse(String((await linesOf(file))[0])) as object);
    assert.ok(names.length >= 8);
    for (const name of names) await assertPinned(file, [name]);
    // Lines have the order of the file.
    await assertPinned(file, names.toReversed().slice(0, 5));
  }
});

/** Lines are then written into memory of the size of a piece, which is used again; else each piece is as long as it is. */
async function isDecoded(file: Uint8Array, name: string): Promise<boolean> {
  const table = { source: memorySource(file), location: '/x', columns: [name] };
  const sizes = new Set<number>();
  for await (const { bytes } of parquetRows(table, 0)) sizes.add(bytes.buffer.byteLength);
  return sizes.size === 1 && sizes.has(UNPACK_CHUNK_BYTES);
}

test('a column of a usual type is written as it was decoded, one of another by way of its values', async () => {
  const [file, other] = [files.get('duckdb.v1.parquet'), files.get('rows.zstd.parquet')];
  assert.ok(file !== undefined && other !== undefined);
  const usual = 'id big tiny u32 u64 f d ok maybe text kind at vec ints tags'.split(' ');
  for (const name of usual) assert.equal(await isDecoded(file, name), true, name);
  for (const name of ['text', 'score', 'raw', 'tags', 'at', 'big']) {
    assert.equal(await isDecoded(other, name), true, name);
  }
  assert.equal(await isDecoded(file, 'm'), false);
});

const LONG = fc.oneof(
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  fc.bigInt(-(2n ** 53n) - 3n, -(2n ** 53n) + 3n),
  fc.bigInt(2n ** 53n - 3n, 2n ** 53n + 3n),
  fc.bigInt(-1_000_000_001n, 1_000_000_001n),
);
/** Of which some are no UTF-8, begin with the mark of byte order, or need escapes. */
const BYTES = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => new TextEncoder().encode(text)),
  fc.string({ maxLength: 60 }).map((text) => new TextEncoder().encode(text)),
  fc.constantFrom(
    Uint8Array.of(0xef, 0xbb, 0xbf, 0x41),
    Uint8Array.of(0xc3),
    Uint8Array.of(0xa9),
    Uint8Array.of(0xed, 0xa0, 0x80),
    Uint8Array.of(0x7f, 0x22, 0x5c, 0x0a, 0x1f),
  ),
);
const DOUBLES = fc.oneof(
  fc.double(),
  fc.constantFrom(NaN, Infinity, -Infinity, -0, 1e21, 1e-7, 5e-324),
);

const WHOLE = fc.oneof(fc.integer(), fc.integer({ min: -11, max: 11 }));
const U32 = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.nat(11));

const U64 = LONG.map((value) => BigInt.asUintN(64, value));

/** A Parquet type with its annotations, and its values. */
const TYPES: readonly (readonly [Omit<SchemaElement, 'name'>, fc.Arbitrary<unknown>])[] = [
  [{ type: 'INT32' }, WHOLE],
  [{ type: 'INT32', converted_type: 'INT_8' }, WHOLE],
  [{ type: 'INT32', converted_type: 'UINT_16' }, WHOLE],
  [{ type: 'INT32', converted_type: 'UINT_32' }, U32],
  [{ type: 'INT32', logical_type: { type: 'INTEGER', bitWidth: 32, isSigned: false } }, U32],
  [{ type: 'INT32', logical_type: { type: 'INTEGER', bitWidth: 8, isSigned: true } }, WHOLE],
  [{ type: 'INT32', converted_type: 'TIME_MILLIS' }, WHOLE],
  [{ type: 'INT32', converted_type: 'DATE' }, WHOLE],
  [{ type: 'INT32', logical_type: { type: 'DATE' } }, WHOLE],
  [{ type: 'INT64' }, LONG],
  [{ type: 'INT64', converted_type: 'UINT_64' }, U64],
  [{ type: 'INT64', logical_type: { type: 'INTEGER', bitWidth: 64, isSigned: false } }, U64],
  [{ type: 'INT64', converted_type: 'TIME_MICROS' }, LONG],
  [{ type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }, LONG],
  [{ type: 'INT64', converted_type: 'TIMESTAMP_MICROS' }, LONG],
  ...(['MILLIS', 'MICROS', 'NANOS'] as const).map(
    (unit) =>
      [
        { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit } },
        LONG,
      ] as const,
  ),
  [{ type: 'INT64', converted_type: 'DECIMAL', scale: 3, precision: 18 }, LONG],
  [{ type: 'FLOAT' }, fc.oneof(fc.float(), fc.constantFrom(NaN, Infinity, -Infinity, -0))],
  [{ type: 'DOUBLE' }, DOUBLES],
  [{ type: 'BOOLEAN' }, fc.boolean()],
  [{ type: 'BYTE_ARRAY' }, BYTES],
  [{ type: 'BYTE_ARRAY', converted_type: 'UTF8' }, BYTES],
  [{ type: 'BYTE_ARRAY', logical_type: { type: 'STRING' } }, BYTES],
  [{ type: 'BYTE_ARRAY', converted_type: 'ENUM' }, BYTES],
  [{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 5 }, fc.uint8Array({ minLength: 5, maxLength: 5 })],
];
const REPETITIONS = ['REQUIRED', 'OPTIONAL'] as const;

type SchemaElement = NonNullable<Parameters<typeof parquetWriteBuffer>[0]['schema']>[number];

interface Column {
  /** Its elements in the schema, of which the first has no name yet. */
  readonly elements: readonly SchemaElement[];
  readonly data: readonly unknown[];
}

/** Values, or lists of them, with nothing null or with some. */
function columnArbitrary(rows: number): fc.Arbitrary<Column> {
  const of = fc.record({
    type: fc.constantFrom(...TYPES),
    outer: fc.constantFrom(...REPETITIONS),
    inner: fc.constantFrom(...REPETITIONS),
    isList: fc.boolean(),
    isFew: fc.boolean(),
  });
  return of.chain(({ type: [type, values], outer, inner, isList, isFew }) => {
    const many = (one: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> =>
      isFew
        ? fc
            .array(one, { minLength: 1, maxLength: 3 })
            .map((few) => Array.from({ length: rows }, (_, row) => few[(row >> 2) % few.length]))
        : fc.array(one, { minLength: rows, maxLength: rows });
    const orNull = (one: fc.Arbitrary<unknown>, is: string): fc.Arbitrary<unknown> =>
      is === 'OPTIONAL' ? fc.option(one, { freq: 3 }) : one;
    if (!isList) {
      const elements = [{ ...type, name: '', repetition_type: outer }];
      return many(orNull(values, outer)).map((data) => ({ elements, data }));
    }
    const elements: SchemaElement[] = [
      { name: '', repetition_type: outer, num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { ...type, name: 'element', repetition_type: inner },
    ];
    const lists = fc.array(orNull(values, inner), { maxLength: 5 });
    return many(orNull(lists, outer)).map((data) => ({ elements, data }));
  });
}

/** Numbers go first in an object, a name may be of anything. */
const COLUMN_NAMES = fc.oneof(
  fc.constantFrom('a', 'b.c', '7', '12', '0', '-1', 'ä"\\\n', 'constructor', '__proto__'),
  fc.string({ minLength: 1, maxLength: 4 }),
);

test('lines of any types, values, lists, names, codecs and sizes of pages are those that were pinned', async () => {
  let pinned = 0;
  const table = fc.integer({ min: 1, max: 60 }).chain((rows) =>
    fc.record({
      columns: fc.array(columnArbitrary(rows), { minLength: 1, maxLength: 4 }),
      names: fc.uniqueArray(COLUMN_NAMES, { minLength: 4, maxLength: 4 }),
      codec: fc.constantFrom('UNCOMPRESSED' as const, 'SNAPPY' as const),
      pageSize: fc.constantFrom(64, 1_000, 1_000_000),
      rowGroupSize: fc.integer({ min: 1, max: 70 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(table, async ({ columns, names, codec, pageSize, rowGroupSize }) => {
      const named = columns.map(({ elements: [first, ...rest], data }, index) => {
        const name = names[index] ?? '';
        return { name, data, elements: [{ ...first, name }, ...rest] };
      });
      const schema = [
        { name: 'root', num_children: named.length },
        ...named.flatMap(({ elements }) => elements),
      ];
      const columnData = named.map(({ name, data }) => ({ name, data: [...data] }));
      const options = { codec, pageSize, rowGroupSize, statistics: false };
      const file = new Uint8Array(parquetWriteBuffer({ columnData, schema, ...options }));
      try {
        await pinnedLines(file);
      } catch {
        // What hyparquet stumbles over was never pinned.
        return;
      }
      pinned += 1;
      await assertPinned(file);
      await assertPinned(file, [names[0] ?? '']);
    }),
    { numRuns: 300 },
  );
  assert.ok(pinned > 250);
});

function changed(name: string, changes: readonly (readonly [number, number])[]): Buffer {
  const file = Buffer.from(files.get(name) ?? []);
  for (const [at, value] of changes) file[at] = value;
  return file;
}

test('a footer whose elements have fewer children than none is refused, which hyparquet would read for ever', async () => {
  const file = changed('duckdb.v2.parquet', [
    [11_100, 1],
    [13_196, 0],
  ]);
  await assert.rejects(linesOf(file), (error) => {
    assert.ok(error instanceof FormatError);
    assert.match(
      error.message,
      /^a damaged Parquet footer \("?.*"? has -1 children in its schema\)$/,
    );
    return true;
  });
});

test('a footer with a column that does not say where it begins is refused', async () => {
  const file = Buffer.from(files.get('duckdb.v2.parquet') ?? []);
  const footerAt = file.length - 8 - file.readUInt32LE(file.length - 8);
  for (const at of [1_968_214_091, 912_101_724]) {
    file[footerAt + (at % (file.length - footerAt))] = 0;
  }
  await assert.rejects(linesOf(file), /row group 0 does not say where each of its columns begins/);
});

test('a footer with a map that has no keys and values is refused', async () => {
  const file = Buffer.from(files.get('duckdb.v2.parquet') ?? []);
  const footerAt = file.length - 8 - file.readUInt32LE(file.length - 8);
  file[footerAt + (901_981_557 % (file.length - footerAt))] = 84;
  await assert.rejects(linesOf(file), /a damaged Parquet footer \(undefined is a MAP of nothing/);
});

/** As lines, and as columns. */
async function readOrRefused(file: Uint8Array): Promise<void> {
  const table = { source: memorySource(file), location: '/x', columns: null };
  const readings = [
    () => linesOf(file),
    async () => {
      for await (const group of (await openTable('parquet', table)).groups()) void group;
    },
  ];
  for (const read of readings) {
    try {
      await read();
    } catch (error) {
      assert.ok(error instanceof FormatError, String(error));
    }
  }
}

test('a footer with changed bytes gives lines or is refused, and nothing fails behind that', async () => {
  // A column that the schema has not, after one that cannot be read; and one that begins nowhere.
  const known = [
    changed('duckdb.v1.parquet', [
      [35_677, 0],
      [34_681, 1],
    ]),
    changed('rows.none.parquet', [
      [9676, 127],
      [11_149, 114],
    ]),
  ];
  for (const file of known) await readOrRefused(file);
  const value = fc.oneof(fc.constantFrom(0, 1, 2, 127, 128, 255), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('rows.none.parquet', 'rows.snappy.parquet', 'duckdb.v2.parquet'),
      fc.array(fc.tuple(fc.nat(), value), { minLength: 1, maxLength: 3 }),
      async (name, changes) => {
        const file = Buffer.from(files.get(name) ?? []);
        const footerAt = file.length - 8 - file.readUInt32LE(file.length - 8);
        for (const [at, byte] of changes) file[footerAt + (at % (file.length - footerAt))] = byte;
        await readOrRefused(file);
      },
    ),
    { numRuns: 150 },
  );
});
