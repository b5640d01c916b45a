/**
 * Updates for everybody who looks at a page: one timer while there are viewers, one text per job that is
 * looked at, sent to all who look at it. A viewer that does not read is passed over, then given up.
 */
import type { ServerResponse } from 'node:http';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import { beginEventStream, type HttpAnswer, plain } from './http-server.ts';
import {
  MISSED_UPDATES_MAX,
  UPDATE_INTERVAL_MS,
  VIEWER_BACKLOG_BYTES_MAX,
  VIEWERS_MAX,
} from './limits.ts';

interface Viewer {
  readonly response: ServerResponse;
  readonly topic: string;
  missed: number;
}

export interface EventStreamOptions {
  readonly clock: Clock;
  /** The update for those who look at `topic`, one line. */
  readonly update: (topic: string) => Promise<string>;
  readonly viewersMax?: number;
}

export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #viewers: Set<Viewer> = new Set<Viewer>();
  #timer: TimerHandle | null = null;
  #isEnded = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  get viewerCount(): number {
    return this.#viewers.size;
  }

  /** Takes the connection over; answers null, or what to say instead. */
  join(topic: string, response: ServerResponse): HttpAnswer | null {
    const { viewersMax = VIEWERS_MAX } = this.#options;
    if (this.#isEnded || this.#viewers.size >= viewersMax) {
      const answer = plain(503, `${viewersMax} viewers are served already; come back later\n`);
      return { ...answer, headers: { 'retry-after': '5' } };
    }
    const viewer: Viewer = { response, topic, missed: 0 };
    this.#viewers.add(viewer);
    response.on('close', () => this.#leave(viewer));
    // A connection that breaks closes too.
    response.on('error', () => undefined);
    beginEventStream(response);
    response.write('retry: 2000\n\n');
    this.#sendTo(topic, [viewer]).catch(() => this.#leave(viewer));
    this.#arm();
    return null;
  }

  end(): void {
    this.#isEnded = true;
    this.#timer?.clear();
    for (const { response } of this.#viewers) response.end();
    this.#viewers.clear();
  }

  #leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    viewer.response.destroy();
    if (this.#viewers.size > 0) return;
    this.#timer?.clear();
    this.#timer = null;
  }

  #arm(): void {
    if (this.#timer !== null || this.#viewers.size === 0 || this.#isEnded) return;
    this.#timer = this.#options.clock.setTimer(UPDATE_INTERVAL_MS, () => {
      const again = (): void => {
        this.#timer = null;
        this.#arm();
      };
      this.#sendAll().then(again, again);
    });
  }

  async #sendAll(): Promise<void> {
    const byTopic = Map.groupBy(this.#viewers, ({ topic }) => topic);
    await Promise.all([...byTopic].map(([topic, viewers]) => this.#sendTo(topic, viewers)));
  }

  async #sendTo(topic: string, viewers: readonly Viewer[]): Promise<void> {
    const text = await this.#options.update(topic).then(
      (update) => `data: ${update}\n\n`,
      // Nothing to tell: a comment keeps the connection, and the page says how old it is.
      () => ': no answer\n\n',
    );
    for (const viewer of viewers) {
      if (!this.#viewers.has(viewer)) continue;
      if (viewer.response.writableLength <= VIEWER_BACKLOG_BYTES_MAX) {
        viewer.missed = 0;
        viewer.response.write(text);
      } else {
        viewer.missed += 1;
        if (viewer.missed > MISSED_UPDATES_MAX) this.#leave(viewer);
      }
    }
  }
}
