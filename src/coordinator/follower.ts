/** Keeps a standby's replica at the tail of the log: reads when it is told of entries, and from time to time. */
import { Mx8Error } from '../core/base/errors.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { Replica } from './replica.ts';

export interface FollowerOptions {
  readonly log: LogStore;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly replica: Replica;
  /** How often the log is read unasked. */
  readonly intervalMs: number;
  /** The log cannot be used, or only by a newer mx8: trying again would not help. */
  readonly onFailure: (error: Mx8Error) => void;
}

export class Follower {
  readonly #options: FollowerOptions;
  #timer: TimerHandle | null = null;
  #unwatch: () => void = () => undefined;
  /** The reading under way; null when there is none. */
  #reading: Promise<void> | null = null;
  #mustReadAgain = false;
  #isAway = false;
  #isStopped = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unwatch = this.#options.log.watch(() => this.#read());
    this.#read();
  }

  /** Resolves when no reading is under way any more. Safe to call twice, and before `start`. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.clear();
    this.#unwatch();
    await this.#reading;
  }

  #read(): void {
    if (this.#isStopped) return;
    if (this.#reading !== null) {
      this.#mustReadAgain = true;
      return;
    }
    this.#timer?.clear();
    this.#mustReadAgain = false;
    this.#reading = this.#catchUp().finally(() => {
      this.#reading = null;
      if (this.#mustReadAgain) this.#read();
      else this.#arm();
    });
  }

  #arm(): void {
    if (this.#isStopped) return;
    const { clock, intervalMs } = this.#options;
    this.#timer = clock.setTimer(intervalMs, () => this.#read());
  }

  async #catchUp(): Promise<void> {
    const { replica, events, onFailure } = this.#options;
    try {
      await replica.catchUp();
      if (this.#isAway) events.emit('info', 'log_back', { seq: replica.seq });
      this.#isAway = false;
    } catch (cause) {
      const error = cause instanceof Mx8Error ? cause : internal(cause);
      if (!error.retryable) {
        this.#isStopped = true;
        onFailure(error);
        return;
      }
      if (!this.#isAway) {
        events.emit('warn', 'log_away', { code: error.code, message: error.message });
      }
      this.#isAway = true;
    }
  }
}

function internal(cause: unknown): Mx8Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Mx8Error('internal', `the log cannot be followed: ${why}`, {}, cause);
}
