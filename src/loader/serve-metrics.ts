/** The door `mx8/metrics`: what loaders of this process do, for Prometheus. */
import { nodeClock } from '../platform/clock.ts';
import { startLoaderWeb } from '../web/index.ts';
import type { HttpTls, LoaderFigures } from '../web/index.ts';

export { loaderMetrics } from '../web/index.ts';
export type { HttpTls, LoaderFigures } from '../web/index.ts';

export interface ServeMetricsOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** For an address that other machines reach: certificate and key as PEM, not as names of files. */
  readonly tls?: HttpTls;
  /** Serve an address that other machines reach although nothing authenticates them. */
  readonly insecure?: boolean;
}

export interface MetricsServer {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves /metrics and /healthz for loaders by names of your own:
 *
 *     await using loader = load('data/photos');
 *     const server = await serveMetrics({ train: () => loader.stats() }, { port: 9400 });
 */
export function serveMetrics(
  loaders: Readonly<Record<string, () => LoaderFigures>>,
  { host = '127.0.0.1', port, ...safety }: ServeMetricsOptions,
): Promise<MetricsServer> {
  return startLoaderWeb({ loaders, clock: nodeClock(), bind: { host, port }, ...safety });
}
