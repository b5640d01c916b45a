/**
 * The header block of one file in a USTAR archive (POSIX.1-1988), as packed data sets and `tar()`
 * outputs write it: mode 0644, owner 0, time 0, a regular file. Nothing of the machine that wrote an
 * archive gets into it, so the same samples always give the same bytes.
 *
 * The decoder is for archives that MX8 reads back by offset. It is strict: a block that is not a
 * checked USTAR header of a regular file is `shard_corrupt`, never skipped.
 */
import { Mx8Error } from './errors.ts';

/** Headers, data and the end of an archive are counted in blocks of this size. */
export const USTAR_BLOCK_BYTES = 512;
/** Two zero blocks end an archive. */
export const USTAR_END_BYTES: number = 2 * USTAR_BLOCK_BYTES;
/** Eleven octal digits: 8 GiB less one byte. A larger entry has no USTAR header. */
export const USTAR_ENTRY_BYTES_MAX: number = 8 ** 11 - 1;
/** The `name` field. */
const NAME_BYTES_MAX = 100;
/** The `prefix` field: what comes before a `/` of a longer name. */
const PREFIX_BYTES_MAX = 155;

const AT = {
  mode: 100,
  uid: 108,
  gid: 116,
  size: 124,
  mtime: 136,
  checksum: 148,
  type: 156,
} as const;
const AT_MAGIC = 257;
const AT_PREFIX = 345;
const CHECKSUM_BYTES = 8;
/** `ustar`, NUL, version `00`. */
const MAGIC: Uint8Array = ascii('ustar\x0000');
const TYPE_REGULAR = 0x30;
const SPACE = 0x20;
const SLASH = 0x2f;
const ZERO = 0x30;
const encoder = new TextEncoder();
const SAME_IN_ALL: Uint8Array = sameInAll();

export interface UstarEntry {
  /** Path in the archive, with `/`. */
  readonly name: string;
  /** Bytes of the entry's data, without padding. */
  readonly size: number;
}

/** `size` rounded up to whole blocks: what the data of an entry take in the archive. */
export function paddedLength(size: number): number {
  return Math.ceil(size / USTAR_BLOCK_BYTES) * USTAR_BLOCK_BYTES;
}

/** The header block, in `block`. `row_invalid` when USTAR has no way to write that name or size. */
export function encodeUstarHeader(
  entry: UstarEntry,
  block: Uint8Array = new Uint8Array(USTAR_BLOCK_BYTES),
): Uint8Array {
  block.set(SAME_IN_ALL);
  if (!Number.isInteger(entry.size) || entry.size < 0 || entry.size > USTAR_ENTRY_BYTES_MAX) {
    throw new Mx8Error(
      'row_invalid',
      `A tar entry holds 0 to ${USTAR_ENTRY_BYTES_MAX} bytes, but "${entry.name}" has ${entry.size}.`,
      { name: entry.name, size_bytes: entry.size },
    );
  }
  writeName(block, entry.name);
  writeOctal(block, AT.size, 11, entry.size);
  writeOctal(block, AT.checksum, 6, checksumOf(block));
  return block;
}

/** What every header has, as packing writes some hundred thousand of them a second. */
function sameInAll(): Uint8Array {
  const block = new Uint8Array(USTAR_BLOCK_BYTES);
  block.set(ascii('0000644\0'), AT.mode);
  block.set(ascii('0000000\0'), AT.uid);
  block.set(ascii('0000000\0'), AT.gid);
  block.set(ascii('00000000000\0'), AT.mtime);
  block[AT.checksum + CHECKSUM_BYTES - 1] = SPACE;
  block[AT.type] = TYPE_REGULAR;
  block.set(MAGIC, AT_MAGIC);
  return block;
}

