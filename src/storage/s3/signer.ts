/**
 * Signatures of requests (SigV4), by Amazon's own library but for plain reading. A signature is over method, path, query and
 * the headers that S3 cares for, not over `Range`; so one serves all ranges of an object for some minutes.
 */
import { createHash, createHmac } from 'node:crypto';

import type { Clock } from '../../ports/clock.ts';
import type { Credentials } from './credentials.ts';
import { ReadSigner } from './read-signature.ts';
import type { PlainGet } from './read-signature.ts';

/** S3 takes a signature for 15 minutes; clocks differ. */
const REUSE_MS = 240_000;
const REMEMBERED_MAX = 4096;

export interface SignableRequest {
  readonly method: string;
  readonly secure: boolean;
  readonly authority: string;
  /** Encoded. */
  readonly path: string;
  /** Not encoded. */
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Hex SHA-256 of the body, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string;
}

export type HeaderList = readonly (readonly [string, string])[];

interface Remembered {
  readonly credentials: Credentials;
  readonly region: string;
  readonly signedAtMs: number;
  readonly headers: HeaderList;
}

export class Signer {
  readonly #clock: Clock;
  readonly #remembered: Map<string, Remembered> = new Map();
  #reads: ReadSigner | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async sign(
    request: SignableRequest,
    credentials: Credentials,
    region: string,
  ): Promise<HeaderList> {
    const { SignatureV4 } = await import('@smithy/signature-v4');
    const signer = new SignatureV4({
      credentials: {
        accessKeyId: credentials.accessKeyId,
        secretAccessKey: credentials.secretAccessKey,
        ...(credentials.sessionToken === undefined
          ? {}
          : { sessionToken: credentials.sessionToken }),
      },
      region,
      service: 's3',
      sha256: Sha256,
      uriEscapePath: false,
      applyChecksum: false,
    });
    const { method, secure, authority, path, query, headers, payloadHash } = request;
    const signed = await signer.sign(
      {
        method,
        protocol: secure ? 'https:' : 'http:',
        hostname: authority,
        path,
        query: { ...query },
        headers: { ...headers, host: authority, 'x-amz-content-sha256': payloadHash },
      },
      { signingDate: this.#now() },
    );
    return Object.entries(signed.headers).filter(([name]) => name.toLowerCase() !== 'host');
  }

  /** The same for reading an object, remembered for a while under `name`. */
  signRead(name: string, request: PlainGet, credentials: Credentials, region: string): HeaderList {
    const nowMs = this.#clock.nowMs();
    const known = this.#remembered.get(name);
    if (
      known?.credentials === credentials &&
      known.region === region &&
      nowMs - known.signedAtMs < REUSE_MS
    ) {
      return known.headers;
    }
    if (this.#reads?.isFor(credentials, region) !== true) {
      this.#reads = new ReadSigner(credentials, region);
    }
    const headers = this.#reads.sign(request, this.#clock.unixMs());
    this.#remembered.delete(name);
    const oldest = this.#remembered.keys().next();
    if (this.#remembered.size >= REMEMBERED_MAX && oldest.done !== true) {
      this.#remembered.delete(oldest.value);
    }
    this.#remembered.set(name, { credentials, region, signedAtMs: nowMs, headers });
    return headers;
  }

  /** A number is seconds to the library. */
  #now(): number {
    return this.#clock.unixMs() / 1000;
  }
}

interface Summing {
  update(bytes: Buffer): unknown;
  digest(): Buffer;
}

/** Node's SHA-256 in the shape that the library asks for. */
class Sha256 {
  readonly #make: () => Summing;
  #state: Summing;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#make =
      secret === undefined
        ? (): Summing => createHash('sha256')
        : (): Summing => createHmac('sha256', bytesOf(secret));
    this.#state = this.#make();
  }

  update(chunk: string | ArrayBuffer | ArrayBufferView): void {
    this.#state.update(bytesOf(chunk));
  }

  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#state.digest());
  }

  reset(): void {
    this.#state = this.#make();
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
