/** What a coordinator serves over HTTP: its page, its metrics, and whether it lives and serves. */
import type { BindAddress } from '../core/base/bind-address.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorInsight } from '../ports/coordinator-insight.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ViewLimits } from '../view/looks.ts';
import { writeCoordinatorMetrics } from './coordinator-metrics.ts';
import { EventStream } from './event-stream.ts';
import {
  type HttpAnswer,
  type HttpServer,
  type HttpTls,
  plain,
  type Route,
  startHttpServer,
} from './http-server.ts';
import { LeaderPage } from './leader-page.ts';
import { LookCache, type Seen } from './look-cache.ts';
import { METRICS_TYPE, MetricsText } from './metrics-text.ts';
import { pageFiles, pageHtml } from './page-files.ts';
import { pageModel } from './page-model.ts';
import { ProcessFigures } from './process-figures.ts';
import { readiness } from './readiness.ts';

export interface CoordinatorWebOptions {
  readonly insight: CoordinatorInsight;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly bind: BindAddress;
  readonly tls?: HttpTls;
  readonly insecure?: boolean;
  readonly limits: ViewLimits;
  /** Where the leader at an address shows its page; null where it shows none. */
  readonly webUrlOf: (leaderAddress: string) => Promise<string | null>;
}

export async function startCoordinatorWeb(options: CoordinatorWebOptions): Promise<HttpServer> {
  const { insight, clock, limits, bind, tls, insecure = false, events } = options;
  const cache = new LookCache(insight, clock, limits);
  const figures = new ProcessFigures(clock);
  const leaderPage = new LeaderPage(clock, options.webUrlOf);
  const ageMs = (): number => cache.ageMs ?? 0;
  const model = async (jobId: string): Promise<string> => {
    const seen = await cache.get();
    const around = {
      jobId: jobId === '' ? null : jobId,
      ageMs: Math.round(ageMs()),
      rssBytes: figures.rssBytes,
      leaderUrl: leaderPage.urlFor(seen.look.view),
      events: insight.recentEvents,
      limits,
    };
    return JSON.stringify(pageModel(seen, around));
  };
  const stream = new EventStream({ clock, update: model });
  const metrics = (seen: Seen | null): HttpAnswer => {
    const text = new MetricsText();
    figures.write(text);
    text.add('mx8_page_viewers', 'gauge', 'Who looks at the page.', stream.viewerCount);
    text.add(
      'mx8_up',
      'gauge',
      '1 when the coordinator answers its own page.',
      Number(seen !== null),
    );
    if (seen !== null) writeCoordinatorMetrics(text, seen, ageMs(), insight.meters);
    return { status: 200, type: METRICS_TYPE, body: text.toString() };
  };
  const seenOrNull = (): Promise<Seen | null> => cache.get().catch(() => null);
  const routes: Record<string, Route> = {
    '/': async ({ query }) => pageHtml(await model(query.get('job') ?? '').catch(() => null)),
    '/events': ({ query }, response) => stream.join(query.get('job') ?? '', response),
    '/metrics': async () => metrics(await seenOrNull()),
    '/healthz': () => figures.health(),
    '/readyz': async () => {
      const { isReady, text } = readiness(await seenOrNull(), ageMs());
      return plain(isReady ? 200 : 503, `${text}\n`);
    },
  };
  for (const [path, answer] of pageFiles()) routes[path] = () => answer;
  const stop = (): void => {
    stream.end();
    cache.stop();
    figures.stop();
  };
  const onError = (error: unknown): void => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    events.emit('error', 'http_request_failed', { message });
  };
  try {
    const server = await startHttpServer({ bind, tls: tls ?? null, insecure, routes, onError });
    return {
      ...server,
      close: async () => {
        stop();
        await server.close();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}
