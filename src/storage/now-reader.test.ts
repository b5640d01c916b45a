import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { FakeClock } from '../testing/fake-clock.ts';
import { monoMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import { NowReader } from './now-reader.ts';
import { OpenShards } from './open-shards.ts';
import { ShortReads } from './short-reads.ts';

const MIB = 1024 ** 2;
const folder = mkdtempSync(join(tmpdir(), 'mx8-now-reader-'));
const path = join(folder, 'shard.tar');
writeFileSync(path, new Uint8Array(5 * MIB).fill(7));
const fd = openSync(path, 'r');
after(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

/** Time passes whenever somebody looks at it. */
class TickingClock extends FakeClock {
  readonly #tickMs: number;
  #lookedMs: number = 0;

  constructor(tickMs: number) {
    super();
    this.#tickMs = tickMs;
  }

  override nowMs(): MonoMs {
    this.#lookedMs += this.#tickMs;
    return monoMs(this.#lookedMs);
  }
}

/** What becomes of a batch of 5 MiB, of which it is known that it lies in the page cache, as all before did. */
function readLarge(tickMs: number): { readonly isRead: boolean; readonly wouldReadNext: boolean } {
  const shards = new OpenShards();
  shards.opened(path, fd, true);
  shards.giveBack(path);
  const shortReads = new ShortReads();
  for (let read = 0; read < 3; read += 1) shortReads.observe(100 * MIB, 1);
  const reader = new NowReader(new TickingClock(tickMs), shards, shortReads);
  reader.passed({ calls: 1, files: 0, bytes: 5 * MIB, shards: [path] }, true);
  const slab = new ArrayBuffer(5 * MIB);
  const job = {
    locations: [path],
    offsets: Float64Array.of(0),
    lengths: Float64Array.of(5 * MIB),
    startBytes: 0,
    targetBytes: 5 * MIB,
    capBytes: 5 * MIB,
  };
  const result = reader.read(job, slab);
  if (result !== null) assert.ok(new Uint8Array(slab).every((byte) => byte === 7));
  return { isRead: result !== null, wouldReadNext: reader.wouldRead };
}

/** 300 bytes in each of two shards of one folder, of which the first is open and was found to be here. */
function besideOneHere(nextPath: string, isHere: boolean = true): readonly number[] | null {
  const shards = new OpenShards();
  shards.opened(path, openSync(path, 'r'), isHere);
  shards.giveBack(path);
  const shortReads = new ShortReads();
  for (let read = 0; read < 3; read += 1) shortReads.observe(MIB, 1);
  const reader = new NowReader(new TickingClock(0.01), shards, shortReads);
  reader.passed({ calls: 1, files: 0, bytes: 600, shards: [path] }, true);
  const slab = new ArrayBuffer(4096);
  const job = {
    locations: [path, path, nextPath],
    offsets: Float64Array.of(0, 200, 512),
    lengths: Float64Array.of(100, 200, 300),
    startBytes: 16,
    targetBytes: 4096,
    capBytes: 4096,
  };
  const result = reader.read(job, slab);
  for (const open of shards.drain()) closeSync(open);
  if (result === null) return null;
  assert.deepEqual([...result.sizes], [100, 200, 300]);
  return [...new Uint8Array(slab, 16, 600)];
}

test('the next shard is opened here where one of its folder lies on a disk of this machine', () => {
  const next = join(folder, 'next.tar');
  writeFileSync(next, new Uint8Array(1024).fill(9));
  const expected = [...new Uint8Array(300).fill(7), ...new Uint8Array(300).fill(9)];
  assert.deepEqual(besideOneHere(next), expected);
  assert.equal(besideOneHere(next, false), null, 'nobody knows where this folder lies');
});

test('a shard of another folder, one that is missing, a pipe and one that ends too soon are left to others', () => {
  const other = join(folder, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'shard.tar'), new Uint8Array(1024));
  assert.equal(besideOneHere(join(other, 'shard.tar')), null);
  assert.equal(besideOneHere(join(folder, 'missing.tar')), null);
  const pipe = join(folder, 'pipe.tar');
  execFileSync('mkfifo', [pipe]);
  assert.equal(besideOneHere(pipe), null);
  const short = join(folder, 'short.tar');
  writeFileSync(short, new Uint8Array(600));
  assert.equal(besideOneHere(short), null);
});

test('a shard that is open already, and not here, is not opened once more', () => {
  const far = join(folder, 'far.tar');
  const shards = new OpenShards();
  shards.opened(path, fd, true);
  assert.equal(shards.isNewBesideOneHere(far), true);
  shards.opened(far, fd, false);
  assert.equal(shards.isNewBesideOneHere(far), false);
});

test('a large batch that comes as fast as memory is copied is read here and now', () => {
  assert.deepEqual(readLarge(0.1), { isRead: true, wouldReadNext: true });
});

test('one that takes long is given up between two calls, and the next ones are left to others', () => {
  assert.deepEqual(readLarge(9), { isRead: false, wouldReadNext: false });
});
