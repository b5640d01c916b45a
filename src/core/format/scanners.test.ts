import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { crc32, gunzipSync, zstdDecompressSync } from 'node:zlib';

import { CsvScanner } from './csv-scanner.ts';
import { FormatError } from './format-error.ts';
import { JsonlScanner } from './jsonl-scanner.ts';
import { MdsScanner } from './mds-scanner.ts';
import type { FoundSample, SampleScanner } from './scanner.ts';
import { tarParts } from './tar-parts.ts';
import { WebDatasetScanner } from './webdataset-scanner.ts';

// Made by the formats' own tools: see make.py beside them.
const FIXTURES = fileURLToPath(new URL('../../../test/fixtures/formats/', import.meta.url));
const gnuTar = (): Buffer => zstdDecompressSync(readFileSync(`${FIXTURES}gnu.tar.zst`));
const paxTar = (): Buffer => gunzipSync(readFileSync(`${FIXTURES}pax.tar.gz`));

function scan(scanner: SampleScanner, bytes: Uint8Array, chunkBytes: number): FoundSample[] {
  const found: FoundSample[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    // Memory that is used again, as readers do.
    const chunk = Uint8Array.from(bytes.subarray(at, at + chunkBytes));
    scanner.push(chunk, found);
    chunk.fill(0xff);
  }
  scanner.finish(found);
  return found;
}

/** The samples; the same however the bytes are cut, and with checksums of exactly their bytes. */
function samplesOf(make: (checked: boolean) => SampleScanner, bytes: Uint8Array): FoundSample[] {
  const whole = scan(make(true), bytes, bytes.length);
  for (const { start, end, checksum } of whole) {
    assert.equal(checksum, crc32(bytes.subarray(start, end)));
  }
  for (const chunkBytes of bytes.length < 10_000 ? [1, 2, 7] : [61, 512, 4096]) {
    assert.deepEqual(scan(make(true), bytes, chunkBytes), whole, `in chunks of ${chunkBytes}`);
  }
  const unchecked = scan(make(false), bytes, bytes.length);
  assert.deepEqual(
    unchecked,
    whole.map((sample) => ({ ...sample, checksum: 0 })),
  );
  return whole;
}

/** The same, leaving out what the scanner does not want to see. */
function samplesBySkipping(scanner: SampleScanner, bytes: Uint8Array): FoundSample[] {
  const found: FoundSample[] = [];
  while (scanner.position < bytes.length && scanner.indifferentBytes !== Infinity) {
    const jump = scanner.indifferentBytes;
    const at = scanner.position;
    if (jump > 0) scanner.skip(Math.min(jump, bytes.length - at));
    else scanner.push(bytes.subarray(at, at + 100), found);
  }
  if (scanner.position < bytes.length) scanner.skip(bytes.length - scanner.position);
  scanner.finish(found);
  return found;
}

function textsOf(make: (checked: boolean) => SampleScanner, text: string): string[] {
  const bytes = Buffer.from(text);
  return samplesOf(make, bytes).map(({ start, end }) => bytes.subarray(start, end).toString());
}

const jsonl = (checked: boolean): JsonlScanner => new JsonlScanner(checked ? crc32 : null);
const csv = (checked: boolean): CsvScanner => new CsvScanner(',', checked ? crc32 : null);
const wds = (checked: boolean): WebDatasetScanner => new WebDatasetScanner(checked ? crc32 : null);

function refuses(scanner: SampleScanner, bytes: Uint8Array, what: RegExp, at: number): void {
  assert.throws(
    () => scan(scanner, bytes, 700),
    (error) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.match(error.message, what);
      assert.equal(error.at, at, error.message);
      return true;
    },
  );
}

test('a line is a sample without its line end; blank lines are none', () => {
  assert.deepEqual(textsOf(jsonl, '{"a":1}\n\n  \t\n[2]\r\n\r\n"x\r"\r\r\nlast'), [
    '{"a":1}',
    '[2]',
    '"x\r"\r',
    'last',
  ]);
  assert.deepEqual(textsOf(jsonl, '\n'), []);
  assert.deepEqual(textsOf(jsonl, ''), []);
  assert.deepEqual(textsOf(jsonl, ' {}\r'), [' {}']);
});

test('a byte order mark belongs to no line', () => {
  const bytes = Buffer.from('\ufeff{}\n\ufeff{}\n');
  const found = scan(jsonl(true), bytes, 100);
  assert.deepEqual(
    found.map(({ start, end }) => [start, end]),
    [
      [3, 5],
      [6, 11],
    ],
  );
});

test('a record goes over line breaks in quotes, and the first names the columns', () => {
  const text = 'id,"the ""text"""\n1,"one\ntwo\r\n"\r\n2,5" pipe\n\n3,""\n4,"a""\n"';
  assert.deepEqual(textsOf(csv, text), ['1,"one\ntwo\r\n"', '2,5" pipe', '3,""', '4,"a""\n"']);
  const [first] = samplesOf(csv, Buffer.from(text));
  assert.equal(first?.hint, 'mx8:csv;columns=id,the%20%22text%22');
  const tabs = new CsvScanner('\t', null);
  assert.equal(
    scan(tabs, Buffer.from('a\tb\n1\t2\n'), 9)[0]?.hint,
    'mx8:csv;delimiter=tab;columns=a,b',
  );
});

