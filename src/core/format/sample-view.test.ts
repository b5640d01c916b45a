import assert from 'node:assert/strict';
import test from 'node:test';

import { Mx8Error } from '../base/errors.ts';
import { decodeTable } from '../manifest/decode-table.ts';
import { RecordTable } from '../manifest/record-table.ts';
import type { SampleRecord } from '../manifest/record.ts';
import { codedHint, codedPartOf, tableHint, uncodedHint } from './coded-part.ts';
import { codedPartsOf } from './coded-table.ts';
import { formatOfHint, namedAs } from './format-name.ts';
import { mdsColumns, mdsShards } from './mds-index.ts';
import { SampleViewer } from './sample-view.ts';
import { webDatasetName } from './webdataset-key.ts';

const viewer = new SampleViewer();

function record(decodeHint: string): SampleRecord {
  return { sampleId: 7, location: '/d/x', byteOffset: 100, byteLength: 9, decodeHint };
}

function corrupt(read: () => unknown, sentence: RegExp): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof Mx8Error && error.code === 'sample_corrupt', String(error));
    assert.match(error.message, sentence);
    return true;
  });
}

test('the format of a file is told by its name', () => {
  const cases: readonly (readonly [string, string | null, string | null, string])[] = [
    ['/a/b.jsonl', 'jsonl', null, '.jsonl'],
    ['B.NDJSON.GZ', 'jsonl', 'gzip', '.ndjson.gz'],
    ['x.tar.zst', 'webdataset', 'zstd', '.tar.zst'],
    ['x.tgz', 'webdataset', 'gzip', '.tgz'],
    ['s.mds.zstd', 'mds', 'zstd', '.mds.zstd'],
    ['a.jsonl.d/c', null, null, ''],
    ['.jsonl', 'jsonl', null, '.jsonl'],
    ['x.gz', null, 'gzip', ''],
    ['x.constructor', null, null, ''],
  ];
  for (const [path, format, codec, extension] of cases) {
    assert.deepEqual(namedAs(path), { format, codec, extension }, path);
  }
});

test('a part of a compressed file survives its hint', () => {
  const part = {
    codec: 'zstd',
    columns: null,
    rows: null,
    start: 2 ** 40,
    bytes: 17,
    crc32: 0xbadcafe,
  } as const;
  const hint = codedHint('mx8:csv;columns=a,b', part);
  assert.equal(hint, 'mx8:csv;columns=a,b;codec=zstd;start=1099511627776;bytes=17;crc32=0badcafe');
  assert.deepEqual(codedPartOf(hint), part);
  assert.equal(uncodedHint(hint), 'mx8:csv;columns=a,b');
  const rows = codedHint(tableHint('parquet', ['a,b', 'é']), { ...part, codec: 'parquet' });
  assert.deepEqual(codedPartOf(rows), { ...part, codec: 'parquet', columns: ['a,b', 'é'] });
  assert.equal(
    codedPartOf(codedHint(tableHint('parquet', null), { ...part, codec: 'parquet' }))?.columns,
    null,
  );
  const range = tableHint('parquet', ['a,b'], { start: 20, end: 30 });
  assert.deepEqual(codedPartOf(codedHint(range, { ...part, codec: 'parquet' })), {
    ...{ ...part, codec: 'parquet', columns: ['a,b'] },
    rows: { start: 20, end: 30 },
  });
  for (const other of ['', 'mx8:jsonl', 'other;codec=gzip;start=0;bytes=1;crc32=00000000']) {
    assert.equal(codedPartOf(other), null);
    assert.equal(uncodedHint(other), other);
  }
});

test('the kind of a hint names the format; hints of others are files', () => {
  assert.equal(formatOfHint('mx8:jsonl;codec=gzip;start=0'), 'jsonl');
  assert.equal(formatOfHint('mx8:webdataset;label_id=3'), 'webdataset');
  for (const hint of ['', 'mx8:files', 'mx8:vision:imagefolder;label_id=1', 'jsonl']) {
    assert.equal(formatOfHint(hint), 'files');
  }
});

test('members are grouped as WebDataset does it', () => {
  const cases: readonly (readonly [string, string | null, string])[] = [
    ['a/b.c/d.e.JPG', 'a/b.c/d', 'e.jpg'],
    ['./x.txt', 'x', 'txt'],
    ['dir/noext', null, ''],
    ['.hidden', null, ''],
    ['a/.hidden.txt', null, ''],
    ['__meta__', null, ''],
    ['__meta__/x.txt', null, ''],
    ['x.', null, ''],
  ];
  for (const [path, key, extension] of cases) {
    const expected = key === null ? null : { key, extension };
    assert.deepEqual(webDatasetName(path), expected, path);
  }
});

test('a line is the JSON it holds; what is none is named with its place', () => {
  assert.deepEqual(viewer.row(record('mx8:jsonl'), Buffer.from('{"a":[1]}')), { a: [1] });
  corrupt(
    () => viewer.row(record('mx8:jsonl'), Buffer.from('{"a":')),
    /^Sample 7 in \/d\/x at byte 100: it is not JSON: .*\.$/,
  );
  corrupt(() => viewer.row(record(''), Uint8Array.of(0xff, 0xfe)), /not UTF-8 text/);
});

