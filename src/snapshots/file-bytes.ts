/** Bytes of an open file, exactly as many as were asked for. */
import type { FileHandle } from 'node:fs/promises';

/**
 * All bytes from the start, in chunks of `chunkBytes`. Every chunk lies in the same memory: use it
 * before asking for the next.
 */
export async function* readChunks(
  file: FileHandle,
  chunkBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (let at = 0; ;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Bytes [start, end) in memory of their own; fewer only where the file ends before. */
export async function readRange(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(end - start);
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
