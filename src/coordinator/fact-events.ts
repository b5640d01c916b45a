/** Facts as log events: the names of the state machine, the fields in snake_case. Pure. */
import type { Fact } from '../core/job/protocol.ts';
import type { EventFields, EventLevel } from '../ports/event-sink.ts';

const LEVELS: Partial<Record<Fact['event'], EventLevel>> = {
  progress: 'debug',
  output_committed: 'debug',
  lease_expired: 'warn',
  lease_revoked: 'warn',
  range_requeued: 'warn',
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
