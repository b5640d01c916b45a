/**
 * What is known of a job from polling its coordinator. `observe` is the whole of it and pure: what was
 * known, an answer or a failure, and the time give what is known next.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { ErrorCode } from '../core/base/errors.ts';
import type { JobId, MonoMs, UnixMs } from '../core/base/units.ts';
import type { JobSnapshot, LeaseChoice, LeasePart } from '../core/job/protocol.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorClient } from '../ports/coordinator-client.ts';
import { durationText } from '../view/format.ts';
import { EMPTY_HISTORY, lookAt } from '../view/job-view.ts';
import type { ViewHistory } from '../view/job-view.ts';
import { allLeases, type ViewLimits } from '../view/looks.ts';
import { NO_NODE_RATES, nextNodeRates } from '../view/node-rates.ts';
import type { NodeRateHistory } from '../view/node-rates.ts';
import { onlyJob } from '../view/only-job.ts';
import type { Happening } from './job-events.ts';
import type { JobLook } from './job-look.ts';
import { happeningsBetween } from './job-events.ts';
import { EVENTS_MAX } from './limits.ts';

export interface TuiEvent extends Happening {
  readonly atUnixMs: UnixMs;
}

/**
 * - `connecting`: nothing was heard yet.
 * - `up`: the last poll was answered.
 * - `away`: nobody answers; it is tried again.
 * - `refused`: the coordinator answers, but not with this job.
 */
export interface Link {
  readonly state: 'connecting' | 'up' | 'away' | 'refused';
  /** Since when it is so; `away` counts from the last answer on, or from the start. */
  readonly sinceMs: MonoMs;
  readonly sinceUnixMs: UnixMs;
  /** When it was last heard of. */
  readonly heard: Moment;
  /** Why it is away or refused; '' otherwise. */
  readonly message: string;
  readonly code: ErrorCode | null;
}

export interface Watched {
  readonly link: Link;
  /** The last answer; it stays while the coordinator is away. */
  readonly look: JobLook | null;
  readonly rates: NodeRateHistory;
  readonly history: ViewHistory;
  /** Oldest first. */
  readonly events: readonly TuiEvent[];
  readonly polls: number;
}

export type Answer =
  /** `listed`: the leases that were asked for. */
  | { readonly type: 'snapshot'; readonly snapshot: JobSnapshot; readonly listed: LeasePart }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };

export interface Moment {
  readonly nowMs: MonoMs;
  readonly unixMs: UnixMs;
}

const NOTHING_SEEN = { look: null, rates: NO_NODE_RATES, history: EMPTY_HISTORY } as const;

export function nothingWatched(moment: Moment): Watched {
  const { nowMs, unixMs } = moment;
  return {
    link: {
      ...{ state: 'connecting', message: '', code: null },
      ...{ sinceMs: nowMs, sinceUnixMs: unixMs, heard: moment },
    },
    ...NOTHING_SEEN,
    events: [],
    polls: 0,
  };
}

export function observe(
  before: Watched,
  answer: Answer,
  moment: Moment,
  limits: ViewLimits,
): Watched {
  const link = nextLink(before.link, answer, moment);
  const happenings = [...linkHappenings(before.link, link, moment)];
  const polls = before.polls + 1;
  if (answer.type === 'failed') {
    return { ...before, link, polls, events: withEvents(before.events, happenings, moment) };
  }
  const { snapshot, listed } = answer;
  const known = before.look?.snapshot.spec.jobId === snapshot.spec.jobId ? before : NOTHING_SEEN;
  const { view, history } = lookAt(snapshot, moment.nowMs, known.history, limits);
  // By place in the data, so that a row stays where it is while leases are renewed.
  const leases = view.leases.toSorted((a, b) => a.start - b.start);
  const look: JobLook = { snapshot, view: { ...view, leases }, listed };
  happenings.push(...happeningsBetween(known.look, look));
  return {
    link,
    look,
    rates: nextNodeRates(known.rates, snapshot.nodes, moment.nowMs),
    history,
    events: withEvents(before.events, happenings, moment),
    polls,
  };
}

