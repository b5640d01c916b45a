/**
 * One process at a time works on a state folder. The lock is SQLite's own on an empty database beside
 * the state: the kernel lets go of it when the process ends, however it ends, so it is never stale.
 */
import { DatabaseSync } from 'node:sqlite';
import { Mx8Error } from '../core/base/errors.ts';
import { isBusy, isSqliteError, stateUnusable } from './sqlite-errors.ts';

export class StateLock implements Disposable {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Takes the lock in the file `path`; `coordinator_state_in_use` when a live process has it. */
  static take(path: string, whatIsHeld: string): StateLock {
    let db: DatabaseSync | null = null;
    try {
      db = new DatabaseSync(path, { timeout: 0 });
      db.exec('BEGIN EXCLUSIVE');
      return new StateLock(db);
    } catch (error) {
      if (isSqliteError(error) && !isBusy(error)) {
        // Looked at while the files of this database are still open: it may be these that are too many.
        const unusable = stateUnusable(`the lock on ${whatIsHeld}`, path, error);
        db?.close();
        throw unusable;
      }
      db?.close();
      if (!isSqliteError(error)) throw error;
      const message = `another process is working on ${whatIsHeld} at this moment; wait until it has ended, or stop it first`;
      throw new Mx8Error('coordinator_state_in_use', message, { path });
    }
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }
}
