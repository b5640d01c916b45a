import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { GAP_BYTES_MAX } from './fill-extents.ts';
import { fill } from './fill.ts';
import type { IoAnswer, IoProgram, IoRequest } from './io-request.ts';
import type { ReadJob, ReadResult } from './read-job.ts';

/** Files in memory behind the system calls of a reading program. */
class FakeDisk {
  readonly files: Map<string, Uint8Array> = new Map();
  /** Calls that fail, by `op path`. */
  readonly faults: Map<string, string> = new Map();
  /** Whether the files count as being on a disk of this machine. */
  isHere: boolean = true;
  /** Most bytes that one read gives, as network file systems do. */
  readBytesMax: number = Infinity;
  /** Those of `files` that are pipes or devices. */
  readonly special: Set<string> = new Set();
  readonly calls: string[] = [];
  readonly open: Map<number, { path: string; at: number }> = new Map();
  #nextFd: number = 3;

  run<T>(program: IoProgram<T>, slab: Uint8Array): T {
    let step = program.next();
    while (step.done !== true) {
      const request = step.value;
      if (request.op === 'plain_files') {
        // As where there are no synchronous calls; `plain-files.test.ts` has those.
        step = program.next(0);
        continue;
      }
      this.calls.push(request.op);
      step = program.next(this.#answer(request, slab));
    }
    assert.equal(this.open.size, 0, 'every descriptor was closed or given back');
    return step.value;
  }

  #answer(request: Exclude<IoRequest, { op: 'plain_files' }>, slab: Uint8Array): IoAnswer {
    const path = 'path' in request ? request.path : (this.open.get(request.fd)?.path ?? '?');
    const errno = this.faults.get(`${request.op} ${path}`);
    if (errno !== undefined) return { errno, syscall: request.op };
    switch (request.op) {
      case 'open':
      case 'acquire': {
        if (!this.files.has(path)) return { errno: 'ENOENT', syscall: 'open' };
        this.#nextFd += 1;
        this.open.set(this.#nextFd, { path, at: 0 });
        return this.#nextFd;
      }
      case 'close':
        this.open.delete(request.fd);
        return 0;
      case 'give_back':
        for (const [fd, file] of this.open) if (file.path === path) this.open.delete(fd);
        return 0;
      case 'is_here':
        return this.isHere ? 1 : 0;
      case 'stat':
      case 'fstat':
        return this.special.has(path) ? -1 : (this.files.get(path)?.length ?? -1);
      case 'read': {
        const { fd, start, length, position } = request;
        return this.#read(fd, slab.subarray(start, start + length), position);
      }
      case 'readv': {
        let read = 0;
        if (!this.isHere) assertApart(request.views);
        for (const view of request.views) {
          const got = this.#read(request.fd, view, request.position + read);
          read += got;
          if (got < view.length) break;
        }
        return read;
      }
      default:
        return request satisfies never;
    }
  }

  #read(fd: number, into: Uint8Array, position: number | null): number {
    const file = this.open.get(fd);
    assert.ok(file);
    const at = position ?? file.at;
    const bytes = this.files
      .get(file.path)
      ?.subarray(at, at + Math.min(into.length, this.readBytesMax));
    into.set(bytes ?? []);
    const got = bytes?.length ?? 0;
    if (position === null) file.at += got;
    return got;
  }
}

/** No two views share a byte of the slab; scratch memory does not count. */
function assertApart(views: readonly Uint8Array[]): void {
  let end = 0;
  for (const view of views) {
    if (view.buffer.byteLength === GAP_BYTES_MAX) continue;
    assert.ok(view.byteOffset >= end, 'views of a file that is far away do not overlap');
    end = view.byteOffset + view.length;
  }
}

interface Sample {
  readonly path: string;
  readonly offset?: number;
  readonly length?: number;
}

function read(
  disk: FakeDisk,
  samples: readonly Sample[],
  options: { slabBytes?: number; targetBytes?: number; capBytes?: number } = {},
): ReadResult & { readonly payload: Uint8Array } {
  const { slabBytes = 65_536, targetBytes = 32_768, capBytes = 65_536 } = options;
  const job: ReadJob = {
    locations: samples.map(({ path }) => path),
    offsets: Float64Array.from(samples, ({ offset }) => offset ?? -1),
    lengths: Float64Array.from(samples, ({ length }) => length ?? -1),
    startBytes: 16,
    targetBytes,
    capBytes,
  };
  const slab = new Uint8Array(slabBytes);
  const result = disk.run(fill(job, slab, new Uint8Array(GAP_BYTES_MAX), disk.isHere), slab);
  const bytes = result.sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  return { ...result, payload: slab.slice(16, 16 + bytes) };
}

const bytesOf = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + 1) % 251);

test('files of unknown size end up one after the other', () => {
  const disk = new FakeDisk();
  disk.files.set('/a', bytesOf(100, 1)).set('/b', bytesOf(7, 2));
  const result = read(disk, [{ path: '/a' }, { path: '/b' }]);
  assert.deepEqual([...result.sizes], [100, 7]);
  assert.deepEqual(result.payload, Uint8Array.from([...bytesOf(100, 1), ...bytesOf(7, 2)]));
});

