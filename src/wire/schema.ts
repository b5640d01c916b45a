/**
 * The two .proto files, read at run time: they are the one source of names and numbers. Everything that
 * protobuf leaves open (64-bit numbers, absent messages) is settled by `fields.ts`.
 */
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';

/** A decoded message, or one to be encoded: camelCase names of the schema. */
export type WireMessage = Readonly<Record<string, unknown>>;

/** A message that is on its wire already. */
export class EncodedMessage {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

export interface WireType {
  readonly encode: (message: WireMessage) => Buffer;
  readonly decode: (bytes: Uint8Array) => WireMessage;
}

const FILES = ['mx8_v0.proto', 'mx8_v1.proto'];

const root: protobuf.Root = loadRoot();
const types: Map<string, WireType> = new Map<string, WireType>();

function loadRoot(): protobuf.Root {
  const loaded = new protobuf.Root();
  for (const file of FILES) {
    protobuf.parse(readFileSync(new URL(file, import.meta.url), 'utf8'), loaded);
  }
  loaded.resolveAll();
  return loaded;
}

/** The message type of that full name, such as `mx8.v0.Lease`. */
export function wireType(name: string): WireType {
  const known = types.get(name);
  if (known !== undefined) return known;
  const type = root.lookupType(name);
  const made: WireType = {
    encode: (message) => {
      const bytes = type.encode(message).finish();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    // A decoded message has its fields as properties and its defaults on its prototype.
    decode: (bytes) => type.decode(bytes) as unknown as WireMessage,
  };
  types.set(name, made);
  return made;
}

export interface WireMethod {
  readonly name: string;
  readonly path: string;
  readonly request: WireType;
  readonly response: WireType;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/** The methods of a service, such as `mx8.v0.Coordinator`, in the order of the schema. */
export function wireMethods(service: string): readonly WireMethod[] {
  const { package: scope, name } = splitName(service);
  return root.lookupService(service).methodsArray.map((method) => ({
    name: method.name,
    path: `/${service}/${method.name}`,
    request: wireType(`${scope}.${method.requestType}`),
    response: wireType(`${scope}.${method.responseType}`),
    requestStream: method.requestStream === true,
    responseStream: method.responseStream === true,
    service: name,
  }));
}

function splitName(fullName: string): { package: string; name: string } {
  const dot = fullName.lastIndexOf('.');
  return { package: fullName.slice(0, dot), name: fullName.slice(dot + 1) };
}
