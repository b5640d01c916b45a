/** A disk cache as a person uses it: the second reading of a data set does not need the store. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { statfs, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { load } from '../../src/index.ts';
import type { LoadOptions } from '../../src/index.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import { Workbench } from '../support/mx8-process.ts';
import { S3_ENVIRONMENT, S3Service, VERSITYGW } from '../support/s3-service.ts';
import { smallDisk } from '../support/small-disk.ts';
import { storeSetting } from '../support/store-setting.ts';

const JOB = fileURLToPath(new URL('../support/jobs/checksum.job.ts', import.meta.url));
const COUNT = 60;

async function putObjects(endpointUrl: string): Promise<number> {
  const s3 = { ...STORE_DEFAULTS.s3, endpointUrl };
  await using places = new OpenPlaces({ ...STORE_DEFAULTS, s3 }, storeSetting());
  let bytes = 0;
  for (let index = 0; index < COUNT; index += 1) {
    const content = Buffer.alloc(1000 + ((index * 7919) % 90_000), `object ${index} `);
    const location = `s3://bucket/cached/${String(index).padStart(3, '0')}.bin`;
    await places.of(location).write(location, content, { type: 'any' });
    bytes += content.length;
  }
  return bytes;
}

/** The digest of each sample. */
async function contentOf(link: string, options: LoadOptions): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for await (const batch of load(link, { ...options, batchSize: 7 })) {
    for (const [at, id] of [...batch.sampleIds].entries()) {
      found.set(Number(id), createHash('sha256').update(batch.sample(at)).digest('hex'));
    }
  }
  return found;
}

async function bytesRead(link: string, options: LoadOptions): Promise<number> {
  let bytes = 0;
  for await (const batch of load(link, options)) bytes += batch.payload.length;
  return bytes;
}

test(
  'a data set that was read once is read again, by another program too, when its store is gone',
  { skip: VERSITYGW.missing },
  async () => {
    await using bench = await Workbench.create();
    Object.assign(process.env, S3_ENVIRONMENT);
    const service = await S3Service.start();
    let isUp = true;
    const stop = async (): Promise<void> => {
      if (isUp) await service[Symbol.asyncDispose]();
      isUp = false;
    };
    const environment = { ...S3_ENVIRONMENT, MX8_S3_ENDPOINT_URL: service.url };
    const cache = ['--disk-cache', bench.path('cache'), '--disk-cache-bytes', '64MiB'];
    try {
      const bytes = await putObjects(service.url);
      const resolved = await bench.run(['resolve', 's3://bucket/cached', '--json'], environment);
      assert.equal(resolved.code, 0, resolved.stderr);
      const link = /s3:\/\/bucket\/cached\/?@sha256:[0-9a-f]{64}/.exec(resolved.stdout)?.[0] ?? '';
      const out = (name: string): string[] => ['--data', link, '--out', bench.path(name), ...cache];
      const first = await bench.run(['run', JOB, ...out('first')], environment);
      assert.equal(first.code, 0, first.stderr);
      await stop();
      const second = await bench.run(['run', JOB, ...out('second')], environment);
      assert.equal(second.code, 0, second.stderr);
      const options: LoadOptions = {
        manifestStoreRoot: bench.path('manifests'),
        stores: { s3: { endpointUrl: service.url } },
        diskCache: bench.path('cache'),
        batchSize: 7,
        shuffle: true,
        blockSize: 8,
      };
      assert.equal(await bytesRead(link, options), bytes);
    } finally {
      await stop();
    }
  },
);

test('a cache whose disk is full costs the cache alone: all is read, as often as it is asked for', async (t) => {
  if (VERSITYGW.missing !== false) {
    t.skip(VERSITYGW.missing);
    return;
  }
  await using bench = await Workbench.create();
  const disk = smallDisk(bench.path('disk'), 1024 ** 2);
  if (disk === null) {
    t.skip('this user may not mount a file system');
    return;
  }
  Object.assign(process.env, S3_ENVIRONMENT);
  try {
    await using service = await S3Service.start();
    await putObjects(service.url);
    const options: LoadOptions = {
      manifestStoreRoot: bench.path('manifests'),
      stores: { s3: { endpointUrl: service.url } },
    };
    const expected = await contentOf('s3://bucket/cached', options);
    assert.equal(expected.size, COUNT);
    const cached = { ...options, diskCache: bench.path('disk', 'cache') };
    for (let round = 0; round < 2; round += 1) {
      assert.deepEqual(await contentOf('s3://bucket/cached', cached), expected);
    }
    const { bavail, bsize } = await statfs(bench.path('disk'));
    assert.ok(bavail * bsize < 128 * 1024, 'the cache has filled its disk');
    disk.grow(64 * 1024 ** 2);
    assert.deepEqual(await contentOf('s3://bucket/cached', cached), expected);
  } finally {
    disk.remove();
  }
});

test('a folder that is no cache ends the run with a sentence, and stays', async () => {
  await using bench = await Workbench.create();
  await writeFile(bench.path('notes.txt'), 'mine');
  const cache = ['--out', bench.path('out'), '--disk-cache', bench.folder];
  const run = await bench.run(['run', JOB, '--data', 's3://bucket/any', ...cache], {
    ...S3_ENVIRONMENT,
    MX8_S3_ENDPOINT_URL: 'http://127.0.0.1:9',
  });
  assert.notEqual(run.code, 0);
  assert.match(run.stderr, /cannot be the disk cache: it holds "[^"]+" and is no cache of mx8/);
});
