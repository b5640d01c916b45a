/**
 * The side file of a stored manifest: where every 1024th record starts, and for which state of which
 * file the hash was checked. It saves reading the whole manifest at each opening. It is only a memory of
 * a check: when anything in it does not match the file, or its own sum, it counts for nothing.
 *
 * Little-endian: mark (8 bytes), manifest hash (32), manifest bytes, samples, stride, number of marks
 * (float64 each), mtime, ctime, inode (uint64 each, times in ns), the marks (float64 each), SHA-256 of
 * all that (32).
 */
import { createHash } from 'node:crypto';

import { MANIFEST_INDEX_STRIDE } from '../core/manifest/limits.ts';
import type { ManifestHash } from '../core/base/units.ts';

/** What tells one state of a file from another without reading it. */
export interface FileState {
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Unlike mtime, no program can set this one back. */
  readonly ctimeNs: bigint;
  readonly ino: bigint;
}

export interface ManifestIndex {
  readonly hash: ManifestHash;
  readonly sampleCount: number;
  readonly manifestBytes: number;
  /** Byte offset of the lines of samples 0, 1024, 2048, … */
  readonly marks: Float64Array;
}

const MARK = 'mx8idx01';
const HASH_BYTES = 32;
const NUMBERS_AT: number = MARK.length + HASH_BYTES;
const MARKS_AT: number = NUMBERS_AT + 7 * 8;

export function encodeIndex(index: ManifestIndex, file: FileState): Buffer {
  const bytes = Buffer.alloc(MARKS_AT + index.marks.length * 8 + HASH_BYTES);
  bytes.write(MARK, 0, 'latin1');
  bytes.write(index.hash, MARK.length, 'hex');
  const counts = [
    index.manifestBytes,
    index.sampleCount,
    MANIFEST_INDEX_STRIDE,
    index.marks.length,
  ];
  let at = NUMBERS_AT;
  for (const count of counts) at = bytes.writeDoubleLE(count, at);
  for (const stamp of [file.mtimeNs, file.ctimeNs, file.ino])
    at = bytes.writeBigUInt64LE(stamp, at);
  for (const mark of index.marks) at = bytes.writeDoubleLE(mark, at);
  sumOf(bytes.subarray(0, at)).copy(bytes, at);
  return bytes;
}

/** Null unless the bytes are the index of `hash` for exactly this state of the file. */
export function decodeIndex(
  bytes: Buffer,
  hash: ManifestHash,
  file: FileState,
): ManifestIndex | null {
  if (bytes.length < MARKS_AT + HASH_BYTES) return null;
  const sumAt = bytes.length - HASH_BYTES;
  if (!sumOf(bytes.subarray(0, sumAt)).equals(bytes.subarray(sumAt))) return null;
  if (bytes.toString('latin1', 0, MARK.length) !== MARK) return null;
  if (bytes.toString('hex', MARK.length, NUMBERS_AT) !== hash) return null;
  const numbers = [0, 1, 2, 3].map((index) => bytes.readDoubleLE(NUMBERS_AT + index * 8));
  const [manifestBytes = 0, sampleCount = 0, stride = 0, markCount = 0] = numbers;
  const stamps = [4, 5, 6].map((index) => bytes.readBigUInt64LE(NUMBERS_AT + index * 8));
  const isSameFile =
    manifestBytes === file.size &&
    stamps[0] === file.mtimeNs &&
    stamps[1] === file.ctimeNs &&
    stamps[2] === file.ino;
  if (!isSameFile || stride !== MANIFEST_INDEX_STRIDE) return null;
  if (markCount !== Math.ceil(sampleCount / stride)) return null;
  if (MARKS_AT + markCount * 8 !== sumAt) return null;
  const marks = new Float64Array(markCount);
  for (let index = 0; index < markCount; index += 1) {
    marks[index] = bytes.readDoubleLE(MARKS_AT + index * 8);
  }
  return { hash, sampleCount, manifestBytes, marks };
}

function sumOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
