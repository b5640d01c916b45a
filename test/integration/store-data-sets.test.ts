/** Data sets in stores as a person uses them: resolve, pack, run and load() over a real S3 service. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { load } from '../../src/index.ts';
import type { Loader, LoadOptions } from '../../src/index.ts';
import { pack } from '../../src/snapshots/index.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { Places } from '../../src/ports/place.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import { Workbench } from '../support/mx8-process.ts';
import { serveFiles } from '../support/file-server.ts';
import { S3_ENVIRONMENT, S3_KEY, S3_SECRET, S3Service, VERSITYGW } from '../support/s3-service.ts';
import { storeSetting } from '../support/store-setting.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const skip = VERSITYGW.missing;
const COUNT = 120;

let service: S3Service | null = null;
let places: Places | null = null;

before(async () => {
  if (skip !== false) return;
  service = await S3Service.start();
  Object.assign(process.env, S3_ENVIRONMENT);
  const s3Options = { ...STORE_DEFAULTS.s3, endpointUrl: service.url };
  places = new OpenPlaces({ ...STORE_DEFAULTS, s3: s3Options }, storeSetting());
});

after(async () => {
  await places?.close();
  await service?.[Symbol.asyncDispose]();
});

function s3(): S3Service {
  return must(service);
}

function must<T>(value: T | null): T {
  if (value === null) throw new Error('the service runs');
  return value;
}

function environment(): Record<string, string> {
  return { ...S3_ENVIRONMENT, MX8_S3_ENDPOINT_URL: s3().url };
}

/** As any client puts an object, so that it has an ETag. */
async function put(location: string, bytes: Uint8Array): Promise<void> {
  await must(places).of(location).write(location, bytes, { type: 'any' });
}

/** Objects below `prefix`; contents by location. */
async function objects(prefix: string, count: number): Promise<ReadonlyMap<string, Buffer>> {
  const made = new Map<string, Buffer>();
  for (let index = 0; index < count; index += 1) {
    const name = `${index % 2 === 0 ? 'cats' : 'dogs'}/${String(index).padStart(4, '0')}.bin`;
    const bytes = Buffer.alloc(1000 + ((index * 7919) % 40_000), `${prefix} ${name} `);
    made.set(`s3://bucket/${prefix}/${name}`, bytes);
  }
  await Promise.all(Array.from(made, ([location, bytes]) => put(location, bytes)));
  return made;
}

