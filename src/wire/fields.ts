/**
 * Reads decoded messages into our own types, or refuses them naming the field: 64-bit numbers that do
 * not fit 2^53 - 1, ids of the wrong shape, messages that must be there.
 */
import Long from 'long';
import { Mx8Error } from '../core/base/errors.ts';
import {
  isId,
  isLeaseId,
  type JobId,
  jobId,
  type LeaseId,
  type NodeId,
  nodeId,
} from '../core/base/units.ts';
import type { WireMessage } from './schema.ts';

export function text(message: WireMessage, name: string): string {
  const value = message[name];
  return typeof value === 'string' ? value : '';
}

export function flag(message: WireMessage, name: string): boolean {
  return message[name] === true;
}

/** A uint32. */
export function uint(message: WireMessage, name: string): number {
  const value = message[name];
  return typeof value === 'number' ? value : 0;
}

/** A uint64 that counts samples, bytes or milliseconds: at most 2^53 - 1. */
export function uint64(message: WireMessage, name: string): number {
  return safeNumber(message[name], name);
}

/** A uint64 of which every bit counts. */
export function big(message: WireMessage, name: string): bigint {
  const value = message[name];
  if (Long.isLong(value)) return value.toUnsigned().toBigInt();
  return typeof value === 'number' ? BigInt(value) : 0n;
}

export function bytes(message: WireMessage, name: string): Uint8Array {
  const value = message[name];
  // A copy: what was decoded is a window on the whole message and would keep all of it.
  return value instanceof Uint8Array ? new Uint8Array(value) : new Uint8Array(0);
}

export function child(message: WireMessage, name: string): WireMessage | null {
  const value = message[name];
  return isMessage(value) ? value : null;
}

export function requiredChild(message: WireMessage, name: string): WireMessage {
  const value = child(message, name);
  if (value === null) throw missing(name);
  return value;
}

export function children(message: WireMessage, name: string): readonly WireMessage[] {
  const value = message[name];
  return Array.isArray(value) ? value.filter(isMessage) : [];
}

export function texts(message: WireMessage, name: string): readonly string[] {
  const value = message[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

export function uint64s(message: WireMessage, name: string): readonly number[] {
  const value: unknown = message[name];
  return Array.isArray(value) ? value.map((item: unknown) => safeNumber(item, name)) : [];
}

export function jobIdOf(message: WireMessage, name = 'jobId'): JobId {
  return jobId(idText(message, name));
}

export function nodeIdOf(message: WireMessage, name = 'nodeId'): NodeId {
  return nodeId(idText(message, name));
}

/** From a coordinator that is known to send lease ids only. */
export function leaseIdOf(message: WireMessage, name = 'leaseId'): LeaseId {
  const value = requiredText(message, name);
  if (isLeaseId(value)) return value;
  throw new Mx8Error('field_invalid', `field ${snake(name)} takes a lease id, got "${value}"`);
}

export function requiredText(message: WireMessage, name: string): string {
  const value = text(message, name);
  if (value === '') throw missing(name);
  return value;
}

function idText(message: WireMessage, name: string): string {
  const value = requiredText(message, name);
  if (isId(value)) return value;
  throw new Mx8Error(
    'field_invalid',
    `field ${snake(name)} takes 1 to 128 visible ASCII characters, got ${JSON.stringify(value.slice(0, 140))}`,
    { field: snake(name) },
  );
}

function safeNumber(value: unknown, name: string): number {
  if (typeof value === 'number') return value;
  if (!Long.isLong(value)) return 0;
  const number = value.toUnsigned().toNumber();
  if (Number.isSafeInteger(number)) return number;
  throw new Mx8Error(
    'field_invalid',
    `field ${snake(name)} takes 0 to ${Number.MAX_SAFE_INTEGER}, got ${value.toUnsigned().toString()}`,
    { field: snake(name) },
  );
}

function isMessage(value: unknown): value is WireMessage {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function missing(name: string): Mx8Error {
  return new Mx8Error('field_missing', `field ${snake(name)} is missing`, { field: snake(name) });
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A bigint as protobuf wants it. */
export function longOf(value: bigint): Long {
  return Long.fromBigInt(value, true);
}
