/**
 * The coordinator's log in one SQLite file: durable on one machine, survives kill -9 at any moment.
 *
 * WAL with synchronous=FULL makes each committed transaction durable with one sync. Every write checks
 * the epoch and the tail inside its own transaction, so a process that lost its leadership cannot write,
 * however late it wakes up. An error of a write is thrown and is final: the caller ends the process,
 * because after a failed sync nobody can say what is on the disk.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { assert } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type {
  AppendResult,
  ClaimResult,
  FollowedLog,
  LoadedLog,
  LogEntry,
  LogStore,
} from '../ports/log-store.ts';
import {
  BUSY_TIMEOUT_MS,
  asStateError,
  busy,
  isBusy,
  isSqliteError,
  stateInvalid,
  writeFailed,
} from './sqlite-errors.ts';
import { walDamage } from './wal-check.ts';

/** Version of the tables. An older one is migrated when there is one; a newer one is refused. */
export const SCHEMA_VERSION = 1;

/** Entries read at a time, so that a long log is not held whole while it is replayed. */
const PAGE_ENTRIES = 256;

/** WAL pages (of 4 KiB) after which SQLite moves them into the file: 16 MiB. */
const CHECKPOINT_PAGES = 4096;

const ENTRIES_AFTER =
  'SELECT seq, epoch, nonce, crc, payload FROM entry WHERE seq > ? ORDER BY seq LIMIT ?';

const TABLES = `
  CREATE TABLE IF NOT EXISTS meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    holder TEXT NOT NULL,
    tail_seq INTEGER NOT NULL,
    trimmed_seq INTEGER NOT NULL
  ) STRICT;
  INSERT OR IGNORE INTO meta VALUES (1, 0, '', 0, 0);
  CREATE TABLE IF NOT EXISTS entry (
    seq INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    nonce TEXT NOT NULL,
    crc INTEGER NOT NULL,
    payload BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    state BLOB NOT NULL
  ) STRICT;
`;

interface Meta {
  readonly epoch: number;
  readonly holder: string;
  readonly tailSeq: number;
  readonly trimmedSeq: number;
}

export class SqliteLog implements LogStore {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #readMeta: StatementSync;
  readonly #readEntry: StatementSync;
  readonly #insertEntry: StatementSync;
  readonly #moveTail: StatementSync;
  /** Why nothing is written any more; null as long as every write succeeded. */
  #failure: Mx8Error | null = null;