function open(bench: Workbench, link: string, options: LoadOptions = {}): Loader {
  return load(link, {
    manifestStoreRoot: bench.path('manifests'),
    stores: { s3: { endpointUrl: s3().url } },
    ...options,
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test(
  'load() reads every object of a prefix, in byte order or shuffled, with the bytes it has',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const made = await objects('plain', COUNT);
    const seen: string[] = [];
    for await (const batch of open(bench, 's3://bucket/plain', { batchSize: 16 })) {
      for (let index = 0; index < batch.sampleCount; index += 1) {
        const location = batch.records[index]?.location ?? '';
        assert.equal(Buffer.compare(batch.sample(index), made.get(location) ?? Buffer.alloc(0)), 0);
        seen.push(location);
      }
    }
    assert.deepEqual(seen, [...made.keys()].sort());
    let bytes = 0;
    const small = { batchSize: 7, shuffle: true, blockSize: 8, maxInflightBytes: 200_000 };
    for await (const batch of open(bench, 's3://bucket/plain', small))
      bytes += batch.payload.length;
    assert.equal(
      bytes,
      [...made.values()].reduce((sum, content) => sum + content.length, 0),
    );
  },
);

test(
  'mx8 resolve pins, mx8 run reads on two nodes, and no secret is in what they say',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const made = await objects('jobs', COUNT);
    const resolved = await bench.run(['resolve', 's3://bucket/jobs', '--json'], environment());
    assert.equal(resolved.code, 0, resolved.stderr);
    assert.equal((JSON.parse(resolved.stdout) as { samples: number }).samples, COUNT);
    const ended = await bench.run(
      [
        'run',
        JOB,
        '--data',
        's3://bucket/jobs',
        '--out',
        'out',
        '--nodes',
        '2',
        '--ram-gb',
        '1.5',
        '--log',
        'debug',
      ],
      environment(),
    );
    assert.equal(ended.code, 0, ended.stderr);
    const rows = await rowsOf(bench.path('out'));
    const expected = [...made].sort(([one], [other]) => (one < other ? -1 : 1));
    assert.deepEqual(
      rows,
      expected.map(([, bytes], id) => `${id} ${sha256(bytes)}`),
    );
    for (const text of [ended.stdout, ended.stderr, resolved.stdout, resolved.stderr]) {
      assert.ok(!text.includes(S3_SECRET) && !text.includes(S3_KEY), 'a secret was said');
    }
  },
);

test(
  'an object that changed or went after pinning fails the run by its name, or is set aside',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    await objects('moving', 40);
    const pinned = await bench.run(['resolve', 's3://bucket/moving'], environment());
    assert.equal(pinned.code, 0, pinned.stderr);
    await put('s3://bucket/moving/dogs/0007.bin', Buffer.from('another'));
    const same = await readFile(s3().path('moving', 'cats', '0010.bin'));
    await put('s3://bucket/moving/cats/0010.bin', same.reverse());
    await rm(s3().path('moving', 'cats', '0020.bin'));
    const failed = await bench.run(
      ['run', JOB, '--data', 's3://bucket/moving', '--out', 'a', '--ram-gb', '1'],
      environment(),
    );
    assert.equal(failed.code, 3, failed.stderr);
    assert.match(failed.stderr, /Sample \d+ in s3:\/\/bucket\/moving\/\w+\/00(07|10|20)\.bin/);
    const aside = await bench.run(
      [
        'run',
        JOB,
        '--data',
        's3://bucket/moving',
        '--out',
        'b',
        '--ram-gb',
        '1',
        '--on-error',
        'quarantine',
      ],
      environment(),
    );
    assert.equal(aside.code, 0, aside.stderr);
    assert.equal((await rowsOf(bench.path('b'))).length, 37);
    const skipped: string[] = [];
    const reading = open(bench, 's3://bucket/moving', {
      batchSize: 8,
      onSampleError: ({ location }, error) => {
        skipped.push(`${error.code} ${location}`);
        return 'skip';
      },
    });
    for await (const batch of reading) assert.ok(batch.payload.length > 0);
    assert.deepEqual(skipped.sort(), [
      'sample_changed s3://bucket/moving/cats/0010.bin',
      'sample_changed s3://bucket/moving/dogs/0007.bin',
      'sample_missing s3://bucket/moving/cats/0020.bin',
    ]);
  },
);

test(
  'a prefix is packed into shards, and shards in a store are read by their manifest, in ranges',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const made = await objects('loose', COUNT);
    const packed = await bench.run(
      ['pack', 's3://bucket/loose', '--out', 'packed', '--shard-size-bytes', '1MiB'],
      environment(),
    );
    assert.equal(packed.code, 0, packed.stderr);
    // The same as of the same files in a folder.
    await pack(s3().path('loose'), bench.path('local'), {
      labels: 'auto',
      shardBytes: 1024 ** 2,
      clock: nodeClock(),
      random: nodeRandom(),
    });
    for (const name of await readdir(bench.path('local', 'shards'))) {
      assert.deepEqual(
        await readFile(bench.path('packed', 'shards', name)),
        await readFile(bench.path('local', 'shards', name)),
      );
    }
    await upload(bench.path('packed'), 'packed');
    const labels = new Map<string, number>();
    const loader = open(bench, 's3://bucket/packed', {
      batchSize: 32,
      shuffle: true,
      blockSize: 16,
    });
    for await (const batch of loader) {
      for (let index = 0; index < batch.sampleCount; index += 1) {
        labels.set(sha256(batch.sample(index)), batch.labelIds[index] ?? -1);
      }
    }
    assert.deepEqual(loader.classes, ['cats', 'dogs']);
    for (const [location, bytes] of made) {
      assert.equal(labels.get(sha256(bytes)), location.includes('/cats/') ? 0 : 1);
    }
    const shard = await readFile(s3().path('packed', 'shards', 'shard-00001.tar'));
    await put('s3://bucket/packed/shards/shard-00001.tar', shard.fill(1, 600, 700));
    const again = async (): Promise<void> => {
      for await (const batch of open(bench, 's3://bucket/packed')) batch.release();
    };
    await assert.rejects(
      again(),
      /Sample \d+ in s3:\/\/bucket\/packed\/shards\/shard-00001\.tar at byte \d+.*ETag/,
    );
  },
);

