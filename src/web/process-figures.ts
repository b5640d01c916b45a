/** What a process knows of itself, under the names that every dashboard for Prometheus knows. */
import { elapsedMs } from '../core/base/units.ts';
import type { Clock, TimerHandle } from '../ports/clock.ts';
import { LOOP_LAG_MS_MAX, LOOP_PROBE_MS } from './limits.ts';
import { type HttpAnswer, plain } from './http-server.ts';
import type { MetricsText } from './metrics-text.ts';

export class ProcessFigures {
  readonly #clock: Clock;
  readonly #startUnixMs: number;
  #timer: TimerHandle;
  #lagMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startUnixMs = clock.unixMs() - process.uptime() * 1000;
    this.#timer = this.#probe();
  }

  get rssBytes(): number {
    return process.memoryUsage.rss();
  }

  stop(): void {
    this.#timer.clear();
  }

  /** Whether the process lives: that it answers is most of it. */
  health(): HttpAnswer {
    const late = Math.round(this.#lagMs);
    if (this.#lagMs <= LOOP_LAG_MS_MAX) return plain(200, `ok\nevent_loop_lag_ms ${late}\n`);
    return plain(503, `the event loop was blocked for ${late} ms a moment ago\n`);
  }

  write(text: MetricsText): void {
    const { user, system } = process.cpuUsage();
    text.add('process_resident_memory_bytes', 'gauge', 'Resident memory.', this.rssBytes);
    text.add(
      'process_cpu_seconds_total',
      'counter',
      'Processor time of this process.',
      (user + system) / 1e6,
    );
    text.add(
      'process_start_time_seconds',
      'gauge',
      'When this process began, in seconds since 1970.',
      this.#startUnixMs / 1000,
    );
    text.add(
      'mx8_event_loop_lag_seconds',
      'gauge',
      'How late the event loop was when it was last measured.',
      this.#lagMs / 1000,
    );
  }

  #probe(): TimerHandle {
    const setMs = this.#clock.nowMs();
    const fire = (): void => {
      this.#lagMs = Math.max(0, elapsedMs(setMs, this.#clock.nowMs()) - LOOP_PROBE_MS);
      this.#timer = this.#probe();
    };
    return this.#clock.setTimer(LOOP_PROBE_MS, fire, { unref: true });
  }
}
