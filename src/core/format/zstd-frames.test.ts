import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

import { FormatError } from './format-error.ts';
import { ZstdFrames } from './zstd-frames.ts';

/** The frames, each as it can be decompressed by itself, with where it starts. */
function framesOf(file: Uint8Array, chunkBytes: number): { at: number; bytes: Buffer }[] {
  const cutter = new ZstdFrames();
  const frames: { at: number; bytes: Buffer }[] = [];
  for (let at = 0; at < file.length; at += chunkBytes) {
    for (const piece of cutter.push(Uint8Array.from(file.subarray(at, at + chunkBytes)))) {
      const last = frames.at(-1);
      if (piece.type === 'start') frames.push({ at: piece.at, bytes: Buffer.alloc(0) });
      if (piece.type === 'bytes' && last !== undefined) {
        last.bytes = Buffer.concat([last.bytes, piece.bytes]);
      }
    }
  }
  cutter.finish();
  return frames;
}

const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
const noise = Uint8Array.from({ length: 400_000 }, (_, index) => (index * 2654435761) >>> 24);
const texts: readonly Uint8Array[] = [
  Buffer.from('a'),
  Buffer.alloc(0),
  Buffer.alloc(300_000, 'same '),
  noise,
];

test('a file of several frames is cut into them, however it comes', () => {
  const checksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
  const compressed = texts.map((text, index) =>
    zstdCompressSync(text, index % 2 === 0 ? checksum : {}),
  );
  const file = Buffer.concat([skippable, ...compressed.flatMap((frame) => [frame, skippable])]);
  for (const chunkBytes of [1, 3, 1000, file.length]) {
    const frames = framesOf(file, chunkBytes);
    assert.deepEqual(
      frames.map(({ bytes }) => zstdDecompressSync(bytes).length),
      texts.map(({ length }) => length),
    );
    for (const { at, bytes } of frames) {
      assert.ok(file.subarray(at, at + bytes.length).equals(bytes));
    }
  }
});

test('what the zstd program wrote one after the other is as many frames', () => {
  const path = new URL('../../../test/fixtures/formats/lines.jsonl.zst', import.meta.url);
  const frames = framesOf(readFileSync(path), 50);
  const lines = frames.map(
    ({ bytes }) => zstdDecompressSync(bytes).toString().split('\n').length - 1,
  );
  assert.deepEqual(lines, [50, 1, 69]);
});

test('what is no frame, or none to its end, says where', () => {
  const frame = zstdCompressSync(noise);
  const refused = (file: Uint8Array, what: RegExp, at: number): void => {
    assert.throws(
      () => framesOf(file, 777),
      (error) => error instanceof FormatError && what.test(error.message) && error.at === at,
    );
  };
  refused(Buffer.from('no zstd at all'), /starts with fd2fb528, not/, 0);
  refused(Buffer.concat([frame, Buffer.from('tail')]), /starts with fd2fb528/, frame.length);
  refused(frame.subarray(0, 1000), /ends in the middle of a zstd frame/, 1000);
});
