/**
 * Watches the resident memory of this process: throttles the pipeline before the cap is reached, and
 * says so once when it is passed. Looks every `RSS_INTERVAL_MS` and whenever a batch is about to be
 * begun, which is before the memory for it is taken.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { MonoMs } from '../core/base/units.ts';
import { rssBreachMessage } from '../core/memory/rss-cap.ts';
import type { RssKnobs } from '../core/memory/rss-cap.ts';
import { RssThrottle } from '../core/memory/rss-throttle.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { MemoryGate } from '../ports/memory-gate.ts';

/** At a gigabyte a second of new memory, a breach is seen within 25 MiB. A look costs about 10 µs. */
const RSS_INTERVAL_MS = 25;
/** Batches that follow each other faster than this share one look. */
const RSS_READING_AGE_MAX_MS = 10;

export interface RssGuardOptions {
  readonly capBytes: number;
  readonly clock: Clock;
  /** Named in the error with their present values. */
  readonly knobs: () => RssKnobs;
  /** Called once, at the first reading above the cap. */
  readonly onBreach: (error: Mx8Error) => void;
  readonly events?: EventSink;
  /** Resident bytes of this process; a fake in tests. */
  readonly readRssBytes?: () => number;
}

export class RssGuard implements MemoryGate {
  readonly #options: RssGuardOptions;
  readonly #readRssBytes: () => number;
  readonly #throttle: RssThrottle;
  readonly #listeners: Set<() => void> = new Set();
  #highWaterBytes: number = 0;
  #readAtMs: MonoMs | null = null;
  #timer: TimerHandle | null = null;
  #breached: boolean = false;

  constructor(options: RssGuardOptions) {
    this.#options = options;
    this.#readRssBytes = options.readRssBytes ?? (() => process.memoryUsage.rss());
    this.#throttle = new RssThrottle(options.capBytes);
  }

  /** The most this process ever had, as the kernel counts it. */
  get highWaterBytes(): number {
    const { readRssBytes } = this.#options;
    const peakBytes = readRssBytes === undefined ? process.resourceUsage().maxRSS * 1024 : 0;
    return Math.max(this.#highWaterBytes, peakBytes);
  }

  get isThrottled(): boolean {
    return this.#throttle.state !== 'open';
  }

  /** Looks at once, then regularly until `stop`. The timer does not keep the process alive. */
  start(): void {
    this.#look();
    if (!this.#breached) this.#arm();
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = null;
    this.#listeners.clear();
  }

  mayAdmit(): boolean {
    const now = this.#options.clock.nowMs();
    const age = this.#readAtMs === null ? Infinity : elapsedMs(this.#readAtMs, now);
    if (age > RSS_READING_AGE_MAX_MS) this.#look();
    return !this.isThrottled;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #arm(): void {
    this.#timer = this.#options.clock.setTimer(
      RSS_INTERVAL_MS,
      () => {
        this.#look();
        if (!this.#breached && this.#timer !== null) this.#arm();
      },
      { unref: true },
    );
  }

  #look(): void {
    const { capBytes, clock, events, knobs, onBreach } = this.#options;
    const rssBytes = this.#readRssBytes();
    this.#readAtMs = clock.nowMs();
    this.#highWaterBytes = Math.max(this.#highWaterBytes, rssBytes);
    const before = this.#throttle.state;
    const state = this.#throttle.update(rssBytes);
    if (state === 'breached' && !this.#breached) {
      this.#breached = true;
      const message = rssBreachMessage(rssBytes, capBytes, knobs());
      const details = { rss_bytes: rssBytes, max_process_rss_bytes: capBytes };
      onBreach(new Mx8Error('rss_cap_exceeded', message, details));
    }
    if (state === before) return;
    if (state === 'throttled' && before === 'open') {
      const limits = { rss_bytes: rssBytes, max_process_rss_bytes: capBytes };
      events?.emit('warn', 'rss_throttled', limits);
    }
    for (const listener of this.#listeners) listener();
  }
}
