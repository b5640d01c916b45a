import assert from 'node:assert/strict';
import { appendFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { blockOrder } from '../../src/core/order/block-order.ts';
import { load } from '../../src/index.ts';
import type { Batch, LoadOptions, Loader } from '../../src/index.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import { pack } from '../../src/snapshots/index.ts';
import { RecordingEvents } from '../../src/testing/index.ts';
import { writeLooseFiles, writeShards } from '../support/data-files.ts';
import type { Sample } from '../support/data-files.ts';
import { openFilesBelow, readerThreadCount, timerCount } from '../support/leftovers.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { TemporaryFolder } from '../support/temporary-folder.ts';

let folder: TemporaryFolder;
let loose: string;
let looseSamples: readonly Sample[];
let manifestStoreRoot: string;

before(async () => {
  folder = await temporaryFolder();
  manifestStoreRoot = folder.join('store');
  loose = folder.join('loose');
  looseSamples = writeLooseFiles(
    loose,
    Array.from({ length: 60 }, (_, index) => 1 + ((index * 97) % 700)),
  );
});

after(async () => {
  await folder[Symbol.asyncDispose]();
});

function open(link: string, options: LoadOptions = {}): Loader {
  return load(link, { batchSize: 7, maxInflightBytes: 64 * 1024, manifestStoreRoot, ...options });
}

/** A manifest that a program wrote, for records of shards. */
function writeManifest(name: string, samples: readonly Sample[]): string {
  const path = folder.join(name);
  const lines = samples.map(({ record }) => {
    const { sampleId, location, byteOffset, byteLength, decodeHint } = record;
    return `${sampleId}\t${location}\t${byteOffset ?? ''}\t${byteLength ?? ''}\t${decodeHint}\n`;
  });
  writeFileSync(path, `schema_version=0\n${lines.join('')}`);
  return path;
}

interface Seen {
  readonly ids: readonly number[];
  readonly bytes: readonly Uint8Array[];
}

function copyOf(batch: Batch): Seen {
  const bytes = Array.from({ length: batch.sampleCount }, (_, index) =>
    batch.sample(index).slice(),
  );
  return { ids: [...batch.sampleIds], bytes };
}

async function drain(loader: Loader): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const batch of loader) seen.push(copyOf(batch));
  return seen;
}

