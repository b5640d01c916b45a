import assert from 'node:assert/strict';
import test from 'node:test';
import type { ColumnMetaData } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';

import { memorySource } from '../../test/support/memory-source.ts';
import { FormatError } from '../core/format/format-error.ts';
import { checkPages } from './parquet-checks.ts';
import type { CheckedColumn } from './parquet-checks.ts';
import { compressorsFor } from './parquet-file.ts';
import { parquetRows } from './parquet-rows.ts';
import { openTable } from './range-reader.ts';

const ROWS = 50;

/** Two columns, in pages of version 2 with their levels before them. */
function fileOf(): Buffer {
  const rows = Array.from({ length: ROWS }, (_, row) => row);
  return Buffer.from(
    parquetWriteBuffer({
      columnData: [
        { name: 'a', data: rows, type: 'INT32' },
        { name: 'b', data: rows.map((row) => `t${row % 7}`), type: 'STRING' },
      ],
    }),
  );
}

async function rowsOf(file: Uint8Array): Promise<number> {
  let rows = 0;
  for await (const { bytes } of parquetRows(tableOf(file), 0)) {
    rows += Buffer.from(bytes).toString().split('\n').length - 1;
  }
  return rows;
}

async function groupsOf(file: Uint8Array): Promise<number> {
  let rows = 0;
  for await (const group of (await openTable('parquet', tableOf(file))).groups()) {
    rows += group.rows;
  }
  return rows;
}

function tableOf(file: Uint8Array): Parameters<typeof parquetRows>[0] {
  return { source: memorySource(file), location: '/x', columns: null };
}

test('a page without the length of its levels is refused, which hyparquet would read for ever', async () => {
  const file = fileOf();
  assert.deepEqual([await rowsOf(file), await groupsOf(file)], [ROWS, ROWS]);
  // Of the values, none null, in as many rows: then one that is false, and no more.
  const header = file.indexOf(Buffer.of(0x5c, 0x15, 0x64, 0x15, 0x00, 0x15, 0x64));
  assert.ok(header > 0);
  file.set([0x42, 0x00], header + 3);
  await assert.rejects(rowsOf(file), isRefused(/a page that does not say how much is in it/));
  // It is not asked for columns that are decoded here.
  await assert.rejects(groupsOf(file), isRefused(/it ends too early/));
});

function isRefused(message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof FormatError);
    assert.match(error.message, message);
    return true;
  };
}

test('a schema with an element behind its last one that has fewer children than none is refused', async () => {
  const file = fileOf();
  const footer = file.length - 8 - file.readUInt32LE(file.length - 8);
  // Three elements in it, each with its name; a fourth goes behind them.
  const list = file.indexOf(Buffer.of(0x19, 0x3c, 0x48), footer);
  const end = file.indexOf(Buffer.of(0x00, 0x16, 0x64), list) + 1;
  assert.ok(list > footer && end > list);
  const more = Buffer.of(0x48, 0x01, 0x63, 0x15, 0x01, 0x00);
  const damaged = Buffer.concat([file.subarray(0, end), more, file.subarray(end)]);
  damaged[list + 1] = 0x4c;
  damaged.writeUInt32LE(damaged.length - 8 - footer, damaged.length - 8);
  await assert.rejects(rowsOf(damaged), isRefused(/"c" has -1 children in its schema/));
});

/** Numbers, stored as they are, `definitionMax` deep. */
function columnOf(definitionMax: number): CheckedColumn {
  const meta: ColumnMetaData = {
    type: 'INT32',
    encodings: ['PLAIN'],
    path_in_schema: ['a'],
    codec: 'UNCOMPRESSED',
    num_values: 4n,
    total_uncompressed_size: 0n,
    total_compressed_size: 0n,
    data_page_offset: 4n,
  };
  const element = { type: 'INT32' as const, name: 'a' };
  return { meta, element, repetitionMax: 0, definitionMax, rows: 4 };
}

const PLAIN = 0;
const DELTA_BINARY_PACKED = 5;
const DELTA_BYTE_ARRAY = 7;
const RLE_DICTIONARY = 8;

