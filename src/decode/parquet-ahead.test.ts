/** Groups that are read and decompressed before their turn are what they would be without that, and so are their failures. */
import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { brotliCompressSync, constants, crc32, gzipSync, zstdCompressSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';

import { memorySource } from '../../test/support/memory-source.ts';
import { FormatError } from '../core/format/format-error.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { ColumnMemory } from './column-memory.ts';
import { AHEAD_PAGE_BYTES_MIN } from './limits.ts';
import { AheadRoom, ChunkAhead, Lane } from './parquet-ahead.ts';
import { readFooter, startOf } from './parquet-file.ts';
import { GroupReading } from './parquet-group.ts';
import { columnPlans } from './parquet-schema.ts';
import { RangeCutter, openTable } from './range-reader.ts';
import type { OpenTable, TableGroup } from './table-group.ts';

const GROUP_ROWS = 3_000;
const GROUPS = 5;
const PACK = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  BROTLI: (bytes: Uint8Array) =>
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes),
};
const CODECS = ['GZIP', 'BROTLI', 'ZSTD'] as const;

/** Pages of texts are as large as those that other threads decompress. */
function fileOf(codec: (typeof CODECS)[number], pageSize: number): Uint8Array {
  const rows = GROUP_ROWS * GROUPS;
  const texts = Array.from({ length: rows }, (_, row) => `text ${row} ${'xyz'.repeat(60)}`);
  assert.ok((AHEAD_PAGE_BYTES_MIN * GROUPS) / rows < 180);
  const columnData = [
    { name: 'id', type: 'INT32' as const, data: texts.map((_, row) => row) },
    { name: 'text', type: 'STRING' as const, data: texts, encoding: 'PLAIN' as const },
    { name: 'again', type: 'STRING' as const, data: texts, encoding: 'PLAIN' as const },
  ];
  const options = { codec, compressors: PACK, pageSize, rowGroupSize: GROUP_ROWS };
  return new Uint8Array(parquetWriteBuffer({ columnData, ...options }));
}

function open(source: ByteSource): Promise<OpenTable> {
  return openTable('parquet', { source, location: '/x', columns: null });
}

function streamOf(group: TableGroup): Buffer {
  const plan = new RangeCutter().cut(group, { start: 0, end: group.rows });
  const stream = new Uint8Array(plan.bytes);
  plan.write(stream);
  return Buffer.from(stream);
}

/** Each by itself, from a table that nothing was read of before. */
async function alone(file: Uint8Array, starts: readonly number[]): Promise<readonly Buffer[]> {
  const streams: Buffer[] = [];
  for (const at of starts) {
    streams.push(streamOf(await (await open(memorySource(file))).groupAt(at)));
  }
  return streams;
}

async function startsOf(file: Uint8Array): Promise<readonly number[]> {
  const starts: number[] = [];
  for await (const { at } of (await open(memorySource(file))).groups()) starts.push(at);
  assert.equal(starts.length, GROUPS);
  return starts;
}

for (const codec of CODECS) {
  test(`groups of ${codec} are the same, whichever were read ahead and asked for then`, async () => {
    for (const pageSize of [10_000_000, 300_000]) {
      const file = fileOf(codec, pageSize);
      const starts = await startsOf(file);
      const wanted = await alone(file, starts);
      const inOrder: Buffer[] = [];
      for await (const group of (await open(memorySource(file))).groups()) {
        inOrder.push(streamOf(group));
      }
      assert.deepEqual(inOrder, wanted);
      const table = await open(memorySource(file));
      // Foretold and asked for; foretold and not; the same again.
      const asked = [0, 1, 2, 0, 4, 4, 3];
      const foretold = [[1, 2], [2], [3, 4], [4, 1], [4], [0, 3], []];
      for (const [index, of] of asked.entries()) {
        const upcoming = (foretold[index] ?? []).map((next) => starts[next] ?? 0);
        const group = await table.groupAt(starts[of] ?? 0, upcoming);
        assert.deepEqual(streamOf(group), wanted[of]);
      }
    }
  });
}

