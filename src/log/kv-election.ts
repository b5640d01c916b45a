/**
 * The election of coordinators over a key-value store that several machines share.
 *
 * Each candidate holds one lease of the store, and under it an entry and, if it leads, the leader's key:
 * when the lease ends, by time or by `resign`, both go at once. The leader's key is created only where
 * there is none. What became of a write whose outcome is unknown is read again: the keys say who and by
 * which lease.
 *
 * No time is written down. Liveness only; what is written to the log is fenced there.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs, type MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Campaign, CandidateInfo, Election, LeaderInfo } from '../ports/election.ts';
import { KvError, type KvOperation, type KvPair, type KvStore } from '../ports/kv-store.ts';
import { storeError } from './kv-errors.ts';
import { endOfPrefix } from './kv-format.ts';

/** Rounds of reading and writing in one call: others change the keys meanwhile, but not for ever. */
const ROUNDS_MAX = 8;

/** Beyond two TTLs, what a store may take to notice that a lease has ended. */
const EXPIRY_SLACK_MS = 2000;

export interface KvElectionOptions {
  readonly kv: KvStore;
  /** What the keys of this state begin with, as `kvPlace` says. */
  readonly prefix: string;
  readonly ttlMs: number;
  readonly clock: Clock;
}

/** Of an entry and of the leader's key. */
interface Holder extends CandidateInfo {
  readonly lease: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

interface View {
  readonly leader: Holder | null;
  readonly entries: readonly Holder[];
}

export class KvElection implements Election {
  readonly ttlMs: number;
  readonly #kv: KvStore;
  readonly #clock: Clock;
  readonly #leaderKey: string;
  readonly #entries: string;
  #lease: { readonly id: string; readonly ttlMs: number } | null = null;
  /** Every lease that this candidate had: what lies under another is another's. */
  readonly #ownLeases: Set<string> = new Set<string>();
  /** An older entry with our address, and since when it is seen without a break. */
  #namesake: { readonly who: string; readonly sinceMs: MonoMs } | null = null;
  readonly #watches: Set<() => void> = new Set<() => void>();

  constructor({ kv, prefix, ttlMs, clock }: KvElectionOptions) {
    this.ttlMs = ttlMs;
    this.#kv = kv;
    this.#clock = clock;
    this.#leaderKey = `${prefix}election/leader`;
    this.#entries = `${prefix}election/candidates/`;
  }