test('what is not there is said with the way out', { skip }, async () => {
  await using bench = await Workbench.create();
  const cases = [
    ['s3://no-such-bucket/x', 3, /no-such-bucket/],
    ['s3://bucket/nothing-here', 3, /no object below s3:\/\/bucket\/nothing-here\//],
    ['s3://bucket/nothing.tsv', 3, /nothing\.tsv/],
    ['https://169.254.169.254/latest/meta-data', 1, /link-local/],
    ['corp://bucket/x', 2, /s3:.*--source-resolver-url/],
  ] as const;
  for (const [link, code, words] of cases) {
    const ended = await bench.run(['resolve', link], environment());
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, words);
  }
  const wrong = { ...environment(), AWS_SECRET_ACCESS_KEY: 'wrong' };
  const denied = await bench.run(['resolve', 's3://bucket/plain'], wrong);
  assert.match(denied.stderr, /object_denied|SignatureDoesNotMatch/);
});

for (const etags of [true, false]) {
  test(`a packed data set on a web server ${etags ? 'with' : 'without'} ETags is read by ranges`, async () => {
    await using bench = await Workbench.create();
    const folder = await bench.files('in', 60, 5_000);
    await mkdir(bench.path('www'));
    const ports = { clock: nodeClock(), random: nodeRandom() };
    await pack(folder, bench.path('www', 'packed'), {
      labels: 'none',
      shardBytes: 100_000,
      ...ports,
    });
    await using server = await serveFiles(bench.path('www'), { etags });
    const path = bench.path('www', 'packed', '_mx8', 'manifest.tsv');
    const manifest = await readFile(path, 'utf8');
    await writeFile(path, manifest.replaceAll(`\t${bench.path('www')}/`, `\t${server.url}`));
    const link = `${server.url}packed`;
    const sums: string[] = [];
    const options = { manifestStoreRoot: bench.path('manifests') };
    for await (const batch of load(link, { ...options, batchSize: 9 })) {
      for (let index = 0; index < batch.sampleCount; index += 1)
        sums.push(sha256(batch.sample(index)));
    }
    const names = (await readdir(folder)).sort();
    const expected = await Promise.all(
      names.map(async (name) => sha256(await readFile(join(folder, name)))),
    );
    assert.deepEqual(sums, expected);
    await writeFile(bench.path('www', 'packed', 'shards', 'shard-00000.tar'), 'cut');
    const again = async (): Promise<void> => {
      for await (const batch of load(link, options)) batch.release();
    };
    await assert.rejects(again(), /Sample 0 in http:.*shard-00000\.tar at byte 512/);
  });
}

/** What the job wrote, by sample id: id and hash. */
async function rowsOf(out: string): Promise<readonly string[]> {
  const rows: string[] = [];
  for (const name of await readdir(out, { recursive: true })) {
    if (!name.endsWith('.jsonl') || name.startsWith('_mx8')) continue;
    for (const line of (await readFile(join(out, name), 'utf8')).trim().split('\n')) {
      const row = JSON.parse(line) as { sample_id: number; sha256: string };
      rows.push(`${row.sample_id} ${row.sha256}`);
    }
  }
  return rows.sort((one, other) => parseInt(one, 10) - parseInt(other, 10));
}

/** A packed data set whose manifest says where it is now. */
async function upload(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(join(folder, 'shards'))) {
    const bytes = await readFile(join(folder, 'shards', name));
    await put(`s3://bucket/${prefix}/shards/${name}`, bytes);
  }
  const labels = await readFile(join(folder, '_mx8', 'labels.tsv'));
  await put(`s3://bucket/${prefix}/_mx8/labels.tsv`, labels);
  const manifest = await readFile(join(folder, '_mx8', 'manifest.tsv'), 'utf8');
  const moved = manifest.replaceAll(`\t${folder}/`, `\ts3://bucket/${prefix}/`);
  await put(`s3://bucket/${prefix}/_mx8/manifest.tsv`, Buffer.from(moved));
}
