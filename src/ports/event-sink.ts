export type EventLevel = 'debug' | 'info' | 'warn' | 'error';
export type EventFieldValue = string | number | boolean | null;
export type EventFields = Readonly<Record<string, EventFieldValue>>;

/**
 * Where facts for logs, metrics and screens go. `event` is a snake_case name that operators grep
 * for (`lease_granted`, `job_drained`, …); fields are snake_case with their unit last.
 */
export interface EventSink {
  emit(level: EventLevel, event: string, fields?: EventFields): void;
}
