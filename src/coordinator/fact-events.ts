/** Facts as log events: the names of the state machine, the fields in snake_case. Pure. */
import type { Fact } from '../core/job/protocol.ts';
import type { EventFields, EventLevel, EventSink } from '../ports/event-sink.ts';
import { PROGRESS_EVENTS_PER_BATCH_MAX } from './limits.ts';

const LEVELS: Partial<Record<Fact['event'], EventLevel>> = {
  progress: 'debug',
  output_committed: 'debug',
  work_waits: 'debug',
  lease_expired: 'warn',
  lease_revoked: 'warn',
  cursor_regressed: 'warn',
  sample_quarantined: 'warn',
  resume_checkpoint_rejected: 'warn',
  job_failed: 'error',
};

export interface LogEvent {
  readonly level: EventLevel;
  readonly event: string;
  readonly fields: EventFields;
}

export function eventOf(fact: Fact): LogEvent {
  const { event, ...rest } = fact;
  const fields: Record<string, string | number | null> = {};
  for (const [name, value] of Object.entries(rest)) fields[snakeCase(name)] = value;
  return { level: LEVELS[event] ?? 'info', event, fields };
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Logs facts. Progress can be a hundred thousand a second: few of a batch are logged one by one. */
export function logFacts(facts: readonly Fact[], events: EventSink): void {
  let progressReports = 0;
  for (const fact of facts) {
    if (fact.event === 'progress') {
      progressReports += 1;
      if (progressReports > PROGRESS_EVENTS_PER_BATCH_MAX) continue;
    }
    const { level, event, fields } = eventOf(fact);
    events.emit(level, event, fields);
  }
  const left = progressReports - PROGRESS_EVENTS_PER_BATCH_MAX;
  if (left > 0) events.emit('debug', 'progress', { further_reports: left });
}
