/** etcd's part of protobuf: the messages of `etcd_v3.proto`, read at run time, as plain values. */
import { readFileSync } from 'node:fs';
import Long from 'long';
import protobuf from 'protobufjs';
import { must } from '../../core/base/assert.ts';

/** Decoded, or to be encoded: camelCase names of the schema. */
export type EtcdMessage = Readonly<Record<string, unknown>>;

export interface EtcdMethod {
  readonly path: string;
  /** A member that knows no leader cannot answer it; how a member itself does, it can always say. */
  readonly needsLeader: boolean;
  readonly encode: (message: EtcdMessage) => Buffer;
  readonly decode: (bytes: Uint8Array) => EtcdMessage;
}

const PACKAGE = 'etcdserverpb';

const root: protobuf.Root = protobuf.parse(
  readFileSync(new URL('etcd_v3.proto', import.meta.url), 'utf8'),
).root;
root.resolveAll();

/** The method of that name, such as `KV/Txn`. */
export function etcdMethod(name: string): EtcdMethod {
  const [serviceName = '', methodName = ''] = name.split('/');
  const service = root.lookupService(`${PACKAGE}.${serviceName}`);
  const method = must(service.methods[methodName], `etcd has a method ${name}`);
  const request = root.lookupType(`${PACKAGE}.${method.requestType}`);
  const response = root.lookupType(`${PACKAGE}.${method.responseType}`);
  return {
    path: `/${PACKAGE}.${name}`,
    needsLeader: serviceName !== 'Maintenance',
    encode: (message) => {
      const bytes = request.encode(message).finish();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    // A decoded message has its fields as properties and its defaults on its prototype.
    decode: (bytes) => response.decode(bytes) as unknown as EtcdMessage,
  };
}

export function childOf(message: EtcdMessage, name: string): EtcdMessage | null {
  const value = message[name];
  return isMessage(value) ? value : null;
}

export function childrenOf(message: EtcdMessage, name: string): readonly EtcdMessage[] {
  const value = message[name];
  return Array.isArray(value) ? value.filter(isMessage) : [];
}

export function textOf(message: EtcdMessage, name: string): string {
  const value = message[name];
  return typeof value === 'string' ? value : '';
}

export function textsOf(message: EtcdMessage, name: string): readonly string[] {
  const value = message[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

export function flagOf(message: EtcdMessage, name: string): boolean {
  return message[name] === true;
}

/** An enum's or a small number's value. */
export function numberOf(message: EtcdMessage, name: string): number {
  const value = message[name];
  // A revision beyond 2^53 would take etcd some thousands of years.
  if (Long.isLong(value)) return value.toNumber();
  return typeof value === 'number' ? value : 0;
}

/** An int64 or uint64 of which every bit counts, such as the id of a lease, a member or a cluster. */
export function idOf(message: EtcdMessage, name: string): string {
  const value = message[name];
  if (Long.isLong(value)) return value.toString();
  return typeof value === 'number' ? String(value) : '0';
}

export function longOfId(id: string): Long {
  return Long.fromString(id);
}

/** The bytes of a field, copied: what was decoded is a window on the whole message. */
export function bytesOf(message: EtcdMessage, name: string): Uint8Array {
  const value = message[name];
  return value instanceof Uint8Array ? new Uint8Array(value) : new Uint8Array(0);
}

export function keyOf(message: EtcdMessage, name: string): string {
  const value = message[name];
  if (!(value instanceof Uint8Array)) return '';
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}

function isMessage(value: unknown): value is EtcdMessage {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
