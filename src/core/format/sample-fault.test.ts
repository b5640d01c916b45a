import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { encodeUstarHeader, paddedLength } from '../base/ustar.ts';
import type { SampleRecord } from '../manifest/record.ts';
import { CsvScanner } from './csv-scanner.ts';
import { JsonlScanner } from './jsonl-scanner.ts';
import { SampleTests } from './sample-fault.ts';
import type { FoundSample, SampleScanner } from './scanner.ts';
import { WebDatasetScanner } from './webdataset-scanner.ts';

function record(
  hint: string,
  location = '/data/shard',
  byteOffset: number | null = 0,
): SampleRecord {
  return { sampleId: 0, location, byteOffset, byteLength: 1, decodeHint: hint };
}

function faultOf(hint: string, bytes: Uint8Array, location?: string): string | null {
  const check = new SampleTests().of(record(hint, location));
  return check === null ? 'no test' : check(bytes);
}

function found(scanner: SampleScanner, shard: Uint8Array): readonly FoundSample[] {
  const samples: FoundSample[] = [];
  scanner.push(shard, samples);
  scanner.finish(samples);
  return samples;
}

function tarOf(members: Readonly<Record<string, string>>): Buffer {
  const blocks = Object.entries(members).flatMap(([name, text]) => {
    const data = Buffer.alloc(paddedLength(text.length));
    data.write(text);
    return [Buffer.from(encodeUstarHeader({ name, size: text.length })), data];
  });
  return Buffer.concat(blocks);
}

const LINES = Buffer.from('{"a":1}\nplain text\r\n\n\ufeffmark\r\r\n  last');
const TABLE = Buffer.from('x,y\n1,"two\nlines"\n"a ""b""",2\n');
const TAR = tarOf({ 'd/1.txt': 'one', 'd/1.cls': '7', 'd/2.txt': 'two' });

test('every sample that a scanner finds is found to be one, and no other stretch of its shard', () => {
  const shards = [
    [LINES, new JsonlScanner(null), 4],
    [TABLE, new CsvScanner(',', null), 2],
    [TAR, new WebDatasetScanner(null), 2],
  ] as const;
  for (const [shard, scanner, count] of shards) {
    const samples = found(scanner, shard);
    assert.equal(samples.length, count);
    for (const { start, end, hint } of samples) {
      assert.equal(faultOf(hint, shard.subarray(start, end)), null);
    }
    const [first, second] = samples;
    assert.ok(first !== undefined && second !== undefined);
    assert.notEqual(faultOf(first.hint, shard.subarray(first.start, second.end)), null);
  }
});

test('whatever lines and records are in a file, each is found to be one', () => {
  const text = fc.array(fc.constantFrom('a', '"', ',', '\r', '\n', '\r\n', ' ', '\ufeff', '""'), {
    maxLength: 40,
  });
  const property = fc.property(text, fc.boolean(), (parts, isTable) => {
    const shard = Buffer.from(`${isTable ? 'x,y\n' : ''}${parts.join('')}`);
    const scanner = isTable ? new CsvScanner(',', null) : new JsonlScanner(null);
    let samples: readonly FoundSample[];
    try {
      samples = found(scanner, shard);
    } catch {
      return; // A quote that is never closed: such a file is not pinned.
    }
    for (const { start, end, hint } of samples) {
      assert.equal(faultOf(hint, shard.subarray(start, end)), null);
    }
  });
  fc.assert(property, { numRuns: 500 });
});

test('what is left after a change is no sample: a line break, an open quote, another header or length', () => {
  assert.match(faultOf('mx8:jsonl', Buffer.from('{"a"\n1}')) ?? '', /not one sample but 2/);
  assert.match(faultOf('mx8:jsonl', Buffer.from('   ')) ?? '', /not one sample but 0/);
  assert.match(faultOf('mx8:csv;columns=x:str', Buffer.from('1,"two')) ?? '', /never closed/);
  const tar = Buffer.from(TAR.subarray(0, 1024));
  tar[4] = 0x39;
  assert.match(faultOf('mx8:webdataset;label_id=7', tar) ?? '', /checksum|sum/);
  const lengths = Buffer.from([3, 0, 0, 0, 65, 66, 67]);
  const hint = 'mx8:mds;columns=text:str';
  assert.equal(faultOf(hint, lengths), null);
  lengths[0] = 4;
  assert.match(faultOf(hint, lengths) ?? '', /more than are left/);
});

test('lines of a job are looked at without a hint; whole files, parts of compressed ones and strangers are not', () => {
  const line = '/out/part-000000000000-000000000064.jsonl';
  assert.equal(faultOf('', Buffer.from('"row"'), line), null);
  assert.match(faultOf('', Buffer.from('"r\nw"'), line) ?? '', /not one sample/);
  assert.equal(faultOf('', Buffer.from('a\nb'), '/out/a.jsonl'), 'no test');
  assert.equal(faultOf('mx8:jsonl;codec=gzip;start=0;bytes=3;crc32=00000000', LINES), 'no test');
  assert.equal(faultOf('mx8:vision:imagefolder;label_id=1', LINES), 'no test');
  assert.equal(new SampleTests().of(record('mx8:jsonl', '/data/x.jsonl', null)), null);
});
