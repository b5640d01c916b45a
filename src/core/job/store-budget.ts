/**
 * How many requests all agents of all jobs of a coordinator together may have in flight at one host, and who gets
 * how many of them: an agent is an agent, whatever job it is of, and so is a guest, a process beside the jobs that asks
 * for its part. Soft state: nothing of it is written down; after a restart or a fail-over the first reports, which
 * say what share each agent goes by, bring it back.
 *
 *   open --refusals or late answers--> held --grows, shrinks--> held
 *
 * While it is open nobody is limited and nothing is handed out: agents find out by themselves, as they do
 * without a coordinator. Once the host refuses (429, 503) more than the odd request, what it was serving at
 * that time is known by Little's law from the reports, and the budget is set a little below it. That first
 * one is a guess, and grows fast until the host refuses again. From then on it grows as the window of CUBIC
 * does (Ha, Rhee, Xu, "CUBIC: a new TCP-friendly high-speed TCP variant", 2008; RFC 9438): back to where the
 * host refused within a fixed time, slowly there, faster the longer nothing happens. Answers that begin much later than they once did are a milder sign of the same, as in
 * `core/transfer/host-limit.ts`. The unit of time is the interval of heartbeats, since that is how long it
 * takes until what is decided here is known, and again until its effect is heard of; of jobs with different ones the
 * longest.
 */
import type { JobId, NodeId } from '../base/units.ts';
import { FairShares } from '../transfer/fair-shares.ts';
import { RETRY_AFTER_MS_MAX } from '../transfer/retry-budget.ts';
import type { StoreReport, StoreShare } from '../transfer/store-report.ts';
import { AnswerTimes } from './answer-times.ts';
import type { StoreView } from './store-view.ts';

/** What is left of the budget after refusals, and in how many beats it is back. */
const KEPT_AFTER_REFUSALS = 0.85;
const BEATS_TO_RETURN = 10;
/**
 * The first budget is a guess from a time of disorder, and rather a low one: it grows by this part in a beat,
 * until the next refusals.
 */
const GUESS_GROWTH = 0.1;
const GUESS_GROWTH_MIN = 0.5;
/** Beats without a judgement after one: until everybody has heard of it and its effect is heard of. */
const DEAF_BEATS = 2;
/** Besides, an agent and its worker processes tell each other a few times in a second. */
const DEAF_MS = 500;
/**
 * What the host served may have been little for other reasons than that it refused. All of the budget counts
 * as served but for the part of the answers that was a refusal, and never less than this.
 */
const SERVED_PART_MIN = 0.3;
/**
 * One failure in a hundred is no reason to slow down, and two in a small number are chance. Fewer are a
 * reason where the host besides serves less than it might be asked for: who was refused waits longer and
 * longer, so a host that refuses all the time need not refuse many.
 */
const REFUSED_PART_MAX = 0.04;
const REFUSED_PART_UNSERVED = 0.015;
const REFUSED_MIN = 3;
const SERVED_PART_FULL = 0.9;
/** The same while nobody is limited: then what is wanted is the measure. */
const REFUSED_PART_UNWANTED = 0.005;
const SERVED_PART_WANTED = 0.75;
const KEPT_OF_UNSERVED = 0.97;
/** Of refusals: the host says no to everybody, and when it is asked again is its own to say. */
const REFUSED_PART_PAUSE = 0.5;
/** It is away, which says nothing of how much it can do; and what is left, for trying. */
const REFUSED_PART_AWAY = 0.9;
const KEPT_WHEN_AWAY = 0.1;
const KEPT_WHEN_LATE = 0.95;
/** A budget of which less is used says nothing about the host. */
const USED_PART_MIN = 0.4;
/** Beats for which a share is good, and the least time, as a busy machine may be late by that much. */
const SHARE_BEATS = 5;
const SHARE_MS_MIN = 2000;
/** Beats after its beginning in which a budget is put together from what agents say they go by. */
const RESTORE_BEATS = 3;
export const STORE_REQUESTS_MAX = 65_536;

/** What was heard of since the last judgement. */
interface Window {
  answered: number;
  /** Of those, the ones that `firstByteUs` is of. */
  timed: number;
  refused: number;
  firstByteUs: number;
}

/** A node of a job, or a guest: a process that is of none. */
export interface StoreMember {
  /** Null: a guest. */
  readonly jobId: JobId | null;
  readonly nodeId: NodeId;
  readonly instanceId: string | null;
}