function idsOf(seen: readonly Seen[]): number[] {
  return seen.flatMap(({ ids }) => ids);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('a folder of files: every file once, in order, with its bytes', async () => {
  const seen = await drain(open(loose));
  assert.deepEqual(idsOf(seen), upTo(60));
  for (const [index, bytes] of seen.flatMap((batch) => batch.bytes).entries()) {
    assert.deepEqual(bytes, looseSamples[index]?.bytes);
  }
});

test('start and end choose a part of the data', async () => {
  assert.deepEqual(idsOf(await drain(open(loose, { start: 11, end: 29 }))), upTo(60).slice(11, 29));
});

test('a packed data set brings its classes', async () => {
  const photos = folder.join('photos');
  for (const [index, name] of ['cat', 'dog'].entries()) {
    await folder.write({
      [`photos/${name}/a.txt`]: `${name} a`,
      [`photos/${name}/b.txt`]: `${name} b ${index}`,
    });
  }
  const out = folder.join('packed');
  const surroundings = { clock: nodeClock(), random: nodeRandom() };
  await pack(photos, out, { shardBytes: 1_000_000, labels: 'auto', ...surroundings });
  await using loader = open(out, { batchSize: 3 });
  assert.equal((await loader.open()).sampleCount, 4);
  assert.deepEqual(loader.classes, ['cat', 'dog']);
  const labels: string[] = [];
  for await (const batch of loader) {
    for (let index = 0; index < batch.sampleCount; index += 1) {
      const text = Buffer.from(batch.sample(index)).toString();
      labels.push(`${loader.classes[batch.labelIds[index] ?? -1]}: ${text}`);
    }
  }
  assert.deepEqual(labels, ['cat: cat a', 'cat: cat b 0', 'dog: dog a', 'dog: dog b 1']);

  // Damaged, they are missed by who asks for them only.
  await folder.write({ 'packed/_mx8/labels.tsv': 'schema_version=1\n0\tcat\n0\tdog\n' });
  for (const streaming of [false, true]) {
    await using unnamed = open(out, { streaming });
    assert.equal((await unnamed.open()).sampleCount, 4);
    assert.equal((await drain(unnamed)).length, 1);
    assert.throws(() => unnamed.classes, { code: 'manifest_invalid', message: /labels\.tsv/ });
  }
});

test('who looks at the labels of a bare folder with sub-folders is told once how to have some', async () => {
  const file = { 'bare/cat/a.txt': 'meow', 'bare/dog/a.txt': 'woof', 'flat/a.txt': 'moo' };
  await folder.write(file);
  symlinkSync(folder.join('bare'), folder.join('link'));
  const told: string[] = [];
  const hear = ({ name, message }: Error): void => {
    if (name === 'Mx8Warning') told.push(message);
  };
  process.on('warning', hear);
  const read = async (link: string, looks: boolean): Promise<readonly unknown[]> => {
    const events = new RecordingEvents();
    for await (const { labelIds, sampleCount } of reading(
      open(link, { batchSize: 1, events }),
      looks,
    )) {
      assert.deepEqual([labelIds, sampleCount], [looks ? Int32Array.of(-1) : null, 1]);
    }
    return events.of('labels_missing');
  };
  for (const base of [folder.join('bare'), folder.join('link')]) {
    assert.deepEqual(await read(`${base}@refresh`, true), [{ base, folder: 'cat' }]);
  }
  assert.deepEqual(await read(folder.join('bare'), false), []);
  assert.deepEqual(await read(folder.join('flat'), true), []);
  assert.deepEqual(await read(packedManifest(), true), []);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', hear);
  assert.equal(told.length, 2);
  assert.match(
    told[0] ?? '',
    /folders in \S+bare \(such as "cat"\) are classes, .* mx8 pack \S+bare/,
  );
});

async function* reading(
  loader: Loader,
  looks: boolean,
): AsyncGenerator<{ labelIds: Int32Array | null; sampleCount: number }, void> {
  for await (const batch of loader) {
    const labelIds = looks ? batch.labelIds.slice() : null;
    yield { labelIds, sampleCount: batch.sampleCount };
  }
}

test('shuffled: the blocks in the order of seed and epoch, another epoch in another order', async () => {
  const order = { shuffle: true, seed: 7, blockSize: 8 };
  const first = idsOf(await drain(open(loose, { ...order, epoch: 1 })));
  const blocks = blockOrder({ sampleCount: 60, blockSize: 8, shuffle: true, seed: 7n, epoch: 1 });
  const expected = [...blocks].flatMap((block) => upTo(60).slice(block * 8, block * 8 + 8));
  assert.deepEqual(first, expected);
  const second = idsOf(await drain(open(loose, { ...order, epoch: 2 })));
  assert.notDeepEqual(second, first);
  assert.deepEqual(
    second.sort((a, b) => a - b),
    upTo(60),
  );
});

test('the ranks of a world share the order of each epoch: every sample once, by one of them', async () => {
  const options = { shuffle: true, seed: 7, blockSize: 8, worldSize: 4 };
  for (const epoch of [0, 1]) {
    const whole = idsOf(await drain(open(loose, { shuffle: true, seed: 7, blockSize: 8, epoch })));
    const shares: number[][] = [];
    for (const rank of [0, 1, 2, 3]) {
      shares.push(idsOf(await drain(open(loose, { ...options, epoch, rank }))));
    }
    assert.deepEqual(shares.flat(), whole);
    assert.deepEqual(
      shares.map(({ length }) => length),
      [15, 15, 15, 15],
    );
  }
});

test('what a loader hands out is known before the first batch: its share of the range, from its checkpoint on', async () => {
  const rank = { rank: 1, worldSize: 7 };
  const cases: readonly (readonly [LoadOptions, number])[] = [
    [{}, 60],
    [{ start: 11, end: 29 }, 18],
    [{ shuffle: true, blockSize: 8, ...rank }, 9],
    [{ start: 11, ...rank }, 7],
    [{ streaming: true }, 60],
    [{ start: 2, end: 5, rank: 4, worldSize: 5 }, 0],
  ];
  for (const [options, samples] of cases) {
    await using loader = open(loose, options);
    const { sampleCount, ownSamples, ownBatches } = await loader.open();
    assert.deepEqual([sampleCount, ownSamples], [60, samples]);
    const seen = await drain(loader);
    assert.deepEqual([seen.length, idsOf(seen).length], [ownBatches, samples]);
  }
  for (const options of [{}, rank, { streaming: true }]) {
    const resume = await checkpointAfterOne(open(loose, { ...options, batchSize: 4 }));
    await using loader = open(loose, { ...options, batchSize: 4, resume });
    const { ownSamples, ownBatches } = await loader.open();
    const seen = await drain(loader);
    assert.deepEqual([idsOf(seen).length, seen.length], [ownSamples, ownBatches]);
    assert.equal(ownSamples, ('rank' in options ? 9 : 60) - 4);
  }
});

test('a world larger than its data leaves ranks with nothing, and no sample out', async () => {
  const shares: number[][] = [];
  for (let rank = 0; rank < 5; rank += 1) {
    shares.push(idsOf(await drain(open(loose, { start: 2, end: 5, rank, worldSize: 5 }))));
  }
  assert.deepEqual(shares, [[2], [3], [4], [], []]);
});

test('a checkpoint that says nothing of ranks is one of the only rank', async () => {
  const resume = await checkpointAfterOne(open(loose));
  const prefix = 'mx8.checkpoint.1.';
  const { rank, worldSize, ...older } = JSON.parse(
    Buffer.from(resume.slice(prefix.length), 'base64url').toString(),
  ) as Record<string, unknown>;
  assert.deepEqual([rank, worldSize], [0, 1]);
  const text = prefix + Buffer.from(JSON.stringify(older)).toString('base64url');
  assert.deepEqual(idsOf(await drain(open(loose, { resume: text }))), upTo(60).slice(7));
});

test('how many samples were listed stands in the figures after the end, too', async () => {
  const loader = open(loose);
  await drain(loader);
  assert.equal(loader.stats().listedSamples, 60);
});

const orders: readonly (readonly [string, LoadOptions])[] = [
  ['in order', {}],
  ['in a part of the data', { start: 5, end: 44 }],
  ['shuffled', { shuffle: true, seed: 99n, epoch: 3, blockSize: 5 }],
  ['shuffled, a rank of two', { shuffle: true, seed: 4, blockSize: 7, rank: 1, worldSize: 2 }],
  ['shuffled in a part', { shuffle: true, seed: 99n, blockSize: 8, start: 13, end: 50 }],
  ['with batches that end at the byte target', { maxInflightBytes: 4096 }],
  ['without the last batch', { dropLast: true }],
  ['without the last batch, a rank', { dropLast: true, shuffle: true, rank: 0, worldSize: 2 }],
  ['in full batches that end at the byte target', { dropLast: true, maxInflightBytes: 4096 }],
];
for (const kind of ['loose files', 'packed records'] as const) {
  for (const [name, options] of orders) {
    test(`${kind} ${name}: stopped after any batch, the rest is the same`, async () => {
      const link = kind === 'loose files' ? loose : packedManifest();
      const whole = await drain(open(link, options));
      assert.ok(whole.length > 3);
      let resume: string | undefined;
      for (let taken = 0; taken <= whole.length; taken += 1) {
        const rest = await drain(open(link, { ...options, resume }));
        assert.deepEqual(rest, whole.slice(taken), `after ${taken} batches`);
        resume = await checkpointAfterOne(open(link, { ...options, resume }));
      }
    });
  }
}

test('with dropLast every batch is full, what is left is not read, and each rank has as many', async () => {
  const cases: readonly (readonly [LoadOptions, number])[] = [
    [{}, 8],
    [{ batchSize: 60 }, 1],
    [{ start: 11, end: 32 }, 3],
    [{ shuffle: true, seed: 3, blockSize: 1 }, 8],
    [{ streaming: true, shuffle: true, seed: 3 }, 8],
    // 9 and 8 samples each: 8 of a batch of 9 would be one batch more for some ranks only.
    [{ batchSize: 9, rank: 0, worldSize: 7 }, 0],
    [{ batchSize: 4, rank: 0, worldSize: 7 }, 2],
    [{ batchSize: 4, rank: 6, worldSize: 7 }, 2],
  ];
  for (const [options, batches] of cases) {
    const { batchSize = 7 } = options;
    await using loader = open(loose, { ...options, dropLast: true });
    const { sampleCount, ownSamples, ownBatches } = await loader.open();
    assert.deepEqual([sampleCount, ownSamples, ownBatches], [60, batches * batchSize, batches]);
    const seen = await drain(loader);
    assert.deepEqual(
      seen.map(({ ids }) => ids.length),
      Array.from({ length: batches }, () => batchSize),
    );
    const all = idsOf(await drain(open(loose, options)));
    assert.deepEqual(idsOf(seen), all.slice(0, batches * batchSize));
    const { deliveredBatches, deliveredSamples } = loader.stats();
    assert.deepEqual([deliveredBatches, deliveredSamples], [batches, batches * batchSize]);
    // What was left out was not taken: whoever goes on without dropLast has it.
    const resume = loader.checkpoint();
    const rest = await drain(open(loose, { ...options, resume }));
    assert.deepEqual(idsOf(rest), all.slice(batches * batchSize));
  }
});

test('a loop that dropLast leaves without a batch is told so', async () => {
  const events = new RecordingEvents();
  for (const streaming of [false, true]) {
    const options = { batchSize: 61, dropLast: true, streaming, events };
    assert.deepEqual(await drain(open(loose, options)), []);
  }
  const told = events.of('no_full_batch');
  assert.deepEqual(
    told,
    [1, 2].map(() => ({ samples: 60, batch_size: 61 })),
  );
});

function packedManifest(): string {
  const sizes = Array.from({ length: 60 }, (_, index) => 1 + ((index * 53) % 600));
  return writeManifest('shards.tsv', writeShards(folder.join('shards'), sizes, 17));
}

async function checkpointAfterOne(loader: Loader): Promise<string> {
  for await (const batch of loader) {
    batch.release();
    break;
  }
  return loader.checkpoint();
}

const mismatches: readonly (readonly [string, LoadOptions, RegExp])[] = [
  ['seed', { seed: 2n }, /checkpoint is of seed 1, but this reading has seed 2/],
  ['epoch', { epoch: 5 }, /of epoch 0, but this reading has epoch 5/],
  ['shuffle', { shuffle: false }, /of shuffle true, but this reading has shuffle false/],
  ['block size', { blockSize: 9 }, /of blockSize 8, but this reading has blockSize 9/],
  ['range', { end: 50 }, /of end null, but this reading has end 50/],
  ['rank', { rank: 1 }, /of rank 0, but this reading has rank 1/],
  ['world', { worldSize: 3 }, /of worldSize 2, but this reading has worldSize 3/],
];
for (const [what, change, sentence] of mismatches) {
  test(`a checkpoint of another ${what} is refused, naming both`, async () => {
    const options = { shuffle: true, seed: 1n, blockSize: 8, rank: 0, worldSize: 2 };
    const resume = await checkpointAfterOne(open(loose, options));
    await assert.rejects(() => drain(open(loose, { ...options, ...change, resume })), {
      code: 'checkpoint_mismatch',
      message: sentence,
    });
  });
}

test('a checkpoint of other data is refused, naming both manifests', async () => {
  const growing = folder.join('growing');
  writeLooseFiles(growing, [1, 2, 3]);
  const resume = await checkpointAfterOne(open(growing, { batchSize: 1 }));
  writeLooseFiles(growing, [1, 2, 3, 4]);
  await assert.rejects(() => drain(open(`${growing}@refresh`, { batchSize: 1, resume })), {
    code: 'checkpoint_mismatch',
    message: /of the manifest [0-9a-f]{64}, but this reading has the manifest [0-9a-f]{64}/,
  });
});

test('what is no checkpoint is refused', async () => {
  const resume = 'mx8.checkpoint.1.e30';
  await assert.rejects(() => drain(open(loose, { resume })), { code: 'checkpoint_invalid' });
});

test('a checkpoint made before anything was read starts at the beginning', async () => {
  const resume = open(loose).checkpoint();
  assert.equal(idsOf(await drain(open(loose, { resume }))).length, 60);
});

test('a batch is gone when the next one is asked for, unless it was kept', async () => {
  const kept: Batch[] = [];
  let before: Batch | null = null;
  await using loader = open(loose, { batchSize: 10 });
  for await (const batch of loader) {
    if (before !== null) assert.throws(() => before?.payload, { code: 'batch_released' });
    before = null;
    if (batch.sampleIds[0] === 20) kept.push(batch.keep());
    else before = batch;
  }
  const [batch] = kept;
  assert.ok(batch);
  assert.deepEqual(batch.sample(0), looseSamples[20]?.bytes);
  assert.ok(loader.stats().inflightBytes > 0);
  batch.release();
  batch.release();
  assert.throws(() => batch.sample(0), { code: 'batch_released' });
  assert.throws(() => batch.keep(), { code: 'batch_released' });
  assert.equal(loader.stats().inflightBytes, 0);
});

test('using releases a kept batch at the end of its block', async () => {
  await using loader = open(loose);
  for await (const batch of loader) {
    using mine = batch.keep();
    assert.ok(mine.payload.length > 0);
  }
  assert.equal(loader.stats().inflightBytes, 0);
});

test('batches that were kept and forgotten do not stop the reading', async () => {
  const link = writeManifest(
    'forgotten.tsv',
    writeShards(folder.join('forgotten'), new Array<number>(24).fill(20_000), 24),
  );
  // Three batches fit: the fourth needs one of those that nobody refers to any more.
  let seen = 0;
  for await (const batch of open(link, { batchSize: 2, maxInflightBytes: 150_000 })) {
    seen += batch.keep().sampleCount;
  }
  assert.equal(seen, 24);
});

const ways: readonly (readonly [
  string,
  (loader: Loader, abort: AbortController) => Promise<void>,
])[] = [
  [
    'iterating to the end',
    async (loader) => {
      await drain(loader);
    },
  ],
  [
    'breaking out',
    async (loader) => {
      for await (const _ of loader) break;
    },
  ],
  [
    'throwing',
    async (loader) => {
      await assert.rejects(async () => {
        for await (const _ of loader) throw new Error('mine');
      }, /mine/);
    },
  ],
  [
    'aborting',
    async (loader, abort) => {
      await assert.rejects(async () => {
        for await (const _ of loader) abort.abort(new Error('stop it'));
      }, /stop it/);
    },
  ],
  [
    'closing a loader that was only opened',
    async (loader) => {
      await loader.open();
      await loader.close();
      await assert.rejects(() => loader.open(), { code: 'loader_closed' });
    },
  ],
];
for (const [way, leave] of ways) {
  test(`${way} releases everything`, async () => {
    const threads = readerThreadCount();
    const timers = timerCount();
    const abort = new AbortController();
    const loader = open(packedManifest(), { signal: abort.signal });
    await leave(loader, abort);
    assert.equal(loader.stats().inflightBytes, 0);
    assert.deepEqual(openFilesBelow(folder.join('')), []);
    // Threads that rested since an earlier reading may have ended meanwhile.
    assert.ok(readerThreadCount() <= threads);
    assert.equal(timerCount(), timers);
  });
}

test('a signal that is aborted already is heard before anything is read', async () => {
  const signal = AbortSignal.abort(new Error('too late'));
  await assert.rejects(() => drain(open(folder.join('nowhere'), { signal })), /too late/);
});

test('a loader can be gone through only once', async () => {
  const loader = open(loose);
  await drain(loader);
  assert.throws(() => loader[Symbol.asyncIterator](), { code: 'loader_closed' });
});

test('a folder that is not there is input_missing', async () => {
  await assert.rejects(() => drain(open(folder.join('nowhere'))), { code: 'input_missing' });
});

test('a file that vanished after pinning is named; skipped, the others arrive', async () => {
  const shrinking = folder.join('shrinking');
  const samples = writeLooseFiles(shrinking, new Array<number>(10).fill(5));
  await drain(open(shrinking));
  unlinkSync(samples[4]?.record.location ?? '');
  await assert.rejects(() => drain(open(shrinking)), {
    code: 'sample_missing',
    message: /^Sample 4 in .*sample-000004\.bin is no longer there/,
  });
  const seen = await drain(open(shrinking, { onSampleError: () => 'skip' }));
  assert.deepEqual(
    idsOf(seen),
    upTo(10).filter((id) => id !== 4),
  );
});

const badOptions: readonly (readonly [LoadOptions, string, RegExp])[] = [
  [{ batchSize: 0 }, 'caps_conflict', /^load\(\): batchSize is 0/],
  [{ prefetchBatches: 0 }, 'caps_conflict', /prefetchBatches is 0/],
  [
    { maxInflightBytes: 2 ** 30, maxRamBytes: 2 ** 29 },
    'caps_conflict',
    /maxInflightBytes 1073741824 is larger than maxRamBytes 536870912/,
  ],
  [{ start: -1 }, 'load_options_invalid', /start is a whole number from 0/],
  [{ start: 5, end: 4 }, 'load_options_invalid', /end is a whole number from 5/],
  [{ seed: -1n }, 'load_options_invalid', /seed is 0 to 2\^64 - 1, not -1/],
  [{ seed: 2 ** 60 }, 'load_options_invalid', /seed is a bigint above 2\^53 - 1/],
  [{ rank: 0 }, 'load_options_invalid', /rank was given without worldSize/],
  [{ worldSize: 2 }, 'load_options_invalid', /worldSize was given without rank/],
  [{ rank: 2, worldSize: 2 }, 'load_options_invalid', /rank is a whole number from 0 to 1, not 2/],
  [{ rank: 0, worldSize: 2, streaming: true }, 'load_options_invalid', /Leave rank away, or/],
  [{ job: 'j', coord: 'c:1', rank: 0, worldSize: 2 }, 'load_options_invalid', /decided by the job/],
  [{ job: 'j' }, 'load_options_invalid', /job was given without coord/],
  [{ coord: 'localhost' }, 'load_options_invalid', /coord was given without job/],
  [{ want: 2 }, 'load_options_invalid', /want was given without job and coord/],
  [
    { job: 'j', coord: 'c:1', shuffle: true },
    'load_options_invalid',
    /shuffle is decided by the job/,
  ],
];
for (const [options, code, message] of badOptions) {
  test(`load(${JSON.stringify(options, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}) is ${code}`, () => {
    assert.throws(() => load(loose, options), { code, message });
  });
}

test('a file that is longer than it was when it was pinned is named, until it is pinned again', async () => {
  const data = folder.join('resized');
  const samples = writeLooseFiles(data, [10, 20, 30]);
  for await (const _ of open(data)) void _;
  appendFileSync(samples[1]?.record.location ?? '', 'more');
  await assert.rejects(
    async () => {
      for await (const _ of open(data)) void _;
    },
    { code: 'sample_changed', message: /^Sample 1 in .* has 24 bytes, but had 20 when/ },
  );
  let bytes = 0;
  for await (const batch of open(`${data}@refresh`)) bytes += batch.payload.length;
  assert.equal(bytes, 64);
});

test('a start beyond the data is refused with their number', async () => {
  await assert.rejects(() => drain(open(loose, { start: 61 })), {
    code: 'load_options_invalid',
    message: /start is 61, but .* has only 60 samples/,
  });
});

test('a derived memory cap is told as rss_cap_defaulted, a given one is not', async () => {
  const events = new RecordingEvents();
  await drain(open(loose, { events }));
  assert.equal(events.of('rss_cap_defaulted').length, 1);
  const quiet = new RecordingEvents();
  const loader = open(loose, { events: quiet, maxRamBytes: 8 * 2 ** 30 });
  await drain(loader);
  assert.equal(quiet.of('rss_cap_defaulted').length, 0);
  assert.equal(loader.stats().rssCapSource, 'max_ram_bytes');
  assert.ok(loader.stats().rssHighWaterBytes > 2 ** 20);
});
