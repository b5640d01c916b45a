/** Data sets of shards, pinned: the fixtures are made by the formats' own tools (test/fixtures/formats/make.py). */
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  brotliCompressSync,
  brotliDecompressSync,
  crc32,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { snappyUncompress } from 'hyparquet';

import { EagerClock } from '../../test/support/eager-clock.ts';
import { recordsOf, rejectsWith } from '../../test/support/manifest-store-suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.ts';
import { codedPartOf } from '../core/format/coded-part.ts';
import type { FormatChoice, PartCodec } from '../core/format/format-name.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { nodeRandom } from '../platform/random.ts';
import { RecordingEvents } from '../testing/recording-events.ts';
import { FsManifestStore } from './fs-manifest-store.ts';
import { resolveLink } from './resolve-link.ts';
import type { ResolvedLink } from './resolve-link.ts';
import { verify } from './verify.ts';
import type { Difference } from './difference.ts';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/formats/', import.meta.url));

class Bench {
  readonly folder: TemporaryFolder;
  readonly clock = new EagerClock();
  readonly events = new RecordingEvents();

  constructor(folder: TemporaryFolder) {
    this.folder = folder;
  }

  store(): FsManifestStore {
    const { folder, clock, events } = this;
    return new FsManifestStore({ root: folder.join('store'), clock, random: nodeRandom(), events });
  }

  resolve(
    path: string,
    format?: FormatChoice,
    unpack?: { readonly ratioMax: number; readonly bytesMax: number },
    columns: readonly string[] | null = null,
    rowsPerSample: number | null = null,
  ): Promise<ResolvedLink> {
    const { clock, events } = this;
    const how = {
      ...(format === undefined ? {} : { format }),
      ...(unpack === undefined ? {} : { unpack }),
      columns,
      rowsPerSample,
    };
    return resolveLink(this.folder.join(path), { store: this.store(), clock, events, ...how });
  }

  async records({ hash, sampleCount }: ResolvedLink): Promise<SampleRecord[]> {
    const reader = await this.store().open(hash);
    const records = await recordsOf(reader, 0, sampleCount);
    await reader.close();
    return records;
  }

  async verify(link: string): Promise<readonly Difference[]> {
    const { clock, events } = this;
    return (await verify(link, { store: this.store(), clock, events })).differences;
  }
}

/** The samples of records, cut out of their files by hand. */
function decompressed(codec: PartCodec, bytes: Buffer): Buffer {
  if (codec === 'gzip') return gunzipSync(bytes);
  if (codec === 'brotli') return brotliDecompressSync(bytes);
  if (codec !== 'snappy') return zstdDecompressSync(bytes);
  // Its length is what it begins with: here two bytes of seven bits.
  const output = Buffer.alloc((bytes.readUInt8(0) & 0x7f) | (bytes.readUInt8(1) << 7));
  snappyUncompress(bytes, output);
  return output;
}

async function samplesOf(records: readonly SampleRecord[]): Promise<Buffer[]> {
  const samples: Buffer[] = [];
  for (const { location, byteOffset, byteLength, decodeHint } of records) {
    const offset = byteOffset ?? 0;
    const file = await readFile(location);
    const bytes = file.subarray(offset, offset + (byteLength ?? 0));
    assert.equal(bytes.length, byteLength);
    const part = codedPartOf(decodeHint);
    if (part === null) {
      samples.push(bytes);
      continue;
    }
    const whole = decompressed(part.codec, bytes);
    const sample = whole.subarray(part.start, part.start + part.bytes);
    assert.equal(crc32(sample), part.crc32);
    samples.push(sample);
  }
  return samples;
}

const line = (id: number): string => JSON.stringify({ id, text: 'é'.repeat(id % 9) });

test('a folder of lines is whole files unless somebody says otherwise, and is told of the other way', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'in/a.jsonl': '{}\n{}\n', 'in/b.ndjson': '{}\n' });
  const whole = await bench.resolve('in');
  assert.deepEqual([whole.format, whole.sampleCount], ['files', 2]);
  assert.equal(
    whole.formatReason,
    'every file ends in .jsonl or .ndjson; with --format jsonl each line is one sample',
  );
  const lines = await bench.resolve('in', 'auto');
  assert.deepEqual([lines.format, lines.sampleCount], ['jsonl', 3]);
  assert.equal(lines.formatReason, 'every file ends in .jsonl or .ndjson');
  // Each way of reading has a current snapshot of its own.
  assert.deepEqual(
    [(await bench.resolve('in')).hash, (await bench.resolve('in/', 'auto')).hash],
    [whole.hash, lines.hash],
  );
  assert.equal((await bench.resolve('in', 'jsonl')).hash, lines.hash);
  assert.equal((await bench.resolve('in', 'files')).hash, whole.hash);
  assert.equal((await bench.resolve('in', 'auto')).isNew, false);
});