function nextLink(before: Link, answer: Answer, moment: Moment): Link {
  const state = linkState(answer);
  const isSame = state === before.state;
  const since = state === 'away' ? before.heard : moment;
  return {
    state,
    sinceMs: isSame ? before.sinceMs : since.nowMs,
    sinceUnixMs: isSame ? before.sinceUnixMs : since.unixMs,
    heard: state === 'away' ? before.heard : moment,
    message: answer.type === 'failed' ? answer.message : '',
    code: answer.type === 'failed' ? answer.code : null,
  };
}

function linkState(answer: Answer): Link['state'] {
  if (answer.type === 'snapshot') return 'up';
  const isAway = answer.code === 'coordinator_unavailable' || answer.code === 'not_leader';
  return isAway ? 'away' : 'refused';
}

function linkHappenings(before: Link, after: Link, { nowMs }: Moment): readonly Happening[] {
  if (before.state === after.state) return [];
  if (after.state === 'away') {
    return [{ name: 'coordinator_away', text: after.message, style: 'bad' }];
  }
  if (after.state === 'refused') {
    return [{ name: 'coordinator_refuses', text: after.message, style: 'bad' }];
  }
  if (before.state === 'connecting') return [];
  const text = `it answers again, after ${durationText(nowMs - before.sinceMs)}`;
  return [{ name: 'coordinator_back', text, style: 'good' }];
}

function withEvents(
  before: readonly TuiEvent[],
  happenings: readonly Happening[],
  { unixMs }: Moment,
): readonly TuiEvent[] {
  if (happenings.length === 0) return before;
  const events = [...before, ...happenings.map((one) => ({ ...one, atUnixMs: unixMs }))];
  return events.slice(-EVENTS_MAX);
}

export interface JobWatchOptions {
  readonly client: Pick<CoordinatorClient, 'snapshot' | 'listJobs'>;
  readonly clock: Clock;
  /** Null: the one job that the coordinator runs. */
  readonly jobId: JobId | null;
  readonly limits: ViewLimits;
  /** The leases to ask for. Default: all. */
  readonly leases?: () => LeaseChoice;
}

/** Polls. A failed poll is part of what is known; only bugs are thrown. */
export class JobWatch {
  readonly #options: JobWatchOptions;
  #jobId: JobId | null;
  #watched: Watched;

  constructor(options: JobWatchOptions) {
    this.#options = options;
    this.#jobId = options.jobId;
    this.#watched = nothingWatched(this.#moment());
  }

  get watched(): Watched {
    return this.#watched;
  }

  async poll(): Promise<Watched> {
    const answer = await this.#ask();
    this.#watched = observe(this.#watched, answer, this.#moment(), this.#options.limits);
    return this.#watched;
  }

  async #ask(): Promise<Answer> {
    const { client, limits, leases } = this.#options;
    try {
      this.#jobId ??= chosenJob(await client.listJobs());
      const choice = leases?.() ?? allLeases(limits);
      const snapshot = await client.snapshot(this.#jobId, choice);
      return { type: 'snapshot', snapshot, listed: choice.part };
    } catch (error) {
      if (!(error instanceof Mx8Error)) throw error;
      // The one that it ran was forgotten: whichever it runs now is meant.
      if (error.code === 'job_unknown') this.#jobId = this.#options.jobId;
      return { type: 'failed', code: error.code, message: error.message };
    }
  }

  #moment(): Moment {
    const { clock } = this.#options;
    return { nowMs: clock.nowMs(), unixMs: clock.unixMs() };
  }
}

function chosenJob(jobs: readonly JobSnapshot[]): JobId {
  const job = onlyJob(jobs);
  if (job !== null) return job;
  throw new Mx8Error('job_unknown', 'the coordinator runs no job yet; submit one with mx8 submit');
}