  /** Opens or creates the log in the file `path`; its folder must be there. */
  constructor(path: string) {
    this.#path = path;
    try {
      checkWal(path);
      this.#db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      const version = this.#checkedVersion();
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
      this.#db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};`);
      this.#migrate(version);
      this.#readMeta = this.#db.prepare(
        'SELECT epoch, holder, tail_seq AS tailSeq, trimmed_seq AS trimmedSeq FROM meta',
      );
      this.#readEntry = this.#db.prepare('SELECT epoch, nonce, payload FROM entry WHERE seq = ?');
      this.#insertEntry = this.#db.prepare('INSERT INTO entry VALUES (?, ?, ?, ?, ?)');
      this.#moveTail = this.#db.prepare('UPDATE meta SET tail_seq = ?');
    } catch (error) {
      throw asStateError(error, path);
    }
  }

  async load(): Promise<LoadedLog> {
    return this.#reading(() => {
      // One transaction: another process may write at this moment.
      this.#db.exec('BEGIN');
      try {
        return this.#loaded();
      } finally {
        this.#rollBack();
      }
    });
  }

  #loaded(): LoadedLog {
    const { epoch, tailSeq, trimmedSeq } = this.#meta();
    const row = this.#db.prepare('SELECT seq, crc, state FROM snapshot').get();
    const snapshot = row === undefined ? null : this.#snapshotBytes(row);
    const snapshotSeq = row === undefined ? 0 : Number(row['seq']);
    const last = this.#db.prepare('SELECT seq, epoch FROM entry ORDER BY seq DESC LIMIT 1').get();
    // The meta row has no checksum of its own; what the entries say is its check.
    const lastSeq = Math.max(Number(last?.['seq'] ?? 0), snapshotSeq);
    if (tailSeq !== lastSeq || trimmedSeq > snapshotSeq || trimmedSeq < 0) {
      const marks = `tail ${tailSeq}, snapshot ${snapshotSeq}, boundary ${trimmedSeq}`;
      throw stateInvalid(this.#path, `its last entry is ${lastSeq}, which does not fit ${marks}`);
    }
    if (last !== undefined && Number(last['epoch']) !== epoch) {
      throw stateInvalid(this.#path, `its epoch ${epoch} is not that of entry ${lastSeq}`);
    }
    const entries = this.#entries(snapshotSeq, tailSeq);
    return { snapshot, snapshotSeq, entries, tailSeq, epoch, trimmedSeq };
  }

  async follow(afterSeq: number): Promise<FollowedLog> {
    // The boundary is read after the entries: were it moved in between, entries may be missing.
    const { tailSeq } = this.#reading(() => this.#meta());
    const rows = this.#reading(() => this.#db.prepare(ENTRIES_AFTER).all(afterSeq, PAGE_ENTRIES));
    const { trimmedSeq } = this.#reading(() => this.#meta());
    if (afterSeq < trimmedSeq) return { type: 'trimmed', trimmedSeq };
    const entries = rows.map((row, index) => this.#entry(afterSeq + 1 + index, row));
    return { type: 'entries', entries, tailSeq };
  }

  /** SQLite tells nobody of another process's commit: whoever follows looks from time to time. */
  watch(): () => void {
    return () => {};
  }

  async claim(tailSeq: number, epoch: number, who: string): Promise<ClaimResult> {
    return this.#write<ClaimResult>((meta) => {
      if (epoch <= meta.epoch || tailSeq !== meta.tailSeq) {
        return { type: 'lost', epoch: meta.epoch, holder: meta.holder };
      }
      this.#db.prepare('UPDATE meta SET epoch = ?, holder = ?').run(epoch, who);
      this.#put(tailSeq + 1, epoch, new Uint8Array(0), `claim ${who}`);
      return { type: 'won', epoch, tailSeq: tailSeq + 1 };
    });
  }

  async append(
    seq: number,
    epoch: number,
    payload: Uint8Array,
    nonce: string,
  ): Promise<AppendResult> {
    return this.#write<AppendResult>((meta) => {
      if (epoch !== meta.epoch || seq <= meta.trimmedSeq)
        return { type: 'fenced', epoch: meta.epoch };
      if (seq <= meta.tailSeq) {
        const there = this.#readEntry.get(seq);
        const isOurs =
          there?.['nonce'] === nonce &&
          there['epoch'] === epoch &&
          isSame(there['payload'], payload);
        return isOurs ? { type: 'ok' } : { type: 'fenced', epoch: meta.epoch };
      }
      if (seq !== meta.tailSeq + 1) return { type: 'fenced', epoch: meta.epoch };
      this.#put(seq, epoch, payload, nonce);
      return { type: 'ok' };
    });
  }

  async snapshot(upToSeq: number, epoch: number, state: Uint8Array): Promise<AppendResult> {
    return this.#write<AppendResult>((meta) => {
      if (epoch !== meta.epoch) return { type: 'fenced', epoch: meta.epoch };
      assert(upToSeq <= meta.tailSeq, 'a snapshot is of the log’s past');
      this.#db
        .prepare('INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?)')
        .run(upToSeq, snapshotCrc(upToSeq, state), state);
      return { type: 'ok' };
    });
  }

  async trim(upToSeq: number, epoch: number): Promise<AppendResult> {
    const moved = this.#write<AppendResult>((meta) => {
      if (epoch !== meta.epoch) return { type: 'fenced', epoch: meta.epoch };
      const row = this.#db.prepare('SELECT seq FROM snapshot').get();
      assert(upToSeq <= Number(row?.['seq'] ?? 0), 'what no snapshot holds is not trimmed');
      this.#db.prepare('UPDATE meta SET trimmed_seq = max(trimmed_seq, ?)').run(upToSeq);
      return { type: 'ok' };
    });
    if (moved.type !== 'ok') return moved;
    // The boundary is durable: what lies below it may go, now or after a crash.
    return this.#write<AppendResult>((meta) => {
      this.#db.prepare('DELETE FROM entry WHERE seq <= ?').run(meta.trimmedSeq);
      return { type: 'ok' };
    });
  }

  async confirm(epoch: number): Promise<AppendResult> {
    const meta = this.#reading(() => this.#meta());
    return epoch === meta.epoch ? { type: 'ok' } : { type: 'fenced', epoch: meta.epoch };
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }

  /** Of a file that this code may touch; a newer one is left exactly as it is. */
  #checkedVersion(): number {
    const row = this.#db.prepare('PRAGMA user_version').get();
    const version = Number(row?.['user_version'] ?? 0);
    if (version <= SCHEMA_VERSION) return version;
    throw new Mx8Error(
      'coordinator_state_newer',
      `the coordinator's state in ${this.#path} has version ${version}, this mx8 reads up to ${SCHEMA_VERSION}; start a newer mx8`,
      { path: this.#path, version },
    );
  }

  /** Brings the tables from any older version (0 is an empty file) to this one, all or nothing. */
  #migrate(version: number): void {
    if (version === SCHEMA_VERSION) return;
    this.#db.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
  }

  /** Runs `body` in one durable transaction. */
  #write<T>(body: (meta: Meta) => T): T {
    if (this.#failure !== null) throw this.#failure;
    try {
      this.#begin();
      const result = body(this.#meta());
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      const failure = isSqliteError(error) ? writeFailed(this.#path, error) : null;
      // After a failed sync a later one that succeeds says nothing about the former: no write follows.
      this.#failure = failure;
      this.#rollBack();
      throw failure ?? error;
    }
  }

  /** Nothing is written yet when this fails because another process writes: that is no failed write. */
  #begin(): void {
    try {
      this.#db.exec('BEGIN IMMEDIATE');
    } catch (error) {
      throw isBusy(error) ? busy(this.#path, error) : error;
    }
  }

  #rollBack(): void {
    try {
      if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec('ROLLBACK');
    } catch (error) {
      // SQLite rolls back by itself when the file is opened next; what failed first is what matters.
      if (!isSqliteError(error)) throw error;
    }
  }

  #put(seq: number, epoch: number, payload: Uint8Array, nonce: string): void {
    this.#insertEntry.run(seq, epoch, nonce, entryCrc(seq, epoch, nonce, payload), payload);
    this.#moveTail.run(seq);
  }

  #meta(): Meta {
    const row = this.#readMeta.get();
    if (row === undefined) throw stateInvalid(this.#path, 'its meta row is missing');
    return {
      epoch: Number(row['epoch']),
      holder: String(row['holder']),
      tailSeq: Number(row['tailSeq']),
      trimmedSeq: Number(row['trimmedSeq']),
    };
  }

  *#entries(afterSeq: number, tailSeq: number): IterableIterator<LogEntry> {
    const page = this.#db.prepare(ENTRIES_AFTER);
    let last = afterSeq;
    while (last < tailSeq) {
      const rows = this.#reading(() => page.all(last, PAGE_ENTRIES));
      const isNext = Number(rows[0]?.['seq']) === last + 1;
      if (!isNext && last < this.#reading(() => this.#meta()).trimmedSeq) return;
      if (rows.length === 0) throw stateInvalid(this.#path, `entry ${last + 1} is missing`);
      for (const row of rows) {
        last += 1;
        yield this.#entry(last, row);
      }
    }
  }

  #entry(seq: number, row: Row): LogEntry {
    if (Number(row['seq']) !== seq) throw stateInvalid(this.#path, `entry ${seq} is missing`);
    const epoch = Number(row['epoch']);
    const payload = row['payload'];
    if (payload instanceof Uint8Array) {
      const crc = entryCrc(seq, epoch, String(row['nonce']), payload);
      if (crc === Number(row['crc'])) return { seq, epoch, payload };
    }
    throw stateInvalid(this.#path, `entry ${seq} does not match its checksum`);
  }

  #snapshotBytes(row: Row): Uint8Array {
    const { state, seq, crc } = row;
    if (state instanceof Uint8Array) {
      // Older files hold the checksum of the state alone.
      const isWhole = [snapshotCrc(Number(seq), state), crc32(state)].includes(Number(crc));
      if (isWhole) return state;
    }
    throw stateInvalid(
      this.#path,
      `the snapshot after entry ${String(row['seq'])} does not match its checksum`,
    );
  }

  /** What `body` reads; a damaged page is said as such. */
  #reading<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw asStateError(error, this.#path);
    }
  }
}

/** SQLite would pass over what follows the damage, and write over it. */
function checkWal(path: string): void {
  const damage = walDamage(path);
  if (damage === null) return;
  const place = `frame ${damage.frame} (byte ${damage.offset})`;
  throw stateInvalid(path, `its write-ahead log is not what was written in ${place}`);
}

type Row = Readonly<Record<string, unknown>>;

/** Of everything an entry is, so that bytes that moved to another slot are noticed too. */
function entryCrc(seq: number, epoch: number, nonce: string, payload: Uint8Array): number {
  return crc32(payload, crc32(`${seq} ${epoch} ${nonce}`));
}

function snapshotCrc(seq: number, state: Uint8Array): number {
  return crc32(state, crc32(String(seq)));
}

function isSame(stored: unknown, payload: Uint8Array): boolean {
  return stored instanceof Uint8Array && Buffer.compare(stored, payload) === 0;
}
