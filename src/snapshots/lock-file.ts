/**
 * A lock that is a file, so that processes which share nothing but a folder can exclude each other, and
 * that outlives no holder for long: it names the process that holds it and is taken over when that
 * process is dead.
 *
 * Taking over must not remove a lock that somebody else took over a moment ago. So a dead lock is never
 * deleted. Whoever wants it first links its own lock file to the one name that belongs to the dead
 * lock's nonce, `<lock>.<nonce>.next`; one process can do that. If the lock is still the dead one then,
 * the winner renames its own file over it. If the winner dies in between, its file under that name is a
 * dead lock in turn, and is succeeded in the same way.
 */
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import { LOCK_POLL_MS, LOCK_SILENT_MS_MAX, LOCK_TOUCH_MS } from './limits.ts';
import { decodeHolder, encodeHolder, holderText } from './lock-holder.ts';
import type { LockHolder } from './lock-holder.ts';
import { livenessOf, thisProcess } from './process-identity.ts';
import { systemCode } from './system-error.ts';
import { makeFolders } from '../storage/make-folders.ts';

export interface LockRequest {
  readonly path: string;
  readonly clock: Clock;
  readonly random: Random;
  /** 0: do not wait at all for a holder that lives. */
  readonly waitMsMax: number;
  /** How long a holder that cannot be seen may be silent. */
  readonly silentMsMax?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HeldLock {
  /** False when somebody took the lock away, which happens only to a process that stood still. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

/** The lock; `manifest_lock_timeout` when its holder lives and keeps it. */
export async function acquireLock(request: LockRequest): Promise<HeldLock> {
  await makeFolders(dirname(request.path));
  const attempt = new LockAttempt(request);
  const startedAt = request.clock.nowMs();
  for (;;) {
    request.signal?.throwIfAborted();
    const held = await attempt.tryOnce();
    if (held !== null) return held;
    if (elapsedMs(startedAt, request.clock.nowMs()) >= request.waitMsMax) {
      throw await attempt.timeout();
    }
    await request.clock.sleep(LOCK_POLL_MS, request.signal);
  }
}

class LockAttempt {
  readonly #request: LockRequest;
  readonly #me: LockHolder;
  readonly #temporary: string;
  /** By lock file: the holder that was last seen, and since when it has not touched the file. */
  readonly #watched = new Map<string, { readonly touch: string; readonly since: MonoMs }>();

  constructor(request: LockRequest) {
    this.#request = request;
    const nonce = Buffer.from(request.random.bytes(16)).toString('hex');
    this.#me = { ...thisProcess(), nonce };
    this.#temporary = `${request.path}.${nonce}`;
  }

  async tryOnce(): Promise<HeldLock | null> {
    const { path } = this.#request;
    const lock = await readLock(path);
    if (
      lock.type === 'other' ||
      (lock.type === 'held' && !(await this.#isDead(path, lock.holder)))
    ) {
      return null;
    }
    const file = await open(this.#temporary, 'wx');
    try {
      await file.writeFile(encodeHolder(this.#me));
      const won =
        lock.type === 'free'
          ? await linked(this.#temporary, path)
          : await this.#succeed(lock.holder);
      if (won) return new FileLock(this.#request, this.#me, file);
    } catch (error) {
      await file.close();
      throw error;
    } finally {
      await rm(this.#temporary, { force: true });
    }
    await file.close();
    return null;
  }

  async timeout(): Promise<Mx8Error> {
    const { path } = this.#request;
    const lock = await readLock(path);
    const who = lock.type === 'held' ? holderText(lock.holder) : 'a program that left no name';
    return new Mx8Error(
      'manifest_lock_timeout',
      `The lock ${path} is held by ${who}. Wait until it is done; if it is gone, remove that file.`,
      { path, holder: who },
    );
  }

  /** True when this process is the one successor of the dead lock and has taken its place. */
  async #succeed(dead: LockHolder): Promise<boolean> {
    const { path } = this.#request;
    const chain: string[] = [];
    let last = dead;
    for (;;) {
      const next = `${path}.${last.nonce}.next`;
      chain.push(next);
      if (await linked(this.#temporary, next)) break;
      const successor = await readLock(next);
      if (successor.type !== 'held' || !(await this.#isDead(next, successor.holder))) return false;
      last = successor.holder;
    }
    const now = await readLock(path);
    if (now.type !== 'held' || now.holder.nonce !== dead.nonce) {
      // Others were faster, and have cleared the names away that this process then found free.
      await rm(chain.at(-1) ?? '', { force: true });
      return false;
    }
    await rename(this.#temporary, path);
    for (const name of chain) await rm(name, { force: true });
    return true;
  }

  async #isDead(path: string, holder: LockHolder): Promise<boolean> {
    const liveness = livenessOf(holder);
    if (liveness !== 'unknown') return liveness === 'dead';
    const touched = await stat(path).then(
      (stats) => stats.mtimeMs,
      () => 0,
    );
    const touch = `${holder.nonce} ${touched}`;
    const now = this.#request.clock.nowMs();
    const watched = this.#watched.get(path);
    if (watched?.touch !== touch) {
      this.#watched.set(path, { touch, since: now });
      return false;
    }
    return elapsedMs(watched.since, now) > (this.#request.silentMsMax ?? LOCK_SILENT_MS_MAX);
  }
}

class FileLock implements HeldLock {
  readonly #request: LockRequest;
  readonly #me: LockHolder;
  readonly #file: FileHandle;
  #timer: TimerHandle;
  #touching: Promise<void> = Promise.resolve();
  #isReleased = false;

  constructor(request: LockRequest, me: LockHolder, file: FileHandle) {
    this.#request = request;
    this.#me = me;
    this.#file = file;
    this.#timer = this.#arm();
  }

  async isHeld(): Promise<boolean> {
    const lock = await readLock(this.#request.path);
    return !this.#isReleased && lock.type === 'held' && lock.holder.nonce === this.#me.nonce;
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    const isHeld = await this.isHeld();
    this.#isReleased = true;
    this.#timer.clear();
    await this.#touching;
    await this.#file.close();
    if (isHeld) await rm(this.#request.path, { force: true });
  }

  #arm(): TimerHandle {
    return this.#request.clock.setTimer(LOCK_TOUCH_MS, () => this.#touch(), { unref: true });
  }

  /** Touches the file that it made, whatever has its name by now. */
  #touch(): void {
    const seconds = this.#request.clock.unixMs() / 1000;
    // A touch that fails shows in the lock being taken over, which `isHeld` tells the holder.
    this.#touching = this.#file.utimes(seconds, seconds).catch(() => undefined);
    this.#timer = this.#arm();
  }
}

type LockState =
  | { readonly type: 'free' }
  | { readonly type: 'held'; readonly holder: LockHolder }
  /** A file that this version cannot read: somebody else's, so it is left alone. */
  | { readonly type: 'other' };

async function readLock(path: string): Promise<LockState> {
  try {
    const holder = decodeHolder(await readFile(path, 'utf8'));
    return holder === null ? { type: 'other' } : { type: 'held', holder };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { type: 'free' };
    throw error;
  }
}

/** False when the name is taken. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}
