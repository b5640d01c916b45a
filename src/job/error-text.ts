/** What a user's code threw, in one line: the error's own words and the line of the module it came from. */
import { fileURLToPath } from 'node:url';
import { ERROR_TEXT_CHARS_MAX } from './limits.ts';

/** Where mx8 itself is: its own frames say nothing about the user's code. */
const OWN_FOLDER = fileURLToPath(new URL('..', import.meta.url));

/**
 * `modulePath` picks the first frame in that file, so that the reader knows where to look; where there is
 * none, after an await in a module that it imports, the first of any file but mx8's own.
 */
export function errorText(error: unknown, modulePath: string | null): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `threw ${shown(error)}`;
  const where = error instanceof Error ? (frameIn(error, modulePath) ?? syntaxPlace(error)) : null;
  const line = text.replaceAll(/\s+/g, ' ').trim();
  const cut =
    line.length > ERROR_TEXT_CHARS_MAX ? `${line.slice(0, ERROR_TEXT_CHARS_MAX - 1)}…` : line;
  return where === null ? cut : `${cut} (at ${where})`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // It refers to itself or holds a BigInt; its type must do.
    return `a ${typeof value}`;
  }
}

function frameIn(error: Error, modulePath: string | null): string | null {
  if (modulePath === null || typeof error.stack !== 'string') return null;
  let other: string | null = null;
  for (const line of error.stack.split('\n')) {
    const match = /(file:\/\/[^\s)]+?):(\d+):(\d+)\)?$/.exec(line);
    const path = match?.[1] === undefined ? null : pathOf(match[1]);
    if (match === null || path === null) continue;
    const place = `${path}:${match[2]}:${match[3]}`;
    if (path === modulePath) return place;
    if (!path.startsWith(OWN_FOLDER)) other ??= place;
  }
  return other;
}

/** The file and line of what does not parse: they stand above the error itself, where there are frames of Node's only. */
function syntaxPlace(error: Error): string | null {
  if (!(error instanceof SyntaxError) || typeof error.stack !== 'string') return null;
  const [, place, line] = /^(\/[^\n]*|file:\/\/[^\n]*):(\d+)\n/.exec(error.stack) ?? [];
  if (place === undefined) return null;
  return `${place.startsWith('/') ? place : (pathOf(place) ?? place)}:${line}`;
}

function pathOf(url: string): string | null {
  try {
    return fileURLToPath(url);
  } catch {
    // Not a file of this machine: no frame of the module.
    return null;
  }
}
