/** A gRPC connection to one coordinator. */
import { Client, type ChannelCredentials, connectivityState, credentials } from '@grpc/grpc-js';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { CoordAddress } from './coord-url.ts';
import { quietGrpcLog } from './grpc-log.ts';
import {
  KEEPALIVE_INTERVAL_MS,
  KEEPALIVE_TIMEOUT_MS,
  SPARE_RETRY_MS_MAX,
  SPARE_RETRY_MS_MIN,
} from './limits.ts';

export interface ClientTls {
  /** Authority that signed the coordinator's certificate; the system's when absent. */
  readonly caPem?: string;
  /** What this client shows, where the coordinator asks for a certificate. */
  readonly certPem?: string;
  readonly keyPem?: string;
}

/** What the dialer needs to know of one. */
export interface Connection {
  readonly address: CoordAddress;
  /** True when a call needs no further round trip before it is sent. */
  readonly isReady: boolean;
  /** Connects without waiting for a call, and again whenever the connection is lost, until it is closed. */
  keepOpen(): void;
  close(): void;
}

/** One that calls are made on. */
export interface CallConnection extends Connection {
  readonly client: Client;
}

export interface GrpcConnectionOptions {
  readonly clock: Clock;
  readonly tls: ClientTls;
  readonly messageBytesMax: number;
}

export class GrpcConnection implements CallConnection {
  readonly client: Client;
  readonly address: CoordAddress;
  readonly #clock: Clock;
  #retryTimer: TimerHandle | null = null;
  #isKeptOpen = false;
  #isClosed = false;

  constructor(address: CoordAddress, { clock, tls, messageBytesMax }: GrpcConnectionOptions) {
    quietGrpcLog();
    this.address = address;
    this.#clock = clock;
    this.client = new Client(address.target, credentialsFor(address, tls), {
      'grpc.max_receive_message_length': messageBytesMax,
      'grpc.max_send_message_length': messageBytesMax,
      'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      // One that waits for its use is to be known to work.
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.initial_reconnect_backoff_ms': SPARE_RETRY_MS_MIN,
      'grpc.max_reconnect_backoff_ms': SPARE_RETRY_MS_MAX,
      // A shared connection would bring grpc-js's own wait after a failure, which may be minutes.
      'grpc.use_local_subchannel_pool': 1,
      // Repeating is done here, where it is known what may be repeated.
      'grpc.enable_retries': 0,
      // Nobody asks; each event of each connection would be kept for those who might.
      'grpc.enable_channelz': 0,
    });
  }

  get isReady(): boolean {
    return (
      !this.#isClosed &&
      this.client.getChannel().getConnectivityState(false) === connectivityState.READY
    );
  }

  keepOpen(): void {
    if (this.#isKeptOpen || this.#isClosed) return;
    this.#isKeptOpen = true;
    this.client.getChannel().getConnectivityState(true);
    this.#watch();
  }

  close(): void {
    this.#isClosed = true;
    this.#retryTimer?.clear();
    this.client.close();
  }

  /** After an attempt that failed grpc-js tries again by itself; what was connected and is lost it leaves alone. */
  #watch(): void {
    const channel = this.client.getChannel();
    const state = channel.getConnectivityState(false);
    channel.watchConnectivityState(state, Infinity, () => {
      if (this.#isClosed) return;
      this.#watch();
      if (channel.getConnectivityState(false) !== connectivityState.IDLE) return;
      // Who ended it is not back at once.
      this.#retryTimer?.clear();
      this.#retryTimer = this.#clock.setTimer(
        SPARE_RETRY_MS_MIN,
        () => void channel.getConnectivityState(true),
        { unref: true },
      );
    });
  }
}

function credentialsFor({ usesTls }: CoordAddress, tls: ClientTls): ChannelCredentials {
  if (!usesTls) return credentials.createInsecure();
  const { caPem, certPem, keyPem } = tls;
  return credentials.createSsl(buffer(caPem), buffer(keyPem), buffer(certPem));
}

function buffer(pem: string | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}