test('files of other formats are left out and counted; where none has the name, all are taken', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'in/a.jsonl': '{}\n', 'in/README.md': 'x', 'plain/part-0': '1\n2\n' });
  const some = await bench.resolve('in', 'jsonl');
  assert.equal(some.sampleCount, 1);
  assert.equal(some.formatReason, 'as was asked for; one other file is left out');
  assert.equal((await bench.resolve('plain', 'jsonl')).sampleCount, 2);
  assert.equal((await bench.resolve('in', 'auto')).format, 'files');
});

test('one file goes by its name, and may be read in another way', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'x.csv': 'a\n1\n2\n', 'y.tsv': 'a\tb\n1\t2\n', 'z.bin': 'x' });
  assert.deepEqual((await bench.records(await bench.resolve('x.csv')))[1], {
    sampleId: 1,
    location: folder.join('x.csv'),
    byteOffset: 4,
    byteLength: 1,
    decodeHint: 'mx8:csv;columns=a',
  });
  assert.equal((await bench.resolve('x.csv', 'jsonl')).sampleCount, 3);
  const [tabs] = await bench.records(await bench.resolve('y.tsv', 'csv'));
  assert.equal(tabs?.decodeHint, 'mx8:csv;delimiter=tab;columns=a,b');
  const whole = await bench.resolve('x.csv', 'files');
  assert.equal((await bench.records(whole))[0]?.pinnedBytes, 6);
  await rejectsWith('link_invalid', bench.resolve('z.bin'));
  await rejectsWith('link_invalid', bench.resolve('x.csv', 'mds'));
});

test('a data set with a manifest is not read in another way', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await folder.write({ 'in/_mx8/manifest.tsv': 'schema_version=0\n0\t/x\t\t\t\n' });
  assert.equal((await bench.resolve('in', 'auto')).sampleCount, 1);
  await rejectsWith('link_invalid', bench.resolve('in', 'jsonl'));
});

test('lines of gzip and zstd files are found with where decompressing can begin', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  for (const name of ['lines.jsonl.gz', 'lines.jsonl.zst']) {
    await cp(`${FIXTURES}${name}`, folder.join(name));
    const resolved = await bench.resolve(name);
    assert.equal(resolved.sampleCount, 120);
    const records = await bench.records(resolved);
    const lines = (await samplesOf(records)).map(String);
    assert.deepEqual(
      lines.map((text) => (JSON.parse(text) as { readonly id: number }).id),
      [...lines.keys()],
    );
    assert.equal(lines[13], line(13).replaceAll(':', ': ').replaceAll(',', ', '));
    const starts = new Set(records.map(({ byteOffset }) => byteOffset));
    // The zstd program made three frames.
    assert.equal(starts.size, name.endsWith('zst') ? 3 : 1, [...starts].join());
    assert.deepEqual(await bench.verify(resolved.pinnedLink), []);
  }
});

test('a byte order mark that comes in frames of one byte is left out all the same', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  const bytes = Array.from(Buffer.from('\ufeff{}\n[]'), (byte) => Uint8Array.of(byte));
  await folder.write({ 'x.jsonl.zst': Buffer.concat(bytes.map((byte) => zstdCompressSync(byte))) });
  const records = await bench.records(await bench.resolve('x.jsonl.zst'));
  assert.deepEqual(
    records.map(({ decodeHint }) => codedPartOf(decodeHint)?.bytes),
    [2, 2],
  );
  assert.deepEqual(await bench.verify((await bench.resolve('x.jsonl.zst')).pinnedLink), []);
});

test('compressed tars and CSV are samples as the plain ones are', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  const tar = gunzipSync(await readFile(`${FIXTURES}pax.tar.gz`));
  const table = await readFile(`${FIXTURES}table.csv`);
  await folder.write({ 'a.tar': tar, 'b.tgz': gzipSync(tar), 'c.csv': table });
  await folder.write({ 'c.csv.zst': zstdCompressSync(table) });
  for (const [plain, packed, count] of [
    ['a.tar', 'b.tgz', 40],
    ['c.csv', 'c.csv.zst', 50],
  ] as const) {
    const samples = await samplesOf(await bench.records(await bench.resolve(plain)));
    assert.equal(samples.length, count);
    assert.deepEqual(await samplesOf(await bench.records(await bench.resolve(packed))), samples);
  }
});

