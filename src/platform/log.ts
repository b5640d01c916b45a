/**
 * The event sink of a process: one line per event on stderr (or the given descriptor), for a person
 * on a terminal and as JSON everywhere else. Lines are written before `emit` returns, so that the last
 * words of a process that is killed are there to read.
 */
import { pino } from 'pino';

import type { EventFields, EventLevel, EventSink } from '../ports/event-sink.ts';
import type { Clock } from '../ports/clock.ts';
import { humanLine } from './log-line.ts';
import { isLogged } from './log-level.ts';
import type { LogLevel } from './log-level.ts';
import { redactFields } from './redact.ts';

export interface LogOptions {
  readonly clock: Clock;
  readonly level: LogLevel;
  readonly format: 'human' | 'json';
  /** Only for `human`. */
  readonly colour: boolean;
  /** Fields that every line carries, such as the node id. */
  readonly fields?: EventFields;
  /** Where whole lines go; stderr unless given. */
  readonly write?: (line: string) => void;
}

export function createLog(options: LogOptions): EventSink {
  const write = options.write ?? stderrWriter();
  return options.format === 'human' ? humanLog(options, write) : jsonLog(options, write);
}

/** Passes each event to every sink. */
export function teeEvents(sinks: readonly EventSink[]): EventSink {
  return {
    emit(level, event, fields) {
      for (const sink of sinks) sink.emit(level, event, fields);
    },
  };
}

/** A sink that adds `fields` to every event; the event's own fields win. */
export function withFields(sink: EventSink, fields: EventFields): EventSink {
  return {
    emit: (level, event, own) => {
      sink.emit(level, event, { ...fields, ...own });
    },
  };
}

function humanLog(options: LogOptions, write: (line: string) => void): EventSink {
  return {
    emit(level: EventLevel, event: string, fields: EventFields = {}) {
      if (!isLogged(options.level, level)) return;
      const safe = redactFields({ ...options.fields, ...fields });
      write(humanLine(options.clock.unixMs(), level, event, safe, options.colour));
    },
  };
}

function jsonLog(options: LogOptions, write: (line: string) => void): EventSink {
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date(options.clock.unixMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return {
    emit(level: EventLevel, event: string, fields: EventFields = {}) {
      if (!isLogged(options.level, level)) return;
      logger[level]({ event, ...redactFields({ ...options.fields, ...fields }) });
    },
  };
}

function stderrWriter(): (line: string) => void {
  // A synchronous destination waits where a full pipe answers EAGAIN, so no line is lost or torn.
  const destination = pino.destination({ fd: 2, sync: true });
  // Whoever read our log went away (`mx8 … 2>&1 | head`): the work goes on without it.
  destination.on('error', () => undefined);
  return (line) => {
    destination.write(line);
  };
}
