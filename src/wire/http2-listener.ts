/**
 * HTTP/2 on an address: sockets, TLS, connections that died without a word, and the end of all of them.
 * A name that stands for several addresses is listened to on each, as `localhost` is on IPv4 and IPv6.
 */
import { once } from 'node:events';
import { lookup } from 'node:dns/promises';
import {
  createSecureServer,
  createServer as createHttp2Server,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';

import type { Clock } from '../ports/clock.ts';
import {
  CONNECTION_CALLS_MAX,
  CONNECTION_MEMORY_MB_MAX,
  KEEPALIVE_INTERVAL_MS,
  KEEPALIVE_TIMEOUT_MS,
} from './limits.ts';

export interface ListenerTls {
  readonly certPem: string;
  readonly keyPem: string;
  /** When given, clients must show a certificate of this authority. */
  readonly clientCaPem?: string;
}

export interface ListenerOptions {
  readonly bind: { readonly host: string; readonly port: number };
  readonly tls: ListenerTls | null;
  readonly clock: Clock;
  onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

const SERVER_OPTIONS = {
  settings: { enablePush: false, maxConcurrentStreams: CONNECTION_CALLS_MAX },
  maxSessionMemory: CONNECTION_MEMORY_MB_MAX,
};

export class Http2Listener {
  readonly #http2: Http2Server | Http2SecureServer;
  readonly #clock: Clock;
  readonly #acceptors: Server[] = [];
  readonly #sessions: Map<ServerHttp2Session, KeepAlive> = new Map<ServerHttp2Session, KeepAlive>();
  readonly #sockets: Set<Socket> = new Set<Socket>();
  #isClosing = false;

  private constructor(options: ListenerOptions) {
    const { tls } = options;
    this.#clock = options.clock;
    this.#http2 = tls === null ? createHttp2Server(SERVER_OPTIONS) : secureServer(tls);
    this.#http2.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      options.onStream(stream, headers);
    });
    this.#http2.on('session', (session) => this.#opened(session));
  }

  /** Rejects with the error of the system when an address cannot be had. */
  static async open(options: ListenerOptions): Promise<Http2Listener> {
    const listener = new Http2Listener(options);
    try {
      await listener.#listen(options.bind);
    } catch (error) {
      await listener.close(Promise.resolve());
      throw error;
    }
    return listener;
  }

  get port(): number {
    const address = this.#acceptors[0]?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Takes no further call; calls in flight end by themselves or when `grace` has passed. */
  async close(grace: Promise<void>): Promise<void> {
    this.#isClosing = true;
    const closed = this.#acceptors.map(async (acceptor) => {
      if (!acceptor.listening) return;
      acceptor.close();
      await once(acceptor, 'close');
    });
    for (const session of this.#sessions.keys()) session.close();
    const all = Promise.all(closed);
    await Promise.race([all, grace]);
    for (const [session, keepAlive] of this.#sessions) {
      keepAlive.stop();
      session.destroy();
    }
    for (const socket of this.#sockets) socket.destroy();
    await all;
  }

  async #listen({ host, port }: ListenerOptions['bind']): Promise<void> {
    const found = await lookup(host.replace(/^\[(.*)\]$/, '$1'), { all: true });
    let notHere: Error | null = null;
    for (const { address } of found) {
      try {
        await this.#accept(address, this.#acceptors.length === 0 ? port : this.port);
      } catch (error) {
        // A name may stand for an address of a kind that this machine has not set up.
        if (!isNotHere(error)) throw error;
        notHere ??= error;
      }
    }
    if (this.#acceptors.length === 0 && notHere !== null) throw notHere;
  }

  async #accept(address: string, port: number): Promise<void> {
    const acceptor = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      // A connection that breaks is told to its session; before it has one nobody needs to know.
      socket.on('error', () => undefined);
      this.#http2.emit('connection', socket);
    });
    acceptor.listen(port, address);
    await once(acceptor, 'listening');
    this.#acceptors.push(acceptor);
  }

  #opened(session: ServerHttp2Session): void {
    if (this.#isClosing) {
      session.destroy();
      return;
    }
    const keepAlive = new KeepAlive(session, this.#clock);
    this.#sessions.set(session, keepAlive);
    session.once('close', () => {
      keepAlive.stop();
      this.#sessions.delete(session);
    });
  }
}

/** Pings a connection, and ends it when a ping stays unanswered: a peer that was cut off says nothing. */
class KeepAlive {
  readonly #session: ServerHttp2Session;
  readonly #clock: Clock;
  #timer: ReturnType<Clock['setTimer']>;

  constructor(session: ServerHttp2Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
    this.#timer = this.#in(KEEPALIVE_INTERVAL_MS, () => this.#ping());
  }

  stop(): void {
    this.#timer.clear();
  }

  #ping(): void {
    // Destroyed, and about to say so.
    if (this.#session.destroyed) return;
    this.#timer = this.#in(KEEPALIVE_TIMEOUT_MS, () => this.#session.destroy());
    this.#session.ping((error) => {
      if (error !== null) return;
      this.#timer.clear();
      this.#timer = this.#in(KEEPALIVE_INTERVAL_MS, () => this.#ping());
    });
  }

  #in(delayMs: number, fire: () => void): ReturnType<Clock['setTimer']> {
    return this.#clock.setTimer(delayMs, fire, { unref: true });
  }
}

function secureServer({ certPem, keyPem, clientCaPem }: ListenerTls): Http2SecureServer {
  const asksClients =
    clientCaPem === undefined
      ? {}
      : { ca: clientCaPem, requestCert: true, rejectUnauthorized: true };
  return createSecureServer({ ...SERVER_OPTIONS, cert: certPem, key: keyPem, ...asksClients });
}

function isNotHere(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT')
  );
}
