/**
 * Finds damage in SQLite's write-ahead log that SQLite takes for the end of it. SQLite reads the log up to
 * the first frame whose checksum is wrong: right after a crash, when that is a write that was never
 * answered, and wrong after a bit flipped in the middle, when what was answered follows.
 *
 * The two are told apart by what follows. Checksums are chained, each frame's beginning with that of the
 * frame before. A transaction is synced before the next is written; so when the chain goes on from the
 * wrong frame past the end of its transaction, that transaction was once whole. Remains of older writes,
 * which a log has after a crash and in its second round, are no part of the chain or have other salts.
 *
 * Damage of a checksum or of salts, of the size or kind in the head, and of the very last transaction looks
 * like a torn write and is not found. The format is https://sqlite.org/fileformat2.html#walformat.
 */
import { existsSync, readFileSync } from 'node:fs';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;

export interface WalDamage {
  /** Counted from 0; -1 is the head of the log. */
  readonly frame: number;
  readonly offset: number;
}

interface Sums {
  readonly first: number;
  readonly second: number;
}

/** Where the write-ahead log of the database in `path` is damaged; null when it is not, or is not there. */
export function walDamage(path: string): WalDamage | null {
  const walPath = `${path}-wal`;
  return existsSync(walPath) ? damageOf(readFileSync(walPath)) : null;
}

function damageOf(bytes: Uint8Array): WalDamage | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  // The lowest bit of the magic number tells the byte order of the sums.
  if ((magic & ~1) >>> 0 !== MAGIC) return null;
  const isLittle = (magic & 1) === 0;
  const frameBytes = FRAME_HEADER_BYTES + view.getUint32(8);
  const headSums = sumsOf(view, 0, 24, { first: 0, second: 0 }, isLittle);
  let wrong = isSaid(view, 24, headSums) ? null : -1;
  let hasEnded = false;
  let said = sumsAt(view, 24);
  for (let frame = 0; ; frame += 1) {
    const at = HEADER_BYTES + frame * frameBytes;
    if (at + frameBytes > bytes.length) return null;
    if (view.getUint32(at + 8) !== view.getUint32(16)) return null;
    if (view.getUint32(at + 12) !== view.getUint32(20)) return null;
    const headed = sumsOf(view, at, 8, said, isLittle);
    const length = frameBytes - FRAME_HEADER_BYTES;
    const sums = sumsOf(view, at + FRAME_HEADER_BYTES, length, headed, isLittle);
    const isChained = isSaid(view, at + 16, sums);
    if (wrong !== null) {
      if (!isChained) return null;
      if (hasEnded) return { frame: wrong, offset: Math.max(0, HEADER_BYTES + wrong * frameBytes) };
    } else if (!isChained) {
      wrong = frame;
    }
    if (wrong !== null && view.getUint32(at + 4) !== 0) hasEnded = true;
    said = sumsAt(view, at + 16);
  }
}

function sumsOf(
  view: DataView,
  start: number,
  length: number,
  before: Sums,
  isLittle: boolean,
): Sums {
  let { first, second } = before;
  for (let at = start; at < start + length; at += 8) {
    first = (first + view.getUint32(at, isLittle) + second) >>> 0;
    second = (second + view.getUint32(at + 4, isLittle) + first) >>> 0;
  }
  return { first, second };
}

function sumsAt(view: DataView, at: number): Sums {
  return { first: view.getUint32(at), second: view.getUint32(at + 4) };
}

function isSaid(view: DataView, at: number, sums: Sums): boolean {
  return view.getUint32(at) === sums.first && view.getUint32(at + 4) === sums.second;
}