test('shards that mosaicml-streaming wrote are read by their index', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await cp(FIXTURES, folder.path, { recursive: true });
  const plain = await bench.resolve('mds', 'auto');
  assert.deepEqual([plain.format, plain.sampleCount], ['mds', 60]);
  const samples = await samplesOf(await bench.records(plain));
  for (const name of ['mds-zstd', 'mds-br', 'mds-snappy']) {
    const packed = await bench.resolve(name, 'mds');
    assert.deepEqual(await samplesOf(await bench.records(packed)), samples);
    assert.deepEqual(await bench.verify(packed.pinnedLink), []);
  }
  const [first] = await bench.records(plain);
  assert.equal(
    first?.decodeHint,
    'mx8:mds;columns=id:int:8,meta:json,raw:bytes,score:float32:4,text:str',
  );
});

test('a damaged shard is named with its data set and the byte', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  const text = Array.from({ length: 3000 }, (_, id) => `${line(id)}${Math.sin(id)}\n`).join('');
  const gzip = gzipSync(text);
  const zstd = zstdCompressSync(text);
  const flip = (bytes: Uint8Array, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8((copy[at] ?? 0) ^ 0xff, at);
    return copy;
  };
  const cases: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    [
      'cut.jsonl.gz',
      gzip.subarray(0, gzip.length - 9),
      /gzip data ends too early, after \d+ decom/,
    ],
    ['flip.jsonl.gz', flip(gzip, gzip.length - 6), /gzip data is damaged.*incorrect data check/],
    ['none.jsonl.gz', 'this is no gzip', /incorrect header check/],
    ['tail.jsonl.gz', Buffer.concat([gzip, Buffer.from('tail')]), /incorrect header check/],
    ['cut.jsonl.zst', zstd.subarray(0, -100), /ends in the middle of a zstd frame/],
    ['flip.jsonl.zst', flip(zstd, zstd.length >> 1), /zstd/],
    ['none.jsonl.zst', 'this is no zstd', /starts with fd2fb528/],
    [
      'cut.tar',
      gunzipSync(await readFile(`${FIXTURES}pax.tar.gz`)).subarray(0, 5000),
      /the tar ends/,
    ],
    ['open.csv', 'a\n"x\n', /quote at byte 2 is never closed/],
  ];
  for (const [name, bytes, what] of cases) {
    await folder.write({ [name]: bytes });
    const error = await rejectsWith('shard_corrupt', bench.resolve(name));
    assert.match(error.message, what);
    const place = `${folder.join(name)} at byte `;
    assert.ok(error.message.startsWith(place), error.message);
    assert.ok(error.message.includes(`for ${folder.join(name)}: `), error.message);
  }
});

test('an MDS shard that is not the one of its index is refused', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await cp(`${FIXTURES}mds`, folder.path, { recursive: true });
  const path = folder.join('shard.00001.mds');
  const shard = await readFile(path);
  for (const bytes of [
    shard.subarray(0, -3),
    shard.subarray(0, 6),
    Buffer.concat([shard, shard]),
  ]) {
    await writeFile(path, bytes);
    const error = await rejectsWith('shard_corrupt', bench.resolve('', 'mds'));
    assert.match(error.message, /shard\.00001\.mds at byte \d+, read as mds/);
  }
  await writeFile(folder.join('index.json'), '{"shards":[{}]}');
  const error = await rejectsWith('shard_corrupt', bench.resolve('', 'mds'));
  assert.match(error.message, /index\.json is no index of MosaicML shards: shard 0/);
});

