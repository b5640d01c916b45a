/**
 * The bytes of a slot, numbers big endian:
 *
 *   'M8' · version · kind · CRC-32 (4) · epoch (6) · length of the nonce (2) · nonce · rest
 *
 * The rest is the payload (kind 0) or, when that is too large for a slot, the number of its parts (4)
 * and of its bytes (6) (kind 1). The checksum is of place, kind, epoch, nonce and whole payload, so that
 * an entry that moved to another slot is noticed too.
 */
import { assert } from '../base/assert.ts';
import { crc32, crc32OfText } from '../base/crc32.ts';
import { damaged, newerFormat } from './damage.ts';
import { INLINE_BYTES_MAX, PART_BYTES } from './limits.ts';

/** Version of entries that this code writes; it reads all from 1 to this. */
export const ENTRY_VERSION = 1;

const MAGIC = [0x4d, 0x38];
const HEAD_BYTES = 16;
const PARTED_BYTES = 10;
const INLINE = 0;
const PARTED = 1;

/** What makes an entry this one and no other. */
export interface EntryIdentity {
  readonly seq: number;
  readonly epoch: number;
  readonly nonce: string;
  readonly crc: number;
}

export interface SlotEntry extends EntryIdentity {
  /** Null when the payload is in parts. */
  readonly payload: Uint8Array | null;
  readonly parts: number;
  readonly payloadBytes: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function partCount(payloadBytes: number): number {
  return payloadBytes <= INLINE_BYTES_MAX ? 0 : Math.ceil(payloadBytes / PART_BYTES);
}

export function identityOf(
  seq: number,
  epoch: number,
  nonce: string,
  payload: Uint8Array,
): EntryIdentity {
  const kind = partCount(payload.length) === 0 ? INLINE : PARTED;
  return { seq, epoch, nonce, crc: crcOf(seq, kind, epoch, nonce, payload) };
}

export function isSameEntry(a: EntryIdentity, b: EntryIdentity): boolean {
  return a.seq === b.seq && a.epoch === b.epoch && a.nonce === b.nonce && a.crc === b.crc;
}

export function encodeSlot(identity: EntryIdentity, payload: Uint8Array): Uint8Array {
  const nonce = encoder.encode(identity.nonce);
  assert(nonce.length < 2 ** 16, 'a nonce is short');
  const parts = partCount(payload.length);
  const rest = parts === 0 ? payload.length : PARTED_BYTES;
  const bytes = new Uint8Array(HEAD_BYTES + nonce.length + rest);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  bytes[2] = ENTRY_VERSION;
  bytes[3] = parts === 0 ? INLINE : PARTED;
  view.setUint32(4, identity.crc);
  setUint48(view, 8, identity.epoch);
  view.setUint16(14, nonce.length);
  bytes.set(nonce, HEAD_BYTES);
  const at = HEAD_BYTES + nonce.length;
  if (parts === 0) {
    bytes.set(payload, at);
  } else {
    view.setUint32(at, parts);
    setUint48(view, at + 4, payload.length);
  }
  return bytes;
}

/** Throws with the entry's number when it is damaged or newer. A payload in parts is not checked yet. */
export function decodeSlot(seq: number, bytes: Uint8Array): SlotEntry {
  const place = `entry ${seq}`;
  const kind = bytes[3];
  if (bytes.length < HEAD_BYTES || bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1]) {
    throw damaged(place, 'is no entry');
  }
  const version = bytes[2] ?? 0;
  if (version === 0) throw damaged(place, 'has no version');
  if (version > ENTRY_VERSION) throw newerFormat(place, version, ENTRY_VERSION);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const crc = view.getUint32(4);
  const epoch = getUint48(view, 8);
  const at = HEAD_BYTES + view.getUint16(14);
  const isParted = kind === PARTED;
  if (at > bytes.length || (isParted && bytes.length !== at + PARTED_BYTES)) {
    throw damaged(place, 'is cut short');
  }
  const nonce = textOf(bytes.subarray(HEAD_BYTES, at), place);
  if (isParted) {
    const payloadBytes = getUint48(view, at + 4);
    return { seq, epoch, nonce, crc, payload: null, parts: view.getUint32(at), payloadBytes };
  }
  const payload = bytes.slice(at);
  const entry = { seq, epoch, nonce, crc, payload, parts: 0, payloadBytes: payload.length };
  if (kind !== INLINE) throw damaged(place, 'is of no known kind');
  checkPayload(entry, payload);
  return entry;
}

/** Throws when `payload` is not what the entry was written with. */
export function checkPayload(entry: SlotEntry, payload: Uint8Array): void {
  const kind = entry.payload === null ? PARTED : INLINE;
  if (crcOf(entry.seq, kind, entry.epoch, entry.nonce, payload) !== entry.crc) {
    throw damaged(`entry ${entry.seq}`, 'does not match its checksum');
  }
}

function crcOf(
  seq: number,
  kind: number,
  epoch: number,
  nonce: string,
  payload: Uint8Array,
): number {
  return crc32(payload, crc32OfText(`${seq} ${kind} ${epoch} ${nonce.length} ${nonce}`));
}

function textOf(bytes: Uint8Array, place: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw damaged(place, 'does not match its checksum');
  }
}

function setUint48(view: DataView, at: number, value: number): void {
  view.setUint16(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 2, value % 2 ** 32);
}

function getUint48(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}