interface Heard extends StoreMember {
  readonly report: StoreReport;
  readonly heardMs: number;
}

interface Totals {
  answered: number;
  refused: number;
}

/** The budget was set, or lowered. */
export interface Lowered {
  readonly from: number | null;
  readonly to: number;
  readonly refused: number;
  readonly answered: number;
  readonly pauseMs: number;
}

export class StoreBudget {
  readonly host: string;
  #beatMs: number;
  /** Where the operator wants it to end. */
  readonly #mostRequests: number;
  readonly #members: Map<string, Heard> = new Map();
  readonly #shares: FairShares;
  readonly #beganMs: number;
  #budget: number | null;
  /** What the host served when it last refused, and the beats of growth since. */
  #knownGood: number;
  #grownBeats: number = BEATS_TO_RETURN;
  /** The most that the host was seen to serve, forgotten by and by. */
  #bestServing: number = 0;
  readonly #times: AnswerTimes = new AnswerTimes();
  #window: Window = emptyWindow();
  #judgedMs: number;
  #deafUntilMs: number;
  #pausedUntilMs: number = -Infinity;
  #isAway: boolean = false;
  #isGuess: boolean = false;
  /** By job; those of guests together. */
  readonly #totals: Map<JobId | null, Totals> = new Map();

  /** `mostRequests` null: as many as the host gives. */
  constructor(host: string, beatMs: number, mostRequests: number | null, nowMs: number) {
    this.host = host;
    this.#beatMs = beatMs;
    this.#mostRequests = mostRequests ?? STORE_REQUESTS_MAX;
    this.#budget = mostRequests;
    this.#knownGood = this.#mostRequests;
    this.#shares = new FairShares(beatMs);
    this.#judgedMs = nowMs;
    this.#beganMs = nowMs;
    // Until everybody has been heard twice, sums are too small.
    this.#deafUntilMs = nowMs + this.#deafMs;
  }

  /** Whole requests; null while nobody is limited. */
  get budget(): number | null {
    return this.#budget === null ? null : Math.max(1, Math.floor(this.#budget));
  }

  /** Shares that are handed out, and what is under way beyond them. */
  get held(): number {
    return this.#shares.held;
  }

  /** How often members are heard; those that are heard more often wait for the others. */
  get beatMs(): number {
    return this.#beatMs;
  }