test('a file system that answers with less than was asked for loses nothing', () => {
  const disk = new FakeDisk();
  disk.readBytesMax = 13;
  disk.files.set('/a', bytesOf(100, 1)).set('/s', bytesOf(4000, 2));
  const result = read(disk, [{ path: '/a' }, { path: '/s', offset: 10, length: 90 }]);
  assert.deepEqual([...result.sizes], [100, 90]);
  assert.deepEqual(result.payload.subarray(100), bytesOf(4000, 2).subarray(10, 100));
});

for (const isHere of [true, false]) {
  const where = isHere ? 'here' : 'far away';
  test(`neighbours in a shard ${where} take one call, whatever lies between them`, () => {
    const disk = new FakeDisk();
    disk.isHere = isHere;
    const shard = bytesOf(10_000, 3);
    disk.files.set('/s', shard);
    // The third is shorter than what lies before it.
    const samples = [900, 900, 100, 900].map((length, index) => ({
      path: '/s',
      offset: 512 + index * 1500,
      length,
    }));
    const result = read(disk, samples);
    assert.deepEqual(disk.calls, ['acquire', 'is_here', 'readv', 'give_back']);
    const expected = samples.flatMap(({ offset, length }) => [
      ...shard.subarray(offset, offset + length),
    ]);
    assert.deepEqual(result.payload, Uint8Array.from(expected));
  });
}

test('a gap for which the slab has no room ends the call before it', () => {
  const disk = new FakeDisk();
  const shard = bytesOf(3000, 3);
  disk.files.set('/s', shard);
  const samples = [
    { path: '/s', offset: 0, length: 500 },
    { path: '/s', offset: 2000, length: 400 },
  ];
  const result = read(disk, samples, { slabBytes: 16 + 900 });
  assert.deepEqual(disk.calls.filter((op) => op === 'readv').length, 2);
  const expected = [...shard.subarray(0, 500), ...shard.subarray(2000, 2400)];
  assert.deepEqual(result.payload, Uint8Array.from(expected));
});

test('samples that fail leave no room: the others stay together', () => {
  const disk = new FakeDisk();
  disk.files.set('/a', bytesOf(10, 1)).set('/c', bytesOf(10, 3)).set('/empty', new Uint8Array(0));
  disk.faults
    .set('open /locked', 'EACCES')
    .set('read /broken', 'EIO')
    .set('read /folder', 'EISDIR');
  disk.files.set('/broken', bytesOf(5, 0)).set('/folder', new Uint8Array(0));
  disk.files.set('/pipe', new Uint8Array(0));
  disk.special.add('/pipe');
  const bad = ['/gone', '/empty', '/locked', '/broken', '/folder', 's3://b/k', '/pipe'];
  const paths = ['/a', ...bad, '/c'];
  const result = read(
    disk,
    paths.map((path) => ({ path })),
  );
  assert.deepEqual([...result.sizes], [10, -1, -1, -1, -1, -1, -1, -1, 10]);
  assert.deepEqual(
    result.failures.map(({ index, reason, errno }) => `${index} ${reason} ${errno}`.trim()),
    [
      '1 io ENOENT',
      '2 empty',
      '3 io EACCES',
      '4 io EIO',
      '5 not_a_file EISDIR',
      '6 not_local',
      '7 not_a_file',
    ],
  );
  assert.deepEqual(result.payload, Uint8Array.from([...bytesOf(10, 1), ...bytesOf(10, 3)]));
});

test('a record beyond the end of its shard is short; those before it are still there', () => {
  const disk = new FakeDisk();
  disk.files.set('/s', bytesOf(150, 1));
  const result = read(disk, [
    { path: '/s', offset: 0, length: 100 },
    { path: '/s', offset: 100, length: 100 },
    { path: '/s', offset: 400, length: 100 },
  ]);
  assert.deepEqual([...result.sizes], [100, -1, -1]);
  assert.deepEqual(
    result.failures.map(({ reason, foundBytes }) => `${reason} ${foundBytes}`),
    ['short 50', 'short 0'],
  );
});

test('a bad sector fails the samples on it and no other', () => {
  const disk = new FakeDisk();
  disk.files.set('/s', bytesOf(300, 1));
  disk.faults.set('readv /s', 'EIO');
  const result = read(disk, [
    { path: '/s', offset: 0, length: 100 },
    { path: '/s', offset: 100, length: 100 },
  ]);
  assert.deepEqual([...result.sizes], [100, 100]);
});

test('the file that would pass the byte target is left for the next batch, with its size', () => {
  const disk = new FakeDisk();
  disk.files.set('/a', bytesOf(600, 1)).set('/b', bytesOf(600, 2));
  const result = read(disk, [{ path: '/a' }, { path: '/b' }], { targetBytes: 1000 });
  assert.equal(result.done, 1);
  assert.equal(result.nextBytes, 600);
});

