import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { driveAsync } from './drive-async.ts';
import { ReadingCancelled, driveSync, driveSyncWhile } from './drive-sync.ts';
import { fill } from './fill.ts';
import { OpenShards } from './open-shards.ts';
import type { ReadJob, ReadResult } from './read-job.ts';

const root = mkdtempSync(join(tmpdir(), 'mx8-plain-files-'));
after(() => rmSync(root, { recursive: true, force: true }));

const NO_SCRATCH = new Uint8Array(0);
const PINNED_BYTES = 100;
const START_BYTES = 16;

function file(name: string, bytes: number): string {
  const path = join(root, name);
  writeFileSync(path, new Uint8Array(bytes).fill(name.charCodeAt(0)));
  return path;
}

const good = ['a', 'b', 'c'].map((name) => file(name, PINNED_BYTES));
mkdirSync(join(root, 'folder'));
/** Each pinned with `PINNED_BYTES`. */
const odd = {
  vanished: join(root, 'nowhere'),
  shrunk: file('s', PINNED_BYTES - 1),
  grown: file('g', PINNED_BYTES + 1),
  'grown beyond the slab': file('h', 5000),
  empty: file('e', 0),
  folder: join(root, 'folder'),
  device: '/dev/zero',
  'without bytes': '/dev/null',
};

interface Room {
  readonly slabBytes?: number;
  readonly targetBytes?: number;
  readonly capBytes?: number;
}

function jobOf(paths: readonly string[], { targetBytes = 4000, capBytes = 4000 }: Room): ReadJob {
  return {
    locations: paths,
    offsets: new Float64Array(paths.length).fill(-1),
    lengths: new Float64Array(paths.length).fill(PINNED_BYTES),
    startBytes: START_BYTES,
    targetBytes,
    capBytes,
  };
}

/** What of these tests, or of devices, is open: the process opens and closes files of its own at any time. */
function descriptors(): readonly string[] {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // That of reading the folder is closed by now.
      return '';
    }
  });
  return targets.filter((path) => path.startsWith(root) || path.startsWith('/dev/')).toSorted();
}

/** As read in a reader thread, and by the program alone; both results and the samples' bytes must be the same. */
async function readBothWays(job: ReadJob, room: Room, isHere: boolean): Promise<ReadResult> {
  const open = descriptors();
  const plain = new Uint8Array(room.slabBytes ?? 4096);
  const other = new Uint8Array(plain.length);
  const shards = new OpenShards();
  const result = driveSync(fill(job, plain, NO_SCRATCH, isHere), {
    slab: plain,
    shards,
    isCancelled: () => false,
  });
  const expected = await driveAsync(fill(job, other, NO_SCRATCH, isHere), { slab: other, shards });
  assert.deepEqual(result, expected);
  const end = START_BYTES + result.sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  assert.deepEqual(plain.subarray(START_BYTES, end), other.subarray(START_BYTES, end));
  assert.deepEqual(descriptors(), open, 'every descriptor was closed');
  return result;
}

for (const isHere of [true, false]) {
  const where = isHere ? 'on disks of this machine' : 'far away';

  test(`files as they were pinned are read, ${where}`, async () => {
    const { failures, sizes } = await readBothWays(jobOf(good, {}), {}, isHere);
    assert.deepEqual([...sizes], [PINNED_BYTES, PINNED_BYTES, PINNED_BYTES]);
    assert.deepEqual(failures, []);
  });

  for (const [what, path] of Object.entries(odd)) {
    test(`what is ${what} is said wherever it stands, and the others are read, ${where}`, async () => {
      for (let place = 0; place <= good.length; place += 1) {
        const job = jobOf(good.toSpliced(place, 0, path), {});
        const { failures } = await readBothWays(job, {}, isHere);
        assert.deepEqual(
          failures.map(({ index }) => index),
          [place],
        );
      }
    });
  }

  test(`a batch ends before the file that does not fit, ${where}`, async () => {
    for (let bytes = 1; bytes <= 3 * PINNED_BYTES + START_BYTES + 1; bytes += 1) {
      await readBothWays(jobOf(good, {}), { slabBytes: Math.max(START_BYTES, bytes) }, isHere);
      await readBothWays(jobOf(good, { targetBytes: bytes }), {}, isHere);
      await readBothWays(jobOf(good, { capBytes: bytes }), {}, isHere);
    }
  });
}

test('whoever cancels is asked for before each file, and nothing stays open', () => {
  for (let allowed = 0; allowed < good.length; allowed += 1) {
    const open = descriptors();
    const slab = new Uint8Array(4096);
    let asked = 0;
    const io = { slab, shards: new OpenShards() };
    const isCancelled = (): boolean => {
      asked += 1;
      return asked > allowed;
    };
    const program = fill(jobOf(good, {}), slab, NO_SCRATCH, true);
    assert.throws(() => driveSync(program, { ...io, isCancelled }), ReadingCancelled);
    assert.equal(slab.indexOf(0, START_BYTES), START_BYTES + allowed * PINNED_BYTES);
    assert.deepEqual(descriptors(), open);
  }
});

test('what was stopped goes on elsewhere from where it was', async () => {
  const slab = new Uint8Array(4096);
  const io = { slab, shards: new OpenShards() };
  let asked = 0;
  const program = fill(jobOf(good, {}), slab, NO_SCRATCH, true);
  const step = driveSyncWhile(program, io, () => {
    asked += 1;
    return asked === 1;
  });
  assert.equal(step.done, false);
  const { sizes, failures } = await driveAsync(program, io, step);
  assert.deepEqual([...sizes], [PINNED_BYTES, PINNED_BYTES, PINNED_BYTES]);
  assert.deepEqual(failures, []);
  const names = [97, 98, 99].map((code) => slab.indexOf(code));
  assert.deepEqual(names, [16, 116, 216]);
});