test('a CSV file that cannot be cut into records says where', () => {
  refuses(csv(false), Buffer.from('a,b\n1,"open\n2,3\n'), /quote at byte 6 is never closed/, 6);
  refuses(csv(false), Buffer.from(''), /no header line/, 0);
  refuses(csv(false), Buffer.from('a,b,a\n'), /column "a" twice/, 0);
  refuses(csv(false), Buffer.from(`${'x'.repeat(5000)}\n1\n`), /longer than 4096 bytes/, 0);
});

for (const [name, tar] of [
  ['GNU', gnuTar],
  ['PAX', paxTar],
] as const) {
  test(`members of a ${name} tar that share a key are one sample, with its class`, () => {
    const bytes = tar();
    const found = samplesOf(wds, bytes);
    assert.equal(found.length, 40);
    assert.deepEqual(
      samplesBySkipping(wds(false), bytes),
      found.map((sample) => ({ ...sample, checksum: 0 })),
    );
    for (const [i, { start, end, hint }] of found.entries()) {
      assert.equal(hint, `mx8:webdataset;label_id=${i % 7}`);
      const parts = tarParts(bytes.subarray(start, end));
      assert.deepEqual([...parts.keys()], ['jpg', 'cls', 'meta.json']);
      assert.deepEqual(Uint8Array.from(parts.get('jpg') ?? [i]), new Uint8Array(i * 40).fill(i));
      assert.deepEqual(JSON.parse(Buffer.from(parts.get('meta.json') ?? []).toString()), { i });
    }
  });
}

test('a damaged tar says what is wrong and where', () => {
  const bytes = gnuTar();
  const [first, second] = samplesOf(wds, bytes);
  const start = second?.start ?? 0;
  assert.ok(first?.end === start);
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(0x21, start + 5);
  refuses(wds(false), flipped, /no tar header: it says checksum \d+, but its bytes sum to/, start);
  refuses(wds(false), bytes.subarray(0, start + 200), /in the middle of a header/, start + 200);
  refuses(wds(false), Buffer.from('x'.repeat(2000)), /no tar header: its checksum is no number/, 0);
  const twice = Buffer.concat([
    bytes.subarray(first.start, first.end),
    bytes.subarray(first.start),
  ]);
  refuses(wds(false), twice, /has two members of the type "jpg"/, first.end - first.start);
  const inData = bytes.subarray(0, (samplesOf(wds, bytes)[39]?.start ?? 0) + 2000);
  refuses(wds(false), inData, /inside a member, \d+ bytes before its end/, inData.length);
});

function mdsShard(samples: readonly string[]): {
  bytes: Buffer;
  scanner: (c: boolean) => MdsScanner;
} {
  const head = (samples.length + 2) * 4;
  const config = Buffer.from('{"about":"columns"}');
  const offsets = [head + config.length];
  for (const text of samples) offsets.push((offsets.at(-1) ?? 0) + Buffer.byteLength(text));
  const table = Buffer.alloc(head);
  for (const [at, value] of [samples.length, ...offsets].entries())
    table.writeUInt32LE(value, at * 4);
  const bytes = Buffer.concat([table, config, ...samples.map((text) => Buffer.from(text))]);
  const expected = {
    hint: 'mx8:mds;columns=x:str',
    samples: samples.length,
    rawBytes: bytes.length,
  };
  return { bytes, scanner: (checked) => new MdsScanner(expected, checked ? crc32 : null) };
}

test('samples of an MDS shard lie where its table says', () => {
  const { bytes, scanner } = mdsShard(['one', 'two two', '3']);
  const texts = samplesOf(scanner, bytes).map(({ start, end }) =>
    bytes.subarray(start, end).toString(),
  );
  assert.deepEqual(texts, ['one', 'two two', '3']);
  assert.equal(samplesBySkipping(scanner(false), bytes).length, 3);
});

test('an MDS shard that does not agree with its index says how', () => {
  const { bytes, scanner } = mdsShard(['one', 'two']);
  const size = bytes.length;
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt32LE(value, at);
    return copy;
  };
  refuses(scanner(true), changed(0, 3), /it has 3 samples, and index.json says 2/, 0);
  refuses(scanner(true), changed(8, 9), /sample 1 is said to start at byte 9/, 8);
  refuses(scanner(true), changed(12, size - 1), /end at byte 40, and index.json says/, 12);
  refuses(
    scanner(true),
    bytes.subarray(0, size - 1),
    /has 40 bytes, and index.json says 41/,
    size - 1,
  );
  refuses(scanner(true), bytes.subarray(0, 6), /has 6 bytes/, 6);
});
