import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { Mx8Error } from '../base/errors.ts';
import { encodeHeader, encodeRecord, encodeRecords } from './encode.ts';
import { ManifestDecoder } from './manifest-decoder.ts';
import type { ManifestDecoderOptions } from './manifest-decoder.ts';
import type { SampleRecord } from './record.ts';
import { chunkSizes, manifests, pushInChunks } from '../../../test/support/manifests.ts';

const encoder = new TextEncoder();

function decode(
  text: string,
  options: Partial<ManifestDecoderOptions> = {},
  sizes: readonly number[] = [1 << 16],
): SampleRecord[] {
  const decoder = new ManifestDecoder({ source: 'm.tsv', allowDev: true, ...options });
  const records: SampleRecord[] = [];
  pushInChunks(encoder.encode(text), sizes, (chunk) => records.push(...decoder.push(chunk)));
  decoder.finish();
  return records;
}

function refusal(text: string, options: Partial<ManifestDecoderOptions> = {}): Mx8Error {
  try {
    decode(text, options);
  } catch (error) {
    assert.ok(error instanceof Mx8Error && error.code === 'manifest_invalid', String(error));
    return error;
  }
  return assert.fail('the manifest was accepted');
}

function file(sampleId: number, location: string): SampleRecord {
  return { sampleId, location, byteOffset: null, byteLength: null, decodeHint: '' };
}

test('decoding what was encoded gives the same records, in any chunks', () => {
  fc.assert(
    fc.property(manifests, chunkSizes, (records, sizes) => {
      const text = new TextDecoder().decode(encodeHeader()) + records.map(encodeRecord).join('');
      assert.deepEqual(decode(text, {}, sizes), records);
    }),
  );
});

test('records in any order, with \\r\\n, blank lines and comments, come out in the order of ids', () => {
  fc.assert(
    fc.property(
      manifests,
      fc.array(fc.nat(1000), { minLength: 30, maxLength: 30 }),
      chunkSizes,
      (records, noise, sizes) => {
        const lines = records
          .map((record, index) => ({ line: encodeRecord(record), key: noise[index] ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .flatMap(({ line, key }) => [
            key % 3 === 0 ? `${line.slice(0, -1)}\r\n` : line,
            ...(key % 5 === 0 ? ['# a note\n'] : []),
            ...(key % 7 === 0 ? ['\n', '\r\n'] : []),
          ]);
        const text = `# first\n\nschema_version=0\r\n${lines.join('')}`;
        assert.deepEqual(encodeRecords(decode(text, {}, sizes)), encodeRecords(records));
      },
    ),
  );
});

test('records in order pass at once and are not held', () => {
  const decoder = new ManifestDecoder({ source: 'm', allowDev: false, heldBytesMax: 0 });
  assert.deepEqual(decoder.push(encoder.encode('schema_version=0\n0\t/a\t\t\t\n1\t/b')), [
    file(0, '/a'),
  ]);
  assert.deepEqual(decoder.push(encoder.encode('\t\t\t\n')), [file(1, '/b')]);
  decoder.finish();
  assert.equal(decoder.sampleCount, 2);
});

test('a dev manifest has 2, 4 or 5 columns and no header', () => {
  const text = '# dev\n1\t/b\t10\t20\n0\t/a\n2\ts3://x/y\t\t\thint=1\n';
  assert.deepEqual(decode(text), [
    file(0, '/a'),
    { ...file(1, '/b'), byteOffset: 10, byteLength: 20 },
    { ...file(2, 's3://x/y'), decodeHint: 'hint=1' },
  ]);
  assert.match(refusal('0\t/a\t1\n').message, /^Line 1 .*3 columns; .* 2, 4 or 5/);
  assert.match(refusal('0 /a\n').message, /^Line 1 .*1 column;/);
});

test('relative locations of a dev manifest are resolved or refused, absolute ones kept', () => {
  const resolveLocation = (location: string): string => `/base/${location}`;
  const text = '0\ta/b.jpg\n1\t/c\n2\tgs://k/d\n';
  assert.deepEqual(
    decode(text, { resolveLocation }).map((record) => record.location),
    ['/base/a/b.jpg', '/c', 'gs://k/d'],
  );
  assert.match(refusal(text).message, /^Line 1 .*"a\/b\.jpg" is neither/);
  assert.match(
    refusal('schema_version=0\n0\ta\t\t\t\n', { resolveLocation }).message,
    /^Line 2 .*"a" is neither/,
  );
});

test('a gap names the line after it, a duplicate both lines', () => {
  const gap = refusal('0\t/a\n3\t/d\n2\t/c\n');
  assert.equal(gap.details['line'], 3);
  assert.match(gap.message, /sample_id 2 follows on 0; no line has the sample_id 1/);
  assert.match(refusal('1\t/a\n').message, /Line 1 .*1 follows on nothing; .* sample_id 0/);
  const late = refusal('0\t/a\n2\t/c\n2\t/d\n');
  assert.equal(late.details['line'], 3);
  assert.match(late.message, /sample_id 2 is on line 2 already/);
  assert.match(refusal('0\t/a\n0\t/b\n').message, /Line 2 .*sample_id 0 is on an earlier line/);
});

test('an unknown schema, a byte order mark, a missing header and a cut-off end are refused', () => {
  assert.match(refusal('schema_version=7\n').message, /Line 1 .*schema_version 0, not "7"/);
  assert.match(refusal('\ufeffschema_version=0\n').message, /byte order mark/);
  assert.match(refusal('0\t/a\n', { allowDev: false }).message, /header .* is missing/);
  assert.match(refusal('', { allowDev: false }).message, /header .* is missing/);
  assert.match(refusal('0\t/a\n1\t/b').message, /Line 2 .*may have been cut off/);
});

test('bytes that are not UTF-8 name their line', () => {
  const decoder = new ManifestDecoder({ source: 'm', allowDev: true });
  const bytes = encoder.encode('0\t/a\n1\t/?\n2\t/c\n');
  bytes[bytes.indexOf(0x3f)] = 0xc3;
  assert.throws(() => decoder.push(bytes), /Line 2 of m: it is not UTF-8/);
});

test('disorder beyond the memory for it is refused with the way out', () => {
  const lines = Array.from({ length: 20 }, (_, index) => `${index + 1}\t/f\n`).join('');
  const error = refusal(`${lines}0\t/f\n`, { heldBytesMax: 1000 });
  assert.match(error.message, /Line 7 .*sort the manifest by sample_id first/);
  assert.equal(decode(`${lines}0\t/f\n`, { heldBytesMax: 10_000 }).length, 21);
});

test('a line longer than the limit is refused however it arrives', () => {
  const text = `0\t/${'é'.repeat(33_000)}\n`;
  assert.match(refusal(text).message, /Line 1 .*longer than 65536/);
  assert.throws(() => decode(text, {}, [1000]), /Line 1 .*longer than 65536/);
});
