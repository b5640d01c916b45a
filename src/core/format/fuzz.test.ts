/** Whatever bytes come: a scanner ends, keeps to the bytes, and knows no other failure than `FormatError`. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { crc32, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';

import { encodeUstarHeader } from '../base/ustar.ts';
import { CsvScanner } from './csv-scanner.ts';
import { FormatError } from './format-error.ts';
import { JsonlScanner } from './jsonl-scanner.ts';
import { MdsScanner } from './mds-scanner.ts';
import type { FoundSample, SampleScanner } from './scanner.ts';
import { tarParts } from './tar-parts.ts';
import { WebDatasetScanner } from './webdataset-scanner.ts';
import { ZstdFrames } from './zstd-frames.ts';

const expected = { hint: 'mx8:mds;columns=x:str', samples: 2, rawBytes: 60 };
const SCANNERS: readonly (readonly [string, () => SampleScanner])[] = [
  ['lines', () => new JsonlScanner(crc32)],
  ['CSV', () => new CsvScanner(',', crc32)],
  ['a tar', () => new WebDatasetScanner(crc32)],
  ['an MDS shard', () => new MdsScanner(expected, crc32)],
];

/** Bytes that mean something to one of them, more often than chance has it. */
const pieces = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .constantFrom('\n', '\r\n', '"', '""', ',', '{}', '\ufeff', ' ')
    .map((text) => Buffer.from(text)),
  fc.constantFrom(2, 16, 20, 60).map((value) => Uint8Array.of(value, 0, 0, 0)),
  fc
    .record({ name: fc.constantFrom('a.x', 'a.cls', 'b.x', 'no'), size: fc.nat({ max: 700 }) })
    .map((entry) => Buffer.concat([encodeUstarHeader(entry), Buffer.alloc(1024, '7')])),
  fc.constant(new Uint8Array(512)),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => zstdCompressSync(bytes)),
);
const files = fc.array(pieces, { maxLength: 12 }).map((parts) => Buffer.concat(parts));
const chunkSizes = fc.integer({ min: 1, max: 600 });

function isFormatError(error: unknown): boolean {
  if (error instanceof FormatError) return true;
  throw error;
}

for (const [name, make] of SCANNERS) {
  test(`any bytes, read as ${name}, are samples within them in order, or refused`, () => {
    fc.assert(
      fc.property(files, chunkSizes, (file, chunkBytes) => {
        const found: FoundSample[] = [];
        const scanner = make();
        try {
          for (let at = 0; at < file.length; at += chunkBytes) {
            scanner.push(file.subarray(at, at + chunkBytes), found);
          }
          scanner.finish(found);
        } catch (error) {
          isFormatError(error);
        }
        let before = 0;
        for (const { start, end, checksum } of found) {
          assert.ok(start >= before && end > start && end <= file.length);
          assert.equal(checksum, crc32(file.subarray(start, end)));
          before = end;
        }
      }),
      { numRuns: 300 },
    );
  });
}

test('any bytes, read as zstd frames or as members of a sample, end or are refused', () => {
  fc.assert(
    fc.property(files, chunkSizes, (file, chunkBytes) => {
      const frames = new ZstdFrames();
      try {
        let bytes = 0;
        for (let at = 0; at < file.length; at += chunkBytes) {
          for (const piece of frames.push(file.subarray(at, at + chunkBytes))) {
            if (piece.type === 'bytes') bytes += piece.bytes.length;
          }
        }
        assert.ok(bytes <= file.length);
        frames.finish();
      } catch (error) {
        isFormatError(error);
      }
      try {
        for (const part of tarParts(file).values()) assert.ok(part.length <= file.length);
      } catch (error) {
        isFormatError(error);
      }
    }),
    { numRuns: 300 },
  );
});
