/** What a person is told of a plain link that found an older snapshot. Pure. */
import { redactText } from '../core/base/redact.ts';
import type { UnixMs } from '../core/base/units.ts';
import { parseLink } from '../core/manifest/dataset-link.ts';
import type { ResolvedLink } from '../snapshots/index.ts';
import { durationText } from '../view/format.ts';

/** Null where there is nothing to tell: the link named the snapshot, or it was taken just now. */
export function snapshotAgeText(
  link: string,
  { isNew, takenUnixMs }: Pick<ResolvedLink, 'isNew' | 'takenUnixMs'>,
  nowUnixMs: UnixMs,
): string | null {
  const { type, base } = parseLink(link);
  if (isNew || type !== 'plain') return null;
  // Clocks of two machines differ, and nothing was taken in the future.
  const age =
    takenUnixMs === null ? 'earlier' : `${durationText(Math.max(0, nowUnixMs - takenUnixMs))} ago`;
  const shown = redactText(base);
  return `${shown} as it was pinned ${age}; ${shown}@refresh reads it as it is now`;
}
