/** A log event as one line for a person: time, level, event, then `name=value` pairs. */
import type { EventFields, EventFieldValue, EventLevel } from '../ports/event-sink.ts';

const COLOURS: Readonly<Record<EventLevel, string>> = {
  debug: '\u001b[2m',
  info: '\u001b[36m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
};
const DIM = '\u001b[2m';
const RESET = '\u001b[0m';

export function humanLine(
  unixMs: number,
  level: EventLevel,
  event: string,
  fields: EventFields,
  colour: boolean,
): string {
  const time = new Date(unixMs).toISOString().slice(11, 23);
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`);
  const label = level.padEnd(5);
  const rest = pairs.length === 0 ? '' : ` ${pairs.join(' ')}`;
  if (!colour) return `${time} ${label} ${event}${rest}\n`;
  return `${DIM}${time}${RESET} ${COLOURS[level]}${label}${RESET} ${event}${DIM}${rest}${RESET}\n`;
}

/** Quoted where spaces, quotes or line ends would blur where the value ends. */
function fieldText(value: EventFieldValue): string {
  if (typeof value !== 'string') return String(value);
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
