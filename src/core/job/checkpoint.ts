/**
 * The resume token: which samples of which data, in which order, are done. Opaque to clients.
 *
 *   'MX8C' · version 1 · 32 bytes manifest hash · seed (8 bytes, big endian) · shuffle (0 or 1) ·
 *   varints: epoch, sample count, block size, number of ranges, then (gap, length) of each range ·
 *   CRC-32 (IEEE 802.3) of all that, big endian
 */
import { crc32 } from '../base/crc32.ts';
import { refused, type Refusal } from '../base/errors.ts';
import type { SampleRange } from '../base/range.ts';
import { manifestHash, type ManifestHash } from '../base/units.ts';
import type { JobSpec } from './protocol.ts';

export interface Checkpoint {
  readonly manifestHash: ManifestHash;
  readonly seed: bigint;
  readonly shuffle: boolean;
  readonly epoch: number;
  readonly sampleCount: number;
  readonly blockSize: number;
  readonly done: readonly SampleRange[];
}

const MAGIC = [0x4d, 0x58, 0x38, 0x43];
const VERSION = 1;
const FIXED_BYTES = MAGIC.length + 1 + 32 + 8 + 1;

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const out: number[] = [...MAGIC, VERSION];
  for (let at = 0; at < 64; at += 2) {
    out.push(Number.parseInt(checkpoint.manifestHash.slice(at, at + 2), 16));
  }
  for (let shift = 56n; shift >= 0n; shift -= 8n) {
    out.push(Number((checkpoint.seed >> shift) & 0xffn));
  }
  out.push(checkpoint.shuffle ? 1 : 0);
  pushVarint(out, checkpoint.epoch);
  pushVarint(out, checkpoint.sampleCount);
  pushVarint(out, checkpoint.blockSize);
  pushVarint(out, checkpoint.done.length);
  let at = 0;
  for (const range of checkpoint.done) {
    pushVarint(out, range.start - at);
    pushVarint(out, range.end - range.start);
    at = range.end;
  }
  const crc = crc32(out);
  out.push((crc >>> 24) & 0xff, (crc >>> 16) & 0xff, (crc >>> 8) & 0xff, crc & 0xff);
  return Uint8Array.from(out);
}

export function decodeCheckpoint(bytes: Uint8Array): Checkpoint | Refusal {
  const body = bytes.subarray(0, Math.max(0, bytes.length - 4));
  const reader = new Reader(body);
  if (body.length < FIXED_BYTES || MAGIC.some((byte, index) => body[index] !== byte)) {
    return invalid(`expected a checkpoint made by mx8, got ${bytes.length} other bytes`);
  }
  if (body[MAGIC.length] !== VERSION) {
    return invalid(`expected checkpoint version ${VERSION}, got ${body[MAGIC.length]}`);
  }
  const stored = bytes.subarray(bytes.length - 4).reduce((sum, byte) => sum * 256 + byte, 0);
  if (crc32(body) !== stored) return invalid('its checksum does not match: it was cut or changed');
  reader.at = MAGIC.length + 1;
  let hash = '';
  for (let index = 0; index < 32; index += 1) hash += reader.byte().toString(16).padStart(2, '0');
  let seed = 0n;
  for (let index = 0; index < 8; index += 1) seed = (seed << 8n) | BigInt(reader.byte());
  const shuffle = reader.byte() === 1;
  const [epoch, sampleCount, blockSize, count] = [
    reader.varint(),
    reader.varint(),
    reader.varint(),
    reader.varint(),
  ];
  const done: SampleRange[] = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const start = at + reader.varint();
    const end = start + reader.varint();
    if (!(start < end && end <= sampleCount)) return invalid(`range ${index} is outside the data`);
    done.push({ start, end });
    at = end;
  }
  if (reader.at !== body.length) return invalid('there are bytes after its last range');
  return { manifestHash: manifestHash(hash), seed, shuffle, epoch, sampleCount, blockSize, done };
}

/** Null when the checkpoint belongs to the job's data and order, else why it does not. */
export function checkpointMismatch(checkpoint: Checkpoint, spec: JobSpec): Refusal | null {
  const facts: readonly (readonly [string, unknown, unknown])[] = [
    ['manifest_hash', checkpoint.manifestHash, spec.manifestHash],
    ['sample count', checkpoint.sampleCount, spec.sampleCount],
    ['seed', checkpoint.seed, spec.seed],
    ['epoch', checkpoint.epoch, spec.epoch],
    ['shuffle', checkpoint.shuffle, spec.shuffle],
    ['block size', checkpoint.blockSize, spec.blockSize],
  ];
  for (const [name, theirs, ours] of facts) {
    if (theirs === ours) continue;
    return refused(
      'checkpoint_mismatch',
      `the checkpoint was made with ${name} ${String(theirs)}, but the job has ${String(ours)}`,
    );
  }
  return null;
}

function invalid(why: string): Refusal {
  return refused('checkpoint_invalid', `the checkpoint cannot be used: ${why}`);
}

function pushVarint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const value = this.#bytes[this.at] ?? 0;
    this.at += 1;
    return value;
  }

  /** The checksum was right, so a varint that runs past the end is caught by the length check. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let index = 0; index < 8; index += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
    }
    return value;
  }
}
