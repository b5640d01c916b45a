/** Groups of rows are read ahead where it is known that they come next: in a batch, and in those that wait behind it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { crc32 } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';

import { memorySource } from '../../test/support/memory-source.ts';
import type { CodedPart } from '../core/format/coded-part.ts';
import { RangeCutter, openTable } from '../decode/range-reader.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import type { ReadJob } from '../storage/read-job.ts';
import type { SampleReader } from '../storage/sample-reader.ts';
import { CodedReader } from './coded-reader.ts';

const GROUP_ROWS = 100;
const FILE = new Uint8Array(
  parquetWriteBuffer({
    columnData: [{ name: 'id', data: Array.from({ length: 4 * GROUP_ROWS }, (_, row) => row) }],
    rowGroupSize: GROUP_ROWS,
  }),
);

interface Sample {
  readonly at: number;
  readonly part: CodedPart;
  readonly stream: Buffer;
}

/** Two samples of each group. */
async function samples(): Promise<readonly Sample[]> {
  const file = { source: memorySource(FILE), location: '/x', columns: null };
  const cutter = new RangeCutter();
  const found: Sample[] = [];
  for await (const group of (await openTable('parquet', file)).groups()) {
    for (const start of [0, GROUP_ROWS / 2]) {
      const rows = { start, end: start + GROUP_ROWS / 2 };
      const plan = cutter.cut(group, rows);
      const stream = Buffer.alloc(plan.bytes);
      plan.write(stream);
      const sum = { bytes: plan.bytes, crc32: crc32(stream) };
      const part: CodedPart = { codec: 'parquet', columns: null, rows, start: 0, ...sum };
      found.push({ at: group.at, part, stream });
    }
  }
  return found;
}

function jobOf(wanted: readonly Sample[]): ReadJob {
  return {
    locations: wanted.map(() => '/x'),
    offsets: Float64Array.from(wanted, ({ at }) => at),
    lengths: Float64Array.from(wanted, ({ part }) => part.bytes),
    coded: wanted.map(({ part }) => part),
    startBytes: 0,
    targetBytes: 1024 ** 2,
    capBytes: 1024 ** 2,
  };
}

/** What was read and answered, in order: groups that bytes were read of, and `done` for each batch. */
async function eventsOf(
  all: readonly Sample[],
  batches: readonly (readonly Sample[])[],
): Promise<readonly string[]> {
  const events: string[] = [];
  const starts = [...new Set(all.map(({ at }) => at))];
  const memory = memorySource(FILE);
  const source: ByteSource = {
    ...memory,
    read: (location, position, into) => {
      const isFooter = position + into.length === FILE.length;
      if (!isFooter) events.push(`read ${starts.findLastIndex((at) => at <= position)}`);
      return memory.read(location, position, into);
    },
  };
  const none = (): never => assert.fail('it has no samples that are whole files');
  const inner: SampleReader = {
    fill: none,
    fillBeside: none,
    measure: none,
    wouldReadNow: false,
    fillNow: none,
    help: () => false,
    isBusy: false,
    jobsUseful: 4,
    close: () => Promise.resolve(),
  };
  const reader = new CodedReader(inner, source);
  const filling = batches.map(async (wanted) => {
    const { slab, result } = await reader.fill(jobOf(wanted), new ArrayBuffer(1024 ** 2));
    events.push('done');
    assert.equal(result?.done, wanted.length);
    assert.deepEqual(result.failures, []);
    const streams = Buffer.concat(wanted.map(({ stream }) => stream));
    assert.ok(streams.equals(Buffer.from(slab, 0, streams.length)));
  });
  await Promise.all(filling);
  await reader.close();
  return events;
}

test('groups of the same batch and of batches that wait are read before their turn, others not', async () => {
  const all = await samples();
  const [a = all[0], b, c, , e, , g] = all;
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  assert.ok(e !== undefined && g !== undefined);
  // Nobody knows what comes next: its own bytes only.
  assert.deepEqual(await eventsOf(all, [[a, b]]), ['read 0', 'done']);
  assert.deepEqual(await eventsOf(all, [[a], [b, c]]), ['read 0', 'read 1', 'done', 'done']);
  const shuffled = await eventsOf(all, [[e], [b], [g], [c]]);
  assert.deepEqual(shuffled.slice(0, 4), ['read 2', 'read 0', 'read 3', 'done']);
  assert.deepEqual(shuffled.toSorted(), [
    ...['done', 'done', 'done', 'done'],
    ...['read 0', 'read 1', 'read 2', 'read 3'],
  ]);
});

test('after a batch with parts nobody is told that the reader inside would read the next one', async () => {
  const [first] = await samples();
  assert.ok(first !== undefined);
  const { coded: _, ...plain } = jobOf([first]);
  const inner: SampleReader = {
    fill: (_job, slab) => Promise.resolve({ slab, result: null }),
    fillBeside: () => assert.fail('there is one'),
    measure: () => assert.fail('all sizes are known'),
    wouldReadNow: true,
    fillNow: () => null,
    help: () => false,
    isBusy: false,
    jobsUseful: 4,
    close: () => Promise.resolve(),
  };
  const reader = new CodedReader(inner, memorySource(FILE));
  await reader.fill(plain, new ArrayBuffer(1024));
  assert.equal(reader.wouldReadNow, true);
  assert.equal(reader.jobsUseful, 4);
  await reader.fill(jobOf([first]), new ArrayBuffer(1024 ** 2));
  assert.equal(reader.wouldReadNow, false);
  assert.equal(reader.jobsUseful, Infinity);
  await reader.close();
});