test('rows of Parquet and Arrow files that pyarrow wrote are lines of JSON, in groups of rows', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await cp(FIXTURES, folder.path, { recursive: true });
  for (const name of ['snappy', 'zstd', 'gzip', 'brotli', 'lz4', 'none']) {
    const resolved = await bench.resolve(`rows.${name}.parquet`);
    assert.deepEqual([resolved.format, resolved.sampleCount], ['parquet', 100]);
    const records = await bench.records(resolved);
    assert.equal(new Set(records.map(({ byteOffset }) => byteOffset)).size, 4);
    assert.match(
      records[0]?.decodeHint ?? '',
      /^mx8:parquet;codec=parquet;start=0;bytes=\d+;crc32=/,
    );
    assert.deepEqual(await bench.verify(resolved.pinnedLink), []);
  }
  for (const name of ['none.arrow', 'zstd.arrow', 'lz4.feather', 'arrows']) {
    const resolved = await bench.resolve(`rows.${name}`);
    assert.deepEqual([resolved.format, resolved.sampleCount], ['arrow', 60]);
    const records = await bench.records(resolved);
    assert.equal(new Set(records.map(({ byteOffset }) => byteOffset)).size, 3);
    assert.match(records[0]?.decodeHint ?? '', /^mx8:arrow;codec=arrow;start=0;bytes=\d+;crc32=/);
    assert.deepEqual(await bench.verify(resolved.pinnedLink), []);
  }
  const some = await bench.resolve('rows.zstd.parquet', 'parquet', undefined, ['id', 'tags']);
  const [first] = await bench.records(some);
  assert.match(first?.decodeHint ?? '', /^mx8:parquet;columns=id,tags;codec=parquet;/);
  assert.notEqual(some.hash, (await bench.resolve('rows.zstd.parquet')).hash);
  const error = await rejectsWith(
    'shard_corrupt',
    bench.resolve('rows.zstd.parquet', 'parquet', undefined, ['nothing']),
  );
  assert.match(error.message, /the file has no column "nothing"/);
  await rejectsWith('flag_invalid', bench.resolve('table.csv', 'csv', undefined, ['id']));
});

test('ranges of rows are samples, each of one group, which verify reads again', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  await cp(FIXTURES, folder.path, { recursive: true });
  const parquet = await bench.resolve(
    'rows.zstd.parquet',
    'parquet',
    undefined,
    ['id', 'tags'],
    20,
  );
  assert.equal(parquet.sampleCount, 7, 'groups of 30, 30, 30 and 10');
  const records = await bench.records(parquet);
  const hint = /^mx8:parquet;rows=20-30;columns=id,tags;codec=parquet;start=0;bytes=\d+;crc32=/;
  assert.match(records[1]?.decodeHint ?? '', hint);
  assert.deepEqual(codedPartOf(records[1]?.decodeHint ?? '')?.rows, { start: 20, end: 30 });
  assert.deepEqual(await bench.verify(parquet.pinnedLink), []);
  const arrow = await bench.resolve('rows.arrows', 'arrow', undefined, null, 4_000_000);
  assert.equal(arrow.sampleCount, 3);
  assert.deepEqual(await bench.verify(arrow.pinnedLink), []);
  const { store, clock, events } = {
    store: bench.store(),
    clock: bench.clock,
    events: bench.events,
  };
  const link = parquet.pinnedLink.slice(0, parquet.pinnedLink.lastIndexOf('@'));
  const how = { format: 'parquet', columns: ['id', 'tags'], rowsPerSample: 20 } as const;
  const plain = await verify(link, { store, clock, events, ...how });
  assert.equal(
    plain.link.hash,
    parquet.hash,
    'what was pinned is verified, and not read in another way',
  );
  const rows = await bench.resolve('rows.zstd.parquet', 'parquet', undefined, ['id', 'tags']);
  assert.notEqual(rows.hash, parquet.hash, 'each way of reading has a snapshot of its own');
  const damaged = await readFile(folder.join('rows.zstd.parquet'));
  damaged.fill(0, 100, 160);
  await writeFile(folder.join('rows.zstd.parquet'), damaged);
  const differences = await bench.verify(parquet.pinnedLink);
  assert.equal(differences.length, 2, 'the first row group');
  const error = await rejectsWith(
    'flag_invalid',
    bench.resolve('table.csv', 'csv', undefined, null, 5),
  );
  assert.match(error.message, /table\.csv is read as csv; leave --rows-per-sample away/);
});

