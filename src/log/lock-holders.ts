/**
 * Which process holds a lock on a file of SQLite's, as the Linux kernel lists it in /proc/locks. The
 * kernel drops a process's locks when it ends, so whoever is named there is that very process.
 */
import { readFileSync, statSync } from 'node:fs';

/**
 * The byte of a database's `-shm` file whose lock is SQLite's right to write in WAL mode: the first of
 * its eight locks, which follow two headers and the checkpoint information (`walIndexHdr` in wal.c).
 */
const WAL_WRITE_LOCK_BYTE = 120;

export interface FileLock {
  readonly pid: number;
  readonly inode: number;
  /** The bytes that are locked, both included. */
  readonly from: number;
  readonly to: number;
}

/** The write locks of one moment. */
export class HeldLocks {
  readonly #locks: readonly FileLock[];

  constructor(text: string) {
    this.#locks = text.split('\n').flatMap(parseLine);
  }

  /** Null where the kernel does not say. */
  static read(): HeldLocks | null {
    try {
      return new HeldLocks(readFileSync('/proc/locks', 'utf8'));
    } catch {
      // No Linux, or a sandbox without that file.
      return null;
    }
  }

  /** The process that has the whole file to itself, as `StateLock` takes it; null when none does. */
  holderOf(path: string): number | null {
    return this.#holder(path, () => true);
  }

  /** The process that is writing to the database in the file `path`; null when none is. */
  writerOf(path: string): number | null {
    return this.#holder(
      `${path}-shm`,
      ({ from, to }) => from <= WAL_WRITE_LOCK_BYTE && WAL_WRITE_LOCK_BYTE <= to,
    );
  }

  #holder(path: string, isMeant: (lock: FileLock) => boolean): number | null {
    const inode = statSync(path, { throwIfNoEntry: false })?.ino;
    const lock = this.#locks.find((one) => one.inode === inode && isMeant(one));
    return lock?.pid ?? null;
  }
}

/**
 * Clock ticks after boot at which the process started, which tell it from a later one of the same
 * number; null when there is none.
 */
export function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything, spaces included.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** `1: POSIX  ADVISORY  WRITE 16810 fe:00:10093330 1073741824 1073742335`; waiting ones begin with `->`. */
function parseLine(line: string): readonly FileLock[] {
  const match =
    /^\d+: (?:POSIX|OFDLCK)\s+\S+\s+WRITE\s+(\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s+(\d+)\s+(\d+|EOF)$/.exec(
      line,
    );
  if (match === null) return [];
  const [, pid, inode, from, to] = match;
  const end = to === 'EOF' ? Number.MAX_SAFE_INTEGER : Number(to);
  return [{ pid: Number(pid), inode: Number(inode), from: Number(from), to: end }];
}
