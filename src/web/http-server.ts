/**
 * A small HTTP server for reading: GET and HEAD of a few paths, nothing else. It is bound like the gRPC
 * server: an address that other machines reach takes TLS, or a word that it may be open. On a loopback
 * address only requests for this machine by name are answered, so that a web page elsewhere cannot
 * have a browser read it under a name of its own (DNS rebinding).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import { addressText, type BindAddress, isLoopback } from '../core/base/bind-address.ts';
import { Mx8Error } from '../core/base/errors.ts';
import {
  CONNECTION_LOOK_MS,
  CONNECTIONS_MAX,
  HEADER_BYTES_MAX,
  HEADERS_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
} from './limits.ts';

export interface HttpTls {
  readonly certPem: string;
  readonly keyPem: string;
  /** When given, clients must show a certificate of this authority. */
  readonly clientCaPem?: string;
}

export interface HttpRequest {
  readonly path: string;
  readonly query: URLSearchParams;
}

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers one request, or takes the connection over and answers null. */
export type Route = (
  request: HttpRequest,
  response: ServerResponse,
) => Promise<HttpAnswer | null> | HttpAnswer | null;

export interface HttpServerOptions {
  readonly bind: BindAddress;
  readonly tls: HttpTls | null;
  /** Serve an address that other machines reach although nothing authenticates them. */
  readonly insecure: boolean;
  /** By path. */
  readonly routes: Readonly<Record<string, Route>>;
  readonly onError: (error: unknown) => void;
}

export interface HttpServer {
  readonly port: number;
  /** As to be typed into a browser on this machine. */
  readonly url: string;
  close(): Promise<void>;
}

/** What every answer carries: it is never framed, never run as anything else, and loads only from here. */
const SAFETY: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** An address that other machines reach takes TLS or a word that it may be open. */
export function checkSafeBind({
  bind,
  tls,
  insecure,
}: Pick<HttpServerOptions, 'bind' | 'tls' | 'insecure'>): void {
  if (tls === null && !insecure && !isLoopback(bind.host)) {
    throw new Mx8Error(
      'insecure_bind',
      `${addressText(bind)} can be reached from other machines, and without TLS nothing authenticates them; bind a loopback address or pass --insecure`,
      { host: bind.host },
    );
  }
}

export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { bind, tls } = options;
  checkSafeBind(options);
  const server = newServer(options);
  await listen(server, bind);
  const { port } = server.address() as AddressInfo;
  const host = bind.host === '0.0.0.0' || bind.host === '::' ? '127.0.0.1' : bind.host;
  return {
    port,
    url: `${tls === null ? 'http' : 'https'}://${addressText({ host, port })}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function newServer(options: HttpServerOptions): Server {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    serve(options, request, response).catch((error: unknown) => {
      options.onError(error);
      if (response.headersSent) response.destroy();
      else send(request, response, plain(500, 'internal error; the log has it\n'));
    });
  };
  const { tls } = options;
  const limits = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CONNECTION_LOOK_MS,
  };
  const server =
    tls === null
      ? createServer(limits, onRequest)
      : createSecureServer(
          {
            ...limits,
            cert: tls.certPem,
            key: tls.keyPem,
            ...(tls.clientCaPem === undefined
              ? {}
              : { ca: tls.clientCaPem, requestCert: true, rejectUnauthorized: true }),
          },
          onRequest,
        );
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}

async function serve(
  options: HttpServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '', headers } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    const headersOfRefusal = { allow: 'GET, HEAD' };
    send(request, response, { ...plain(405, 'only reading\n'), headers: headersOfRefusal });
    return;
  }
  if (isLoopback(options.bind.host) && !isLoopback(nameOf(headers.host ?? ''))) {
    send(request, response, plain(421, 'ask for it as localhost\n'));
    return;
  }
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  const route = url === null ? undefined : routeOf(options.routes, url.pathname);
  if (url === null || route === undefined) {
    send(request, response, plain(404, 'there is nothing here\n'));
    return;
  }
  const answer = await route({ path: url.pathname, query: url.searchParams }, response);
  if (answer !== null) send(request, response, answer);
}

function routeOf(routes: HttpServerOptions['routes'], path: string): Route | undefined {
  return Object.hasOwn(routes, path) ? routes[path] : undefined;
}

/** The host of a `Host` header, without its port. */
function nameOf(host: string): string {
  return host.replace(/:\d+$/, '');
}

function send(request: IncomingMessage, response: ServerResponse, answer: HttpAnswer): void {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  response.writeHead(answer.status, {
    ...SAFETY,
    'content-type': answer.type,
    'content-length': String(body.length),
    'cache-control': 'no-store',
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

export function plain(status: number, body: string): HttpAnswer {
  return { status, type: 'text/plain; charset=utf-8', body };
}

/** The head of a stream of server-sent events on a response. */
export function beginEventStream(response: ServerResponse): void {
  response.writeHead(200, {
    ...SAFETY,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies such as nginx would hold small events back.
    'x-accel-buffering': 'no',
  });
}

function listen(server: Server, bind: BindAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(bindError(bind, cause)));
    server.listen(bind.port, bind.host.replace(/^\[(.*)\]$/, '$1'), () => resolve());
  });
}

function bindError(bind: BindAddress, cause: Error): Mx8Error {
  const address = addressText(bind);
  if ('code' in cause && cause.code === 'EADDRINUSE') {
    const message = `another program listens on ${address}; stop it or choose another address`;
    return new Mx8Error('port_in_use', message, { address });
  }
  return new Mx8Error('flag_invalid', `cannot listen on ${address}: ${cause.message}`, { address });
}
