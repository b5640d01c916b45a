/** Rows that become Parquet, as mx8 itself finds them in the file afterwards. */
import assert from 'node:assert/strict';
import { crc32, zstdDecompressSync } from 'node:zlib';
import test from 'node:test';
import { memorySource } from '../../test/support/memory-source.ts';
import { MemoryPart } from '../../test/support/parquet-part.ts';
import fc from 'fast-check';
import { parquetReadObjects } from 'hyparquet';

import { codedPartOf } from '../core/format/coded-part.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { parquetRows } from '../decode/parquet-rows.ts';
import { PARQUET_GROUP_ROWS } from './limits.ts';
import type { ParquetOptions } from './parquet-sink.ts';
import type { ParquetRow } from './parquet-columns.ts';

const ZSTD = { ZSTD: (input: Uint8Array): Uint8Array => zstdDecompressSync(input) };

/** The lines that whoever reads the file makes of it, by where their row group is. */
async function linesOf(file: Buffer): Promise<ReadonlyMap<number, Buffer>> {
  const groups = new Map<number, Buffer>();
  const parquetFile = { source: memorySource(file), location: '/x', columns: null };
  for await (const { bytes, frameAt } of parquetRows(parquetFile, 0)) {
    groups.set(frameAt, Buffer.concat([groups.get(frameAt) ?? Buffer.alloc(0), bytes]));
  }
  return groups;
}

/** Every record of the part says where its row is, and the rows follow each other without gaps. */
async function rowsOf({ bytes, records }: MemoryPart): Promise<readonly unknown[]> {
  const groups = await linesOf(bytes);
  const rows: unknown[] = [];
  const ends = new Map<number, number>();
  for (const { offset, length, hint } of records) {
    const part = codedPartOf(hint ?? '');
    assert.ok(part !== null && part.codec === 'parquet', hint);
    assert.equal(part.start, ends.get(offset) ?? 0);
    ends.set(offset, part.start + part.bytes + 1);
    assert.ok(offset + length <= bytes.length);
    const line = groups.get(offset)?.subarray(part.start, part.start + part.bytes);
    assert.equal(crc32(line ?? ''), part.crc32, `${String(line)}`);
    rows.push(JSON.parse(String(line)));
  }
  for (const [at, lines] of groups) assert.equal(lines.length, ends.get(at));
  return rows;
}

async function refusal(body: Promise<unknown>): Promise<Mx8Error> {
  const error: unknown = await body.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Mx8Error, String(error));
  return error;
}

test('rows of every type are found in the file where their records say, as JSON shows them', async () => {
  const part = await MemoryPart.open({
    columns: {
      ok: 'boolean',
      small: 'int32',
      id: 'int64',
      half: 'float',
      score: 'double',
      text: 'string',
      raw: 'bytes',
      at: 'timestamp',
      meta: 'json',
      vector: 'float[]',
      tags: 'string[]',
    },
  });
  const at = new Date(Date.UTC(2026, 0, 2));
  const view = Buffer.from('view of a batch');
  await part.write([
    { ok: true, small: -(2 ** 31), id: 2n ** 60n, half: 0.1, score: 0.1, text: 'é"\n', raw: view },
    { at, meta: { a: [1, null, { 10: 'x', 2: 'y' }] }, vector: Float32Array.of(1, 0.1), tags: [] },
    {
      id: 7,
      score: NaN,
      tags: ['a', null, ''],
      meta: 'text',
      raw: new Uint8Array(0),
      vector: null,
    },
  ]);
  view.fill(0);
  await part.finish();
  const no = {
    ...{ ok: null, small: null, id: null, half: null, score: null, text: null },
    ...{ raw: null, at: null, meta: null, vector: null, tags: null },
  };
  const tenth = Math.fround(0.1);
  assert.deepEqual(await rowsOf(part), [
    {
      ...no,
      ...{ ok: true, small: -(2 ** 31), id: String(2n ** 60n), half: tenth, score: 0.1 },
      ...{ text: 'é"\n', raw: Buffer.from('view of a batch').toString('base64') },
    },
    {
      ...no,
      at: at.toISOString(),
      meta: { a: [1, null, { 10: 'x', 2: 'y' }] },
      vector: [1, tenth],
      tags: [],
    },
    { ...no, id: 7, score: 'NaN', tags: ['a', null, ''], meta: 'text', raw: '' },
  ]);
  assert.deepEqual(
    part.records.map(({ sampleId }) => sampleId),
    [0, 1, 2],
  );
  const { buffer, byteOffset, length } = part.bytes;
  const file = buffer.slice(byteOffset, byteOffset + length);
  const objects = await parquetReadObjects({ file: file as ArrayBuffer, compressors: ZSTD });
  assert.deepEqual([objects[0]?.['id'], objects[1]?.['at']], [2n ** 60n, at]);
});

