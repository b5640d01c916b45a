/**
 * Requests that are not about a range: listings, heads, writes. Whole bodies of bounded size, through Node's own
 * client. Nothing is followed and nothing is tried again here.
 */
import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';

import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Ticket } from './authority.ts';
import { guardedLookup } from './origin.ts';
import type { Origin } from './origin.ts';

/** A page of a listing has at most some MiB; more is no answer. */
const BODY_BYTES_MAX: number = 64 * 1024 ** 2;
export const SOCKETS_MAX = 32;
/** Without a byte for so long the request counts as broken. */
const SILENT_MS_MAX = 60_000;

export interface PlainRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly origin: Origin;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: Uint8Array | undefined;
  readonly ticket?: Ticket;
}

export interface PlainAnswer {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

export class PlainClient {
  readonly #lookup: LookupFunction;
  readonly #plain: PlainAgent = new PlainAgent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  readonly #tls: TlsAgent = new TlsAgent({ keepAlive: true, maxSockets: SOCKETS_MAX });

  /** Another lookup is for those who may speak to addresses that no data come from. */
  constructor({ lookup = guardedLookup }: { readonly lookup?: LookupFunction } = {}) {
    this.#lookup = lookup;
  }

  /** Rejects with the system's error where no answer came, and with the signal's reason. */
  async send(request: PlainRequest, signal?: AbortSignal): Promise<PlainAnswer> {
    const message = await this.open(request, signal);
    try {
      return await collect(message);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** The same with the body still to be read, by whoever takes it. */
  open(request: PlainRequest, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const sent = this.#start(request, signal);
      sent.on('response', resolve);
      sent.on('error', (error) => {
        const reason: unknown = signal?.aborted === true ? signal.reason : error;
        reject(reason instanceof Error ? reason : error);
      });
      sent.setTimeout(SILENT_MS_MAX, () => {
        sent.destroy(new Error(`no byte came for ${SILENT_MS_MAX / 1000} s`));
      });
      sent.end(request.body);
    });
  }

  close(): void {
    this.#plain.destroy();
    this.#tls.destroy();
  }

  #start(
    { method, origin, target, headers, body }: PlainRequest,
    signal: AbortSignal | undefined,
  ): ClientRequest {
    const { secure, host, port, authority } = origin;
    const common = {
      method,
      host,
      port,
      path: target,
      lookup: this.#lookup,
      headers: ['Host', authority, ...headers.flat(), ...lengthOf(method, body)],
      ...(signal === undefined ? {} : { signal }),
    };
    return secure
      ? tlsRequest({ ...common, agent: this.#tls })
      : plainRequest({ ...common, agent: this.#plain });
  }
}

/** Without it Node sends an empty body in chunks, which stores need not take. */
function lengthOf(method: PlainRequest['method'], body: Uint8Array | undefined): readonly string[] {
  const hasBody = body !== undefined || method === 'PUT' || method === 'POST';
  return hasBody ? ['Content-Length', String(body?.length ?? 0)] : [];
}

/** The whole body, of bounded size. */
export async function collect(message: IncomingMessage): Promise<PlainAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      message.destroy();
      throw new Error(`the answer has more than ${BODY_BYTES_MAX} bytes`);
    }
  }
  return { head: headOf(message), body: Buffer.concat(chunks) };
}

export function headOf(message: IncomingMessage): ResponseHead {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return { status: message.statusCode ?? 0, headers, keepsAlive: true };
}
