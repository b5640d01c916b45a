/**
 * The file `stamps/<manifest hash>` of a manifest store: how many bytes each loose file had when it was
 * pinned, and when it was last modified. The manifest itself cannot say so (its columns stay empty for
 * whole files), and other implementations never look here: without the file everything works, only a
 * file that was cut or replaced after pinning is not noticed.
 *
 * Little-endian. An entry for each sample, in blocks of 1024: bytes, modification time in milliseconds
 * since 1970 with its fraction (float64 each; a quarter of a microsecond fine); both -1 where nothing is
 * known. Then for each block the first 16 bytes of its SHA-256. Then mark (8 bytes), manifest hash (32),
 * number of samples (float64), SHA-256 of the sums and of the three before it (32). So any slice is
 * checked by itself, and no block counts for another manifest or another place.
 */
import { createHash } from 'node:crypto';

import { Mx8Error } from '../core/base/errors.ts';
import type { ManifestHash } from '../core/base/units.ts';
import { MANIFEST_INDEX_STRIDE } from '../core/manifest/limits.ts';
import type { FileStamps } from '../ports/manifest-store.ts';

/** What is noted of a file that nothing is known of. */
export const UNKNOWN = -1;

export const ENTRY_NUMBERS = 2;
export const ENTRY_BYTES: number = ENTRY_NUMBERS * 8;
export const BLOCK_SAMPLES: number = MANIFEST_INDEX_STRIDE;
export const BLOCK_BYTES: number = BLOCK_SAMPLES * ENTRY_BYTES;
export const SUM_BYTES = 16;

const MARK = 'mx8stm01';
const HASH_BYTES = 32;
const SAMPLES_AT: number = MARK.length + HASH_BYTES;
const CHECK_AT: number = SAMPLES_AT + 8;
export const FOOTER_BYTES: number = CHECK_AT + HASH_BYTES;

export function blockSum(block: Uint8Array): Buffer {
  return createHash('sha256').update(block).digest().subarray(0, SUM_BYTES);
}

export function encodeFooter(sums: Uint8Array, hash: ManifestHash, sampleCount: number): Buffer {
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.write(MARK, 0, 'latin1');
  footer.write(hash, MARK.length, 'hex');
  footer.writeDoubleLE(sampleCount, SAMPLES_AT);
  checkOf(sums, footer).copy(footer, CHECK_AT);
  return footer;
}

/** The stamps of whole entries. */
export function decodeEntries(entries: Buffer): FileStamps {
  const count = Math.floor(entries.length / ENTRY_BYTES);
  const stamps = { bytes: new Float64Array(count), mtimesMs: new Float64Array(count) };
  for (let index = 0; index < count; index += 1) {
    const at = index * ENTRY_BYTES;
    stamps.bytes[index] = entries.readDoubleLE(at);
    stamps.mtimesMs[index] = entries.readDoubleLE(at + ENTRY_BYTES / ENTRY_NUMBERS);
  }
  return stamps;
}

/** Bytes of the whole file. */
export function fileBytes(sampleCount: number): number {
  return sampleCount * ENTRY_BYTES + sumsBytes(sampleCount) + FOOTER_BYTES;
}

export function sumsBytes(sampleCount: number): number {
  return Math.ceil(sampleCount / BLOCK_SAMPLES) * SUM_BYTES;
}

/** False: written in a form that this version does not know. */
export function isOurs(footer: Buffer): boolean {
  return footer.toString('latin1', 0, MARK.length) === MARK;
}

/** Whether sums and footer are those of a manifest. */
export function isSound(
  sums: Uint8Array,
  footer: Buffer,
  hash: ManifestHash,
  sampleCount: number,
): boolean {
  return (
    footer.toString('hex', MARK.length, SAMPLES_AT) === hash &&
    footer.readDoubleLE(SAMPLES_AT) === sampleCount &&
    checkOf(sums, footer).equals(footer.subarray(CHECK_AT))
  );
}

export function damagedStamps(path: string, hash: ManifestHash): Mx8Error {
  return new Mx8Error(
    'manifest_corrupt',
    `${path}, which says how large the files of manifest ${hash} were when they were pinned, was damaged or belongs to another manifest. Delete it and resolve the link again with @refresh.`,
    { path, manifest_hash: hash },
  );
}

function checkOf(sums: Uint8Array, footer: Buffer): Buffer {
  return createHash('sha256').update(sums).update(footer.subarray(0, CHECK_AT)).digest();
}
