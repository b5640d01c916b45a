/** `load()` with `streaming`: batches while the listing still goes on, in an order that does not depend on when. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { ShuffleBuffer } from '../../src/core/order/shuffle-buffer.ts';
import { load } from '../../src/index.ts';
import type { LoadOptions, Loader } from '../../src/index.ts';
import { openFilesBelow } from '../support/leftovers.ts';
import { ListingStore } from '../support/listing-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TemporaryFolder } from '../support/temporary-folder.ts';

let folder: TemporaryFolder;
let bucket: ListingStore;
/** Of the manifest stores that tests begin with. */
let stores = 0;
let manifestStoreRoot: string;

before(async () => {
  folder = await temporaryFolder();
});

beforeEach(async () => {
  bucket = await ListingStore.start();
  newStore();
});

afterEach(async () => {
  await bucket[Symbol.asyncDispose]();
});

after(async () => {
  await folder[Symbol.asyncDispose]();
});

function newStore(): void {
  stores += 1;
  manifestStoreRoot = folder.join(`store-${stores}`);
}

const SHUFFLED = { shuffle: true, seed: 7, shuffleBufferSize: 50 } as const;

function open(link: string, options: LoadOptions = {}): Loader {
  return load(link, {
    streaming: true,
    batchSize: 8,
    manifestStoreRoot,
    stores: { s3: { endpointUrl: bucket.url, anonymous: true } },
    ...options,
  });
}

/** So many objects in the store, of which each tells its name. */
function fill(count: number, folders: number = 1): void {
  for (let index = 0; index < count; index += 1) {
    const key = `data/${index % folders}/${String(index).padStart(6, '0')}`;
    bucket.objects.set(key, `the bytes of ${key}`);
  }
}

