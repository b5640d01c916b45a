/** What a running coordinator tells screens and metrics of its own process. */
import {
  type CoordinatorState,
  type DigestOptions,
  jobDigest,
  type JobDigest,
} from '../core/job/coordinator.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorView } from '../ports/coordinator-client.ts';
import type { CoordinatorInsight, CoordinatorLook } from '../ports/coordinator-insight.ts';
import type { Leadership } from './leadership.ts';
import type { Meters } from './meters.ts';
import type { RecentEvents } from './recent-events.ts';

export interface InsightOptions {
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly meters: Meters;
  readonly recent: RecentEvents;
  readonly digest: DigestOptions;
  readonly coordinator: () => Promise<CoordinatorView>;
}

export class Insight implements CoordinatorInsight {
  readonly meters: Meters;
  readonly #options: InsightOptions;

  constructor(options: InsightOptions) {
    this.#options = options;
    this.meters = options.meters;
  }

  get recentEvents(): CoordinatorInsight['recentEvents'] {
    return this.#options.recent.list;
  }

  /** A leader answers between two batches, so that nothing is shown that may still be undone. */
  async look(): Promise<CoordinatorLook> {
    const { leadership, clock, coordinator } = this.#options;
    const view = await coordinator();
    const digests = (state: CoordinatorState): readonly JobDigest[] => {
      const nowMs = clock.nowMs();
      return [...state.jobs.values()].map((job) => jobDigest(job, nowMs, this.#options.digest));
    };
    const { writer } = leadership;
    const jobs = writer === null ? digests(leadership.state) : await writer.read(digests);
    return { atMs: clock.nowMs(), atUnixMs: clock.unixMs(), view, jobs };
  }
}
