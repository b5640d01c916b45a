/** Listens, with TLS or on purpose without, and ends what is in flight when told to. */
import { type ChannelOptions, Server, ServerCredentials } from '@grpc/grpc-js';
import { Mx8Error } from '../core/base/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorBackend } from './backend.ts';
import { quietGrpcLog } from './grpc-log.ts';
import { KEEPALIVE_INTERVAL_MS, KEEPALIVE_TIMEOUT_MS, SHUTDOWN_GRACE_MS } from './limits.ts';
import { Sessions } from './session-server.ts';
import { v0Service } from './v0-server.ts';
import { v1Service } from './v1-server.ts';

export interface ServerTls {
  readonly certPem: string;
  readonly keyPem: string;
  /** When given, clients must show a certificate of this authority. */
  readonly clientCaPem?: string;
}

export interface GrpcServerOptions {
  readonly backend: CoordinatorBackend;
  readonly clock: Clock;
  readonly bind: { readonly host: string; readonly port: number };
  readonly tls: ServerTls | null;
  /** Serve an address that other machines reach although nothing authenticates them. */
  readonly insecure: boolean;
  readonly messageBytesMax: number;
}

export interface GrpcServer {
  /** The port that was bound; of interest when 0 was asked for. */
  readonly port: number;
  /** Ends every session, so that its node looks for the coordinator that leads now. */
  endSessions(): void;
  stop(): Promise<void>;
}

export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  checkBind(options);
  quietGrpcLog();
  const { backend, messageBytesMax } = options;
  const server = new Server(channelOptions(messageBytesMax));
  const sessions = new Sessions(backend);
  for (const service of [v0Service(backend, messageBytesMax), v1Service(backend, sessions)]) {
    server.addService(service.definition, service.implementation);
  }
  const port = await listen(server, options);
  return {
    port,
    endSessions: () => sessions.endAll(),
    stop: () => stop(server, sessions, options.clock),
  };
}

function channelOptions(messageBytesMax: number): ChannelOptions {
  return {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    // Two coordinators on one port would each see half of the nodes.
    'grpc.so_reuseport': 0,
  };
}

function checkBind({ bind, tls, insecure }: GrpcServerOptions): void {
  if (tls !== null || insecure || isLoopback(bind.host)) return;
  throw new Mx8Error(
    'insecure_bind',
    `${addressText(bind)} can be reached from other machines, and without TLS nothing authenticates them; bind a loopback address, configure TLS, or pass --insecure`,
    { host: bind.host },
  );
}

export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return name === 'localhost' || name === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

export function addressText({ host, port }: GrpcServerOptions['bind']): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;
}

function listen(server: Server, { bind, tls }: GrpcServerOptions): Promise<number> {
  const address = addressText(bind);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, serverCredentials(tls), (error, port) => {
      if (error === null) resolve(port);
      else reject(bindError(address, error));
    });
  });
}

function serverCredentials(tls: ServerTls | null): ServerCredentials {
  if (tls === null) return ServerCredentials.createInsecure();
  const clientCa = tls.clientCaPem === undefined ? null : Buffer.from(tls.clientCaPem);
  const pair = { cert_chain: Buffer.from(tls.certPem), private_key: Buffer.from(tls.keyPem) };
  return ServerCredentials.createSsl(clientCa, [pair], clientCa !== null);
}

function bindError(address: string, cause: Error): Mx8Error {
  if (cause.message.includes('EADDRINUSE')) {
    const message = `another program listens on ${address}; stop it or choose another address`;
    return new Mx8Error('port_in_use', message, { address });
  }
  return new Mx8Error('flag_invalid', `cannot listen on ${address}: ${cause.message}`, { address });
}

/** No further call; sessions end; calls in flight get a moment, then their connections close. */
async function stop(server: Server, sessions: Sessions, clock: Clock): Promise<void> {
  const ended = new AbortController();
  const closed = new Promise<void>((resolve) => {
    // An error says that the server was not running, which is what is wanted.
    server.tryShutdown(() => resolve());
  });
  sessions.endAll();
  const grace = clock.sleep(SHUTDOWN_GRACE_MS, ended.signal).then(
    () => server.forceShutdown(),
    () => undefined,
  );
  await closed;
  ended.abort();
  await grace;
}
