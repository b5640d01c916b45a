/**
 * Decompresses a file while it is read: a chunk of it goes in, chunks come out, nothing else is held (zstd keeps
 * the window that the file asks for). Errors are `FormatError` with a place in the file.
 */
import type { Transform } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';

import { FormatError } from '../core/format/format-error.ts';
import type { Codec } from '../core/format/format-name.ts';
import { SnappyBlock } from '../core/format/snappy.ts';
import { ZstdFrames } from '../core/format/zstd-frames.ts';
import type { FramePiece } from '../core/format/zstd-frames.ts';
import { UNPACK_CHUNK_BYTES, ZSTD_WINDOW_LOG_MAX } from './limits.ts';

export interface UnpackedChunk {
  /** Valid until the next is asked for. */
  readonly bytes: Uint8Array;
  /** Where in the file the frame starts that it is from: decompressing can begin there. */
  readonly frameAt: number;
  /** Bytes of that frame before these. */
  readonly offset: number;
}

/** `compressed` are the bytes of a file from `from` on, the beginning of a frame. It is closed with this. */
export function unpack(
  codec: Codec,
  compressed: AsyncIterable<Uint8Array>,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  switch (codec) {
    case 'gzip':
      return unpackStream(codec, createGunzip({ chunkSize: UNPACK_CHUNK_BYTES }), compressed, from);
    case 'brotli':
      return unpackStream(codec, brotli(), compressed, from);
    case 'zstd':
      return unpackZstd(compressed, from);
    case 'snappy':
      return unpackSnappy(compressed, from);
    default:
      return codec satisfies never;
  }
}

function brotli(): Unzip {
  return createBrotliDecompress({ chunkSize: UNPACK_CHUNK_BYTES });
}

/** Members of gzip that follow each other count as one frame: where one ends shows only in decompressing it. */
async function* unpackStream(
  codec: Codec,
  unzip: Unzip,
  compressed: AsyncIterable<Uint8Array>,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  let offset = 0;
  for await (const bytes of inflated(codec, unzip, compressed, from)) {
    yield { bytes, frameAt: from, offset };
    offset += bytes.length;
  }
}

async function* unpackSnappy(
  compressed: AsyncIterable<Uint8Array>,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  const block = new SnappyBlock(UNPACK_CHUNK_BYTES);
  let offset = 0;
  try {
    for await (const chunk of compressed) {
      for (const bytes of block.push(chunk)) {
        yield { bytes, frameAt: from, offset };
        offset += bytes.length;
      }
    }
    block.finish();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const what = `the snappy data is damaged or cut off, after ${offset} decompressed bytes`;
    throw new FormatError(`${what} (${error.message})`, from + block.taken);
  }
}

/** Node's decompressor stops after the first frame without a word, so each gets one of its own. */
async function* unpackZstd(
  compressed: AsyncIterable<Uint8Array>,
  from: number,
): AsyncGenerator<UnpackedChunk, void, undefined> {
  const pieces = framePieces(compressed, from);
  const options = {
    chunkSize: UNPACK_CHUNK_BYTES,
    params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
  };
  try {
    for (;;) {
      const first = await pieces.next();
      if (first.done === true) return;
      if (first.value.type !== 'start') continue;
      const frameAt = first.value.at;
      let offset = 0;
      const frame = restOfFrame(pieces);
      for await (const bytes of inflated('zstd', createZstdDecompress(options), frame, frameAt)) {
        yield { bytes, frameAt, offset };
        offset += bytes.length;
      }
    }
  } finally {
    await pieces.return();
  }
}

async function* framePieces(
  compressed: AsyncIterable<Uint8Array>,
  from: number,
): AsyncGenerator<FramePiece, void, undefined> {
  const frames = new ZstdFrames(from);
  for await (const chunk of compressed) yield* frames.push(chunk);
  frames.finish();
}

async function* restOfFrame(
  pieces: AsyncGenerator<FramePiece, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const piece = await pieces.next();
    if (piece.done === true || piece.value.type === 'end') return;
    if (piece.value.type === 'bytes') yield piece.value.bytes;
  }
}

type Unzip = Transform & { readonly bytesWritten: number };

async function* inflated(
  name: Codec,
  unzip: Unzip,
  source: AsyncIterable<Uint8Array>,
  from: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const feeding = feed(unzip, source);
  let bytes = 0;
  try {
    const chunks: AsyncIterable<Uint8Array> = unzip;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw unpackError(name, error, from + unzip.bytesWritten, bytes);
  } finally {
    unzip.destroy();
    await feeding;
  }
}

/** Never rejects: what goes wrong with the source is heard by who reads. */
async function feed(unzip: Unzip, source: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const bytes of source) {
      if (unzip.destroyed) return;
      if (!unzip.write(bytes)) await drained(unzip);
    }
    unzip.end();
  } catch (error) {
    unzip.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function drained(unzip: Unzip): Promise<void> {
  if (unzip.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      unzip.off('drain', settle);
      unzip.off('close', settle);
      resolve();
    };
    unzip.on('drain', settle);
    unzip.on('close', settle);
  });
}

function unpackError(name: Codec, error: unknown, at: number, bytes: number): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!(error instanceof Error) || !/^(?:Z_|ZSTD_|ERR_ZLIB|ERR_BROTLI|ERR__ERROR)/.test(code))
    return error;
  const where = `after ${bytes} decompressed bytes`;
  if (code === 'Z_BUF_ERROR') {
    return new FormatError(`the ${name} data ends too early, ${where}: it was cut off`, at);
  }
  return new FormatError(`the ${name} data is damaged, ${where} (${error.message})`, at);
}