test('what comes next is read while a group is decoded, and not once the reader has left', async () => {
  const file = fileOf('ZSTD', 10_000_000);
  const starts = await startsOf(file);
  const reads: number[] = [];
  const memory = memorySource(file);
  const source: ByteSource = {
    ...memory,
    read: (location, position, into) => {
      reads.push(position);
      return memory.read(location, position, into);
    },
  };
  const table = await open(source);
  reads.length = 0;
  const readsOf = (group: number): number =>
    reads.filter((at) => at >= (starts[group] ?? 0) && at < (starts[group + 1] ?? 0)).length;
  await table.groupAt(starts[0] ?? 0, starts.slice(1, 3));
  // Its columns lie close together.
  assert.deepEqual([readsOf(0), readsOf(1), readsOf(2), readsOf(3)], [1, 1, 1, 0]);
  await table.groupAt(starts[1] ?? 0, starts.slice(2, 4));
  assert.deepEqual([readsOf(1), readsOf(2), readsOf(3)], [1, 1, 1]);
  table.leave();
  const before = reads.length;
  await table.groupAt(starts[2] ?? 0);
  assert.equal(reads.length, before + 1);
});

test('what cannot be read ahead is read again in its turn, and fails then', async () => {
  const file = fileOf('ZSTD', 10_000_000);
  const starts = await startsOf(file);
  const wanted = await alone(file, starts);
  const memory = memorySource(file);
  let isBroken = false;
  const source: ByteSource = {
    ...memory,
    read: (location, position, into) =>
      isBroken && position >= (starts[1] ?? 0)
        ? Promise.reject(new FormatError('not now', position))
        : memory.read(location, position, into),
  };
  const table = await open(source);
  isBroken = true;
  assert.deepEqual(streamOf(await table.groupAt(starts[0] ?? 0, starts.slice(1, 3))), wanted[0]);
  await assert.rejects(table.groupAt(starts[1] ?? 0, starts.slice(2, 3)), /not now/);
  isBroken = false;
  assert.deepEqual(streamOf(await table.groupAt(starts[1] ?? 0, starts.slice(2, 3))), wanted[1]);
  assert.deepEqual(streamOf(await table.groupAt(starts[2] ?? 0)), wanted[2]);
});

test('a damaged page that was decompressed ahead is what it is without that, when it is asked for', async () => {
  for (const codec of CODECS) {
    const file = fileOf(codec, 10_000_000);
    const starts = await startsOf(file);
    const wanted = await alone(file, starts);
    const damaged = file.slice();
    const at = Math.floor(((starts[1] ?? 0) + (starts[2] ?? 0)) / 2);
    damaged.fill(0xff, at, at + 40);
    const outcomeOf = (reading: Promise<TableGroup>): Promise<string> =>
      reading.then(
        (group) => `rows ${crc32(streamOf(group))}`,
        (error: unknown) => (error instanceof FormatError ? error.message : ''),
      );
    const expected = await outcomeOf((await open(memorySource(damaged))).groupAt(starts[1] ?? 0));
    // The others have no checksum.
    assert.match(expected, codec === 'GZIP' ? /cannot be decoded/ : /./);
    assert.notEqual(expected, `rows ${crc32(wanted[1] ?? '')}`);
    const table = await open(memorySource(damaged));
    const first = await table.groupAt(starts[0] ?? 0, starts.slice(1, 3));
    assert.deepEqual(streamOf(first), wanted[0]);
    const second = table.groupAt(starts[1] ?? 0, starts.slice(2, 4));
    assert.equal(await outcomeOf(second), expected);
    assert.deepEqual(streamOf(await table.groupAt(starts[2] ?? 0)), wanted[2]);
  }
});

test('nothing is read or decompressed ahead that there is no room for, and room comes back', async () => {
  const page = Buffer.alloc(1000, 'x');
  let reads = 0;
  const room = new AheadRoom(2_500);
  const chunk = (): ChunkAhead =>
    new ChunkAhead({
      meta: { codec: 'UNCOMPRESSED' } as never,
      bytesToRead: () => page.length,
      read: () => {
        reads += 1;
        return Promise.resolve({ bytes: page, whole: page });
      },
      room,
      lane: new Lane(),
    });
  const chunks = [chunk(), chunk(), chunk(), chunk()];
  for (const ahead of chunks) ahead.read();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(reads, 2);
  assert.equal((await chunks[2]?.take())?.bytes, page);
  assert.equal(reads, 3);
  assert.equal((await chunks[0]?.take())?.bytes, page);
  chunks[1]?.leave();
  chunks[3]?.leave();
  assert.equal(reads, 3);
  assert.ok(room.take(2_500));
  assert.ok(!room.take(1));
  assert.ok(!room.take(Number.NaN) && !room.take(-1));
});

