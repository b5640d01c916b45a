/** Shards in stores: what is in them is the same as of files, wherever they lie and whatever happens to them. */
import assert from 'node:assert/strict';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';

import { load } from '../../src/index.ts';
import type { LoadOptions } from '../../src/index.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { Places } from '../../src/ports/place.ts';
import { FsManifestStore, resolveLink } from '../../src/snapshots/index.ts';
import type { UnpackBudget } from '../../src/snapshots/index.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import { serveFiles } from '../support/file-server.ts';
import { rejectsWith } from '../support/manifest-store-suite.ts';
import { Workbench } from '../support/mx8-process.ts';
import { S3_ENVIRONMENT, S3Service, VERSITYGW } from '../support/s3-service.ts';
import { storeSetting } from '../support/store-setting.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/formats/', import.meta.url));
const JOB = fileURLToPath(new URL('../support/jobs/rows.job.ts', import.meta.url));
const skip = VERSITYGW.missing;

let service: S3Service | null = null;
let places: Places | null = null;

before(async () => {
  if (skip !== false) return;
  service = await S3Service.start();
  Object.assign(process.env, S3_ENVIRONMENT);
  const s3 = { ...STORE_DEFAULTS.s3, endpointUrl: service.url };
  places = new OpenPlaces({ ...STORE_DEFAULTS, s3 }, storeSetting());
});

after(async () => {
  await places?.close();
  await service?.[Symbol.asyncDispose]();
});

function must<T>(value: T | null): T {
  assert.ok(value !== null, 'the service runs');
  return value;
}

async function put(location: string, bytes: string | Uint8Array): Promise<void> {
  await must(places).of(location).write(location, Buffer.from(bytes), { type: 'any' });
}

/** The files of a folder below a prefix. */
async function upload(folder: string, prefix: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const { name, parentPath } of entries.filter((entry) => entry.isFile())) {
    const path = `${parentPath}/${name}`;
    await put(`s3://bucket/${prefix}/${path.slice(folder.length + 1)}`, await readFile(path));
  }
}

function environment(): Record<string, string> {
  return { ...S3_ENVIRONMENT, MX8_S3_ENDPOINT_URL: must(service).url };
}

function optionsOf(bench: Workbench): LoadOptions {
  const stores = service === null ? {} : { s3: { endpointUrl: service.url } };
  return { manifestStoreRoot: bench.path('manifests'), stores, batchSize: 7 };
}

/** Of each sample its bytes, its class, and its hint. */
async function samplesOf(link: string, options: LoadOptions): Promise<readonly string[]> {
  const samples: string[] = [];
  for await (const batch of load(link, options)) {
    for (let at = 0; at < batch.sampleCount; at += 1) {
      const bytes = Buffer.from(batch.sample(at)).toString('latin1');
      samples.push(`${batch.labelIds[at]} ${batch.records[at]?.decodeHint} ${bytes}`);
    }
  }
  return samples;
}

const FILES = [
  'lines.jsonl.gz',
  'lines.jsonl.zst',
  'pax.tar.gz',
  'gnu.tar.zst',
  'table.csv',
  'rows.snappy.parquet',
  'rows.lz4.feather',
  'rows.arrows',
] as const;

/** Every fixture, read from below `root`, is what it is on this machine. */
async function sameAsHere(bench: Workbench, root: string, columns: string[]): Promise<void> {
  const options = optionsOf(bench);
  for (const name of FILES) {
    const here = await samplesOf(`${FIXTURES}${name}`, options);
    assert.ok(here.length >= 40, name);
    assert.deepEqual(await samplesOf(`${root}/${name}`, options), here, name);
  }
  for (const name of ['mds', 'mds-zstd', 'mds-br', 'mds-snappy']) {
    const how = { ...options, format: 'mds' } as const;
    const here = await samplesOf(`${FIXTURES}${name}`, how);
    assert.equal(here.length, 60);
    assert.deepEqual(await samplesOf(`${root}/${name}`, how), here, name);
  }
  const some = { ...options, columns, shuffle: true, seed: 4, blockSize: 9 };
  const rows = await samplesOf(`${root}/rows.zstd.parquet`, some);
  assert.deepEqual(rows, await samplesOf(`${FIXTURES}rows.zstd.parquet`, some));
}

