/**
 * Looks at the coordinator for everybody who asks: one a second at most, with what the view makes of
 * each job. When the coordinator does not answer in time, the last look is given again with its age.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { JobDigest } from '../core/job/coordinator.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { CoordinatorInsight, CoordinatorLook } from '../ports/coordinator-insight.ts';
import type { DigestHistory, DigestView } from '../view/digest-view.ts';
import { lookAtDigest, NO_DIGESTS } from '../view/digest-view.ts';
import { nextNodeRates, NO_NODE_RATES, type NodeRateHistory } from '../view/node-rates.ts';
import type { ViewLimits } from '../view/looks.ts';
import { IDLE_LOOK_MS, LOOK_AGE_MS_MAX, LOOK_WAIT_MS } from './limits.ts';

export interface SeenJob {
  readonly digest: JobDigest;
  readonly view: DigestView;
  /** Samples a second by node; one is missing until it was seen twice. */
  readonly nodeRates: ReadonlyMap<string, number>;
}

export interface Seen {
  readonly look: CoordinatorLook;
  readonly jobs: readonly SeenJob[];
  /** Seconds that the look took from the coordinator, for its own metrics. */
  readonly costMs: number;
}

interface History {
  readonly digest: DigestHistory;
  readonly nodes: NodeRateHistory;
}

export class LookCache {
  readonly #insight: CoordinatorInsight;
  readonly #clock: Clock;
  readonly #limits: ViewLimits;
  #seen: Seen | null = null;
  #looking: Promise<Seen> | null = null;
  #histories: ReadonlyMap<string, History> = new Map();
  #timer: TimerHandle | null = null;

  constructor(insight: CoordinatorInsight, clock: Clock, limits: ViewLimits) {
    this.#insight = insight;
    this.#clock = clock;
    this.#limits = limits;
    this.#idle();
  }

  /** How old the last look is; null before the first. */
  get ageMs(): number | null {
    return this.#seen === null ? null : elapsedMs(this.#seen.look.atMs, this.#clock.nowMs());
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = null;
  }

  /** Rejects only where the coordinator does not answer and nothing was seen before. */
  async get(): Promise<Seen> {
    const { ageMs } = this;
    if (this.#seen !== null && ageMs !== null && ageMs < LOOK_AGE_MS_MAX) return this.#seen;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    const looking = this.#looking.catch((error: unknown) => this.#seenOr(error));
    const late = new AbortController();
    const tooLate = this.#clock.sleep(LOOK_WAIT_MS, late.signal).then(() => {
      const message = `the coordinator did not answer within ${LOOK_WAIT_MS} ms`;
      return this.#seenOr(new Mx8Error('coordinator_unavailable', message));
    });
    try {
      return await Promise.race([looking, tooLate]);
    } finally {
      late.abort(new Mx8Error('interrupted', 'it was answered'));
      tooLate.catch(() => {
        // Nobody waits for it any more.
      });
    }
  }

  #seenOr(error: unknown): Seen {
    if (this.#seen === null) throw error;
    return this.#seen;
  }

  async #look(): Promise<Seen> {
    const startMs = this.#clock.nowMs();
    const look = await this.#insight.look();
    const histories = new Map<string, History>();
    const jobs = look.jobs.map((digest) => {
      const { jobId } = digest.spec;
      const before = this.#histories.get(jobId);
      const past = before?.digest ?? NO_DIGESTS;
      const { view, history } = lookAtDigest(digest, look.atMs, past, this.#limits);
      const nodes = nextNodeRates(before?.nodes ?? NO_NODE_RATES, digest.nodes, look.atMs);
      histories.set(jobId, { digest: history, nodes });
      return { digest, view, nodeRates: nodes.perSecond };
    });
    this.#histories = histories;
    this.#seen = { look, jobs, costMs: elapsedMs(startMs, this.#clock.nowMs()) };
    return this.#seen;
  }

  #idle(): void {
    const fire = (): void => {
      if (this.#timer === null) return;
      // What goes wrong is heard of by whoever asks.
      this.get().catch(() => undefined);
      this.#idle();
    };
    this.#timer = this.#clock.setTimer(IDLE_LOOK_MS, fire, { unref: true });
  }
}