  async campaign(me: CandidateInfo): Promise<Campaign> {
    const leader = await this.#answered(() => this.#enter(me, true));
    if (leader === null || this.#isOurs(leader)) return { type: 'elected' };
    return { type: 'led', leader: { who: leader.who, address: leader.address } };
  }

  async renew(me: CandidateInfo): Promise<boolean> {
    const leader = await this.#answered(() => this.#enter(me, false));
    return leader !== null && this.#isOurs(leader);
  }

  async leader(): Promise<LeaderInfo | null> {
    const { leader } = await this.#answered(() => this.#look());
    return leader === null ? null : { who: leader.who, address: leader.address };
  }

  async candidates(): Promise<readonly CandidateInfo[]> {
    const { entries } = await this.#answered(() => this.#look());
    return entries.map(({ who, address, appliedSeq }) => ({ who, address, appliedSeq }));
  }

  watch(onChange: () => void): () => void {
    const end = this.#kv.watch(this.#leaderKey, null, onChange, onChange);
    this.#watches.add(end);
    return () => {
      this.#watches.delete(end);
      end();
    };
  }

  /** With the lease go the lead and the entry, in one step, and nothing late can be put under it. */
  async resign(): Promise<void> {
    const lease = this.#lease;
    if (lease === null) return;
    this.#lease = null;
    await this.#answered(() => this.#kv.revokeLease(lease.id));
  }

  /** The store is its owner's to close. */
  async close(): Promise<void> {
    for (const end of this.#watches) end();
    this.#watches.clear();
  }

  /** Sees to it that the entry says what `me` says, and answers who leads then. */
  async #enter(me: CandidateInfo, wantsLead: boolean): Promise<Holder | null> {
    for (let rounds = 1; ; rounds += 1) {
      const lease = await this.#liveLease();
      const view = await this.#look();
      this.#checkIdentity(me, view, lease.ttlMs);
      const own = view.entries.find((entry) => this.#isOurs(entry) && entry.who === me.who) ?? null;
      const takesLead = wantsLead && view.leader === null;
      const holdsUnderOldLease = own !== null && own.lease !== lease.id;
      const isStale =
        own === null || own.address !== me.address || own.appliedSeq !== me.appliedSeq;
      if (!takesLead && !isStale && !holdsUnderOldLease) return view.leader;
      try {
        const { succeeded } = await this.#kv.transact({
          compares: [
            {
              key: this.#entryKey(me.who),
              target: 'mod_revision',
              revision: own?.modRevision ?? 0,
            },
            ...(takesLead
              ? [{ key: this.#leaderKey, target: 'create_revision', revision: 0 } as const]
              : []),
          ],
          then: [
            putUnder(lease.id, this.#entryKey(me.who), me),
            ...(takesLead ? [putUnder(lease.id, this.#leaderKey, me)] : []),
          ],
          else: [],
        });
        // `null` of a campaign is: it leads.
        if (succeeded) return view.leader;
      } catch (error) {
        if (!(error instanceof KvError)) throw error;
        // Unknown: the next round reads what came of it. Refused for good: the lease may have ended.
        const mayTryAgain = !error.isDecided || (!error.retryable && !(await this.#renewed()));
        if (!mayTryAgain || rounds >= ROUNDS_MAX) throw error;
      }
      if (rounds >= ROUNDS_MAX) throw neverSettled();
    }
  }

  async #look(): Promise<View> {
    const { found } = await this.#kv.transact({
      compares: [],
      then: [
        { type: 'get', key: this.#leaderKey },
        { type: 'get', key: this.#entries, endKey: endOfPrefix(this.#entries) },
      ],
      else: [],
    });
    const [leader] = found[0] ?? [];
    return {
      leader: leader === undefined ? null : holderOf(leader),
      entries: (found[1] ?? []).map(holderOf),
    };
  }

  /** The candidate's lease, renewed; a new one where it has none or it has ended. */
  async #liveLease(): Promise<{ readonly id: string; readonly ttlMs: number }> {
    if (this.#lease !== null && (await this.#renewed())) return this.#lease;
    const { leaseId, ttlMs } = await this.#kv.grantLease(this.ttlMs);
    this.#lease = { id: leaseId, ttlMs };
    this.#ownLeases.add(leaseId);
    return this.#lease;
  }

  async #renewed(): Promise<boolean> {
    return this.#lease !== null && (await this.#kv.renewLease(this.#lease.id));
  }

  /**
   * Refuses when somebody else goes by our `who`, or has had our address for so long that it cannot be
   * what a process that ended left behind. Of two with one address the later to enter is refused.
   */
  #checkIdentity(me: CandidateInfo, { leader, entries }: View, ttlMs: number): void {
    const all = leader === null ? entries : [leader, ...entries];
    if (all.some((holder) => holder.who === me.who && !this.#isOurs(holder))) {
      throw duplicate(`another process takes part in the election as ${me.who}`, me);
    }
    const own = entries.find((entry) => this.#isOurs(entry));
    const elder = entries.find(
      (entry) =>
        entry.address === me.address &&
        !this.#isOurs(entry) &&
        entry.createRevision < (own?.createRevision ?? Infinity),
    );
    const nowMs = this.#clock.nowMs();
    if (elder === undefined) this.#namesake = null;
    else if (this.#namesake?.who !== elder.who) this.#namesake = { who: elder.who, sinceMs: nowMs };
    else if (elapsedMs(this.#namesake.sinceMs, nowMs) > 2 * ttlMs + EXPIRY_SLACK_MS) {
      throw duplicate(
        `another coordinator (${elder.who}) says that it serves at ${me.address}`,
        me,
      );
    }
  }

  #isOurs(holder: Holder): boolean {
    return this.#ownLeases.has(holder.lease);
  }

  #entryKey(who: string): string {
    return `${this.#entries}${who}`;
  }

  async #answered<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      // While the store is away nobody's lease can be seen to end: what was seen before does not count.
      this.#namesake = null;
      throw storeError(error);
    }
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function putUnder(leaseId: string, key: string, me: CandidateInfo): KvOperation {
  const { who, address, appliedSeq } = me;
  const value = JSON.stringify({ who, address, appliedSeq, lease: leaseId });
  return { type: 'put', key, value: encoder.encode(value), leaseId };
}

function holderOf(pair: KvPair): Holder {
  const { createRevision, modRevision } = pair;
  const value = valueOf(pair);
  const text = (name: string): string => {
    const field = value[name];
    return typeof field === 'string' ? field : '';
  };
  const appliedSeq = typeof value['appliedSeq'] === 'number' ? value['appliedSeq'] : 0;
  return {
    who: text('who'),
    address: text('address'),
    appliedSeq,
    lease: text('lease'),
    createRevision,
    modRevision,
  };
}

function valueOf({ key, value }: KvPair): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(decoder.decode(value));
    if (typeof parsed === 'object' && parsed !== null) return { ...parsed };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Mx8Error(
    'store_refused',
    `the key ${key} in the store is not what a coordinator writes there; delete it, or choose another name at the end of --state`,
    { key },
  );
}

function duplicate(what: string, me: CandidateInfo): Mx8Error {
  return new Mx8Error(
    'candidate_duplicate',
    `${what}; give each coordinator an address of its own (--bind), or stop the other`,
    { who: me.who, address: me.address },
  );
}

function neverSettled(): Mx8Error {
  return new Mx8Error(
    'store_outcome_unknown',
    `the election did not settle within ${ROUNDS_MAX} rounds; ask again`,
  );
}
