/**
 * Reader threads that nobody uses for a moment. The next reading of this process, such as the next
 * epoch, takes them instead of starting its own, which takes as long as reading 5,000 small files. They
 * hold nothing open, do not keep the process alive, and end by themselves.
 */
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { ThreadHandle } from './thread-handle.ts';

/** From one epoch to the next, with what a program does in between. */
const IDLE_MS = 5_000;
/** Each takes some 10 MB. */
const IDLE_THREADS_MAX = 4;

export interface RestingThread {
  /** Set once it is gone. */
  readonly failure: Error | null;
  end(): Promise<void>;
}

export class IdleThreads<T extends RestingThread> {
  #idle: { readonly thread: T; readonly timer: TimerHandle }[] = [];

  get count(): number {
    return this.#idle.length;
  }

  /** A thread that has started, or is about to have, if there is one. */
  take(): T | null {
    for (let last = this.#idle.pop(); last !== undefined; last = this.#idle.pop()) {
      last.timer.clear();
      if (last.thread.failure === null) return last.thread;
    }
    return null;
  }

  /** The thread rests already. It is ended when nobody takes it for a while. */
  put(thread: T, clock: Clock): Promise<void> {
    if (this.#idle.length >= IDLE_THREADS_MAX) return thread.end();
    const expire = (): void => {
      this.#idle = this.#idle.filter((other) => other.thread !== thread);
      // Nobody waits for it, and it has nothing to lose.
      thread.end().catch(() => undefined);
    };
    this.#idle.push({ thread, timer: clock.setTimer(IDLE_MS, expire, { unref: true }) });
    return Promise.resolve();
  }
}

/** Those of this process. */
export const idleThreads: IdleThreads<ThreadHandle> = new IdleThreads();
