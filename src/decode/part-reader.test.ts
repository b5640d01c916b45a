import assert from 'node:assert/strict';
import test from 'node:test';
import { crc32, gzipSync, zstdCompressSync } from 'node:zlib';

import { FormatError, PartChangedError } from '../core/format/format-error.ts';
import type { CodedPart } from '../core/format/coded-part.ts';
import type { Codec } from '../core/format/format-name.ts';
import type { ByteSource } from '../ports/byte-source.ts';
import { UNPACK_CHUNK_BYTES } from './limits.ts';
import { PartReader } from './part-reader.ts';

/** A file in memory that counts what is read of it, and how often it is read from its start. */
class MemoryBytes implements ByteSource {
  readonly #file: Uint8Array;
  readBytes = 0;
  starts = 0;

  constructor(file: Uint8Array) {
    this.#file = file;
  }

  expect(): void {
    // A file.
  }

  sizeOf(): Promise<number> {
    return Promise.resolve(this.#file.length);
  }

  read(_: string, position: number, into: Uint8Array, signal?: AbortSignal): Promise<number> {
    if (signal?.aborted === true) return Promise.reject(new Error('left'));
    const part = this.#file.subarray(position, position + into.length);
    into.set(part);
    this.readBytes += part.length;
    if (position === 0) this.starts += 1;
    return Promise.resolve(part.length);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Lines that hardly compress, so that a file has many pieces. */
function lineOf(id: number): Buffer {
  const noise = Array.from({ length: 40 }, (_, at) => Math.imul(id * 41 + at, 2654435761) >>> 0);
  return Buffer.from(`${id} ${noise.join('')}\n`);
}

const lines = Array.from({ length: 5000 }, (_, id) => lineOf(id));
const starts: number[] = [];
let total = 0;
for (const line of lines) {
  starts.push(total);
  total += line.length;
}

function partOf(id: number, codec: Codec, base: number = 0): CodedPart {
  const line = lines[id] ?? Buffer.alloc(0);
  const start = (starts[id] ?? 0) - (starts[base] ?? 0);
  return { codec, columns: null, rows: null, start, bytes: line.length, crc32: crc32(line) };
}

async function lineAt(
  reader: PartReader,
  id: number,
  codec: Codec = 'gzip',
  frame: { readonly base: number; readonly at: number } = { base: 0, at: 0 },
): Promise<Buffer> {
  const part = partOf(id, codec, frame.base);
  const into = Buffer.alloc(part.bytes);
  await reader.read('/x', part, frame.at, into);
  return into;
}

test('parts in order cost one pass over the file, and one before them another', async () => {
  const file = gzipSync(Buffer.concat(lines));
  assert.ok(file.length > 5 * UNPACK_CHUNK_BYTES);
  const source = new MemoryBytes(file);
  const reader = new PartReader(source);
  for (let id = 0; id < lines.length; id += 7) {
    assert.deepEqual(await lineAt(reader, id), lines[id]);
  }
  assert.equal(source.starts, 1);
  assert.ok(source.readBytes <= file.length);
  assert.deepEqual(await lineAt(reader, 3), lines[3]);
  assert.equal(source.starts, 2);
  await reader.close();
});

test('the first part needs the beginning of the file only', async () => {
  const source = new MemoryBytes(gzipSync(Buffer.concat(lines)));
  const reader = new PartReader(source);
  await lineAt(reader, 0);
  assert.ok(source.readBytes <= 5 * UNPACK_CHUNK_BYTES, `${source.readBytes} bytes were read`);
  await reader.close();
});

test('a zstd file is entered at the frame, and read on over its end', async () => {
  const first = zstdCompressSync(Buffer.concat(lines.slice(0, 2000)));
  const file = Buffer.concat([first, zstdCompressSync(Buffer.concat(lines.slice(2000)))]);
  const source = new MemoryBytes(file);
  const reader = new PartReader(source);
  const second = { base: 2000, at: first.length };
  assert.deepEqual(await lineAt(reader, 2100, 'zstd', second), lines[2100]);
  assert.equal(source.starts, 0);
  // One that begins in the first frame is counted from there, wherever it ends.
  assert.deepEqual(await lineAt(reader, 1999, 'zstd'), lines[1999]);
  assert.deepEqual(await lineAt(reader, 2500, 'zstd'), lines[2500]);
  assert.deepEqual(await lineAt(reader, 2501, 'zstd', second), lines[2501]);
  assert.equal(source.starts, 1);
  await reader.close();
});

test('a part that changed fails by itself; damage fails what comes after it without another look', async () => {
  const file = gzipSync(Buffer.concat(lines));
  const source = new MemoryBytes(file.subarray(0, file.length - UNPACK_CHUNK_BYTES));
  const reader = new PartReader(source);
  const changed = { ...partOf(5, 'gzip'), crc32: 1 };
  await assert.rejects(reader.read('/x', changed, 0, null), PartChangedError);
  assert.deepEqual(await lineAt(reader, 6), lines[6]);
  const last = lines.length - 1;
  const cutOff = (error: unknown): boolean =>
    error instanceof FormatError && error.message.includes('it was cut off');
  await assert.rejects(lineAt(reader, last), cutOff);
  const { readBytes } = source;
  for (let again = 0; again < 3; again += 1) await assert.rejects(lineAt(reader, last), cutOff);
  assert.equal(source.readBytes, readBytes);
  assert.deepEqual(await lineAt(reader, 7), lines[7]);
  await reader.close();
});

test('closing ends a read that is under way', async () => {
  const reader = new PartReader(new MemoryBytes(gzipSync(Buffer.concat(lines))));
  const reading = lineAt(reader, lines.length - 1);
  const left = assert.rejects(reading);
  await reader.close();
  await left;
});
