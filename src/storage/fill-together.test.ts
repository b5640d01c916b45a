import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { fillTogether, jointRun } from './fill-together.ts';
import type { PlacedJob } from './fill-together.ts';

const SHARD = Uint8Array.from({ length: 20_000 }, (_, index) => (index * 31) % 251);
const START_BYTES = 16;

interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly path?: string;
}

function jobOf(extents: readonly Extent[], slabBytes: number = 40_000): PlacedJob {
  const job = {
    locations: extents.map(({ path }) => path ?? '/s'),
    offsets: Float64Array.from(extents, ({ offset }) => offset),
    lengths: Float64Array.from(extents, ({ length }) => length),
    startBytes: START_BYTES,
    targetBytes: slabBytes,
    capBytes: slabBytes,
  };
  return { job, slab: new ArrayBuffer(slabBytes) };
}

/** Reads the run from the shard, piece by piece as the kernel does; answers what the program says. */
function readFromShard(jobs: readonly PlacedJob[], shardBytes: number = SHARD.length): boolean {
  const run = jointRun(jobs, jobs.length);
  assert.ok(run);
  const program = fillTogether(run);
  let step = program.next();
  while (step.done !== true) {
    const request = step.value;
    if (request.op !== 'readv') {
      step = program.next(3);
      continue;
    }
    let read = 0;
    for (const view of request.views) {
      const from = request.position + read;
      const bytes = SHARD.subarray(from, Math.min(from + view.length, shardBytes));
      view.set(bytes);
      read += bytes.length;
    }
    step = program.next(read);
  }
  return step.value;
}

test('jobs that follow each other in a shard are read with one call, each to its own slab', () => {
  const extent = fc.record({ gap: fc.nat(600), length: fc.integer({ min: 1, max: 400 }) });
  const batches = fc.array(fc.array(extent, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(batches, (shapes) => {
      let at = 0;
      const places = shapes.map((shape) =>
        shape.map(({ gap, length }) => {
          const offset = at + gap;
          at = offset + length;
          return { offset, length };
        }),
      );
      const jobs = places.map((extents) => jobOf(extents));
      assert.equal(readFromShard(jobs), true);
      for (const [index, extents] of places.entries()) {
        const expected = extents.flatMap(({ offset, length }) => [
          ...SHARD.subarray(offset, offset + length),
        ]);
        const slab = jobs[index]?.slab ?? new ArrayBuffer(0);
        assert.deepEqual([...new Uint8Array(slab, START_BYTES, expected.length)], expected);
      }
    }),
  );
});

test('a shard that ends too soon is told', () => {
  const jobs = [jobOf([{ offset: 0, length: 100 }]), jobOf([{ offset: 200, length: 100 }])];
  assert.equal(readFromShard(jobs, 250), false);
});

const first = jobOf([{ offset: 1000, length: 100 }]);
for (const [what, second] of [
  ['another shard', jobOf([{ offset: 1100, length: 100, path: '/other' }])],
  ['what lies before', jobOf([{ offset: 900, length: 100 }])],
  ['what lies far behind', jobOf([{ offset: 100_000, length: 100 }])],
  ['a whole file', jobOf([{ offset: -1, length: -1 }])],
  [
    'a second shard within the job',
    jobOf([
      { offset: 1100, length: 100 },
      { offset: 0, length: 9, path: '/t' },
    ]),
  ],
  ['a gap for which the slab has no room', jobOf([{ offset: 2000, length: 100 }], 500)],
] as const) {
  test(`${what} is not read together with the job before`, () => {
    assert.equal(jointRun([first, second], 2)?.count, 1);
  });
}

test('whole files are not read together', () => {
  const file = { offset: -1, length: -1 };
  assert.equal(jointRun([jobOf([file]), jobOf([file])], 2), null);
});

/** What calls a run of so many samples of 1 MiB takes where the clock is looked at between them. */
function callsOfLargeRun(mayGoOn: () => boolean): {
  readonly calls: readonly (readonly [position: number, bytes: number])[];
  readonly isWhole: boolean;
  readonly isGivenBack: boolean;
} {
  const mib = 1024 ** 2;
  const extents = Array.from({ length: 5 }, (_, index) => ({
    offset: index * (mib + 512),
    length: mib,
  }));
  const run = jointRun([jobOf(extents, 6 * mib)], 1);
  assert.ok(run);
  const calls: [number, number][] = [];
  let isGivenBack = false;
  const program = fillTogether(run, mayGoOn);
  let step = program.next();
  while (step.done !== true) {
    const request = step.value;
    if (request.op === 'readv') {
      const bytes = request.views.reduce((sum, view) => sum + view.length, 0);
      calls.push([request.position, bytes]);
      step = program.next(bytes);
    } else {
      if (request.op === 'give_back') isGivenBack = true;
      step = program.next(3);
    }
  }
  return { calls, isWhole: step.value, isGivenBack };
}

test('who may not stand still for long reads 2 MiB at a time, one after the other', () => {
  const { calls, isWhole, isGivenBack } = callsOfLargeRun(() => true);
  const mib = 1024 ** 2;
  assert.deepEqual(calls, [
    [0, 2 * mib],
    [2 * mib, 2 * mib],
    [4 * mib, mib + 4 * 512],
  ]);
  assert.ok(isWhole && isGivenBack);
});

test('who has stood still for too long gives the shard back and says that it is not all', () => {
  let asked = 0;
  const { calls, isWhole, isGivenBack } = callsOfLargeRun(() => {
    asked += 1;
    return asked < 2;
  });
  assert.equal(calls.length, 2);
  assert.ok(!isWhole && isGivenBack);
});

test('pieces of a run that is read with several calls lie where those of one call do', () => {
  const mib = 1024 ** 2;
  const shard = Uint8Array.from({ length: 5 * mib + 4096 }, (_, index) => (index * 7919) >>> 5);
  const extents = [
    { offset: 100, length: 3 * mib },
    { offset: 3 * mib + 612, length: 700 },
    { offset: 3 * mib + 2000, length: 2 * mib },
  ];
  const placed = jobOf(extents, 6 * mib);
  const run = jointRun([placed], 1);
  assert.ok(run);
  const program = fillTogether(run, () => true);
  let step = program.next();
  while (step.done !== true) {
    const request = step.value;
    let read = 0;
    for (const view of request.op === 'readv' ? request.views : []) {
      const from = (request.op === 'readv' ? request.position : 0) + read;
      view.set(shard.subarray(from, from + view.length));
      read += view.length;
    }
    step = program.next(request.op === 'readv' ? read : 3);
  }
  assert.equal(step.value, true);
  let at = START_BYTES;
  for (const { offset, length } of extents) {
    const got = new Uint8Array(placed.slab, at, length);
    assert.equal(Buffer.compare(got, shard.subarray(offset, offset + length)), 0);
    at += length;
  }
});

test('no more jobs than asked for, and no job beyond the one that cannot be joined', () => {
  const at = (offset: number): PlacedJob => jobOf([{ offset, length: 100 }]);
  const jobs = [at(0), at(100), at(200), at(0), at(300)];
  assert.equal(jointRun(jobs, 2)?.count, 2);
  assert.equal(jointRun(jobs, 5)?.count, 3);
});
