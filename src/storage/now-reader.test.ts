import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
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

test('a large batch that comes as fast as memory is copied is read here and now', () => {
  assert.deepEqual(readLarge(0.1), { isRead: true, wouldReadNext: true });
});

test('one that takes long is given up between two calls, and the next ones are left to others', () => {
  assert.deepEqual(readLarge(9), { isRead: false, wouldReadNext: false });
});
