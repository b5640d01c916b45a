/** An event sink that remembers, so that a test can say what should have been logged. */
import type { EventFields, EventLevel, EventSink } from '../ports/event-sink.ts';

export interface RecordedEvent {
  readonly level: EventLevel;
  readonly event: string;
  readonly fields: EventFields;
}

export class RecordingEvents implements EventSink {
  readonly all: RecordedEvent[] = [];

  emit(level: EventLevel, event: string, fields: EventFields = {}): void {
    this.all.push({ level, event, fields });
  }

  names(): string[] {
    return this.all.map(({ event }) => event);
  }

  /** The fields of every event of that name, in order. */
  of(event: string): EventFields[] {
    return this.all.filter((recorded) => recorded.event === event).map(({ fields }) => fields);
  }
}
