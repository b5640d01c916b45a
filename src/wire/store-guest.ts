/**
 * A process that is no node of a job, and whose requests to stores are still part of the budget that a coordinator divides:
 * it says what it does as nodes do with their heartbeats, as often as the coordinator likes, and keeps to its share. Where
 * no coordinator answers it goes on with what it has heard last (`HeldShare`), and alone when that lasts: it never waits
 * for one.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { addMs, elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import type { StoreReport } from '../core/transfer/store-report.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { SharedStores } from '../ports/coordinator-client.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { StoreSharer } from '../ports/store-sharer.ts';
import { GUEST_ALONE_MS, GUEST_LOOK_MS, GUEST_RETRY_MS } from './limits.ts';

export interface StoreGuestOptions {
  readonly sharer: StoreSharer;
  /** Aborting `signal` ends the waiting for a coordinator that does not answer. */
  readonly share: (stores: readonly StoreReport[], signal?: AbortSignal) => Promise<SharedStores>;
  readonly clock: Clock;
  readonly events: EventSink;
}

export class StoreGuest {
  readonly #options: StoreGuestOptions;
  #timer: TimerHandle | null = null;
  #asking: Promise<void> | null = null;
  #dueMs: MonoMs;
  /** The coordinator has heard of something that this process does. */
  #isHeard = false;
  #isAlone = false;
  /** When it asked what was answered last. */
  #answeredMs: MonoMs;
  readonly #closed: AbortController = new AbortController();

  constructor(options: StoreGuestOptions) {
    this.#options = options;
    this.#dueMs = options.clock.nowMs();
    this.#answeredMs = this.#dueMs;
    this.#look();
  }

  /** Says nothing any more. Its share ends by itself. */
  stop(): void {
    this.#closed.abort();
    this.#timer?.clear();
  }

  /** Says that it does nothing any more, if anybody listens: its share is for the others at once. */
  async close(): Promise<void> {
    this.stop();
    await this.#asking;
    if (!this.#isHeard || this.#isAlone) return;
    this.#isHeard = false;
    await this.#options.share([]).catch(() => undefined);
  }

  #look(): void {
    if (this.#closed.signal.aborted) return;
    const { clock, sharer } = this.#options;
    if (this.#asking === null && clock.nowMs() >= this.#dueMs) {
      const stores = sharer.reports();
      if (stores.length > 0 || this.#isHeard) this.#asking = this.#ask(stores);
    }
    // It keeps the process: one whose requests all wait for a share has nothing else that would.
    this.#timer = clock.setTimer(GUEST_LOOK_MS, () => this.#look());
  }

  async #ask(stores: readonly StoreReport[]): Promise<void> {
    const { clock, sharer, share } = this.#options;
    // A share counts from before it was asked for.
    const askedMs = clock.nowMs();
    let nextMs = GUEST_RETRY_MS;
    try {
      const { storeShares, beatMs } = await share(stores, this.#closed.signal);
      sharer.hear(storeShares, askedMs);
      this.#answeredMs = askedMs;
      this.#isHeard = stores.length > 0;
      this.#isAlone = false;
      nextMs = Math.max(0, beatMs - elapsedMs(askedMs, clock.nowMs()));
    } catch (error) {
      this.#unheard(error, askedMs);
    }
    this.#dueMs = addMs(clock.nowMs(), nextMs);
    this.#asking = null;
  }

  #unheard(error: unknown, askedMs: MonoMs): void {
    const { sharer, events, clock } = this.#options;
    // Half of a share that was handed out long ago is not what the store leaves it.
    const isOver = elapsedMs(this.#answeredMs, clock.nowMs()) >= GUEST_ALONE_MS;
    if (isOver && !this.#closed.signal.aborted) sharer.hear([], askedMs);
    const code = error instanceof Mx8Error ? error.code : 'internal';
    if (this.#isAlone || this.#closed.signal.aborted) return;
    this.#isAlone = true;
    const message = error instanceof Error ? error.message : String(error);
    events.emit('warn', 'store_budget_unheard', { code, message });
  }
}