test('a file that does not fit the slab ends the job with its true size', () => {
  const disk = new FakeDisk();
  disk.files.set('/a', bytesOf(100, 1)).set('/b', bytesOf(5000, 2));
  const result = read(disk, [{ path: '/a' }, { path: '/b' }], { slabBytes: 1000 });
  assert.equal(result.done, 1);
  assert.equal(result.nextBytes, 5000);
});

test('a record that no longer fits after files of unknown size is left for the next batch', () => {
  const disk = new FakeDisk();
  disk.files.set('/a', bytesOf(900, 1)).set('/s', bytesOf(400, 2));
  const samples = [
    { path: '/a' },
    { path: '/s', offset: 0, length: 50 },
    { path: '/s', offset: 50, length: 50 },
  ];
  const result = read(disk, samples, { slabBytes: 1000 });
  assert.equal(result.done, 2);
  assert.equal(result.nextBytes, 50);
  assert.deepEqual(result.payload.subarray(900), bytesOf(400, 2).subarray(0, 50));
});

test('a file larger than the cap is refused with its size and the next one is read', () => {
  const disk = new FakeDisk();
  disk.files.set('/a', bytesOf(5000, 1)).set('/b', bytesOf(10, 2));
  const result = read(disk, [{ path: '/a' }, { path: '/b' }], { slabBytes: 1000, capBytes: 4096 });
  assert.deepEqual([...result.sizes], [-1, 10]);
  assert.deepEqual(result.failures[0], {
    index: 0,
    reason: 'too_large',
    errno: '',
    syscall: '',
    foundBytes: 5000,
  });
});

test('a file that is not as long as it must be is told with its size, and leaves no room', () => {
  const disk = new FakeDisk();
  for (const [index, name] of ['/same', '/cut', '/grown', '/emptied', '/huge'].entries()) {
    disk.files.set(name, bytesOf([100, 99, 101, 0, 3000][index] ?? 0, index));
  }
  const samples = ['/same', '/cut', '/grown', '/emptied', '/huge', '/same'].map((path) => ({
    path,
    length: 100,
  }));
  const result = read(disk, samples, { slabBytes: 1000 });
  assert.deepEqual([...result.sizes], [100, -1, -1, -1, -1, 100]);
  assert.deepEqual(
    result.failures.map(({ index, reason, foundBytes }) => [index, reason, foundBytes]),
    [
      [1, 'resized', 99],
      [2, 'resized', 101],
      [3, 'resized', 0],
      [4, 'resized', 3000],
    ],
  );
  assert.equal(result.done, 6);
});

for (const isHere of [true, false]) {
  const calls = isHere ? ['open', 'read', 'close'] : ['open', 'read', 'read', 'close'];
  test(`a file ${isHere ? 'here' : 'far away'} that is as long as it was pinned takes ${calls.length} calls`, () => {
    const disk = new FakeDisk();
    disk.isHere = isHere;
    disk.files.set('/a', bytesOf(100, 1));
    assert.deepEqual([...read(disk, [{ path: '/a', length: 100 }]).sizes], [100]);
    assert.deepEqual(disk.calls, calls);
  });
}

test('a file far away that has grown is told also where a read ends at its pinned size', () => {
  const disk = new FakeDisk();
  disk.isHere = false;
  disk.readBytesMax = 100;
  disk.files.set('/a', bytesOf(150, 1));
  const { failures } = read(disk, [{ path: '/a', length: 100 }]);
  assert.deepEqual(
    failures.map(({ reason, foundBytes }) => [reason, foundBytes]),
    [['resized', 150]],
  );
});

test('any mixture of files and records gives exactly their bytes', () => {
  const sample = fc.oneof(
    fc.record({ kind: fc.constant('file' as const), length: fc.integer({ min: 0, max: 300 }) }),
    fc.record({
      kind: fc.constant('record' as const),
      shard: fc.integer({ min: 0, max: 1 }),
      offset: fc.integer({ min: 0, max: 900 }),
      length: fc.integer({ min: 1, max: 300 }),
    }),
  );
  fc.assert(
    fc.property(
      fc.array(sample, { maxLength: 20 }),
      fc.integer({ min: 1, max: 400 }),
      fc.boolean(),
      (all, most, isHere) => {
        const disk = new FakeDisk();
        disk.isHere = isHere;
        disk.readBytesMax = most;
        disk.files.set('/s0', bytesOf(1000, 8)).set('/s1', bytesOf(1000, 9));
        const expected: number[] = [];
        const samples = all.map((one, index): Sample => {
          if (one.kind === 'file') {
            const content = bytesOf(one.length, index);
            disk.files.set(`/f${index}`, content);
            expected.push(...content);
            return { path: `/f${index}` };
          }
          const path = `/s${one.shard}`;
          const { offset, length } = one;
          const content = disk.files.get(path)?.subarray(offset, offset + length) ?? [];
          if (content.length === length) expected.push(...content);
          return { path, offset, length };
        });
        const result = read(disk, samples);
        assert.equal(result.done, samples.length);
        assert.deepEqual([...result.payload], expected);
      },
    ),
  );
});
