/**
 * Finds a candidate that was paused in the middle of a write. It keeps SQLite's write lock for as long
 * as it is paused, so that nobody can claim the log until it goes on or ends.
 *
 * To end a process is safe here at any moment: what it had not committed SQLite rolls back, and what it
 * would have answered nobody was told. What must not happen is to end another process than that one, or
 * one that is only slow. So the kernel itself must say that the holder of the write lock also holds the
 * lock of a candidate whose beat stood still for a TTL, and must say so at every one of several looks in
 * a row: an observer that was paused as well (a whole machine that slept) sees the others go on first.
 */
import { HeldLocks, startTimeOf } from './lock-holders.ts';

/** Looks in a row at which the writer must be there: at one every 50 ms, half a second. */
const LOOKS_IN_A_ROW = 10;

export interface PausedWriter {
  readonly who: string;
  readonly pid: number;
  /** The database that it keeps from being written. */
  readonly path: string;
}

export class PausedWriterWatch {
  readonly #databases: readonly string[];
  readonly #lockPath: (who: string) => string;
  #suspect: (PausedWriter & { readonly startTime: string; readonly looks: number }) | null = null;

  constructor(databases: readonly string[], lockPath: (who: string) => string) {
    this.#databases = databases;
    this.#lockPath = lockPath;
  }

  /** One look; `silent` are the candidates whose beat stood still for a TTL. */
  look(silent: readonly string[]): PausedWriter | null {
    const found = silent.length === 0 ? null : this.#find(silent);
    const before = this.#suspect;
    this.#suspect = null;
    if (found === null) return null;
    const startTime = startTimeOf(found.pid);
    if (startTime === null) return null;
    const isSame =
      before?.pid === found.pid && before.path === found.path && before.startTime === startTime;
    const looks = isSame ? before.looks + 1 : 1;
    this.#suspect = { ...found, startTime, looks };
    return looks >= LOOKS_IN_A_ROW ? found : null;
  }

  #find(silent: readonly string[]): PausedWriter | null {
    const locks = HeldLocks.read();
    if (locks === null) return null;
    for (const path of this.#databases) {
      const pid = locks.writerOf(path);
      if (pid === null || pid === process.pid) continue;
      const who = silent.find((one) => locks.holderOf(this.#lockPath(one)) === pid);
      if (who !== undefined) return { who, pid, path };
    }
    return null;
  }
}
