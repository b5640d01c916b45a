/**
 * A lock that is an object. It is created on condition that there is none, touched on condition that it is still
 * the one that was written last, and taken over on condition that it is still the one that was found dead: its
 * process is seen to be gone, or nobody has touched it for a minute by the watcher's own clock. So of any number
 * of processes one has it, and whoever lost it notices at the next touch.
 */
import { assert } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { ObjectStat, Place, WriteCondition } from '../ports/place.ts';
import type { Random } from '../ports/random.ts';
import { LOCK_OBJECT_POLL_MS, LOCK_POLL_MS, LOCK_SILENT_MS_MAX, LOCK_TOUCH_MS } from './limits.ts';
import type { HeldLock } from './lock-file.ts';
import { decodeHolder, encodeHolder, holderText } from './lock-holder.ts';
import type { LockHolder } from './lock-holder.ts';
import { readWhole } from './object-bytes.ts';
import { livenessOf, thisProcess } from './process-identity.ts';

export interface ObjectLockRequest {
  readonly place: Place;
  readonly location: string;
  readonly clock: Clock;
  readonly random: Random;
  /** 0: do not wait at all for a holder that lives. */
  readonly waitMsMax: number;
  readonly silentMsMax?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The lock; `manifest_lock_timeout` when its holder lives and keeps it. */
export async function acquireObjectLock(request: ObjectLockRequest): Promise<HeldLock> {
  const { clock, location, signal, waitMsMax } = request;
  const attempt = new Attempt(request);
  const startedAt = clock.nowMs();
  for (let looks = 0; ; looks += 1) {
    signal?.throwIfAborted();
    const held = await attempt.tryOnce();
    if (held !== null) return held;
    if (elapsedMs(startedAt, clock.nowMs()) >= waitMsMax) {
      const who =
        attempt.holder === null ? 'a program that left no name' : holderText(attempt.holder);
      throw new Mx8Error(
        'manifest_lock_timeout',
        `The lock ${location} is held by ${who}. Wait until it is done; if it is gone, remove that object.`,
        { path: location, holder: who },
      );
    }
    await clock.sleep(Math.min(LOCK_OBJECT_POLL_MS, LOCK_POLL_MS * 2 ** looks), signal);
  }
}

class Attempt {
  /** Who had it when it was looked at last. */
  holder: LockHolder | null = null;
  readonly #request: ObjectLockRequest;
  readonly #me: LockHolder;
  /** What was seen last, and since when it is so. */
  #seen: { readonly etag: string; readonly since: MonoMs } | null = null;

  constructor(request: ObjectLockRequest) {
    this.#request = request;
    const nonce = Buffer.from(request.random.bytes(16)).toString('hex');
    this.#me = { ...thisProcess(), nonce };
  }

  async tryOnce(): Promise<HeldLock | null> {
    const { place, location } = this.#request;
    const there = await readWhole(place, location);
    if (there === 'moving') return null;
    if (there === null) return this.#take({ type: 'create' });
    this.holder = decodeHolder(Buffer.from(there.bytes).toString());
    if (!this.#isDead(there.stat)) return null;
    return this.#take({ type: 'replace', etag: there.stat.etag });
  }

  async #take(condition: WriteCondition): Promise<HeldLock | null> {
    const stat = await tried(this.#request, this.#me, 0, condition);
    return stat === null ? null : new ObjectLock(this.#request, this.#me, stat);
  }

  /** Of what this version cannot read nothing is known, so it is left alone. */
  #isDead({ etag }: ObjectStat): boolean {
    if (this.holder === null) return false;
    const liveness = livenessOf(this.holder);
    if (liveness !== 'unknown') return liveness === 'dead';
    const now = this.#request.clock.nowMs();
    if (this.#seen?.etag !== etag) {
      this.#seen = { etag, since: now };
      return false;
    }
    return elapsedMs(this.#seen.since, now) > (this.#request.silentMsMax ?? LOCK_SILENT_MS_MAX);
  }
}

class ObjectLock implements HeldLock {
  readonly #request: ObjectLockRequest;
  readonly #me: LockHolder;
  #etag: string;
  #touches = 0;
  #timer: TimerHandle;
  /** Touches go one after the other: each is on condition of the one before. */
  #touching: Promise<void> = Promise.resolve();
  #isLost = false;
  #isReleased = false;

  constructor(request: ObjectLockRequest, me: LockHolder, stat: ObjectStat) {
    assert(stat.etag !== '', 'a place of locks has ETags');
    this.#request = request;
    this.#me = me;
    this.#etag = stat.etag;
    this.#timer = this.#arm();
  }

  /** Touches it: when this says yes, nobody takes it over for as long as a holder may be silent. */
  async isHeld(): Promise<boolean> {
    if (this.#isReleased) return false;
    await this.#touch();
    return !this.#isLost;
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    const isHeld = await this.isHeld();
    this.#isReleased = true;
    this.#timer.clear();
    await this.#touching;
    if (isHeld) await this.#request.place.remove(this.#request.location);
  }

  #arm(): TimerHandle {
    const fire = (): void => {
      // A touch that fails is tried again; if it goes on failing, `isHeld` tells the holder.
      this.#touch().catch(() => undefined);
      this.#timer = this.#arm();
    };
    return this.#request.clock.setTimer(LOCK_TOUCH_MS, fire, { unref: true });
  }

  #touch(): Promise<void> {
    const touched = this.#touching.then(async () => {
      if (this.#isLost || this.#isReleased) return;
      this.#touches += 1;
      const condition = { type: 'replace', etag: this.#etag } as const;
      const stat = await tried(this.#request, this.#me, this.#touches, condition);
      if (stat === null) this.#isLost = true;
      else this.#etag = stat.etag;
    });
    this.#touching = touched.catch(() => undefined);
    return touched;
  }
}

/** Null where the condition does not hold. */
async function tried(
  { place, location }: ObjectLockRequest,
  me: LockHolder,
  touches: number,
  condition: WriteCondition,
): Promise<ObjectStat | null> {
  try {
    return await place.write(location, Buffer.from(encodeHolder(me, touches)), condition);
  } catch (error) {
    const isRefused =
      error instanceof Mx8Error &&
      ['object_exists', 'object_changed', 'object_missing'].includes(error.code);
    // A bucket that is not there is no condition.
    if (isRefused && !(condition.type === 'create' && error.code === 'object_missing')) return null;
    throw error;
  }
}
