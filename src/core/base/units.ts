/**
 * Branded numbers and ids, so that a wall-clock time cannot be compared with a monotonic one and a
 * node id cannot be passed where a job id is wanted. Each brand has one checked constructor; these
 * constructors and the decoders are the only places that use `as`.
 */
import { assert } from './assert.ts';

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Milliseconds on this process's own monotonic clock. Only ever compared with its own kind. */
export type MonoMs = Brand<number, 'MonoMs'>;
/** Milliseconds since 1970 (UTC). For display and for the wire; no decision reads it. */
export type UnixMs = Brand<number, 'UnixMs'>;
export type JobId = Brand<string, 'JobId'>;
export type NodeId = Brand<string, 'NodeId'>;
/** Lowercase hex SHA-256 of the canonical manifest bytes. */
export type ManifestHash = Brand<string, 'ManifestHash'>;
/**
 * Names one grant of one range for ever: the position of the grant in the coordinator's log,
 * `<epoch>.<seq>.<index>`. Ordered by (epoch, seq, index), so sinks can use it as a fencing token.
 */
export type LeaseId = Brand<string, 'LeaseId'>;

/** Ids travel in every message and every log line: 1 to 128 bytes of visible ASCII. */
export const ID_BYTES_MAX = 128;
const ID_PATTERN = /^[\x21-\x7e]{1,128}$/;
const HASH_PATTERN = /^[0-9a-f]{64}$/;
const DOT = 0x2e;
const ZERO = 0x30;
const LEASE_ID_PATTERN = /^(0|[1-9]\d{0,15})\.(0|[1-9]\d{0,15})\.(0|[1-9]\d{0,9})$/;

export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

export function monoMs(value: number): MonoMs {
  // The sentence is only made when it is needed: this is called for every batch and every lease.
  if (!Number.isFinite(value)) assert(false, `a monotonic time is finite, not ${value}`);
  return value as MonoMs;
}

export function unixMs(value: number): UnixMs {
  if (!Number.isFinite(value)) assert(false, `a wall-clock time is finite, not ${value}`);
  return value as UnixMs;
}

/** `after - before` in milliseconds, for two readings of the same monotonic clock. */
export function elapsedMs(before: MonoMs, after: MonoMs): number {
  return after - before;
}

export function addMs(time: MonoMs, deltaMs: number): MonoMs {
  return monoMs(time + deltaMs);
}

export function jobId(text: string): JobId {
  assert(isId(text), `"${text}" is a job id`);
  return text as JobId;
}

export function nodeId(text: string): NodeId {
  assert(isId(text), `"${text}" is a node id`);
  return text as NodeId;
}

export function isManifestHash(text: string): text is ManifestHash {
  return HASH_PATTERN.test(text);
}

export function manifestHash(text: string): ManifestHash {
  assert(isManifestHash(text), `"${text}" is a manifest hash`);
  return text;
}

export interface LeasePosition {
  readonly epoch: number;
  readonly seq: number;
  readonly index: number;
}

export function leaseId(position: LeasePosition): LeaseId {
  return `${position.epoch}.${position.seq}.${position.index}` as LeaseId;
}

/** The position a lease id names, or null when the text is not a lease id. */
export function parseLeaseId(text: string): LeasePosition | null {
  if (!LEASE_ID_PATTERN.test(text)) return null;
  // Asked for each commit: numbers made of a match take several times as long.
  const numbers: [number, number, number] = [0, 0, 0];
  let part = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === DOT) part += 1;
    else numbers[part] = (numbers[part] ?? 0) * 10 + (code - ZERO);
  }
  const [epoch, seq, index] = numbers;
  return { epoch, seq, index };
}

export function isLeaseId(text: string): text is LeaseId {
  return LEASE_ID_PATTERN.test(text);
}

/** Negative, zero or positive as grant `a` was logged before, at or after grant `b`. */
export function compareLeasePositions(a: LeasePosition, b: LeasePosition): number {
  return a.epoch - b.epoch || a.seq - b.seq || a.index - b.index;
}
