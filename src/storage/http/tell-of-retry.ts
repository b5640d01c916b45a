/** What is said while a store is waited for: each try to whoever looks for it, a long wait to everybody. */
import type { RetryBudget, RetryLimits } from '../../core/transfer/retry-budget.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventSink } from '../../ports/event-sink.ts';

export interface Retry {
  readonly location: string;
  readonly why: string;
  readonly waitMs: number;
}

export function tellOfRetry(
  budget: RetryBudget,
  surroundings: {
    readonly clock: Clock;
    readonly events: EventSink;
    readonly retry: RetryLimits;
  },
  { location, why, waitMs }: Retry,
): void {
  const { clock, events, retry } = surroundings;
  const { failures } = budget;
  events.emit('debug', 'store_retry', { location, why, failures, wait_ms: Math.round(waitMs) });
  const nowMs = clock.nowMs();
  // Before a long pause, not after it.
  if (!budget.mustTell(nowMs + waitMs)) return;
  events.emit('warn', 'store_awaited', {
    location,
    why,
    failures,
    silent_ms: Math.round(budget.silentMs(nowMs)),
    gives_up_after_ms: retry.budgetMs,
  });
}
