/**
 * The live leases of a v0 snapshot as bytes, without an object for each and each of its parts: the schema's
 * own encoder takes 5 µs a lease, and v0 has a snapshot list them all.
 */
import { elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { LeaseState } from '../core/job/job-state.ts';
import type { JobSpec } from '../core/job/protocol.ts';
import { longOf } from './fields.ts';
import { wireType } from './schema.ts';

/** Field 10 of GetJobSnapshotResponse, and the fields of Lease and WorkRange, as protobuf tags them. */
const LIVE_LEASES = 0x52;
const LEASE_ID = 0x0a;
const NODE_ID = 0x12;
const RANGE = 0x1a;
const CURSOR = 0x20;
const EXPIRES = 0x28;
const START_ID = 0x08;
const END_ID = 0x10;

/** A lease is shorter: two ids of at most 128 bytes, and numbers of at most 10. */
const LEASE_BYTES_MAX = 512;
const LEASE_BYTES_USUAL = 64;
/** From here on the length of a message takes two bytes instead of one. */
const SHORT_BYTES = 0x80;

/** Kept for the next: with megabytes a second of new memory the whole heap is looked through ever again. */
let draft: Buffer = Buffer.alloc(0);

/** What is told of a lease: straight from the state, as a copy of each made for it cost as much as writing it. */
export type ListedLease = Pick<
  LeaseState,
  'leaseId' | 'nodeId' | 'start' | 'end' | 'cursor' | 'deadlineMs'
>;

export interface LeaseList {
  readonly size: number;
  values(): Iterable<ListedLease>;
}

/** One moment on the monotonic clock and on the wall clock. */
export interface Moment {
  readonly nowMs: MonoMs;
  readonly nowUnixMs: number;
}

/** The leases, between what comes before and after them. */
export function encodeLiveLeases(
  leases: LeaseList,
  { epoch, seed }: Pick<JobSpec, 'epoch' | 'seed'>,
  { nowMs, nowUnixMs }: Moment,
  [before, after]: readonly [Uint8Array, Uint8Array],
): Buffer {
  const restOfRange = wireType('mx8.v0.WorkRange').encode({ epoch, seed: longOf(seed) });
  const around = before.length + after.length + LEASE_BYTES_MAX;
  const bytes = around + leases.size * LEASE_BYTES_USUAL;
  let out: Buffer = draft.length < bytes ? Buffer.allocUnsafeSlow(bytes) : draft;
  out.set(before);
  let at = before.length;
  for (const lease of leases.values()) {
    if (at + LEASE_BYTES_MAX + after.length > out.length) out = grown(out, at);
    out[at] = LIVE_LEASES;
    const body = at + 2;
    const expiresInMs = Math.max(0, Math.round(elapsedMs(nowMs, lease.deadlineMs)));
    const end = putLease(out, body, lease, restOfRange, Math.round(nowUnixMs + expiresInMs));
    at = end < body + SHORT_BYTES ? end : shifted(out, body, end);
    putNumber(out, body - 1, end - body);
  }
  out.set(after, at);
  draft = out;
  return Buffer.from(out.subarray(0, at + after.length));
}

/** All of these put something at a place and return the place after it. */
function putLease(
  out: Uint8Array,
  start: number,
  lease: ListedLease,
  restOfRange: Uint8Array,
  expiresUnixMs: number,
): number {
  out[start] = LEASE_ID;
  let at = putAscii(out, start + 1, lease.leaseId);
  out[at] = NODE_ID;
  at = putAscii(out, at + 1, lease.nodeId);
  out[at] = RANGE;
  // A range is always short: two tags, two numbers of 8 bytes at most, an epoch and a seed.
  const rangeAt = at + 2;
  out[rangeAt] = START_ID;
  at = putNumber(out, rangeAt + 1, lease.start);
  out[at] = END_ID;
  at = putNumber(out, at + 1, lease.end);
  for (let index = 0; index < restOfRange.length; index += 1) out[at++] = restOfRange[index] ?? 0;
  out[rangeAt - 1] = at - rangeAt;
  out[at] = CURSOR;
  at = putNumber(out, at + 1, lease.cursor);
  out[at] = EXPIRES;
  return putNumber(out, at + 1, expiresUnixMs);
}

/** A whole number from 0 to 2^53 - 1 as a varint. */
function putNumber(out: Uint8Array, start: number, value: number): number {
  let at = start;
  let left = value;
  if (left > 0x7fffffff) {
    // The operators on bits would cut it: four bytes of seven bits are taken off first.
    left = Math.floor(value / 2 ** 28);
    const low = value - left * 2 ** 28;
    for (let shift = 0; shift < 28; shift += 7) out[at++] = ((low >>> shift) & 0x7f) | 0x80;
  }
  for (; left >= 0x80; left >>>= 7) out[at++] = (left & 0x7f) | 0x80;
  out[at] = left;
  return at + 1;
}

/** Its length and its characters; ids are visible ASCII only. */
function putAscii(out: Uint8Array, start: number, text: string): number {
  let at = putNumber(out, start, text.length);
  for (let index = 0; index < text.length; index += 1) out[at++] = text.charCodeAt(index);
  return at;
}

/** Makes room for a length of two bytes. */
function shifted(out: Uint8Array, body: number, end: number): number {
  out.copyWithin(body + 1, body, end);
  return end + 1;
}

function grown(out: Buffer, length: number): Buffer {
  const larger = Buffer.allocUnsafe(2 * out.length + LEASE_BYTES_MAX);
  larger.set(out.subarray(0, length));
  return larger;
}