test('any rows that have a type come back, over several batches and groups', async () => {
  const name = fc.constantFrom('a', 'b', '10', '2', 'é');
  const value = fc.oneof(
    fc.constant(null),
    fc.double(),
    fc.jsonValue({ maxDepth: 2 }).filter((json) => typeof json === 'object'),
  );
  const rows = fc.array(fc.dictionary(name, value, { minKeys: 1, maxKeys: 5 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(rows, fc.boolean(), async (some, isJson) => {
      const names = ['a', 'b', '10', '2', 'é'];
      const kept = some.map((row) =>
        Object.fromEntries(
          Object.entries(row).filter(([, one]) => (typeof one === 'number') !== isJson),
        ),
      );
      const type = isJson ? 'json' : 'double';
      const part = await MemoryPart.open({
        columns: Object.fromEntries(names.map((column) => [column, type] as const)),
      });
      for (const row of kept) await part.write([row]);
      await part.finish();
      const shown = await rowsOf(part);
      assert.equal(shown.length, kept.length);
    }),
    { numRuns: 60 },
  );
});

test('rows are kept in memory for one group at most, and a batch that fails leaves no trace', async () => {
  const part = await MemoryPart.open();
  const rowAt = (id: number): ParquetRow => ({
    id: BigInt(id),
    text: `row ${id}`,
    odd: id % 2 === 1,
  });
  const rows = (start: number, count: number): ParquetRow[] =>
    Array.from({ length: count }, (_, index) => rowAt(start + index));
  await part.write(rows(0, 10_000));
  assert.equal(part.bytes.length, 0);
  part.isFull = true;
  await assert.rejects(part.write(rows(10_000, 30_000)), /the disk is full/);
  part.isFull = false;
  const error = await refusal(part.write([...rows(10_000, 9_000), { id: 'x' }]));
  assert.equal(error.code, 'row_invalid');
  await part.write(rows(10_000, 30_000));
  assert.ok(part.bytes.length > 0);
  await part.write(rows(40_000, 1));
  await part.finish();
  const found = await rowsOf(part);
  assert.equal(found.length, 40_001);
  for (const id of [0, 9_999, 10_000, 16_384, 40_000]) {
    assert.deepEqual(found[id], { id, text: `row ${id}`, odd: id % 2 === 1 });
  }
  const groups = new Set(part.records.map(({ offset }) => offset));
  assert.equal(groups.size, Math.ceil(40_001 / PARQUET_GROUP_ROWS));
});

test('rows of many bytes make smaller groups; no rows make no file', async () => {
  const part = await MemoryPart.open();
  const text = 'x'.repeat(6 * 2 ** 20);
  await part.write([{ text }, { text }, { text }, { text }], 5);
  await part.finish();
  assert.deepEqual(
    part.records.map(({ offset, sampleId }) => [offset === 4, sampleId]),
    [true, true, true, false].map((isFirst) => [isFirst, null]),
  );
  const none = await MemoryPart.open({ columns: { id: 'int64' } });
  await none.write([], 3);
  await none.finish();
  assert.equal(none.bytes.length, 0);
});

test('a row that does not fit says which, what it has, what was expected and the way out', async () => {
  const first = { n: 1, list: [1, 2], when: new Date(0), nothing: null };
  const cases: readonly (readonly [ParquetRow, RegExp])[] = [
    [
      { n: 'x' },
      /^the row of sample 1 .* column "n" cannot be stored: it is no number but string x/,
    ],
    [{ n: 'x' }, /Expected double, as the first rows have it; or parquet\(dir, \{ columns: \{ "n"/],
    [{ more: 1 }, /it has a column "more", which the first rows do not have; add it: parquet\(/],
    [{ list: 5 }, /column "list" cannot be stored: it is no array but number 5/],
    [{ list: [1, 'x'] }, /it is no number but string x/],
    [{ when: new Date(NaN) }, /it is no valid Date/],
    [{ nothing: { a: NaN } }, /a is NaN/],
    [[] as unknown as ParquetRow, /it is an array, not an object of columns/],
    [7 as unknown as ParquetRow, /it is number, not an object of columns/],
  ];
  for (const [row, words] of cases) {
    const part = await MemoryPart.open();
    await part.write([first]);
    const error = await refusal(part.write([row]));
    assert.equal(error.code, 'row_invalid');
    assert.match(error.message, words);
    await part.write([{ nothing: { a: 1 } }]);
    await part.finish();
    assert.equal((await rowsOf(part)).length, 2);
  }
  const named = await MemoryPart.open({ columns: { id: 'int64', text: 'string' } });
  const wrong = [{ id: 1.5 }, { id: 2n ** 63n }, { id: '1' }, { text: '\ud800' }, { other: 1 }];
  for (const row of wrong) {
    assert.equal((await refusal(named.write([row]))).code, 'row_invalid');
  }
  const mixed = await MemoryPart.open();
  const error = await refusal(mixed.write([{ x: 1 }, { x: 'a' }]));
  assert.match(
    error.message,
    /column "x" is string here and double in rows before it; name its type/,
  );
  const columns = { id: 'integer' } as unknown as NonNullable<ParquetOptions['columns']>;
  const unknown = await refusal(MemoryPart.open({ columns }));
  assert.equal(unknown.code, 'job_options_invalid');
  assert.match(
    unknown.message,
    /column "id" has the type "integer"; expected one of boolean, int32/,
  );
});
