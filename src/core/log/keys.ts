/**
 * The keys of one log, below its prefix:
 *
 *   epoch       who may write: {epoch, holder, nonce, claimSeq}
 *   tail        the last slot that is filled: {seq}
 *   trim        slots up to this one are closed, and may be gone: {seq}
 *   snapshot    which snapshot counts: {seq, nonce, parts, bytes, crc}
 *   slot/SEQ    one entry
 *   part/SEQ/NONCE/INDEX   a piece of an entry's payload that is too large for its slot
 *   snap/SEQ/NONCE/INDEX   a piece of a snapshot
 *
 * Parts are written before the slot or the pointer that makes them count. Until then, and when that is
 * never written, they are garbage: nobody reads them, and they go when the boundary has passed `SEQ`.
 */
import { assert } from '../base/assert.ts';

export const EPOCH_KEY = 'epoch';
export const TAIL_KEY = 'tail';
export const TRIM_KEY = 'trim';
export const SNAPSHOT_KEY = 'snapshot';

export type PartKind = 'part' | 'snap';

/** Digits of the largest safe integer. */
const SEQ_DIGITS = 16;
const INDEX_DIGITS = 6;

function digits(value: number, count: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, `${value} is a place in the log`);
  return String(value).padStart(count, '0');
}

export function slotKey(seq: number): string {
  return `slot/${digits(seq, SEQ_DIGITS)}`;
}

export function partPrefix(kind: PartKind, seq: number, nonce: string): string {
  return `${kind}/${digits(seq, SEQ_DIGITS)}/${encodeURIComponent(nonce)}/`;
}

export function partKey(kind: PartKind, seq: number, nonce: string, index: number): string {
  return `${partPrefix(kind, seq, nonce)}${digits(index, INDEX_DIGITS)}`;
}

/** The range of every part of slots, or snapshots, below `seq`. */
export function partsBelow(
  kind: PartKind,
  seq: number,
): { readonly key: string; readonly endKey: string } {
  return { key: `${kind}/`, endKey: `${kind}/${digits(seq, SEQ_DIGITS)}` };
}

/** The range of the slots from `fromSeq` to before `endSeq`. */
export function slotRange(
  fromSeq: number,
  endSeq: number,
): { readonly key: string; readonly endKey: string } {
  return { key: slotKey(fromSeq), endKey: slotKey(endSeq) };
}

export function seqOfSlot(key: string): number {
  return Number(key.slice('slot/'.length));
}