test('a CSV record is an object by the names of its columns', () => {
  const hint = 'mx8:csv;columns=id,a%2Cb,__proto__';
  const row = viewer.row(record(hint), Buffer.from('1,"x ""y""\n",'));
  assert.deepEqual(Object.entries(row as object), [
    ['id', '1'],
    ['a,b', 'x "y"\n'],
    ['__proto__', ''],
  ]);
  corrupt(
    () => viewer.row(record(hint), Buffer.from('1,2')),
    /has 2 fields, and the header line 3/,
  );
  corrupt(
    () => viewer.row(record(hint), Buffer.from('"1"x,2,3')),
    /goes on after its closing quote/,
  );
});

test('an MDS sample has a part and a value for each column', () => {
  const hint = 'mx8:mds;columns=n:int:8,s:str,raw:jpeg,f:float32:4';
  const bytes = Buffer.concat([
    Uint8Array.of(3, 0, 0, 0, 2, 0, 0, 0),
    Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255),
    Buffer.from('é!'),
    Uint8Array.of(9, 8),
    Uint8Array.of(0, 0, 0x80, 0x3f),
  ]);
  const row = { n: -1, s: 'é!', raw: Uint8Array.of(9, 8), f: 1 };
  const seen = viewer.row(record(hint), bytes) as typeof row;
  assert.deepEqual({ ...seen, raw: Uint8Array.from(seen.raw) }, row);
  assert.deepEqual([...viewer.parts(record(hint), bytes).keys()], ['n', 's', 'raw', 'f']);
  corrupt(() => viewer.row(record(hint), bytes.subarray(0, 20)), /more than are left/);
  corrupt(() => viewer.row(record(hint), Buffer.concat([bytes, bytes])), /follow its last column/);
});

test('an index of MDS shards is read strictly', () => {
  const shard = {
    column_encodings: ['int', 'str'],
    column_names: ['a:b', 'c,d'],
    column_sizes: [8, null],
    compression: 'zstd:3',
    format: 'mds',
    raw_data: { basename: 'shard.0.mds', bytes: 100 },
    zip_data: { basename: 'sub/shard.0.mds.zstd', bytes: 50 },
    samples: 3,
  };
  const read = (change: object): ReturnType<typeof mdsShards> =>
    mdsShards(JSON.stringify({ version: 2, shards: [{ ...shard, ...change }] }));
  const [first] = read({});
  assert.deepEqual(first, {
    path: 'sub/shard.0.mds.zstd',
    codec: 'zstd',
    rawBytes: 100,
    samples: 3,
    hint: 'mx8:mds;columns=a%3Ab:int:8,c%2Cd:str',
  });
  assert.deepEqual(mdsColumns('a%3Ab:int:8,c%2Cd:str'), [
    { name: 'a:b', encoding: 'int', bytes: 8 },
    { name: 'c,d', encoding: 'str', bytes: null },
  ]);
  assert.deepEqual(
    ['br:11', 'snappy', 'gz', 'gz:9', null].map(
      (compression) => read({ compression, zip_data: shard.zip_data })[0]?.codec,
    ),
    ['brotli', 'snappy', 'gzip', 'gzip', null],
  );
  for (const compression of ['bz2:9', 'constructor']) {
    assert.throws(
      () => read({ compression }),
      /compressed with "\w+(:9)?"; zstd, gz, br, snappy can be read, so/,
    );
  }
  assert.throws(() => read({ format: 'xsv' }), /its format is "xsv"/);
  assert.throws(
    () => read({ zip_data: { basename: '../../etc/passwd' } }),
    /no name below the index/,
  );
  assert.throws(() => mdsShards('{'), /not JSON/);
});

test('a table answers with parts only for records of compressed files', () => {
  const coded = codedHint('mx8:jsonl', { codec: 'gzip', start: 3, bytes: 4, crc32: 5 });
  const tableOf = (hints: readonly string[]): RecordTable =>
    RecordTable.of(hints.map((hint, sampleId) => ({ ...record(hint), sampleId })));
  assert.equal(codedPartsOf(tableOf(['', 'mx8:jsonl', ''])), null);
  assert.deepEqual(codedPartsOf(tableOf(['', coded, coded, 'x'])), [
    null,
    codedPartOf(coded),
    codedPartOf(coded),
    null,
  ]);
  assert.equal(codedPartsOf(tableOf(['', coded]).slice(0, 1)), null);
  const lines = ['', coded, ''].map((hint, id) => `${id}\t/d/x\t100\t9\t${hint}\n`).join('');
  const decoded = decodeTable(Buffer.from(lines), 0, 3);
  assert.deepEqual(codedPartsOf(decoded), [null, codedPartOf(coded), null]);
  assert.equal(codedPartsOf(decodeTable(Buffer.from('0\t/d/x\t\t\tmx8:jsonl\n'), 0, 1)), null);
});