/** Padded with zeros. */
function writeOctal(block: Uint8Array, at: number, digits: number, value: number): void {
  let rest = value;
  for (let index = at + digits - 1; index >= at; index -= 1) {
    block[index] = ZERO + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}

/** Name and size of the entry whose header `block` is; null for a zero block (the end). */
export function decodeUstarHeader(block: Uint8Array): UstarEntry | null {
  if (block.length !== USTAR_BLOCK_BYTES) {
    throw corrupt(`a tar header has ${USTAR_BLOCK_BYTES} bytes, not ${block.length}`);
  }
  if (block.every((byte) => byte === 0)) return null;
  if (!MAGIC.every((byte, index) => block[AT_MAGIC + index] === byte)) {
    throw corrupt('the tar header does not carry the mark "ustar", version 00');
  }
  const written = octal(block, AT.checksum, CHECKSUM_BYTES, 'checksum');
  const actual = checksumOf(block);
  if (written !== actual) {
    throw corrupt(`the tar header says checksum ${written}, but its bytes sum to ${actual}`);
  }
  const type = block[AT.type] ?? 0;
  if (type !== TYPE_REGULAR && type !== 0) {
    throw corrupt(`the tar entry is of type "${String.fromCharCode(type)}", not a regular file`);
  }
  const size = octal(block, AT.size, 12, 'size');
  const name = textUpToNul(block.subarray(0, NAME_BYTES_MAX));
  const prefix = textUpToNul(block.subarray(AT_PREFIX, AT_PREFIX + PREFIX_BYTES_MAX));
  if (name === '') throw corrupt('the tar entry has no name');
  return { name: prefix === '' ? name : `${prefix}/${name}`, size };
}

/** The sum of all bytes of the header, its own checksum field counted as spaces. */
function checksumOf(block: Uint8Array): number {
  let sum = SPACE * CHECKSUM_BYTES;
  for (let index = 0; index < block.length; index += 1) {
    const inChecksum = index >= AT.checksum && index < AT.checksum + CHECKSUM_BYTES;
    if (!inChecksum) sum += block[index] ?? 0;
  }
  return sum;
}

/** The whole name in `name`, or split at a `/` into `prefix` and `name`. */
function writeName(block: Uint8Array, name: string): void {
  const bytes = encoder.encode(name);
  if (bytes.length === 0 || bytes.includes(0)) {
    throw new Mx8Error('row_invalid', `"${name}" is not the name of a tar entry.`, { name });
  }
  if (bytes.length <= NAME_BYTES_MAX) {
    block.set(bytes, 0);
    return;
  }
  const slash = bytes.indexOf(SLASH, bytes.length - NAME_BYTES_MAX - 1);
  if (slash <= 0 || slash > PREFIX_BYTES_MAX || slash === bytes.length - 1) {
    throw new Mx8Error(
      'row_invalid',
      `The tar entry name "${name}" is ${bytes.length} bytes long; USTAR takes ${NAME_BYTES_MAX}, or ` +
        `${PREFIX_BYTES_MAX} more before a "/". Use a shorter name.`,
      { name },
    );
  }
  block.set(bytes.subarray(slash + 1), 0);
  block.set(bytes.subarray(0, slash), AT_PREFIX);
}

/** Octal digits, padded left with spaces or zeros, ended by NUL, space or the field. */
function octal(block: Uint8Array, at: number, length: number, field: string): number {
  const text = String.fromCharCode(...block.subarray(at, at + length));
  const match = /^ *([0-7]+)[\0 ]*$/.exec(text);
  if (match === null) throw corrupt(`the tar header has no octal ${field}`);
  return Number.parseInt(match[1] ?? '', 8);
}

function textUpToNul(field: Uint8Array): string {
  const nul = field.indexOf(0);
  const bytes = nul === -1 ? field : field.subarray(0, nul);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw corrupt('the name of the tar entry is not UTF-8', error);
  }
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function corrupt(what: string, cause?: unknown): Mx8Error {
  return new Mx8Error('shard_corrupt', `Not a packed shard: ${what}.`, {}, cause);
}
