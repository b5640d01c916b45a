import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { writeLooseFiles, writeShards } from '../../test/support/data-files.ts';
import type { Sample } from '../../test/support/data-files.ts';
import { until } from '../../test/support/leftovers.ts';
import { monoMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { LocalReader } from './local-reader.ts';
import type { ReadJob } from './read-job.ts';
import type { FilledSlab } from './reader-threads.ts';

const FILES = 20;
const SLAB_BYTES = 8192;

let root = '';
let samples: readonly Sample[] = [];

before(() => {
  root = mkdtempSync(join(tmpdir(), 'mx8-local-reader-'));
  samples = writeLooseFiles(
    root,
    Array.from({ length: FILES }, (_, index) => 1 + index * 7),
  );
});

after(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Time passes whenever somebody looks. */
class TickingClock extends FakeClock {
  tickMs: number = 0;
  #nowMs: number = 0;

  override nowMs(): MonoMs {
    this.#nowMs += this.tickMs;
    return monoMs(this.#nowMs);
  }
}

function jobOf(): ReadJob {
  return {
    locations: samples.map(({ record }) => record.location),
    offsets: new Float64Array(FILES).fill(-1),
    lengths: new Float64Array(FILES).fill(-1),
    startBytes: 16,
    targetBytes: SLAB_BYTES,
    capBytes: SLAB_BYTES,
  };
}

function recordsOf(records: readonly Sample[]): ReadJob {
  return {
    ...jobOf(),
    locations: records.map(({ record }) => record.location),
    offsets: Float64Array.from(records, ({ record }) => record.byteOffset ?? -1),
    lengths: Float64Array.from(records, ({ record }) => record.byteLength ?? -1),
  };
}

function assertRead({ slab, result }: FilledSlab): void {
  assert.ok(result);
  assert.deepEqual(
    [...result.sizes],
    samples.map(({ bytes }) => bytes.length),
  );
  const expected = samples.flatMap(({ bytes }) => [...bytes]);
  assert.deepEqual([...new Uint8Array(slab, 16, expected.length)], expected);
}

interface Helped {
  readonly reader: LocalReader;
  readonly clock: TickingClock;
  /** A job that waits for its turn behind one that is being read. */
  readonly waiting: Promise<FilledSlab>;
  readonly isDone: () => boolean;
}

/** A reader that knows the folder, with one job in the pool and one that waits. */
async function readerToBeHelped(): Promise<Helped> {
  const clock = new TickingClock();
  const reader = new LocalReader({ jobsAtOnce: 2, threadsMax: 0, clock });
  const inPool = reader.fill(jobOf(), new ArrayBuffer(SLAB_BYTES));
  const first = reader.fill(jobOf(), new ArrayBuffer(SLAB_BYTES));
  // Asks for the folder, which nobody knows yet, and reads nothing.
  assert.equal(reader.help(), false);
  assertRead(await inPool);
  assertRead(await first);
  const again = reader.fill(jobOf(), new ArrayBuffer(SLAB_BYTES));
  let done = false;
  const waiting = reader.fill(jobOf(), new ArrayBuffer(SLAB_BYTES));
  void waiting.then(() => {
    done = true;
  });
  void again.then(assertRead);
  return { reader, clock, waiting, isDone: () => done };
}

test('who waits reads small files at once that would wait for their turn', async () => {
  const { reader, waiting, isDone } = await readerToBeHelped();
  assert.equal(reader.help(), true);
  // Only promises are settled in between: nothing that is read elsewhere could have been heard of.
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(isDone(), true);
  assertRead(await waiting);
  await reader.close();
});

test('files that turn out to be slow are read on in the pool from where that was seen', async () => {
  const { reader, clock, waiting, isDone } = await readerToBeHelped();
  clock.tickMs = 1;
  assert.equal(reader.help(), true);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(isDone(), false);
  assertRead(await waiting);
  await reader.close();
});

test('small files are left to who comes back for them, until the event loop turns without', async () => {
  const { reader, waiting } = await readerToBeHelped();
  assert.equal(reader.help(), true);
  assertRead(await waiting);
  await until(() => !reader.isBusy);

  const read = (): Promise<FilledSlab> => reader.fill(jobOf(), new ArrayBuffer(SLAB_BYTES));
  const left = read();
  assert.equal(reader.isBusy, false);
  assertRead(await left);
  // It did not come back: the next one goes to the pool at once.
  const next = read();
  assert.equal(reader.isBusy, true);
  await next;
  await reader.close();
});

test('short reads of one shard go to the pool together, and each slab has its own samples', async () => {
  const shard = writeShards(join(root, 'shard'), new Array<number>(12).fill(100), 12);
  const clock = new TickingClock();
  const reader = new LocalReader({ jobsAtOnce: 9, threadsMax: 0, clock });
  const read = (from: number, to: number): Promise<FilledSlab> =>
    reader.fill(recordsOf(shard.slice(from, to)), new ArrayBuffer(SLAB_BYTES));
  // So that reads of the shard are known to be short.
  for (let count = 0; count < 3; count += 1) await read(0, 1);
  const order: number[] = [];
  const reads = [0, 1, 2, 3, 4, 5].map(async (place) => {
    const { slab, result } = await read(place * 2, place * 2 + 2);
    order.push(place);
    assert.deepEqual([...(result?.sizes ?? [])], [100, 100]);
    const expected = shard.slice(place * 2, place * 2 + 2).flatMap(({ bytes }) => [...bytes]);
    assert.deepEqual([...new Uint8Array(slab, 16, 200)], expected);
  });
  await Promise.all(reads);
  assert.equal(order.length, 6);
  await reader.close();
});

test('where reads that go together hit the end of the shard, each is told what became of it', async () => {
  const shard = writeShards(join(root, 'cut'), new Array<number>(8).fill(100), 8);
  const [first] = shard;
  assert.ok(first);
  const clock = new TickingClock();
  const reader = new LocalReader({ jobsAtOnce: 9, threadsMax: 0, clock });
  const read = (from: number, to: number): Promise<FilledSlab> =>
    reader.fill(recordsOf(shard.slice(from, to)), new ArrayBuffer(SLAB_BYTES));
  for (let count = 0; count < 3; count += 1) await read(0, 1);
  truncateSync(first.record.location, (shard[7]?.record.byteOffset ?? 0) + 50);
  const reads = await Promise.all([0, 1, 2, 3].map((place) => read(place * 2, place * 2 + 2)));
  assert.deepEqual(
    reads.map(({ result }) => [...(result?.sizes ?? [])]),
    [
      [100, 100],
      [100, 100],
      [100, 100],
      [100, -1],
    ],
  );
  assert.deepEqual(
    reads[3]?.result?.failures.map(({ reason, foundBytes }) => [reason, foundBytes]),
    [['short', 50]],
  );
  await reader.close();
});

test('without a clock nobody helps', async () => {
  const reader = new LocalReader({ jobsAtOnce: 2, threadsMax: 0 });
  const first = reader.fill(jobOf(), new ArrayBuffer(SLAB_BYTES));
  const second = reader.fill(jobOf(), new ArrayBuffer(SLAB_BYTES));
  assert.equal(reader.help(), false);
  assertRead(await first);
  assertRead(await second);
  await reader.close();
});

interface ReadyNow {
  readonly reader: LocalReader;
  readonly clock: TickingClock;
  readonly shard: readonly Sample[];
  readonly readNow: (from: number, to: number) => readonly number[] | null;
}

/** A reader that has seen that reads of two shards are short, and has both open. */
async function readerOfShards(name: string): Promise<ReadyNow> {
  const shard = writeShards(join(root, name), new Array<number>(8).fill(100), 4);
  const clock = new TickingClock();
  const reader = new LocalReader({ jobsAtOnce: 9, threadsMax: 0, clock });
  const slab = new ArrayBuffer(SLAB_BYTES);
  const readNow = (from: number, to: number): readonly number[] | null => {
    const result = reader.fillNow(recordsOf(shard.slice(from, to)), slab);
    if (result === null) return null;
    const expected = shard.slice(from, to).flatMap(({ bytes }) => [...bytes]);
    assert.deepEqual([...new Uint8Array(slab, 16, expected.length)], expected);
    return [...result.sizes];
  };
  for (const from of [0, 4, 0, 4]) {
    assert.equal(readNow(from, from + 2), null, 'nothing is known of the reads yet');
    await reader.fill(recordsOf(shard.slice(from, from + 2)), new ArrayBuffer(SLAB_BYTES));
  }
  return { reader, clock, shard, readNow };
}

test('records of shards that are open are read here and now, also where one shard ends in them', async () => {
  const { reader, readNow } = await readerOfShards('now');
  assert.deepEqual(readNow(0, 3), [100, 100, 100]);
  assert.deepEqual(readNow(2, 7), [100, 100, 100, 100, 100]);
  assert.equal(reader.fillNow(jobOf(), new ArrayBuffer(SLAB_BYTES)), null, 'files are not');
  await reader.close();
  assert.equal(readNow(0, 3), null);
});

test('what cannot be read whole is not read here: the reading says in full what is wrong with it', async () => {
  const { reader, shard, readNow } = await readerOfShards('now-cut');
  const last = shard[7]?.record;
  truncateSync(last?.location ?? '', (last?.byteOffset ?? 0) + 50);
  assert.equal(readNow(5, 8), null);
  assert.equal(readNow(2, 8), null);
  assert.deepEqual(readNow(2, 6), [100, 100, 100, 100]);
  await reader.close();
});

test('reads that turn out to be slow are not made here any more', async () => {
  const { reader, clock, readNow } = await readerOfShards('now-slow');
  clock.tickMs = 20;
  assert.deepEqual(readNow(0, 2), [100, 100]);
  clock.tickMs = 0;
  assert.equal(reader.wouldReadNow, false);
  assert.equal(readNow(0, 2), null);
  await reader.close();
});

test('after a job of more pieces than are read here and now nobody is told that the next one would be', async () => {
  const { reader, shard, readNow } = await readerOfShards('now-pieces');
  const pieces = recordsOf([7, 1, 6, 0].flatMap((index) => shard.slice(index, index + 1)));
  const slab = new ArrayBuffer(SLAB_BYTES);
  assert.equal(reader.wouldReadNow, true);
  assert.equal(reader.fillNow(pieces, slab), null);
  await reader.fill(pieces, slab);
  assert.equal(reader.wouldReadNow, false);
  assert.equal(readNow(0, 2), null);
  await reader.fill(recordsOf(shard.slice(0, 2)), new ArrayBuffer(SLAB_BYTES));
  assert.equal(reader.wouldReadNow, true);
  await reader.close();
});