test('a damaged Parquet file says what is wrong; one that changed later names its samples', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  const file = await readFile(`${FIXTURES}rows.zstd.parquet`);
  const footer = Buffer.from(file);
  const footerBytes = file.readUInt32LE(file.length - 8);
  footer.fill(0xff, file.length - 8 - footerBytes, file.length - 8 - footerBytes + 20);
  const longer = Buffer.from(file);
  longer.writeUInt32LE(2 ** 31, file.length - 8);
  const page = Buffer.from(file);
  page.fill(0, 100, 160);
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [file.subarray(0, -20), /does not end in PAR1, so it may be cut off/],
    [Buffer.from('PAR1'), /does not end in PAR1/],
    [longer, /a Parquet footer of 2147483648 bytes in a file of \d+/],
    [footer, /a damaged Parquet footer/],
    [page, /a Parquet row group that cannot be decoded/],
  ];
  for (const [bytes, what] of cases) {
    await folder.write({ 'x.parquet': bytes });
    const asColumns = bench.resolve('x.parquet', 'parquet', undefined, null, 10);
    assert.match((await rejectsWith('shard_corrupt', asColumns)).message, what);
    const error = await rejectsWith('shard_corrupt', bench.resolve('x.parquet'));
    assert.match(error.message, what);
    assert.match(error.message, /x\.parquet at byte \d+, read as parquet/);
  }
  await folder.write({ 'x.parquet': file });
  const resolved = await bench.resolve('x.parquet');
  await folder.write({ 'x.parquet': page });
  const differences = await bench.verify(resolved.pinnedLink);
  assert.equal(differences.length, 30, 'the first row group');
  assert.match(
    differences[0]?.what ?? '',
    /^Sample 0 at decompressed byte 0 of .*cannot be decoded/,
  );
});

test('a decompression bomb is refused by its ratio or its size, with the knob', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  const bomb = Buffer.alloc(40 * 1024 * 1024, 'x');
  await folder.write({ 'a.jsonl.zst': zstdCompressSync(bomb), 'b.jsonl.gz': gzipSync(bomb) });
  await folder.write({ 'c.jsonl.br': brotliCompressSync(bomb) });
  for (const name of ['a.jsonl.zst', 'b.jsonl.gz', 'c.jsonl.br']) {
    const error = await rejectsWith('unpack_budget_exceeded', bench.resolve(name));
    assert.match(error.message, /more than 500 for each\..* raise --unpack-ratio-max/);
    const bytes = { ratioMax: 1_000_000, bytesMax: 2 ** 20 };
    const large = await rejectsWith('unpack_budget_exceeded', bench.resolve(name, 'jsonl', bytes));
    assert.match(large.message, /more than 1048576 bytes come out.* raise --unpack-bytes-max/);
    // Whoever knows that it is as it should be may have it.
    const budget = { ratioMax: 1_000_000, bytesMax: 2 ** 30 };
    assert.equal((await bench.resolve(name, 'jsonl', budget)).sampleCount, 1);
  }
  // Of each byte of Snappy 21 come at most.
  await cp(`${FIXTURES}mds-snappy`, folder.join('mds'), { recursive: true });
  const few = { ratioMax: 1_000_000, bytesMax: 1000 };
  await rejectsWith('unpack_budget_exceeded', bench.resolve('mds', 'mds', few));
});

test('damaged brotli and Snappy say so, with the byte', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  for (const name of ['br', 'snappy']) {
    await cp(`${FIXTURES}mds-${name}`, folder.join(name), { recursive: true });
    const path = folder.join(name, `shard.00000.mds.${name}`);
    const whole = await readFile(path);
    const wrong = Buffer.from(whole);
    wrong.fill(0xff, 100, 140);
    for (const bytes of [whole.subarray(0, -20), wrong]) {
      await writeFile(path, bytes);
      const error = await rejectsWith('shard_corrupt', bench.resolve(name, 'mds'));
      assert.match(error.message, /shard\.00000\.mds\.(br|snappy) at byte \d+, read as mds/);
    }
  }
});

test('verify names each sample of a compressed file that is not what was pinned', async () => {
  await using folder = await temporaryFolder();
  const bench = new Bench(folder);
  const lines = Array.from({ length: 50 }, (_, id) => `${line(id)}\n`);
  await folder.write({ 'x.jsonl.gz': gzipSync(lines.join('')) });
  const resolved = await bench.resolve('x.jsonl.gz');
  const changed = lines.map((text, at) => (at === 7 ? text.replace('7', '8') : text));
  await folder.write({ 'x.jsonl.gz': gzipSync(changed.slice(0, 48).join('')) });
  const differences = await bench.verify(resolved.pinnedLink);
  assert.deepEqual(
    differences.map(({ sampleId, kind, location }) => [
      sampleId,
      kind,
      relative(folder.path, location),
    ]),
    [
      [7, 'content', 'x.jsonl.gz'],
      [48, 'content', 'x.jsonl.gz'],
      [49, 'content', 'x.jsonl.gz'],
    ],
  );
  assert.match(differences[0]?.what ?? '', /another CRC-32/);
  assert.match(differences[1]?.what ?? '', /ends after \d+ decompressed bytes/);
});