  get #deafMs(): number {
    return DEAF_BEATS * this.#beatMs + DEAF_MS;
  }

  get shareTtlMs(): number {
    return Math.max(SHARE_MS_MIN, SHARE_BEATS * this.#beatMs);
  }

  /** A job whose nodes are heard once in `beatMs` takes part. */
  keepTime(beatMs: number): void {
    this.#beatMs = Math.max(this.#beatMs, beatMs);
    this.#shares.slowTo(this.#beatMs);
  }

  /** What a node says; what was concluded from all reports by now, where that is less for them. */
  heard(member: StoreMember, report: StoreReport, nowMs: number): Lowered | null {
    const id = keyOf(member);
    const before = this.#members.get(id);
    if (before === undefined) this.#restore(report, nowMs);
    // A new process counts anew; what the first report sums up happened at no time that is known.
    const isSame = before !== undefined && before.instanceId === member.instanceId;
    const last = isSame ? before.report : report;
    const answered = Math.max(0, report.answeredTotal - last.answeredTotal);
    const refused = Math.max(0, report.refusedTotal - last.refusedTotal);
    this.#window.answered += answered;
    this.#window.timed += answered - Math.max(0, report.untimedTotal - last.untimedTotal);
    this.#window.refused += refused;
    this.#window.firstByteUs += Math.max(0, report.firstByteUsTotal - last.firstByteUsTotal);
    const totals = this.#totals.get(member.jobId) ?? { answered: 0, refused: 0 };
    totals.answered += answered;
    totals.refused += refused;
    this.#totals.set(member.jobId, totals);
    this.#members.set(id, { ...member, report, heardMs: nowMs });
    this.#shares.wish(id, report, nowMs, this.shareTtlMs);
    return nowMs - this.#judgedMs >= this.#beatMs ? this.#judge(nowMs) : null;
  }

  /** The share of a node until it asks again; null while nobody is limited. */
  shareOf(member: StoreMember, nowMs: number): StoreShare | null {
    const { budget } = this;
    if (budget === null) return null;
    const ttlMs = this.shareTtlMs;
    const requests = this.#shares.ask(keyOf(member), budget, nowMs, ttlMs);
    return { host: this.host, requests, pauseMs: this.#pauseMs(nowMs), ttlMs };
  }

  /** It does nothing here any more: its share is for the others at once. */
  forget(member: StoreMember): void {
    const id = keyOf(member);
    this.#members.delete(id);
    this.#shares.forget(id);
  }

  has(member: StoreMember): boolean {
    return this.#members.has(keyOf(member));
  }

  /**
   * Forgets nodes of the job, or guests, that `isMember` does not know, and that were silent for as long as a share
   * lasts.
   */
  prune(jobId: JobId | null, isMember: (nodeId: NodeId) => boolean, nowMs: number): void {
    let left = 0;
    for (const [id, member] of this.#members) {
      if (member.jobId !== jobId) continue;
      const isGone = !isMember(member.nodeId);
      if (isGone) this.#shares.forget(id);
      if (isGone || nowMs - member.heardMs >= this.shareTtlMs) this.#members.delete(id);
      else left += 1;
    }
    if (left === 0) this.#totals.delete(jobId);
  }

  /** Whose nodes were busy there lately. */
  get jobs(): readonly JobId[] {
    return [...this.#totals.keys()].filter((jobId) => jobId !== null);
  }

  get guests(): number {
    let guests = 0;
    for (const { jobId } of this.#members.values()) if (jobId === null) guests += 1;
    return guests;
  }

  /** Nobody was busy there lately. */
  get isIdle(): boolean {
    return this.#totals.size === 0;
  }

  view(jobId: JobId, nowMs: number): StoreView {
    let [agents, inFlight, wanted] = [0, 0, 0];
    for (const { report, jobId: of } of this.#members.values()) {
      if (of !== jobId) continue;
      agents += 1;
      inFlight += report.inFlight;
      wanted += report.wanted;
    }
    const totals = this.#totals.get(jobId);
    return {
      host: this.host,
      budget: this.budget,
      jobs: this.jobs.length,
      guests: this.guests,
      agents,
      inFlight,
      wanted,
      answeredTotal: totals?.answered ?? 0,
      refusedTotal: totals?.refused ?? 0,
      firstByteUs: Math.round(this.#times.meanMs * 1000),
      pausedMs: this.#pauseMs(nowMs),
    };
  }

  /** A coordinator that has just begun learns from each agent what it goes by: their sum is the budget. */
  #restore({ share }: StoreReport, nowMs: number): void {
    const isBeginning = nowMs - this.#beganMs < RESTORE_BEATS * this.#beatMs;
    if (share === null || !isBeginning) return;
    const known = this.#budget === null || this.#budget >= this.#mostRequests ? 0 : this.#budget;
    this.#knownGood = Math.min(this.#mostRequests, Math.max(1, known + share));
    this.#budget = this.#knownGood;
    this.#grownBeats = BEATS_TO_RETURN;
  }

  #pauseMs(nowMs: number): number {
    return Math.max(0, Math.ceil(this.#pausedUntilMs - nowMs));
  }

  #judge(nowMs: number): Lowered | null {
    const beats = Math.min(2, (nowMs - this.#judgedMs) / this.#beatMs);
    const window = this.#window;
    this.#judgedMs = nowMs;
    this.#window = emptyWindow();
    const isLate = this.#times.areLate(window.timed, window.firstByteUs);
    if (nowMs < this.#deafUntilMs) return null;
    const { serving, wanted, pauseMs } = this.#sums(nowMs);
    const { answered, refused } = window;
    const refusedPart = refused / Math.max(1, answered + refused);
    const isOpen = this.#budget === null;
    const isFull =
      serving >= (isOpen ? SERVED_PART_WANTED * wanted : SERVED_PART_FULL * (this.#budget ?? 0));
    const partWhereLess = isOpen ? REFUSED_PART_UNWANTED : REFUSED_PART_UNSERVED;
    const partMax = isFull ? REFUSED_PART_MAX : partWhereLess;
    if (refused >= REFUSED_MIN && refusedPart > partMax) {
      const from = this.budget;
      const wasAway = this.#isAway;
      this.#isAway = refusedPart > REFUSED_PART_AWAY;
      // In the beat in which it comes back it has refused many, and served little of what it can.
      if (wasAway && !this.#isAway) return null;
      this.#isGuess = isOpen;
      this.#refused(refusedPart, serving);
      const isPaused = refusedPart > REFUSED_PART_PAUSE;
      this.#pausedUntilMs = nowMs + (isPaused ? Math.min(pauseMs, RETRY_AFTER_MS_MAX) : 0);
      this.#deafUntilMs = this.#pausedUntilMs + this.#deafMs;
      return { from, to: this.budget ?? 0, refused, answered, pauseMs: this.#pauseMs(nowMs) };
    }
    this.#isAway = false;
    this.#bestServing = Math.max(serving, this.#bestServing * KEPT_WHEN_LATE);
    if (isLate) {
      const from = this.budget;
      this.#lowerTo(Math.max(1, this.#budget ?? serving), KEPT_WHEN_LATE);
      this.#deafUntilMs = nowMs + this.#deafMs;
      const to = this.budget ?? 0;
      return from !== null && to >= from ? null : { from, to, refused, answered, pauseMs: 0 };
    }
    if (isFull || refused === 0) this.#grow(beats, serving, wanted);
    else this.#trim(serving);
    return null;
  }

  #refused(refusedPart: number, serving: number): void {
    if (this.#isAway) {
      const knew = this.#budget === null ? this.#bestServing : this.#knownGood;
      this.#lowerTo(Math.max(1, knew), KEPT_WHEN_AWAY);
    } else this.#lowerTo(this.#servedAtMost(serving, refusedPart), KEPT_AFTER_REFUSALS);
  }

  /** What the host can be taken to serve, as it refuses now. */
  #servedAtMost(serving: number, refusedPart: number): number {
    // Agents that have just been refused hold back by themselves: what it served before counts too.
    if (this.#budget === null) return Math.max(1, serving, this.#bestServing);
    const partMin = Math.max(SERVED_PART_MIN, 1 - refusedPart);
    return Math.max(1, this.#budget * partMin, Math.min(this.#budget, serving));
  }

  #lowerTo(served: number, kept: number): void {
    this.#knownGood = Math.min(this.#mostRequests, served);
    this.#budget = Math.max(1, this.#knownGood * kept);
    // Where on the curve that is.
    const depth = (1 - kept) / (1 - KEPT_AFTER_REFUSALS);
    this.#grownBeats = BEATS_TO_RETURN * (1 - Math.cbrt(depth));
  }

  #grow(beats: number, serving: number, wanted: number): void {
    if (this.#budget === null || this.#budget >= this.#mostRequests) return;
    if (serving < this.#budget * USED_PART_MIN || wanted < this.#budget) return;
    if (this.#isGuess) {
      const more = Math.max(GUESS_GROWTH_MIN, this.#budget * GUESS_GROWTH) * beats;
      this.#budget = Math.min(this.#mostRequests, this.#budget + more);
      return;
    }
    this.#grownBeats += beats;
    const part = (this.#grownBeats - BEATS_TO_RETURN) / BEATS_TO_RETURN;
    // One more now and then where a part of the little that there is would be nothing.
    const unit = Math.max(1 / (1 - KEPT_AFTER_REFUSALS), this.#knownGood);
    const curve = this.#knownGood + unit * (1 - KEPT_AFTER_REFUSALS) * part ** 3;
    this.#budget = Math.min(this.#mostRequests, Math.max(this.#budget, curve));
  }

  /** Few were refused, but the host serves less than the budget: what is beyond is only waited for. */
  #trim(serving: number): void {
    if (this.#budget === null) return;
    this.#budget = Math.max(
      1,
      Math.min(this.#budget, Math.max(serving, this.#budget * KEPT_OF_UNSERVED)),
    );
    this.#isGuess = false;
    this.#knownGood = this.#budget;
    this.#grownBeats = BEATS_TO_RETURN;
  }

  #sums(nowMs: number): { serving: number; wanted: number; pauseMs: number } {
    let [servingMilli, wanted, pauseMs] = [0, 0, 0];
    for (const { report, heardMs } of this.#members.values()) {
      if (nowMs - heardMs >= this.shareTtlMs) continue;
      servingMilli += report.servingMilli;
      wanted += report.wanted;
      pauseMs = Math.max(pauseMs, report.pauseMs - (nowMs - heardMs));
    }
    return { serving: servingMilli / 1000, wanted, pauseMs };
  }
}

/** Ids are printable, and those of jobs not empty. */
function keyOf({ jobId, nodeId }: StoreMember): string {
  return `${jobId ?? ''}\n${nodeId}`;
}

function emptyWindow(): Window {
  return { answered: 0, timed: 0, refused: 0, firstByteUs: 0 };
}