/** Of version 1, with four values: its header, and what is in it. */
function pageOf(encoding: number, ...bytes: readonly number[]): Uint8Array {
  const size = bytes.length * 2;
  const values = [0x2c, 0x15, 8, 0x15, encoding * 2, 0x15, 6, 0x15, 6, 0x00];
  return Uint8Array.of(0x15, 0, 0x15, size, 0x15, size, ...values, 0x00, ...bytes);
}

/** The same of version 2, without levels. */
function secondPageOf(encoding: number, ...bytes: readonly number[]): Uint8Array {
  const size = bytes.length * 2;
  const values = [0x5c, 0x15, 8, 0x15, 0, 0x15, 8, 0x15, encoding * 2, 0x15, 0, 0x15, 0, 0x00];
  return Uint8Array.of(0x15, 6, 0x15, size, 0x15, size, ...values, 0x00, ...bytes);
}

function check(page: Uint8Array, definitionMax: number): void {
  checkPages(page, columnOf(definitionMax), compressorsFor({ bytes: 0 }, 0));
}

test('a run of a thousand million values is refused, which would be written down without an end', () => {
  const values = new Array<number>(16).fill(7);
  check(pageOf(PLAIN, 2, 0, 0, 0, 8, 1, ...values), 1);
  const long = [0xfe, 0xff, 0xff, 0xff, 0x07, 1];
  assert.throws(
    () => check(pageOf(PLAIN, 6, 0, 0, 0, ...long, ...values), 1),
    /a run of 1073741823 values where 4 are left/,
  );
  check(pageOf(RLE_DICTIONARY, 1, 8, 1), 0);
  assert.throws(() => check(pageOf(RLE_DICTIONARY, 1, ...long), 0), /a run of 1073741823 values/);
});

test('packed places without bits, of as many values as there is no memory for, are refused', () => {
  check(secondPageOf(RLE_DICTIONARY, 0, 3, 0), 0);
  const packed = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
  assert.throws(
    () => check(secondPageOf(RLE_DICTIONARY, 0, ...packed), 0),
    /a run of 17179869176 values/,
  );
});

test('differences in blocks of fewer values than none are refused, which would be read again and again', () => {
  check(pageOf(DELTA_BINARY_PACKED, 0x80, 1, 4, 4, 2, 2, 0, 0, 0, 0), 0);
  assert.throws(
    () => check(pageOf(DELTA_BINARY_PACKED, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 4, 2, 0, 8), 0),
    /differences in 1 parts of blocks of 4294967294/,
  );
});

test('a text that begins with more of the one before than that has is refused', () => {
  const lengths = (first: number, step: number): number[] => {
    return [0x80, 1, 4, 4, first, step, 0, 0, 0, 0];
  };
  // Zigzag: the lengths begin with 0 and grow by 1; each has one byte more than it shares.
  check(pageOf(DELTA_BYTE_ARRAY, ...lengths(0, 2), ...lengths(2, 0), 1, 2, 3, 4), 0);
  assert.throws(
    () => check(pageOf(DELTA_BYTE_ARRAY, ...lengths(0, 4), ...lengths(2, 0), 1, 2, 3, 4), 0),
    /a text with 2 bytes of one of 1/,
  );
});

test('a column with fewer values than rows is refused', () => {
  const column = { ...columnOf(0), rows: 5 };
  assert.throws(
    () => checkPages(pageOf(RLE_DICTIONARY, 1, 8, 1), column, {}),
    /a column of 4 values for 5 rows/,
  );
});

test('a header with a number of any length, or lists longer than its bytes, is refused', () => {
  const column = columnOf(0);
  const number = Uint8Array.of(0x15, ...new Array<number>(11).fill(0x80), 0x00);
  assert.throws(() => checkPages(number, column, {}), /a number without an end/);
  // Each list would have room for 2^25 lists.
  const lists = Uint8Array.from([
    0x19,
    ...new Array<number[]>(9).fill([0xf9, 0x80, 0x80, 0x80, 0x10]).flat(),
  ]);
  assert.throws(() => checkPages(lists, column, {}), /a list of 33554432 in \d+ bytes/);
  const deep = new Uint8Array(1_000).fill(0x1c);
  assert.throws(() => checkPages(deep, column, {}), /structs more than 80 deep/);
});