test(
  'shards below a prefix of S3 are the samples that they are on this machine',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    await upload(FIXTURES.slice(0, -1), 'fixtures');
    await sameAsHere(bench, 's3://bucket/fixtures', ['big', 'tags']);
  },
);

test('shards on a web server without listings are read by their address, MosaicML’s by their index', async () => {
  await using bench = await Workbench.create();
  await cp(FIXTURES, bench.path('www'), { recursive: true });
  await using server = await serveFiles(bench.path('www'));
  await sameAsHere(bench, server.url.slice(0, -1), ['id']);
  const options = optionsOf(bench);
  const query = await samplesOf(`${server.url}lines.jsonl.gz?version=2`, options);
  assert.equal(query.length, 120);
  const listed = samplesOf(`${server.url}`, { ...options, format: 'jsonl' });
  await assert.rejects(listed, { code: 'input_missing', message: /web server does not say/ });
});

function lines(start: number, end: number): string {
  let text = '';
  for (let id = start; id < end; id += 1) {
    text += `${JSON.stringify({ id, pad: 'é'.repeat(id % 400) })}\n`;
  }
  return text;
}

interface Resolved {
  readonly samples: number;
  readonly format: string;
  readonly format_reason: string | null;
}

test(
  'a prefix goes by the names of its objects, and says what else there would be',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    await put('s3://bucket/choice/a.jsonl', lines(0, 20));
    await put('s3://bucket/choice/deep/b.jsonl.gz', gzipSync(lines(20, 50)));
    const resolve = async (...words: string[]): Promise<Resolved> => {
      const ended = await bench.run(['resolve', ...words, '--json'], environment());
      assert.equal(ended.code, 0, ended.stderr);
      return JSON.parse(ended.stdout) as Resolved;
    };
    const whole = await resolve('s3://bucket/choice');
    assert.deepEqual([whole.samples, whole.format], [2, 'files']);
    assert.match(whole.format_reason ?? '', /with --format jsonl each line is one sample/);
    const auto = await resolve('s3://bucket/choice', '--format', 'auto');
    assert.deepEqual([auto.samples, auto.format], [50, 'jsonl']);
    await put('s3://bucket/choice/README.md', 'x');
    const some = await resolve('s3://bucket/choice@refresh', '--format', 'jsonl');
    assert.equal(some.samples, 50);
    assert.match(some.format_reason ?? '', /one other file is left out/);
    const one = await resolve('s3://bucket/choice/deep/b.jsonl.gz');
    assert.deepEqual([one.samples, one.format], [30, 'jsonl']);
  },
);