test('what columns that lie close together were read with is given back with the last of them', async () => {
  const rows = 150_000;
  const columnData = Array.from({ length: 6 }, (_, column) => ({
    name: `c${column}`,
    type: 'DOUBLE' as const,
    data: Array.from({ length: rows }, (_item, row) => Math.sin(row * 7 + column)),
  }));
  const options = { codec: 'ZSTD' as const, compressors: PACK, rowGroupSize: rows };
  const file = new Uint8Array(parquetWriteBuffer({ columnData, ...options }));
  const memory = memorySource(file);
  const read: Uint8Array[] = [];
  const live: number[] = [];
  const source: ByteSource = {
    ...memory,
    read: (location, position, into) => {
      read.push(into);
      live.push(read.filter(({ length }) => length > 2 ** 20).length);
      return memory.read(location, position, into);
    },
  };
  const parquet = { source, location: '/x', columns: null };
  const metadata = await readFooter(parquet, file.length);
  const [group] = metadata.row_groups;
  assert.ok(group !== undefined);
  const reading = new GroupReading({
    ...{ file: parquet, size: file.length, metadata, group, at: startOf(group), rowStart: 0, rows },
    plans: columnPlans(metadata, null),
    memory: new ColumnMemory(),
    // Nothing before its turn.
    room: new AheadRoom(0),
    lane: new Lane(),
  });
  const columns = await reading.columns(() => assert.fail('all of them are decoded here'));
  assert.equal(columns.length, 6);
  // The footer, three columns and the other three, when the first are gone.
  assert.deepEqual(live, [0, 1, 1]);
  assert.ok(read.slice(1).every(({ byteLength, buffer }) => byteLength + buffer.byteLength === 0));
});

test('a group that fails lets go of nothing that another thread still decompresses', async () => {
  const rows = 20_000;
  const words = Array.from({ length: rows }, (_, row) => randomBytes(70).toString('latin1') + row);
  const columnData = [
    // A column that stays where it was read.
    {
      name: 'stays',
      encoding: 'DELTA_LENGTH_BYTE_ARRAY',
      data: words.map((_, row) => `${row} row`),
    },
    { name: 'bad', encoding: 'PLAIN', data: words.map((_, row) => `row ${row}`) },
    { name: 'large', encoding: 'PLAIN', data: words, codec: 'ZSTD' },
  ].map((column) => ({ codec: 'UNCOMPRESSED', type: 'STRING', ...column }));
  const file = new Uint8Array(
    parquetWriteBuffer({
      columnData: columnData as Parameters<typeof parquetWriteBuffer>[0]['columnData'],
      compressors: PACK,
      rowGroupSize: rows,
    }),
  );
  const source = memorySource(file);
  const parquet = { source, location: '/x', columns: null };
  const metadata = await readFooter(parquet, file.length);
  const [group] = metadata.row_groups;
  assert.ok(group !== undefined);
  const bad = group.columns[1]?.meta_data;
  assert.ok(bad !== undefined);
  const end = Number(bad.data_page_offset) + Number(bad.total_compressed_size);
  file.fill(0xff, end - 2_000, end);
  const under = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === 'ZLIB' && under.add(id)),
    before: (id) => void under.delete(id),
  }).enable();
  for (let round = 0; round < 20; round += 1) {
    const memory = new ColumnMemory();
    const reading = new GroupReading({
      ...{ file: parquet, size: file.length, metadata, group, rowStart: 0, rows, memory },
      at: startOf(group),
      plans: columnPlans(metadata, null),
      room: new AheadRoom(2 ** 25),
      lane: new Lane(),
    });
    await assert.rejects(
      reading.columns(() => assert.fail('nothing else is there')),
      FormatError,
    );
    // In there is what the last column is decompressed from.
    assert.equal(under.size, 0, 'nobody reads in it');
    memory.clear();
  }
  hook.disable();
});
