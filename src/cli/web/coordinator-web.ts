/** The page and metrics of a coordinator, on a port of its own. */
import type { CoordinatorServer } from '../../coordinator/index.ts';
import { addressText, isLoopback } from '../../core/base/bind-address.ts';
import { Mx8Error } from '../../core/base/errors.ts';
import type { ViewLimits } from '../../view/looks.ts';
import { type HttpServer, type HttpTls, startCoordinatorWeb } from '../../web/index.ts';
import { dialableHost, parseBind } from '../bind.ts';
import { type ClientOptions, openClient } from '../client.ts';
import type { CommandIo } from '../command-io.ts';

/** The TLS flags of clients say how a standby asks the leader where its page is. */
export interface WebOptions extends Omit<ClientOptions, 'coordUrl'> {
  /** Null: off. */
  readonly httpBind: string | null;
  /** Nobody asked for that address: where it is taken the coordinator goes on without a page. */
  readonly isDefault: boolean;
  readonly insecure: boolean;
  /** For addresses that other machines reach; a loopback address is served in the clear. */
  readonly tls: HttpTls | null;
  readonly limits: ViewLimits;
}

/** A leader that does not say within this where its page is, is asked again later. */
const ASK_LEADER_TIMEOUT_MS = 2000;

/** Null where it is off, or where the default port is taken. */
export async function serveCoordinatorWeb(
  coordinator: CoordinatorServer,
  options: WebOptions,
  io: CommandIo,
): Promise<HttpServer | null> {
  const { httpBind, isDefault, insecure, limits } = options;
  if (httpBind === null) return null;
  const { clock, events } = io;
  const bind = parseBind(httpBind);
  const tls = isLoopback(bind.host) ? null : options.tls;
  try {
    const server = await startCoordinatorWeb({
      insight: coordinator.insight,
      clock,
      events,
      bind,
      insecure,
      ...(tls === null ? {} : { tls }),
      limits,
      webUrlOf: (address) => webUrlOf({ ...options, coordUrl: address }, io),
    });
    const { port } = server;
    coordinator.setWebUrl(
      `${tls === null ? 'http' : 'https'}://${addressText({ host: dialableHost(bind.host), port })}/`,
    );
    events.emit('info', 'http_serving', { url: server.url });
    return server;
  } catch (error) {
    if (!(error instanceof Mx8Error && error.code === 'port_in_use' && isDefault)) throw error;
    const message = `${error.message}, or turn the page off with --http-bind off; going on without it`;
    events.emit('warn', 'http_port_taken', { address: httpBind, message });
    return null;
  }
}

async function webUrlOf(options: ClientOptions, io: CommandIo): Promise<string | null> {
  const client = openClient(options, io, { callTimeoutMs: ASK_LEADER_TIMEOUT_MS });
  try {
    const view = await client.coordinator();
    return view.role === 'leader' ? view.webUrl : null;
  } finally {
    await client.close();
  }
}
