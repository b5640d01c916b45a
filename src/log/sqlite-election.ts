/**
 * The election of coordinators that share a state folder on one machine.
 *
 * Each candidate holds a lock of the kernel on a file of its own for as long as its process lives, and
 * counts a beat up in a table. A leader is gone when its lock is free (its process ended: seen at the
 * next look) or when its beat stood still for a TTL on the *observer's* clock (it is paused: the lock
 * alone would never say so). No time is written down, so no clock but the observer's own matters.
 *
 * Nothing here is synced: after a power cut there is no candidate either. Safety is the log's.
 */
import { type FSWatcher, mkdirSync, rmSync, watch as watchFolder } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs, type MonoMs } from '../core/base/units.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { Campaign, CandidateInfo, Election, LeaderInfo } from '../ports/election.ts';
import type { EventSink } from '../ports/event-sink.ts';
import { PausedWriterWatch } from './paused-writer.ts';
import {
  busy,
  isBusy,
  isHindered,
  isSqliteError,
  sqliteReason,
  stateUnusable,
} from './sqlite-errors.ts';
import { StateLock } from './state-lock.ts';

/** How often a standby looks whether the leader is still there. */
const LOOK_INTERVAL_MS = 50;

/**
 * How long a call waits for another process that is writing: the whole process waits with it. Whoever
 * writes here is done in less than a millisecond, unless it is paused.
 */
const BUSY_TIMEOUT_MS = 250;

const TABLES = `
  CREATE TABLE IF NOT EXISTS candidate (
    who TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    applied_seq INTEGER NOT NULL,
    beat INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS leader (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    who TEXT NOT NULL
  ) STRICT;
`;

export interface SqliteElectionOptions {
  /** The state folder, which is there. */
  readonly folder: string;
  readonly ttlMs: number;
  readonly clock: Clock;
  /**
   * Ends (kill -9) a candidate that was paused in the middle of a write to the log that they share, or to
   * the election; see `paused-writer.ts`. Default: leaves it alone.
   */
  readonly endsPausedWriters?: { readonly logPath: string; readonly events: EventSink } | null;
}

interface Row extends CandidateInfo {
  readonly beat: number;
}

export class SqliteElection implements Election {
  readonly ttlMs: number;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #locks: string;
  readonly #db: DatabaseSync;
  /** When this process first saw the present beat of each other candidate. */
  readonly #seen: Map<string, { beat: number; sinceMs: MonoMs }> = new Map<
    string,
    { beat: number; sinceMs: MonoMs }
  >();
  readonly #looks: Set<TimerHandle> = new Set<TimerHandle>();
  readonly #watchers: Set<FSWatcher> = new Set<FSWatcher>();
  readonly #events: EventSink | null;
  readonly #paused: PausedWriterWatch | null;
  #own: { readonly who: string; readonly lock: StateLock } | null = null;

