/** Listens, with TLS or on purpose without, and ends what is in flight when told to. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';

import { status } from '@grpc/grpc-js';
import { addressText, type BindAddress, isLoopback } from '../core/base/bind-address.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorBackend } from './backend.ts';
import type { CallHandler } from './grpc-service.ts';
import { Http2Listener, type ListenerTls } from './http2-listener.ts';
import { SHUTDOWN_GRACE_MS } from './limits.ts';
import { type CallLimits, ServerCall } from './server-call.ts';
import { Sessions } from './session-server.ts';
import { v0Service } from './v0-server.ts';
import { v1Service } from './v1-server.ts';

export type ServerTls = ListenerTls;

export interface GrpcServerOptions {
  readonly backend: CoordinatorBackend;
  readonly clock: Clock;
  readonly bind: BindAddress;
  readonly tls: ServerTls | null;
  /** Serve an address that other machines reach although nothing authenticates them. */
  readonly insecure: boolean;
  readonly messageBytesMax: number;
}

export interface GrpcServer {
  /** The port that was bound; of interest when 0 was asked for. */
  readonly port: number;
  /** Tells every session that this coordinator leads no more, and who does; resolves when all are told. */
  sendAway(why: Mx8Error): Promise<void>;
  /** Ends every session, so that its node looks for the coordinator that leads now. */
  endSessions(): void;
  stop(): Promise<void>;
}

export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  checkBind(options);
  const { backend, messageBytesMax, bind, tls, clock } = options;
  const sessions = new Sessions(backend);
  const handlers = new Map([
    ...v0Service(backend, messageBytesMax),
    ...v1Service(backend, sessions),
  ]);
  const limits = { messageBytesMax, clock };
  const listener = await Http2Listener.open({
    bind,
    tls,
    clock,
    onStream: (stream, headers) => serveCall(handlers, limits, stream, headers),
  }).catch((cause: unknown) => {
    throw bindError(addressText(bind), cause);
  });
  return {
    port: listener.port,
    sendAway: (why) => sessions.sendAway(why, clock),
    endSessions: () => sessions.endAll(),
    stop: () => stop(listener, sessions, clock),
  };
}

const WITHOUT_BODY = { endStream: true };

function serveCall(
  handlers: ReadonlyMap<string, CallHandler>,
  limits: CallLimits,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): void {
  // A stream that was reset closes too, which its call is told by.
  stream.on('error', () => undefined);
  // It may have been before we hear of it; to answer it would throw.
  if (stream.destroyed || stream.closed) return;
  const { ':method': verb, ':path': path = '', 'content-type': type = '' } = headers;
  if (verb !== 'POST' || !type.startsWith('application/grpc')) {
    stream.respond({ ':status': verb === 'POST' ? 415 : 405 }, WITHOUT_BODY);
    stream.close();
    return;
  }
  const call = new ServerCall(stream, limits);
  const handler = handlers.get(path);
  if (handler === undefined) {
    const message = `the coordinator has no method ${path}`;
    call.finish({ code: status.UNIMPLEMENTED, message, trailers: {} });
    return;
  }
  call.start(headers, handler(call));
}

/** `insecure_bind` for an address that other machines reach, without TLS or a word that it may be open. */
export function checkBind({
  bind,
  tls,
  insecure,
}: Pick<GrpcServerOptions, 'bind' | 'tls' | 'insecure'>): void {
  if (tls !== null || insecure || isLoopback(bind.host)) return;
  throw new Mx8Error(
    'insecure_bind',
    `${addressText(bind)} can be reached from other machines, and without TLS nothing authenticates them; bind a loopback address, configure TLS, or pass --insecure`,
    { host: bind.host },
  );
}

function bindError(address: string, cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  if ('code' in cause && cause.code === 'EADDRINUSE') {
    const message = `another program listens on ${address}; stop it or choose another address`;
    return new Mx8Error('port_in_use', message, { address });
  }
  return new Mx8Error('flag_invalid', `cannot listen on ${address}: ${cause.message}`, { address });
}

/** No further call; sessions end; calls in flight get a moment, then their connections close. */
async function stop(listener: Http2Listener, sessions: Sessions, clock: Clock): Promise<void> {
  const ended = new AbortController();
  const grace = clock.sleep(SHUTDOWN_GRACE_MS, ended.signal).catch(() => undefined);
  const closed = listener.close(grace);
  sessions.endAll();
  await closed;
  ended.abort();
}
