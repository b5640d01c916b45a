/** An election in memory, for coordinators of one process: tests, and jobs whose state is not kept. */
import { addMs, type MonoMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Campaign, CandidateInfo, Election, LeaderInfo } from '../ports/election.ts';

interface Entry {
  info: CandidateInfo;
  untilMs: MonoMs;
}

/** What the candidates share, as a store between them would. Its time is that of its own clock. */
export class MemoryElectionBoard {
  readonly clock: Clock;
  readonly entries: Map<string, Entry> = new Map<string, Entry>();
  readonly listeners: Set<() => void> = new Set<() => void>();
  leader: Entry | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Forgets who did not renew in time. */
  expire(): void {
    const nowMs = this.clock.nowMs();
    for (const [who, entry] of this.entries) if (entry.untilMs <= nowMs) this.entries.delete(who);
    if (this.leader === null || this.leader.untilMs > nowMs) return;
    this.leader = null;
    this.changed();
  }

  changed(): void {
    for (const listener of this.listeners) listener();
  }
}

export class MemoryElection implements Election {
  readonly ttlMs: number;
  readonly #board: MemoryElectionBoard;
  #who: string | null = null;

  constructor(board: MemoryElectionBoard, ttlMs: number) {
    this.#board = board;
    this.ttlMs = ttlMs;
  }

  async campaign(me: CandidateInfo): Promise<Campaign> {
    const board = this.#board;
    board.expire();
    const entry = this.#enter(me);
    if (board.leader === null) {
      board.leader = entry;
      board.changed();
    }
    const { info } = board.leader;
    if (info.who === me.who) return { type: 'elected' };
    return { type: 'led', leader: { who: info.who, address: info.address } };
  }

  async renew(me: CandidateInfo): Promise<boolean> {
    const board = this.#board;
    board.expire();
    const entry = this.#enter(me);
    if (board.leader?.info.who !== me.who) return false;
    board.leader = entry;
    return true;
  }

  async leader(): Promise<LeaderInfo | null> {
    this.#board.expire();
    const info = this.#board.leader?.info;
    return info === undefined ? null : { who: info.who, address: info.address };
  }

  async candidates(): Promise<readonly CandidateInfo[]> {
    this.#board.expire();
    return [...this.#board.entries.values()].map(({ info }) => info);
  }

  watch(onChange: () => void): () => void {
    const listener = (): void => onChange();
    this.#board.listeners.add(listener);
    return () => this.#board.listeners.delete(listener);
  }

  async resign(): Promise<void> {
    const board = this.#board;
    if (this.#who === null) return;
    board.entries.delete(this.#who);
    if (board.leader?.info.who !== this.#who) return;
    board.leader = null;
    board.changed();
  }

  async close(): Promise<void> {
    return;
  }

  #enter(me: CandidateInfo): Entry {
    const { clock, entries } = this.#board;
    const entry = { info: me, untilMs: addMs(clock.nowMs(), this.ttlMs) };
    entries.set(me.who, entry);
    this.#who = me.who;
    return entry;
  }
}