  constructor(options: SqliteElectionOptions) {
    const { folder, ttlMs, clock, endsPausedWriters = null } = options;
    this.ttlMs = ttlMs;
    this.#clock = clock;
    this.#events = endsPausedWriters?.events ?? null;
    this.#locks = join(folder, 'candidates');
    const path = join(folder, 'election.sqlite');
    this.#path = path;
    makeFolder(this.#locks, path);
    this.#paused =
      endsPausedWriters === null
        ? null
        : new PausedWriterWatch([endsPausedWriters.logPath, path], (who) => this.#lockPath(who));
    try {
      // The first to open the file may meet another that makes its tables at this moment.
      this.#db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS * 8 });
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;');
      // Only where they are missing: a paused candidate may hold the right to write for long.
      if (!this.#hasTables()) this.#db.exec(`BEGIN IMMEDIATE; ${TABLES} COMMIT;`);
      this.#db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};`);
    } catch (error) {
      throw asElectionError(error, path);
    }
  }

  async campaign(me: CandidateInfo): Promise<Campaign> {
    return this.#write(() => {
      this.#beat(me);
      this.#forgetEnded(me.who);
      const leader = this.#liveLeader(me.who);
      if (leader !== null && leader.who !== me.who) {
        return { type: 'led', leader: { who: leader.who, address: leader.address } };
      }
      this.#db.prepare('INSERT OR REPLACE INTO leader VALUES (1, ?)').run(me.who);
      return { type: 'elected' };
    });
  }

  async renew(me: CandidateInfo): Promise<boolean> {
    return this.#write(() => {
      this.#beat(me);
      return this.#leaderWho() === me.who;
    });
  }

  async leader(): Promise<LeaderInfo | null> {
    return this.#asked(() => {
      const leader = this.#liveLeader(this.#own?.who ?? null);
      return leader === null ? null : { who: leader.who, address: leader.address };
    });
  }

  async candidates(): Promise<readonly CandidateInfo[]> {
    return this.#asked(() =>
      this.#rows()
        .filter(({ who, beat }) => who === this.#own?.who || this.#isAlive(who, beat))
        .map(({ who, address, appliedSeq }) => ({ who, address, appliedSeq })),
    );
  }

  /**
   * Looks from time to time: SQLite tells nobody of what another process wrote, or of its end. A leader
   * that resigns deletes its lock's file last, which the system tells at once.
   */
  watch(onChange: () => void): () => void {
    let last: string | null = null;
    let timer: TimerHandle | null = null;
    const look = (): void => {
      timer?.clear();
      if (timer !== null) this.#looks.delete(timer);
      const now = this.#look();
      if (now !== last) onChange();
      last = now;
      timer = this.#clock.setTimer(LOOK_INTERVAL_MS, look, { unref: true });
      this.#looks.add(timer);
    };
    look();
    const folder = this.#onDeleted((file) => {
      if (last !== null && last !== '' && file === lockName(last)) look();
    });
    return () => {
      timer?.clear();
      if (timer !== null) this.#looks.delete(timer);
      folder?.close();
    };
  }

  /** Where the system cannot tell (it watches only so many folders), looking from time to time must do. */
  #onDeleted(tell: (file: string) => void): FSWatcher | null {
    try {
      const watcher = watchFolder(this.#locks, { persistent: false }, (kind, file) => {
        if (kind === 'rename' && file !== null) tell(file);
      });
      watcher.on('error', () => watcher.close());
      this.#watchers.add(watcher);
      return watcher;
    } catch (error) {
      if (error instanceof Error && 'syscall' in error) return null;
      throw error;
    }
  }

  async resign(): Promise<void> {
    const own = this.#own;
    if (own === null) return;
    this.#write(() => {
      this.#db.prepare('DELETE FROM leader WHERE who = ?').run(own.who);
      this.#db.prepare('DELETE FROM candidate WHERE who = ?').run(own.who);
    });
    this.#letGo(own);
  }

  async close(): Promise<void> {
    for (const timer of this.#looks) timer.clear();
    this.#looks.clear();
    for (const watcher of this.#watchers) watcher.close();
    if (this.#own !== null) this.#letGo(this.#own);
    if (this.#db.isOpen) this.#db.close();
  }

  /** Who leads, or '' when the leader is gone; a file that is busy at this moment shows at the next look. */
  #look(): string | null {
    try {
      const who = this.#leaderWho();
      const rows = this.#rows();
      this.#endPausedWriter(rows);
      const row = who === null ? undefined : rows.find((one) => one.who === who);
      if (row === undefined) return '';
      return row.who === this.#own?.who || this.#isAlive(row.who, row.beat) ? row.who : '';
    } catch (error) {
      if (isSqliteError(error) || isUnusable(error)) return null;
      throw error;
    }
  }

  #letGo({ who, lock }: { readonly who: string; readonly lock: StateLock }): void {
    lock[Symbol.dispose]();
    rmSync(this.#lockPath(who), { force: true });
    this.#own = null;
  }

  #beat({ who, address, appliedSeq }: CandidateInfo): void {
    this.#own ??= { who, lock: StateLock.take(this.#lockPath(who), `as candidate ${who}`) };
    this.#db
      .prepare(
        `INSERT INTO candidate VALUES (?, ?, ?, 1)
         ON CONFLICT (who) DO UPDATE
         SET address = excluded.address, applied_seq = excluded.applied_seq, beat = beat + 1`,
      )
      .run(who, address, appliedSeq);
  }

  /** Deletes the rows of processes that are no more. */
  #forgetEnded(ownWho: string): void {
    for (const { who } of this.#rows()) {
      if (who === ownWho || !this.#hasEnded(who)) continue;
      this.#db.prepare('DELETE FROM candidate WHERE who = ?').run(who);
      rmSync(this.#lockPath(who), { force: true });
      this.#seen.delete(who);
    }
  }

  /** The leader if it is alive. */
  #liveLeader(ownWho: string | null): Row | null {
    const who = this.#leaderWho();
    const leader = this.#rows().find((row) => row.who === who);
    if (leader === undefined) return null;
    return leader.who === ownWho || this.#isAlive(leader.who, leader.beat) ? leader : null;
  }

  #isAlive(who: string, beat: number): boolean {
    return !this.#isSilent(who, beat) && !this.#hasEnded(who);
  }

  /** True when the beat stood still for a TTL on this process's clock. */
  #isSilent(who: string, beat: number): boolean {
    const nowMs = this.#clock.nowMs();
    const seen = this.#seen.get(who);
    if (seen?.beat === beat) return elapsedMs(seen.sinceMs, nowMs) >= this.ttlMs;
    this.#seen.set(who, { beat, sinceMs: nowMs });
    return false;
  }

  #endPausedWriter(rows: readonly Row[]): void {
    const own = this.#own?.who;
    const silent = rows.filter(({ who, beat }) => who !== own && this.#isSilent(who, beat));
    const paused = this.#paused?.look(silent.map(({ who }) => who)) ?? null;
    if (paused === null) return;
    const { who, pid, path } = paused;
    let outcome = 'killed';
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      outcome = error instanceof Error ? error.message : String(error);
    }
    this.#events?.emit('warn', 'paused_writer_ended', { who, pid, path, outcome });
  }

  /** True when no living process holds the candidate's lock. */
  #hasEnded(who: string): boolean {
    try {
      StateLock.take(this.#lockPath(who), who)[Symbol.dispose]();
      return true;
    } catch (error) {
      if (error instanceof Mx8Error && error.code === 'coordinator_state_in_use') return false;
      throw error;
    }
  }

  #lockPath(who: string): string {
    return join(this.#locks, lockName(who));
  }

  #leaderWho(): string | null {
    const row = this.#db.prepare('SELECT who FROM leader').get();
    return row === undefined ? null : String(row['who']);
  }

  #rows(): readonly Row[] {
    return this.#db
      .prepare('SELECT who, address, applied_seq, beat FROM candidate')
      .all()
      .map((row) => ({
        who: String(row['who']),
        address: String(row['address']),
        appliedSeq: Number(row['applied_seq']),
        beat: Number(row['beat']),
      }));
  }

  #hasTables(): boolean {
    return (
      this.#db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'leader'`).get() !== undefined
    );
  }

  #write<T>(body: () => T): T {
    return this.#asked(() => {
      try {
        this.#db.exec('BEGIN IMMEDIATE');
        const result = body();
        this.#db.exec('COMMIT');
        return result;
      } finally {
        if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec('ROLLBACK');
      }
    });
  }

  #asked<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!isSqliteError(error) && !isUnusable(error)) throw error;
      const reason = isUnusable(error) ? error.message : sqliteReason(error, this.#path);
      throw new Mx8Error(
        'store_unavailable',
        `the election of coordinators in ${this.#path} cannot be read or written: ${reason}`,
        {},
        error,
      );
    }
  }
}

function lockName(who: string): string {
  return `${who}.lock`;
}

/** A lock that cannot be looked at now: it may be otherwise at the next look. */
function isUnusable(error: unknown): error is Mx8Error {
  return error instanceof Mx8Error && error.code === 'coordinator_state_unusable';
}

function makeFolder(folder: string, electionPath: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw asElectionError(error, electionPath);
  }
}

/** What the file holds is of living processes only: a damaged one may go once they have ended. */
function asElectionError(error: unknown, path: string): unknown {
  if (error instanceof Mx8Error || !(error instanceof Error)) return error;
  if (isBusy(error)) return busy(path, error);
  const unusable = stateUnusable('the election of coordinators', path, error);
  if (!isSqliteError(error) || isHindered(error)) return unusable;
  return new Mx8Error(
    unusable.code,
    `${unusable.message}; stop every coordinator of this state and delete that file, which holds nothing that lasts`,
    { path },
    error,
  );
}
