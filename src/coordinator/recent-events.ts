/**
 * The latest facts for a list on a screen. What happens often is folded: the same fact of the same job
 * within a second is one line with a count, and what is the normal course of work is not listed at all.
 */
import type { Fact } from '../core/job/protocol.ts';
import type { EventFields, EventLevel } from '../ports/event-sink.ts';
import type { Clock } from '../ports/clock.ts';
import type { RecentEvent } from '../ports/coordinator-insight.ts';
import { eventOf } from './fact-events.ts';
import { RECENT_EVENTS_MAX } from './limits.ts';

const UNLISTED: ReadonlySet<Fact['event']> = new Set<Fact['event']>([
  'progress',
  'output_committed',
  'lease_granted',
  'lease_completed',
]);

export class RecentEvents {
  readonly #clock: Clock;
  #events: RecentEvent[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get list(): readonly RecentEvent[] {
    return this.#events;
  }

  addFacts(facts: readonly Fact[]): void {
    for (const fact of facts) {
      if (UNLISTED.has(fact.event)) continue;
      const { jobId } = fact;
      if (this.#repeated(fact.event, jobId)) continue;
      const { level, event, fields } = eventOf(fact);
      const { job_id: _, ...rest } = fields;
      this.#push(level, event, jobId, textOf(rest));
    }
  }

  add(level: EventLevel, event: string, fields: EventFields): void {
    if (!this.#repeated(event, '')) this.#push(level, event, '', textOf(fields));
  }

  /** Counts it where the same has just happened; looks back as far as the second goes. */
  #repeated(event: string, jobId: string): boolean {
    const second = Math.floor(this.#clock.unixMs() / 1000);
    for (let index = this.#events.length - 1; index >= 0; index -= 1) {
      const one = this.#events[index];
      if (one === undefined || Math.floor(one.atUnixMs / 1000) !== second) return false;
      if (one.event !== event || one.jobId !== jobId) continue;
      this.#events[index] = { ...one, count: one.count + 1 };
      return true;
    }
    return false;
  }

  #push(level: EventLevel, event: string, jobId: string, text: string): void {
    this.#events.push({ atUnixMs: this.#clock.unixMs(), level, event, jobId, text, count: 1 });
    if (this.#events.length > 2 * RECENT_EVENTS_MAX) {
      this.#events = this.#events.slice(-RECENT_EVENTS_MAX);
    }
  }
}

function textOf(fields: EventFields): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}