test(
  'a job sets aside what was changed in a store after pinning, by object and sample',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const frames = [1500, 2000, 2500].map((id) => zstdCompressSync(lines(id, id + 500)));
    await put('s3://bucket/late/a.jsonl', lines(0, 700));
    await put('s3://bucket/late/b.jsonl.gz', gzipSync(lines(700, 1500)));
    await put('s3://bucket/late/c.jsonl.zst', Buffer.concat(frames));
    const link = 's3://bucket/late';
    const pinned = await bench.run(['resolve', link, '--format', 'jsonl'], environment());
    assert.equal(pinned.code, 0, pinned.stderr);
    await put('s3://bucket/late/b.jsonl.gz', gzipSync(lines(701, 1501)));
    // Bytes of the second frame rot where the ETag does not show it.
    const path = must(service).path('late', 'c.jsonl.zst');
    const rotten = await readFile(path);
    rotten.fill(0, (frames[0]?.length ?? 0) + 300, (frames[0]?.length ?? 0) + 400);
    await writeFile(path, rotten);
    const run = ['run', JOB, '--data', link, '--nodes', '2', '--ram-gb', '1.5', '--out'];
    const reading = samplesOf(link, { ...optionsOf(bench), format: 'jsonl' });
    await assert.rejects(reading, /^Mx8Error: Sample 700 in .*b\.jsonl\.gz at decompressed byte 0/);
    const how = [bench.path('b'), '--on-error', 'quarantine'];
    const ended = await bench.run([...run, ...how], environment());
    assert.equal(ended.code, 0, ended.stderr);
    const aside = (await readFile(bench.path('b', '_mx8', 'quarantine.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as { sample_id: number; code: string; message: string });
    const ids = aside.map(({ sample_id: id }) => id).sort((one, other) => one - other);
    const gone = Array.from({ length: 800 }, (_, at) => 700 + at);
    assert.deepEqual(ids.slice(0, 800), gone);
    assert.ok(ids.length > 800 && ids.length <= 1300 && ids.slice(800).every((id) => id >= 2000));
    assert.ok(
      ids.every((id) => id < 2500),
      'the frame behind is whole',
    );
    for (const { code, sample_id: id, message } of aside) {
      assert.equal(code, 'sample_changed');
      const name = id < 1500 ? 'b.jsonl.gz' : 'c.jsonl.zst';
      assert.ok(
        message.startsWith(`Sample ${id} in s3://bucket/late/${name} at decompressed byte`),
      );
      assert.match(message, id < 1500 ? /ETag/ : /zstd|CRC-32/);
    }
    await rm(must(service).path('late', 'b.jsonl.gz'));
    const missing: number[] = [];
    const onSampleError: LoadOptions['onSampleError'] = ({ sampleId }, { code }) => {
      if (code === 'sample_missing') missing.push(sampleId);
      return 'skip';
    };
    await samplesOf(link, { ...optionsOf(bench), format: 'jsonl', onSampleError });
    assert.deepEqual(missing, gone);
  },
);

test(
  'damage and decompression bombs in a store are refused with data set, object and byte',
  { skip },
  async () => {
    await using bench = await Workbench.create();
    const corpus = lines(0, 300);
    const zstd = zstdCompressSync(corpus);
    const parquet = await readFile(`${FIXTURES}rows.snappy.parquet`);
    const bomb = gzipSync(`{"pad":"${'x'.repeat(40 * 2 ** 20)}"}\n`);
    const foot = Buffer.from(parquet);
    foot.fill(9, foot.length - 200, foot.length - 8);
    const small = { ratioMax: 9999, bytesMax: 2 ** 20 };
    const cases: readonly (readonly [string, Uint8Array, string, RegExp, UnpackBudget?])[] = [
      ['cut.jsonl.gz', gzipSync(corpus).subarray(0, 900), 'shard_corrupt', /byte 900.*cut off/],
      ['rot.jsonl.zst', zstd.fill(0, 100, 160), 'shard_corrupt', /byte \d+.*zstd/],
      ['cut.parquet', parquet.subarray(0, -3), 'shard_corrupt', /byte \d+.*PAR1/],
      ['foot.parquet', foot, 'shard_corrupt', /byte \d+.*Parquet footer/],
      ['bad.tar', Buffer.from('x'.repeat(1024)), 'shard_corrupt', /byte 0/],
      ['ratio.jsonl.gz', bomb, 'unpack_budget_exceeded', /--unpack-ratio-max/],
      ['size.jsonl.gz', bomb, 'unpack_budget_exceeded', /--unpack-bytes-max/, small],
    ];
    const ports = { clock: nodeClock(), random: nodeRandom(), events: storeSetting().events };
    const store = new FsManifestStore({ root: bench.path('manifests'), ...ports });
    for (const [name, bytes, code, words, unpack] of cases) {
      const link = `s3://bucket/bad/${name}`;
      await put(link, bytes);
      const how = unpack === undefined ? {} : { unpack };
      const resolving = resolveLink(link, { store, ...ports, places: must(places), ...how });
      const error = await rejectsWith(code, resolving);
      assert.match(error.message, words);
      assert.ok(error.message.startsWith(`${link} at byte`), error.message);
      assert.ok(error.message.includes(`for ${link}`), error.message);
    }
    const ended = await bench.run(['resolve', 's3://bucket/bad/cut.jsonl.gz'], environment());
    assert.deepEqual([ended.code, ended.stdout], [3, '']);
    assert.match(ended.stderr, /shard_corrupt/);
  },
);
