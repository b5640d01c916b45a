/**
 * The connection to whichever coordinator of the list answers. What fails is closed, and the next
 * attempt goes to the next address; how long to wait before it grows and is spread by chance, so that a
 * fleet does not come back in one moment.
 */
import { Client, credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { Random } from '../ports/random.ts';
import { type CoordAddress, parseCoordUrl } from './coord-url.ts';
import { quietGrpcLog } from './grpc-log.ts';
import {
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  CONNECT_TIMEOUT_MS_MAX,
  CONNECT_TIMEOUT_MS_MIN,
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
  /** Where the leader was said to be; dialled before the list goes on. */
  #hint: CoordAddress | null = null;
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

  /**
   * That connection is of no use: the next one goes elsewhere, to `leader` if that is known. Safe to say
   * more than once.
   */
  failed(connection: Connection, leader: string | null = null): void {
    if (this.#current !== connection) return;
    this.#current = null;
    this.#hint = leader === null ? null : this.#trusted(leader, connection.address);
    if (this.#hint === null) this.#next = (this.#next + 1) % this.#addresses.length;
    connection.client.close();
  }

  /** The next connection goes to that address; one that is open to another is closed. */
  goTo(leader: string): void {
    const connection = this.#current;
    if (connection !== null) this.failed(connection, leader);
  }

  /** The address in a hint; null for one that cannot be read or would give up TLS. */
  #trusted(leader: string, from: CoordAddress): CoordAddress | null {
    try {
      const [address] = parseCoordUrl(leader);
      if (address === undefined || (from.usesTls && !address.usesTls)) return null;
      return address.target === from.target ? null : address;
    } catch (error) {
      if (error instanceof Mx8Error) return null;
      throw error;
    }
  }

  /**
   * The wait before attempt 1, 2, …: short within a round of the list, growing from round to round. Who
   * comes to a standby while nobody leads is back soon after somebody does.
   */
  backoffMs(attempt: number): number {
    const count = this.#addresses.length;
    const rounds = Math.min(30, Math.floor(attempt / count));
    const isWithinRound = attempt % count !== 0;
    const boundMs = isWithinRound ? BACKOFF_MS_MIN : BACKOFF_MS_MIN * 2 ** rounds;
    return this.#random.fraction() * Math.min(BACKOFF_MS_MAX, boundMs);
  }

  /**
   * How long a connection may take after so many that failed: longer from round to round, because a
   * leader that all nodes come back to at once may need longer than usual, and is not helped by nodes that
   * hang up and dial again.
   */
  connectTimeoutMs(failures: number): number {
    const rounds = Math.min(30, Math.floor(failures / this.#addresses.length));
    return Math.min(CONNECT_TIMEOUT_MS_MAX, CONNECT_TIMEOUT_MS_MIN * 2 ** rounds);
  }

  close(): void {
    this.#current?.client.close();
    this.#current = null;
  }

  #connect(): Connection {
    const listed = must(this.#addresses[this.#next], 'the list of addresses is not empty');
    const address = this.#hint ?? listed;
    this.#hint = null;
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
