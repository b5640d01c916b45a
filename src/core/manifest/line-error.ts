import { Mx8Error } from '../base/errors.ts';

/** What a message shows of text from a file: short, and without control characters. */
const QUOTED_UNITS_MAX = 60;

/** `manifest_invalid` for one line. `source` says which manifest, such as its path. */
export function lineError(source: string, line: number, what: string, cause?: unknown): Mx8Error {
  return new Mx8Error(
    'manifest_invalid',
    `Line ${line} of ${source}: ${what}.`,
    { manifest: source, line },
    cause,
  );
}

export function quoted(text: string): string {
  if (text.length <= QUOTED_UNITS_MAX) return JSON.stringify(text);
  return `${JSON.stringify(text.slice(0, QUOTED_UNITS_MAX).toWellFormed())}…`;
}
