/** /metrics and /healthz of a process that is no coordinator: an agent, or a program that loads. */
import type { BindAddress } from '../core/base/bind-address.ts';
import type { AgentFigures } from '../ports/agent-figures.ts';
import type { Clock } from '../ports/clock.ts';
import { writeAgentMetrics } from './agent-metrics.ts';
import { type HttpServer, type HttpTls, startHttpServer } from './http-server.ts';
import { type LoaderFigures, writeLoaderMetrics } from './loader-metrics.ts';
import { METRICS_TYPE, MetricsText } from './metrics-text.ts';
import { ProcessFigures } from './process-figures.ts';

interface ServingOptions {
  readonly clock: Clock;
  readonly bind: BindAddress;
  readonly tls?: HttpTls;
  /** Serve an address that other machines reach although nothing authenticates them. */
  readonly insecure?: boolean;
  readonly onError?: (error: unknown) => void;
}

export interface AgentWebOptions extends ServingOptions {
  /** Null as long as the agent waits for its coordinator. */
  readonly figures: () => AgentFigures | null;
}

export function startAgentWeb(options: AgentWebOptions): Promise<HttpServer> {
  return serveMetrics(options, (text) => {
    const figures = options.figures();
    if (figures !== null) writeAgentMetrics(text, figures);
  });
}

export interface LoaderWebOptions extends ServingOptions {
  /** By a name of your own: `{ train: () => loader.stats() }`. */
  readonly loaders: Readonly<Record<string, () => LoaderFigures>>;
}

export function startLoaderWeb(options: LoaderWebOptions): Promise<HttpServer> {
  return serveMetrics(options, (text) => writeLoaderMetrics(text, options.loaders));
}

async function serveMetrics(
  options: ServingOptions,
  write: (text: MetricsText) => void,
): Promise<HttpServer> {
  const { clock, bind, tls = null, insecure = false, onError = () => undefined } = options;
  const figures = new ProcessFigures(clock);
  try {
    const server = await startHttpServer({
      bind,
      tls,
      insecure,
      onError,
      routes: {
        '/healthz': () => figures.health(),
        '/metrics': () => {
          const text = new MetricsText();
          figures.write(text);
          write(text);
          return { status: 200, type: METRICS_TYPE, body: text.toString() };
        },
      },
    });
    return {
      ...server,
      close: async () => {
        figures.stop();
        await server.close();
      },
    };
  } catch (error) {
    figures.stop();
    throw error;
  }
}
