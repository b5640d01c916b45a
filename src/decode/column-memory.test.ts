/** Memory of a group that is used for the next one, or given back, is read by nobody any more. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { memorySource } from '../../test/support/memory-source.ts';
import { parquetWriteBuffer } from 'hyparquet-writer';

import { ColumnTable } from '../core/format/column-table.ts';
import { ColumnMemory } from './column-memory.ts';
import { RangeCutter, openTable } from './range-reader.ts';

test('memory that is used again, and given back, is that of no column that is still read', async () => {
  const rows = 12_000;
  const texts = Array.from({ length: rows }, (_, row) => `text ${row} ${'x'.repeat(row % 23)}`);
  const columnData = [
    { name: 'text', type: 'STRING' as const, data: texts, encoding: 'PLAIN' as const },
    { name: 'kind', type: 'STRING' as const, data: texts.map((_, row) => `kind ${row % 7}`) },
    { name: 'number', type: 'INT32' as const, data: texts.map((_, row) => row % 1_000) },
    { name: 'score', type: 'DOUBLE' as const, data: texts.map((_, row) => row / 3) },
  ];
  const wanted = texts.map((text, row) => [text, `kind ${row % 7}`, row % 1_000, row / 3]);
  const memory = new ColumnMemory();
  // One page a column, whose memory texts stay in, and many; pages that are the bytes of the file, and others.
  for (const pageSize of [100_000, 10_000_000]) {
    for (const codec of ['UNCOMPRESSED', 'SNAPPY'] as const) {
      const options = { codec, pageSize, rowGroupSize: 5_000 };
      const file = new Uint8Array(parquetWriteBuffer({ columnData, ...options }));
      const source = memorySource(file);
      const table = await openTable('parquet', { source, location: '/x', columns: null }, memory);
      const cutter = new RangeCutter();
      const got: unknown[][] = [];
      for await (const group of table.groups()) {
        const plan = cutter.cut(group, { start: 0, end: group.rows });
        const stream = new Uint8Array(plan.bytes);
        plan.write(stream);
        const columns = [...ColumnTable.read(stream)];
        for (let row = 0; row < group.rows; row += 1) {
          got.push(columns.map((column) => column.at(row)));
        }
      }
      assert.deepEqual(got, wanted, `${codec} ${pageSize}`);
    }
  }
});

test('what is small, or may share its memory, is not given back', () => {
  const memory = new ColumnMemory();
  const large = new Uint8Array(100_000);
  const part = new Uint8Array(300_000).subarray(0, 100_000);
  const small = new Uint8Array(1_000);
  const kept = new Uint8Array(100_000);
  memory.keep(kept);
  for (const bytes of [large, part, small, kept]) memory.giveBack(bytes);
  assert.deepEqual(
    [large, part, small, kept].map(({ length }) => length),
    [0, 100_000, 1_000, 100_000],
  );
  memory.keep(kept);
  memory.clear();
  assert.equal(kept.length, 0);
});

test('what the next group has no use for is given back when the one after it begins', () => {
  const memory = new ColumnMemory();
  const begin = (): void => {
    memory.begin(() => undefined);
  };
  begin();
  const [first, second] = [memory.take(100_000), memory.take(1_000_000)];
  begin();
  assert.equal(memory.take(90_000).buffer, first.buffer);
  begin();
  assert.deepEqual([first.length, second.length], [100_000, 0]);
});