/** So many files in a folder of their own. */
async function files(count: number): Promise<string> {
  const root = folder.join(`files-${count}`);
  rmSync(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  for (let index = 0; index < count; index += 1) {
    writeFileSync(join(root, String(index).padStart(5, '0')), `bytes of ${index}`);
  }
  return root;
}

async function drain(loader: Loader): Promise<number[][]> {
  const seen: number[][] = [];
  for await (const batch of loader) seen.push([...batch.sampleIds]);
  return seen;
}

/** The order as the core says it, of samples that are whole files. */
function orderOf(samples: number, size: number, seed: bigint, epoch: number): number[] {
  const buffer = new ShuffleBuffer({ samples: size, blockSize: 1, seed, epoch });
  const order: number[] = [];
  for (let first = 0; first < samples; first += 1) {
    const out = buffer.push({ first, count: 1, from: 0, to: 0, bytes: -1, mtimeMs: -1 });
    if (out !== null) order.push(out.first);
  }
  for (let out = buffer.pop(); out !== null; out = buffer.pop()) order.push(out.first);
  return order;
}

/** What listings that ended badly must not leave. */
function assertNothingLeft(): void {
  for (const name of ['tmp', 'locks', 'by-hash', 'intent', 'stamps', 'index']) {
    assert.deepEqual(namesIn(join(manifestStoreRoot, name)), [], name);
  }
  assert.deepEqual(openFilesBelow(manifestStoreRoot), []);
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

async function failing(reading: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  try {
    await reading;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return assert.fail('nothing failed');
}

test('the first batches come while the listing is held open, and all is pinned at its end', async () => {
  fill(600);
  bucket.pageKeys = 60;
  bucket.hold(7);
  const loader = open('s3://bucket/data/', SHUFFLED);
  const seen: number[] = [];
  const pinned = loader.open();
  for await (const batch of loader) {
    seen.push(...batch.sampleIds);
    for (const [index, { location }] of batch.records.entries()) {
      const text = Buffer.from(batch.sample(index)).toString();
      assert.equal(`s3://bucket/${text.replace('the bytes of ', '')}`, location);
    }
    if (seen.length === 8) {
      // Page 7 was not answered, so nobody can know what there is after 420 objects.
      assert.equal(loader.stats().manifestHash, null);
      assert.deepEqual(namesIn(join(manifestStoreRoot, 'by-hash')), []);
      bucket.release();
    }
  }
  assert.deepEqual(seen, orderOf(600, 50, 7n, 0));
  const { manifestHash, sampleCount } = await pinned;
  assert.equal(sampleCount, 600);
  assert.equal(loader.stats().manifestHash, manifestHash);
  assert.equal(loader.stats().listedSamples, 600);

  // Without streaming, in a store that knows nothing, the manifest is the same, byte for byte.
  const manifest = readFileSync(join(manifestStoreRoot, 'by-hash', manifestHash));
  const stamps = readFileSync(join(manifestStoreRoot, 'stamps', manifestHash));
  const pagesBefore = bucket.pages;
  assert.deepEqual((await drain(open('s3://bucket/data/', SHUFFLED))).flat(), seen);
  assert.equal(bucket.pages, pagesBefore, 'the second reading finds the snapshot');
  newStore();
  await drain(open('s3://bucket/data/', { streaming: false }));
  assert.deepEqual(readFileSync(join(manifestStoreRoot, 'by-hash', manifestHash)), manifest);
  assert.deepEqual(readFileSync(join(manifestStoreRoot, 'stamps', manifestHash)), stamps);
});

test('folders that are listed beside each other come in the order of the manifest', async () => {
  fill(2200, 2);
  const options = { ...SHUFFLED, batchSize: 512, shuffleBufferSize: 900 };
  const listed = await drain(open('s3://bucket/data/', options));
  assert.equal(bucket.pages, 1 + 1 + 2, 'the first page, the rest of its folder, and the other');
  assert.deepEqual(listed.flat(), orderOf(2200, 900, 7n, 0));
  assert.deepEqual(await drain(open('s3://bucket/data/', options)), listed);
});

test('a folder: the order is that of the core, listed or pinned, whatever the sizes are', async () => {
  for (const [count, seed, epoch] of [
    [1, 7, 0],
    [49, 7, 0],
    [50, 8, 0],
    [51, 7, 1],
    [1500, 9, 2],
  ] as const) {
    const link = await files(count);
    newStore();
    const options = { ...SHUFFLED, seed, epoch, batchSize: 64 };
    const listed = await drain(open(link, options));
    assert.deepEqual(listed.flat(), orderOf(count, 50, BigInt(seed), epoch));
    assert.deepEqual(await drain(open(link, options)), listed);
  }
});

test('samples of shards stay together in blocks, and have the bytes they have', async () => {
  const root = folder.join('lines');
  await mkdir(root);
  for (let shard = 0; shard < 3; shard += 1) {
    const lines = Array.from({ length: 700 }, (_, line) => `{"line":${shard * 700 + line}}\n`);
    writeFileSync(join(root, `${shard}.jsonl`), lines.join(''));
  }
  const options = {
    ...SHUFFLED,
    format: 'jsonl',
    shuffleBufferSize: 1024,
    batchSize: 100,
  } as const;
  const ids: number[] = [];
  for await (const batch of open(root, options)) {
    for (const [index, id] of batch.sampleIds.entries()) {
      assert.equal(Buffer.from(batch.sample(index)).toString().trim(), `{"line":${id}}`);
    }
    ids.push(...batch.sampleIds);
  }
  assert.deepEqual((await drain(open(root, options))).flat(), ids);
  const firsts = ids.filter((id, place) => place === 0 || id !== (ids[place - 1] ?? 0) + 1);
  assert.ok(firsts.every((id) => id % 256 === 0));
  assert.deepEqual(
    ids.toSorted((a, b) => a - b),
    Array.from({ length: 2100 }, (_, id) => id),
  );
});

test('a consumer that takes its time does not hold the listing up', async () => {
  fill(1500);
  bucket.pageKeys = 50;
  const loader = open('s3://bucket/data/', SHUFFLED);
  let taken = 0;
  for await (const batch of loader) {
    // All is listed and pinned while the consumer has taken one batch only.
    if (taken === 0) assert.equal((await loader.open()).sampleCount, 1500);
    taken += batch.sampleCount;
  }
  assert.equal(taken, 1500);
});

for (const [name, leave] of [
  ['who leaves the loop', () => true],
  ['who aborts', (stop: AbortController) => stop.abort(new Error('enough'))],
] as const) {
  test(`${name} ends the listing, which leaves nothing behind`, async () => {
    fill(1000);
    bucket.pageKeys = 100;
    bucket.hold(8);
    const stop = new AbortController();
    const loader = open('s3://bucket/data/', { ...SHUFFLED, signal: stop.signal });
    const reading = (async () => {
      for await (const batch of loader) if (batch.sampleCount > 0 && leave(stop) === true) break;
    })();
    if (name === 'who aborts') assert.equal((await failing(reading)).message, 'enough');
    await reading.catch(() => undefined);
    await loader.close();
    assertNothingLeft();
    bucket.release();
    assert.equal((await drain(open('s3://bucket/data/', SHUFFLED))).flat().length, 1000);
  });
}

/** Notices of listings count in whole blocks of this many samples. */
const NOTICED = 1024;

/** Takes batches of `loader` until so many samples were read. */
async function take(
  batches: AsyncIterator<{ readonly sampleIds: ArrayLike<number> }>,
  samples: number,
): Promise<number[]> {
  const seen: number[] = [];
  while (seen.length < samples) {
    const next = await batches.next();
    if (next.done === true) break;
    seen.push(...Array.from(next.value.sampleIds));
  }
  return seen;
}

/** 3000 objects in ten pages, of which the last is held back. */
function fillAndHold(): void {
  fill(3000);
  bucket.pageKeys = 300;
  bucket.hold(9);
}

test('who comes while another one lists reads what that one has listed, in the same order, and nothing is listed twice', async () => {
  fillAndHold();
  const first = open('s3://bucket/data/', SHUFFLED)[Symbol.asyncIterator]();
  const begun = await take(first, 8);
  const second = open('s3://bucket/data/', SHUFFLED);
  const pinned = second.open();
  const others = second[Symbol.asyncIterator]();
  const followed = await take(others, 800);
  assert.deepEqual(followed.slice(0, 8), begun);
  assert.equal(second.stats().listedSamples, 2 * NOTICED);
  assert.equal(second.stats().manifestHash, null);
  bucket.release();
  const order = orderOf(3000, 50, 7n, 0);
  assert.deepEqual([...begun, ...(await take(first, Infinity))], order);
  assert.deepEqual([...followed, ...(await take(others, Infinity))], order);
  assert.equal(bucket.pages, 10);
  assert.equal((await pinned).sampleCount, 3000);
  assert.deepEqual(namesIn(join(manifestStoreRoot, 'listing')), []);
  assert.deepEqual(openFilesBelow(manifestStoreRoot), []);
});

test('who followed a listing whose reader has left lists by itself, and goes on in the same order', async () => {
  fillAndHold();
  const first = open('s3://bucket/data/', SHUFFLED);
  const batches = first[Symbol.asyncIterator]();
  await take(batches, 8);
  const second = open('s3://bucket/data/', SHUFFLED)[Symbol.asyncIterator]();
  const followed = await take(second, 800);
  await batches.return?.();
  await first.close();
  bucket.release();
  assert.deepEqual([...followed, ...(await take(second, Infinity))], orderOf(3000, 50, 7n, 0));
  assert.deepEqual(openFilesBelow(manifestStoreRoot), []);
});

test('the process that lists is killed: another one that followed it lists, and both orders are one', async () => {
  fillAndHold();
  const lister = fork(new URL('../support/streaming-process.ts', import.meta.url), [
    ...['s3://bucket/data/', manifestStoreRoot, bucket.url],
  ]);
  const exited = once(lister, 'exit');
  assert.deepEqual(await once(lister, 'message').then(([batches]: unknown[]) => batches), 1);
  const reading = open('s3://bucket/data/', SHUFFLED)[Symbol.asyncIterator]();
  const followed = await take(reading, 800);
  lister.kill('SIGKILL');
  await exited;
  bucket.release();
  assert.deepEqual([...followed, ...(await take(reading, Infinity))], orderOf(3000, 50, 7n, 0));
  assert.equal(bucket.pages, 9 + 1 + 10, 'with the page that the dead one waited for');
  // What the dead one left is gone, too.
  assert.deepEqual(namesIn(join(manifestStoreRoot, 'listing')), []);
  assert.deepEqual(openFilesBelow(manifestStoreRoot), []);
});

test('what was read of a listing that nobody finished is no part of another one: an object is gone', async () => {
  fillAndHold();
  const first = open('s3://bucket/data/', SHUFFLED);
  const batches = first[Symbol.asyncIterator]();
  await take(batches, 8);
  const second = open('s3://bucket/data/', SHUFFLED);
  const others = second[Symbol.asyncIterator]();
  await take(others, 800);
  bucket.objects.delete('data/0/000003');
  await batches.return?.();
  await first.close();
  bucket.release();
  const error = await failing(take(others, Infinity));
  assert.equal(error.code, 'listing_changed', error.message);
  await second.close();
  assert.deepEqual(openFilesBelow(manifestStoreRoot), []);
  assert.equal((await drain(open('s3://bucket/data/', SHUFFLED))).flat().length, 2999);
});

test('a listing that fails in the middle fails the reading with its sentence', async () => {
  fill(1000);
  bucket.pageKeys = 100;
  bucket.deniedPage = 8;
  const loader = open('s3://bucket/data/', SHUFFLED);
  const pinning = failing(loader.open());
  const error = await failing(drain(loader));
  assert.equal(error.code, 'object_denied', error.message);
  assert.equal(await pinning, error);
  assertNothingLeft();
});

test('nothing to be listed is the error that it is without streaming', async () => {
  const codes: string[] = [];
  for (const link of ['s3://bucket/data/', await files(0), folder.join('nowhere')]) {
    const [streamed, pinned] = [
      await failing(drain(open(link, SHUFFLED))),
      await failing(drain(open(link, { streaming: false }))),
    ];
    assert.equal(streamed.message, pinned.message);
    codes.push(streamed.code ?? '');
  }
  assert.deepEqual(codes, ['input_empty', 'input_empty', 'input_missing']);
});

for (const [name, options] of [
  ['as they are listed', { shuffle: false }],
  ['shuffled', SHUFFLED],
  ['shuffled in blocks', { ...SHUFFLED, blockSize: 3 }],
] as const) {
  test(`${name}: stopped after any batch, the rest is the same, listed anew or pinned`, async () => {
    const link = await files(70);
    const whole = await drain(open(link, options));
    for (let taken = 0; taken <= whole.length; taken += 2) {
      newStore();
      const loader = open(link, options);
      const seen: number[][] = [];
      let resume = loader.checkpoint();
      for await (const batch of loader) {
        if (seen.length === taken) break;
        seen.push([...batch.sampleIds]);
        resume = loader.checkpoint();
      }
      assert.deepEqual(seen, whole.slice(0, taken));
      newStore();
      const ids = whole.flat().slice(seen.flat().length);
      assert.deepEqual((await drain(open(link, { ...options, resume }))).flat(), ids);
      assert.deepEqual((await drain(open(link, { ...options, resume }))).flat(), ids);
    }
  });
}

/** A checkpoint of 40 samples, from before the listing of 1000 objects had ended, and what was delivered. */
async function brokenOff(): Promise<{ readonly resume: string; readonly seen: readonly number[] }> {
  fill(1000);
  bucket.pageKeys = 100;
  bucket.hold(7);
  const loader = open('s3://bucket/data/', SHUFFLED);
  const seen: number[] = [];
  for await (const batch of loader) {
    seen.push(...batch.sampleIds);
    if (seen.length === 40) break;
  }
  const resume = loader.checkpoint();
  bucket.release();
  assertNothingLeft();
  return { resume, seen };
}

test('a reading that was broken off before the end of the listing goes on where it was', async () => {
  const { resume, seen } = await brokenOff();
  // What comes after what had been listed then makes no difference.
  bucket.objects.set('data/0/999999', 'new, and last');
  const loader = open('s3://bucket/data/', { ...SHUFFLED, resume });
  assert.equal(loader.checkpoint(), resume);
  const rest = (await drain(loader)).flat();
  assert.deepEqual([...seen, ...rest], orderOf(1001, 50, 7n, 0));
  // At its end it is a checkpoint of pinned data, which are these and no other.
  const end = loader.checkpoint();
  assert.deepEqual(await drain(open('s3://bucket/data/', { ...SHUFFLED, resume: end })), []);
  bucket.objects.set('data/0/9999999', 'newer still');
  newStore();
  const changed = open('s3://bucket/data/', { ...SHUFFLED, resume: end });
  assert.equal((await failing(drain(changed))).code, 'checkpoint_mismatch');
});

for (const [name, change] of [
  ['an object came before', () => bucket.objects.set('data/0/000000-a', 'new')],
  ['an object is gone', () => bucket.objects.delete('data/0/000003')],
  ['an object has another size', () => bucket.objects.set('data/0/000003', 'short')],
  [
    'an object has other bytes',
    () => bucket.objects.set('data/0/000003', 'THE BYTES OF data/0/000003'),
  ],
  [
    'it ends before',
    // Within the first page: a busy machine may have read no more than that.
    () => [...bucket.objects.keys()].slice(90).map((key) => bucket.objects.delete(key)),
  ],
] as const) {
  test(`a prefix that has changed since the checkpoint is refused: ${name}`, async () => {
    const { resume } = await brokenOff();
    change();
    const error = await failing(drain(open('s3://bucket/data/', { ...SHUFFLED, resume })));
    assert.equal(error.code, 'checkpoint_mismatch', error.message);
    assert.match(error.message, /^s3:\/\/bucket\/data\/ has|^s3:\/\/bucket\/data\/ had/);
  });
}

test('a checkpoint counts for the order that it was made in only', async () => {
  const link = await files(90);
  const loader = open(link, SHUFFLED);
  await drain(loader);
  const resume = loader.checkpoint();
  for (const other of [
    { seed: 8 },
    { epoch: 1 },
    { shuffleBufferSize: 51 },
    { shuffle: false },
    { blockSize: 2 },
    { streaming: false, shuffleBufferSize: undefined },
  ]) {
    const error = await failing(drain(open(link, { ...SHUFFLED, ...other, resume })));
    assert.equal(error.code, 'checkpoint_mismatch', JSON.stringify(other));
  }
  const plain = open(link, { streaming: false });
  await drain(plain);
  const crossed = await failing(drain(open(link, { resume: plain.checkpoint() })));
  assert.equal(crossed.code, 'checkpoint_mismatch');
  const broken = await failing(
    drain(open(link, { ...SHUFFLED, resume: `${resume.slice(0, 30)}` })),
  );
  assert.equal(broken.code, 'checkpoint_invalid');
});

test('what cannot be meant with streaming is refused at once', async () => {
  const refused = [
    { job: 'train', coord: 'http://127.0.0.1:1' },
    { start: 5 },
    { end: 5 },
    { streaming: false, shuffleBufferSize: 5 },
    { shuffleBufferSize: 0 },
    { shuffleBufferSize: 10_000_001 },
  ];
  for (const options of refused) {
    assert.throws(() => open('s3://bucket/data/', options), { code: 'load_options_invalid' });
  }
});
