/**
 * The connection to whichever coordinator of the list answers. What fails is closed, and the next
 * attempt goes to the next address; how long to wait before it grows and is spread by chance, so that a
 * fleet does not come back in one moment.
 */
import { Client, credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { must } from '../core/base/assert.ts';
import type { Random } from '../ports/random.ts';
import { type CoordAddress, parseCoordUrl } from './coord-url.ts';
import { quietGrpcLog } from './grpc-log.ts';
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  KEEPALIVE_INTERVAL_MS,
  KEEPALIVE_TIMEOUT_MS,
} from './limits.ts';

export interface ClientTls {
  /** Authority that signed the coordinator's certificate; the system's when absent. */
  readonly caPem?: string;
  /** What this client shows, where the coordinator asks for a certificate. */
  readonly certPem?: string;
  readonly keyPem?: string;
}

export interface Connection {
  readonly client: Client;
  readonly address: CoordAddress;
}

export class Dialer {
  readonly #addresses: readonly CoordAddress[];
  readonly #tls: ClientTls;
  readonly #messageBytesMax: number;
  readonly #random: Random;
  #next = 0;
  #current: Connection | null = null;

  constructor(coordUrl: string, tls: ClientTls, messageBytesMax: number, random: Random) {
    quietGrpcLog();
    this.#addresses = parseCoordUrl(coordUrl);
    this.#tls = tls;
    this.#messageBytesMax = messageBytesMax;
    this.#random = random;
  }

  connection(): Connection {
    this.#current ??= this.#connect();
    return this.#current;
  }

  /** That connection is of no use: the next one goes elsewhere. Safe to say more than once. */
  failed(connection: Connection): void {
    if (this.#current !== connection) return;
    this.#current = null;
    this.#next = (this.#next + 1) % this.#addresses.length;
    connection.client.close();
  }

  /** The wait before attempt 1, 2, …: a whole round of the list is tried before it grows. */
  backoffMs(attempt: number): number {
    const rounds = Math.min(30, Math.floor((attempt - 1) / this.#addresses.length));
    return this.#random.fraction() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** rounds);
  }

  close(): void {
    this.#current?.client.close();
    this.#current = null;
  }

  #connect(): Connection {
    const address = must(this.#addresses[this.#next], 'the list of addresses is not empty');
    const client = new Client(address.target, this.#credentials(address), {
      'grpc.max_receive_message_length': this.#messageBytesMax,
      'grpc.max_send_message_length': this.#messageBytesMax,
      'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      // A shared connection would bring grpc-js's own wait after a failure, which may be minutes.
      'grpc.use_local_subchannel_pool': 1,
      // Repeating is done here, where it is known what may be repeated.
      'grpc.enable_retries': 0,
    });
    return { client, address };
  }

  #credentials({ usesTls }: CoordAddress): ChannelCredentials {
    if (!usesTls) return credentials.createInsecure();
    const { caPem, certPem, keyPem } = this.#tls;
    return credentials.createSsl(buffer(caPem), buffer(keyPem), buffer(certPem));
  }
}

function buffer(pem: string | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}
