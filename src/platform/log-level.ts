/** Reading `MX8_LOG` and `RUST_LOG`: which events are worth a line. */
import type { EventLevel } from '../ports/event-sink.ts';

export type LogLevel = EventLevel | 'silent';

/** From the most to the least talkative. */
const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  off: 'silent',
  silent: 'silent',
};

/** `target=level`, where the target may carry a span in brackets that we do not look at. */
const DIRECTIVE = /^([A-Za-z_][\w:.-]*)(?:\[[^\]]*\])?=([A-Za-z]+)$/;
const BARE_TARGET = /^[A-Za-z_][\w:.-]*$/;

export function isLogged(threshold: LogLevel, level: EventLevel): boolean {
  return ORDER.indexOf(level) >= ORDER.indexOf(threshold);
}

/**
 * The level for MX8's events, or null when the text is not one. `info` is a level for everything;
 * `info,mx8=debug` has a directive per target, of which those that begin with `mx8` win over the bare
 * level; of several, the most talkative counts.
 */
export function parseLogLevel(text: string): LogLevel | null {
  let general: LogLevel | null = null;
  let ours: LogLevel | null = null;
  for (const part of text.split(',')) {
    const directive = DIRECTIVE.exec(part.trim());
    const level = LEVELS[(directive?.[2] ?? part).trim().toLowerCase()];
    if (level === undefined) return null;
    if (directive === null) general = level;
    else if (directive[1]?.startsWith('mx8') === true) ours = louder(ours, level);
  }
  // Only other targets were named: those are for other programs, and ours keep their default.
  return ours ?? general ?? 'info';
}

/**
 * `RUST_LOG` is often set for other programs, so a bare target (`hyper`), which is lawful there, is
 * passed over instead of refused.
 */
export function parseRustLog(text: string): LogLevel | null {
  const parts = text.split(',').filter((part) => {
    const word = part.trim();
    return word !== '' && !(BARE_TARGET.test(word) && LEVELS[word.toLowerCase()] === undefined);
  });
  return parts.length === 0 ? 'info' : parseLogLevel(parts.join(','));
}

function louder(a: LogLevel | null, b: LogLevel): LogLevel {
  return a === null || ORDER.indexOf(b) < ORDER.indexOf(a) ? b : a;
}
