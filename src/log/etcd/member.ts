/** The connection to one member of etcd, and whether a call can have left on it. */
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  connectivityState,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Clock } from '../../ports/clock.ts';
import { type CallFailure, kindOfFailure, reasonOf, type FailureKind } from './etcd-errors.ts';
import {
  CONNECT_TIMEOUT_MS,
  KEEPALIVE_INTERVAL_MS,
  KEEPALIVE_TIMEOUT_MS,
  RECONNECT_MS_MAX,
  RECONNECT_MS_MIN,
} from './limits.ts';
import type { EtcdMessage, EtcdMethod } from './schema.ts';

/** A call that did not end well. Stays inside this folder: callers see `KvError`. */
export class MemberFailure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, why: string) {
    super(why);
    this.name = 'MemberFailure';
    this.kind = kind;
  }
}

export class Member {
  readonly endpoint: string;
  readonly #client: Client;
  readonly #clock: Clock;
  /** How often the channel became ready. With none during a call, the call was never sent. */
  #timesReady = 0;
  #isClosed = false;

  constructor(endpoint: string, tls: ChannelCredentials, clock: Clock) {
    this.endpoint = endpoint;
    this.#clock = clock;
    this.#client = new Client(endpoint, tls, {
      'grpc.max_receive_message_length': -1,
      // etcd knows its own limit and says so.
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.initial_reconnect_backoff_ms': RECONNECT_MS_MIN,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
      'grpc.use_local_subchannel_pool': 1,
      // Repeating is done here, where it is known what may be repeated.
      'grpc.enable_retries': 0,
      // A store stands in the same network; what a proxy for the web would do with it is nothing good.
      'grpc.enable_http_proxy': 0,
    });
    this.#watchChannel();
  }

  /** One request, one answer, within `timeoutMs`. Rejects with `MemberFailure`. */
  unary(
    method: EtcdMethod,
    message: EtcdMessage,
    token: string | null,
    timeoutMs: number,
  ): Promise<EtcdMessage> {
    return new Promise((resolve, reject) => {
      const watch = this.#watchCall(timeoutMs, () => call.cancel());
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.encode,
        method.decode,
        message,
        metadataOf(method, token),
        (error: ServiceError | null, answer?: EtcdMessage) => {
          watch.end();
          if (error === null) resolve(answer ?? {});
          else reject(watch.failure(error));
        },
      );
    });
  }

  /** The first answer of a stream that is ended after one request. Rejects with `MemberFailure`. */
  firstOf(
    method: EtcdMethod,
    message: EtcdMessage,
    token: string | null,
    timeoutMs: number,
  ): Promise<EtcdMessage> {
    return new Promise((resolve, reject) => {
      const watch = this.#watchCall(timeoutMs, () => stream.cancel());
      const stream = this.stream(method, token);
      stream.on('data', (answer: EtcdMessage) => {
        watch.end();
        resolve(answer);
        stream.cancel();
      });
      // What comes after the answer is the end that we asked for.
      stream.on('error', (error: ServiceError) => {
        watch.end();
        reject(watch.failure(error));
      });
      stream.on('end', () => {
        watch.end();
        reject(new MemberFailure('unknown', 'the stream ended without an answer'));
      });
      stream.write(message);
    });
  }

  stream(method: EtcdMethod, token: string | null): ClientDuplexStream<EtcdMessage, EtcdMessage> {
    return this.#client.makeBidiStreamRequest(
      method.path,
      method.encode,
      method.decode,
      metadataOf(method, token),
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#client.close();
  }

  get #isReady(): boolean {
    return (
      !this.#isClosed &&
      this.#client.getChannel().getConnectivityState(false) === connectivityState.READY
    );
  }

  #watchCall(timeoutMs: number, cancel: () => void): CallWatch {
    const wasReady = this.#isReady;
    const timesReady = this.#timesReady;
    const mayBeSent = (): boolean => wasReady || this.#isReady || this.#timesReady > timesReady;
    return new CallWatch(this.#clock, timeoutMs, mayBeSent, cancel);
  }

  #watchChannel(): void {
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(false);
    if (state === connectivityState.READY) this.#timesReady += 1;
    // Such as after an orderly end of the server: a member that is wanted again connects by itself.
    if (state === connectivityState.SHUTDOWN) return;
    channel.watchConnectivityState(state, Infinity, () => {
      if (!this.#isClosed) this.#watchChannel();
    });
  }
}

/** The time of one call: a short one until there is a connection, the whole one for the answer. */
class CallWatch {
  readonly #mayBeSent: () => boolean;
  readonly #timeoutMs: number;
  readonly #timers: readonly { clear(): void }[];
  #timedOutAfterMs = 0;

  constructor(clock: Clock, timeoutMs: number, mayBeSent: () => boolean, cancel: () => void) {
    this.#mayBeSent = mayBeSent;
    this.#timeoutMs = timeoutMs;
    const giveUp = (afterMs: number): void => {
      this.#timedOutAfterMs = afterMs;
      cancel();
    };
    const connectMs = Math.min(CONNECT_TIMEOUT_MS, timeoutMs);
    this.#timers = [
      clock.setTimer(timeoutMs, () => giveUp(timeoutMs)),
      clock.setTimer(connectMs, () => {
        if (!mayBeSent()) giveUp(connectMs);
      }),
    ];
  }

  end(): void {
    for (const timer of this.#timers) timer.clear();
  }

  failure(error: ServiceError): MemberFailure {
    const hasTimedOut = this.#timedOutAfterMs > 0;
    const said = error.details === '' ? error.message : error.details;
    const failure: CallFailure = {
      code: error.code,
      details: said,
      mayBeSent: this.#mayBeSent(),
      hasTimedOut,
    };
    const limit = this.#timedOutAfterMs === this.#timeoutMs ? 'no answer' : 'no connection';
    const why = hasTimedOut
      ? `${limit} within ${Math.round(this.#timedOutAfterMs)} ms`
      : reasonOf(said);
    return new MemberFailure(kindOfFailure(failure), why);
  }
}

/** `hasleader`: a member that knows no leader says so at once and does nothing. */
function metadataOf({ needsLeader }: EtcdMethod, token: string | null): Metadata {
  const metadata = new Metadata();
  if (needsLeader) metadata.set('hasleader', 'true');
  if (token !== null) metadata.set('token', token);
  return metadata;
}
