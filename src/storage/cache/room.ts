/**
 * Who has how much of a cache folder, in a SQLite file that all processes of this machine share: room is
 * taken before anything is written, and what was used longest ago makes way. Losing it loses nothing but
 * room: it is not synced.
 */
import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';

/** Another process holds it for microseconds; who waits for longer does without the cache. */
const BUSY_TIMEOUT_MS = 250;

const TABLES = `
  CREATE TABLE IF NOT EXISTS total (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL
  ) STRICT;
  INSERT OR IGNORE INTO total VALUES (1, 0);
  CREATE TABLE IF NOT EXISTS object (
    name TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS object_by_use ON object (used_ms);
  CREATE TABLE IF NOT EXISTS doomed (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`;

export class Room {
  readonly #db: DatabaseSync;
  readonly #capBytes: number;
  readonly #oldest: StatementSync;
  readonly #grow: StatementSync;
  readonly #touch: StatementSync;
  readonly #total: StatementSync;
  readonly #setTotal: StatementSync;
  readonly #remove: StatementSync;
  readonly #doom: StatementSync;
  readonly #gone: StatementSync;

  constructor(path: string, capBytes: number) {
    this.#capBytes = capBytes;
    this.#db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;');
    this.#db.exec(TABLES);
    this.#oldest = this.#db.prepare(
      'SELECT name, bytes FROM object WHERE name <> ? ORDER BY used_ms LIMIT 1',
    );
    this.#grow = this.#db.prepare(
      'INSERT INTO object VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET bytes = bytes + ?2, used_ms = ?3',
    );
    this.#touch = this.#db.prepare('UPDATE object SET used_ms = ? WHERE name = ?');
    this.#total = this.#db.prepare('SELECT bytes FROM total');
    this.#setTotal = this.#db.prepare('UPDATE total SET bytes = ?');
    this.#remove = this.#db.prepare('DELETE FROM object WHERE name = ?');
    this.#doom = this.#db.prepare('INSERT OR IGNORE INTO doomed VALUES (?)');
    this.#gone = this.#db.prepare('DELETE FROM doomed WHERE name = ?');
  }

  /** Bytes that are taken. */
  get bytes(): number {
    return Number(this.#total.get()?.['bytes'] ?? 0);
  }

  /**
   * Takes room for `bytes` more of the object. Answers whose files are to be deleted first, or null when
   * there is no room although everything else would go.
   */
  take(name: string, bytes: number, nowMs: number): readonly string[] | null {
    return this.#within(() => {
      let total = this.bytes;
      const victims: string[] = [];
      while (total + bytes > this.#capBytes) {
        const oldest = this.#oldest.get(name);
        if (oldest === undefined) return null;
        const victim = String(oldest['name']);
        total -= Number(oldest['bytes']);
        this.#remove.run(victim);
        this.#doom.run(victim);
        victims.push(victim);
      }
      this.#grow.run(name, bytes, nowMs);
      this.#setTotal.run(total + bytes);
      return victims;
    });
  }

  used(name: string, nowMs: number): void {
    this.#touch.run(nowMs, name);
  }

  /** Their files are deleted. */
  deleted(names: readonly string[]): void {
    for (const name of names) this.#gone.run(name);
  }

  /** Objects that lost their room and whose files somebody was about to delete. */
  doomed(): readonly string[] {
    return this.#db
      .prepare('SELECT name FROM doomed')
      .all()
      .map((row) => String(row['name']));
  }

  close(): void {
    this.#db.close();
  }

  /** What answers null has changed nothing. */
  #within<T>(change: () => T | null): T | null {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const answer = change();
      this.#db.exec(answer === null ? 'ROLLBACK' : 'COMMIT');
      return answer;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}
