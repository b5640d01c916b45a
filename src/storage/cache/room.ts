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
    bytes INTEGER NOT NULL,
    generation INTEGER NOT NULL
  ) STRICT;
  INSERT OR IGNORE INTO total VALUES (1, 0, 0);
  CREATE TABLE IF NOT EXISTS object (
    name TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS object_by_use ON object (used_ms);
  CREATE TABLE IF NOT EXISTS doomed (file TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`;

/** Room that was taken, and the files that are to be deleted for it first. */
export interface Taken {
  readonly file: string;
  readonly victims: readonly string[];
}

/** What is missing of an object: of the file that was looked at, and where there is none. */
export interface MissingBytes {
  /** null: there was no file. */
  readonly file: string | null;
  readonly bytes: number;
  readonly wholeBytes: number;
}

/**
 * An object that lost its room and gets some again has another file: whoever still writes to the old one
 * finds that nobody has room for it.
 */
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
  readonly #find: StatementSync;

  constructor(path: string, capBytes: number) {
    this.#capBytes = capBytes;
    this.#db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;');
    this.#db.exec(TABLES);
    this.#oldest = this.#db.prepare(
      'SELECT name, generation, bytes FROM object WHERE name <> ? ORDER BY used_ms LIMIT 1',
    );
    this.#grow = this.#db.prepare(
      'INSERT INTO object VALUES (?1, ?4, ?2, ?3) ON CONFLICT (name) DO UPDATE SET bytes = bytes + ?2, used_ms = ?3',
    );
    this.#touch = this.#db.prepare('UPDATE object SET used_ms = ? WHERE name = ?');
    this.#total = this.#db.prepare('SELECT bytes, generation FROM total');
    this.#setTotal = this.#db.prepare('UPDATE total SET bytes = ?, generation = ?');
    this.#find = this.#db.prepare('SELECT generation FROM object WHERE name = ?');
    this.#remove = this.#db.prepare('DELETE FROM object WHERE name = ?');
    this.#doom = this.#db.prepare('INSERT OR IGNORE INTO doomed VALUES (?)');
    this.#gone = this.#db.prepare('DELETE FROM doomed WHERE file = ?');
  }

  /** Bytes that are taken. */
  get bytes(): number {
    return Number(this.#total.get()?.['bytes'] ?? 0);
  }

  /** The file of an object that has room; null for others. */
  fileOf(name: string): string | null {
    const found = this.#find.get(name);
    return found === undefined ? null : fileName(name, Number(found['generation']));
  }

  /** Takes room for what is missing. null when there is none although everything else would go. */
  take(name: string, missing: MissingBytes, nowMs: number): Taken | null {
    return this.#within(() => {
      const file = this.fileOf(name);
      const bytes = file === missing.file ? missing.bytes : missing.wholeBytes;
      const generation = Number(this.#total.get()?.['generation'] ?? 0) + 1;
      let total = this.bytes;
      const victims: string[] = [];
      while (total + bytes > this.#capBytes) {
        const oldest = this.#oldest.get(name);
        if (oldest === undefined) return null;
        const victim = String(oldest['name']);
        const doomed = fileName(victim, Number(oldest['generation']));
        total -= Number(oldest['bytes']);
        this.#remove.run(victim);
        this.#doom.run(doomed);
        victims.push(doomed);
      }
      this.#grow.run(name, bytes, nowMs, generation);
      this.#setTotal.run(total + bytes, generation);
      return { file: file ?? fileName(name, generation), victims };
    });
  }

  used(name: string, nowMs: number): void {
    this.#touch.run(nowMs, name);
  }

  /** The files are deleted. */
  deleted(files: readonly string[]): void {
    for (const file of files) this.#gone.run(file);
  }

  /** Files of objects that lost their room, which somebody was about to delete. */
  doomed(): readonly string[] {
    return this.#db
      .prepare('SELECT file FROM doomed')
      .all()
      .map((row) => String(row['file']));
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

function fileName(name: string, generation: number): string {
  return `${name}-${generation}`;
}
