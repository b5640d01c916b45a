/** Where a run's events go: JSON lines on stdout with --json, else the log, quieter under a bar. */
import { createLog } from '../../platform/log.ts';
import type { EventLevel, EventSink } from '../../ports/event-sink.ts';
import type { CommandIo } from '../command-io.ts';

/** Under a progress bar only what a person must see is printed. */
const QUIET: ReadonlySet<EventLevel> = new Set<EventLevel>(['debug', 'info']);

/** One JSON object for each event, on stdout: `--json`. */
export function jsonEvents(io: CommandIo): EventSink {
  const { clock, stdout } = io;
  return createLog({ clock, level: 'info', format: 'json', colour: false, write: stdout });
}

/** The log itself, without what would only push the progress bar around. */
export function quietEvents(events: EventSink): EventSink {
  return {
    emit: (level, event, fields) => {
      if (!QUIET.has(level)) events.emit(level, event, fields);
    },
  };
}
