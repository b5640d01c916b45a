/** Where a run's events go: JSON lines on stdout with --json, else the log, quieter under a bar. */
import { createLog } from '../../platform/log.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import type { CommandIo } from '../command-io.ts';

/** One JSON object for each event, on stdout: `--json`. */
export function jsonEvents(io: CommandIo): EventSink {
  const { clock, stdout } = io;
  return createLog({ clock, level: 'info', format: 'json', colour: false, write: stdout });
}

/** Under a progress bar only what a person must see is printed, above the bar. */
export function quietEvents(io: CommandIo, print: (text: string) => void): EventSink {
  const { clock, colour } = io;
  const write = (line: string): void => print(line.trimEnd());
  return createLog({ clock, level: 'warn', format: 'human', colour, write });
}
