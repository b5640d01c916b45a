/**
 * Divides a number of requests in flight among those who ask again and again: max-min fair (everybody gets
 * what it wants up to an equal part, and what one does not want goes to the others; Bertsekas and Gallager,
 * Data Networks, 6.5.2), at least one each as long as there are as many, else in turn.
 *
 * Whoever asks hears its share and keeps it until it asks again or its time is up. A share grows only by what
 * others have given up, so that all of them together never pass the budget; where the budget itself went
 * down they do until everybody has asked once.
 */
export interface Wish {
  readonly wanted: number;
  /** What is under way stays so when a share becomes smaller, and counts until it is over. */
  readonly inFlight: number;
}

interface Holder {
  readonly id: string;
  wanted: number;
  inFlight: number;
  share: number;
  /** Of the share, and of the holder: who has not been heard for so long is no holder. */
  shareUntilMs: number;
  untilMs: number;
  /** When it last got all that it could hope for, and since when it has had that; Infinity: it has not. */
  servedMs: number;
  sinceMs: number;
  target: number;
}

/** In a round everybody asks once. New wishes are heard at once by a few, some times in it by many. */
const FEW = 64;
const DEALS_PER_ROUND = 8;
/**
 * What cannot be divided goes around in turns. One lasts so many rounds, as a change of hands costs one; and
 * less where it would be longer than this until everybody has had a turn.
 */
const TURN_ROUNDS_MAX = 5;
const CYCLE_ROUNDS_MAX = 20;

export class FairShares {
  #roundMs: number;
  readonly #holders: Map<string, Holder> = new Map();
  #heldSum = 0;
  #dealtMs = -Infinity;
  #dealtBudget = -1;
  #hasNews = false;

  constructor(roundMs: number) {
    this.#roundMs = roundMs;
  }

  /** Some ask less often than that: a round is as long as theirs from now on. */
  slowTo(roundMs: number): void {
    this.#roundMs = Math.max(this.#roundMs, roundMs);
  }

  get size(): number {
    return this.#holders.size;
  }

  /** Shares that live, and what is still under way beyond them. */
  get held(): number {
    return this.#heldSum;
  }

  /** What `id` wants, and has under way; it stands for `ttlMs`, as a share does. */
  wish(id: string, { wanted, inFlight }: Wish, nowMs: number, ttlMs: number): void {
    const holder = this.#holder(id, nowMs);
    this.#heldSum -= heldBy(holder);
    const wished = Math.max(0, Math.floor(wanted));
    this.#hasNews ||= wished > holder.wanted && holder.wanted <= holder.target;
    holder.wanted = wished;
    holder.inFlight = Math.max(0, Math.floor(inFlight));
    holder.untilMs = Math.max(holder.untilMs, nowMs + ttlMs);
    this.#heldSum += heldBy(holder);
  }

  /** The share of `id` from now on, for `ttlMs`. `budget` is a whole number. */
  ask(id: string, budget: number, nowMs: number, ttlMs: number): number {
    const holder = this.#holder(id, nowMs);
    holder.shareUntilMs = nowMs + ttlMs;
    holder.untilMs = nowMs + ttlMs;
    this.#dealIfDue(budget, nowMs);
    const mine = heldBy(holder);
    this.#heldSum -= mine;
    const room = Math.max(0, budget - this.#heldSum);
    const { target } = holder;
    // Less is given back at once; more is there when others have given it back.
    holder.share = mine >= target ? target : Math.max(mine, Math.min(target, room));
    const equalPart = Math.floor(budget / this.#holders.size);
    const hasTurn = holder.share > equalPart || holder.share >= Math.max(1, holder.wanted);
    if (!hasTurn) holder.sinceMs = Infinity;
    else {
      holder.sinceMs = Math.min(holder.sinceMs, nowMs);
      holder.servedMs = nowMs;
    }
    this.#heldSum += heldBy(holder);
    return holder.share;
  }

  /** It will ask no more, and nothing of it is under way. */
  forget(id: string): void {
    const holder = this.#holders.get(id);
    if (holder === undefined) return;
    this.#heldSum -= heldBy(holder);
    this.#holders.delete(id);
    this.#hasNews = true;
  }

  #holder(id: string, nowMs: number): Holder {
    const known = this.#holders.get(id);
    if (known !== undefined) {
      if (known.shareUntilMs <= nowMs) this.#expire(known);
      return known;
    }
    const times = { shareUntilMs: nowMs, untilMs: nowMs, servedMs: -Infinity, sinceMs: Infinity };
    const holder: Holder = { id, wanted: 0, inFlight: 0, share: 0, target: 1, ...times };
    this.#holders.set(id, holder);
    this.#hasNews = true;
    return holder;
  }

  #expire(holder: Holder): void {
    this.#heldSum -= heldBy(holder);
    holder.share = 0;
    this.#heldSum += heldBy(holder);
  }

  #dealIfDue(budget: number, nowMs: number): void {
    const sinceMs = nowMs - this.#dealtMs;
    const isUrgent = this.#hasNews || budget !== this.#dealtBudget;
    const soonMs = this.#holders.size <= FEW ? 0 : this.#roundMs / DEALS_PER_ROUND;
    if (sinceMs < (isUrgent ? soonMs : this.#roundMs)) return;
    this.#dealtMs = nowMs;
    this.#dealtBudget = budget;
    this.#hasNews = false;
    for (const holder of this.#holders.values())
      if (holder.untilMs <= nowMs) this.forget(holder.id);
    const holders = [...this.#holders.values()];
    const cycleRounds = (CYCLE_ROUNDS_MAX * budget) / Math.max(1, holders.length);
    const turnMs = this.#roundMs * Math.min(TURN_ROUNDS_MAX, Math.max(1, cycleRounds));
    deal(holders, budget, ({ sinceMs }) => nowMs >= sinceMs && nowMs - sinceMs < turnMs);
  }
}

function heldBy({ share, inFlight }: Holder): number {
  return Math.max(share, inFlight);
}

/** Sets the targets: their sum is the budget. */
function deal(holders: Holder[], budget: number, isInTurn: (holder: Holder) => boolean): void {
  // One each before anybody gets two, idle ones included: what they ask for next is not held up.
  const hasOneEach = budget >= holders.length;
  const wish = ({ wanted }: Holder): number =>
    hasOneEach ? Math.max(1, wanted) : Math.min(1, wanted);
  // Who was served last comes first, where a remainder is rounded down; but a turn is not cut short.
  holders.sort(
    (a, b) =>
      wish(a) - wish(b) ||
      Number(isInTurn(a)) - Number(isInTurn(b)) ||
      b.servedMs - a.servedMs ||
      (a.id < b.id ? -1 : Number(a.id > b.id)),
  );
  let left = budget;
  for (const [index, holder] of holders.entries()) {
    holder.target = Math.min(wish(holder), Math.floor(left / (holders.length - index)));
    left -= holder.target;
  }
  // What nobody wants now somebody may want before it asks again.
  for (const [index, holder] of holders.entries()) {
    const more = Math.floor(left / (holders.length - index));
    holder.target += more;
    left -= more;
  }
}
