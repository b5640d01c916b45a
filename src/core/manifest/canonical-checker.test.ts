import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { Mx8Error } from '../base/errors.ts';
import { CanonicalChecker } from './canonical-checker.ts';
import type { CanonicalSummary } from './canonical-checker.ts';
import { MANIFEST_HEADER, encodeRecord, encodeRecords } from './encode.ts';
import { parseLine } from './parse-line.ts';
import { chunkSizes, manifests, pushInChunks } from '../../../test/support/manifests.ts';

const encoder = new TextEncoder();

function check(bytes: Uint8Array, sizes: readonly number[] = [1 << 17]): CanonicalSummary {
  const checker = new CanonicalChecker('m.tsv');
  pushInChunks(bytes, sizes, (chunk) => checker.push(chunk));
  return checker.finish();
}

function manifest(...lines: readonly string[]): Uint8Array {
  return encoder.encode(MANIFEST_HEADER + lines.map((line) => `${line}\n`).join(''));
}

function refusal(bytes: Uint8Array, sizes?: readonly number[]): { line: unknown; message: string } {
  try {
    check(bytes, sizes);
  } catch (error) {
    assert.ok(error instanceof Mx8Error && error.code === 'manifest_invalid', String(error));
    return { line: error.details['line'], message: error.message };
  }
  return assert.fail('the manifest was accepted');
}

/** What the checker must agree with: each line by the parser, ids in order. */
function isCanonicalByParser(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.startsWith(MANIFEST_HEADER) || !text.endsWith('\n')) return false;
    const lines = text.slice(MANIFEST_HEADER.length).split('\n').slice(0, -1);
    return lines.every((line, id) => parseLine(line, id, 'm', 'canonical').sampleId === id);
  } catch {
    return false;
  }
}

test('canonical bytes pass in any chunks, and every 1024th record is marked', () => {
  fc.assert(
    fc.property(manifests, chunkSizes, (records, sizes) => {
      const body = encodeRecords(records);
      const bytes = new Uint8Array([...encoder.encode(MANIFEST_HEADER), ...body]);
      assert.deepEqual(check(bytes, sizes), {
        sampleCount: records.length,
        manifestBytes: bytes.length,
        marks: records.length === 0 ? [] : [MANIFEST_HEADER.length],
      });
    }),
  );
});

test('marks are the offsets of the lines of samples 0, 1024, 2048', () => {
  const lines = Array.from({ length: 3000 }, (_, sampleId) =>
    encodeRecord({
      sampleId,
      location: `/f/${sampleId}`,
      byteOffset: null,
      byteLength: null,
      decodeHint: '',
    }),
  );
  const text = MANIFEST_HEADER + lines.join('');
  const { marks, sampleCount } = check(encoder.encode(text), [777]);
  assert.equal(sampleCount, 3000);
  assert.deepEqual(
    marks,
    [0, 1024, 2048].map((id) => text.indexOf(`\n${id}\t`) + 1),
  );
});

test('after any mutation the checker and the line parser agree', () => {
  const alphabet = Array.from('\t\t\t\n\r0123457#/:sa é-', (character) =>
    encoder.encode(character),
  );
  const edit = fc.record({
    at: fc.nat(),
    remove: fc.integer({ min: 0, max: 2 }),
    insert: fc.oneof(
      fc.constantFrom(...alphabet),
      fc.constantFrom(new Uint8Array(0), Uint8Array.of(0xff), Uint8Array.of(0xed, 0xa0, 0x80)),
    ),
  });
  fc.assert(
    fc.property(manifests, edit, chunkSizes, (records, change, sizes) => {
      const before = [...encoder.encode(MANIFEST_HEADER), ...encodeRecords(records)];
      const at = change.at % (before.length + 1);
      const bytes = new Uint8Array(before.toSpliced(at, change.remove, ...change.insert));
      let accepted = true;
      try {
        check(bytes, sizes);
      } catch (error) {
        assert.ok(error instanceof Mx8Error && error.code === 'manifest_invalid', String(error));
        accepted = false;
      }
      assert.equal(accepted, isCanonicalByParser(bytes));
    }),
    { numRuns: 1500 },
  );
});

test('each deviation names its line and what is wrong', () => {
  const good = '0\t/a\t\t\t';
  const cases: readonly (readonly [string, RegExp])[] = [
    ['1\t/b\t\t', /4 columns, not the 5/],
    ['1\t/b\t\t\t\tx', /6 columns/],
    ['', /1 column,/],
    ['2\t/b\t\t\t', /sample_id 2 where 1 belongs/],
    ['0\t/b\t\t\t', /sample_id 0 where 1 belongs/],
    ['01\t/b\t\t\t', /sample_id "01" has leading zeros/],
    ['x\t/b\t\t\t', /sample_id "x" is not a whole number/],
    ['1\t\t\t\t', /location is empty/],
    ['1\tb\t\t\t', /"b" is neither an absolute path nor a URL/],
    ['1\t/b\t5\t\t', /a byte_offset but no byte_length/],
    ['1\t/b\t\t5\t', /a byte_length but no byte_offset/],
    ['1\t/b\t0\t0\t', /byte_length is 0/],
    ['1\t/b\t00\t1\t', /byte_offset "00" has leading zeros/],
    ['1\t/b\t0\t-1\t', /byte_length "-1" is not a whole number/],
    ['1\t/b\t9007199254740991\t1\t', /ends beyond byte 9007199254740991/],
    ['1\t/b\t\t\th\r', /carriage return/],
  ];
  for (const [line, message] of cases) {
    const found = refusal(manifest(good, line, '2\t/c\t\t\t'));
    assert.equal(found.line, 3, line);
    assert.match(found.message, /^Line 3 of m\.tsv: /);
    assert.match(found.message, message);
  }
});

test('bad UTF-8 names its line although lines are checked together', () => {
  const bytes = manifest('0\t/é\t\t\t', '1\t/b\t\t\t', '2\t/?\t\t\t', '3\t/d\t\t\t');
  bytes[bytes.indexOf(0x3f)] = 0xff;
  const found = refusal(bytes);
  assert.equal(found.line, 4);
  assert.match(found.message, /not UTF-8/);
});

test('a missing, unknown or half header and a cut-off end are refused', () => {
  assert.match(refusal(encoder.encode('0\t/a\t\t\t\n')).message, /Line 1 .*schema_version=0/);
  assert.match(
    refusal(encoder.encode('schema_version=1\n')).message,
    /Line 1 .*"schema_version=1"/,
  );
  assert.match(refusal(encoder.encode('\ufeffschema_version=0\n')).message, /Line 1 /);
  assert.match(refusal(encoder.encode('schema_version=0')).message, /Line 1 .*cut off/);
  assert.match(refusal(new Uint8Array(0)).message, /empty, without even its header/);
  const cut = manifest('0\t/a\t\t\t').slice(0, -1);
  assert.equal(refusal(cut).line, 2);
  assert.match(refusal(cut).message, /cut off/);
});

test('a line longer than the limit is refused in one chunk and in many', () => {
  const long = manifest(`0\t/${'x'.repeat(65536)}\t\t\t`);
  assert.match(refusal(long).message, /Line 2 .*longer than 65536 bytes/);
  assert.match(refusal(long, [1000]).message, /Line 2 .*longer than 65536 bytes/);
});
