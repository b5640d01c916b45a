/**
 * Which of the things that are kept so that work is not done twice have to go: those that nobody used for long, and
 * then those that were used longest ago, until the rest is no more than it may be. What was used lately stays
 * whatever it takes, as somebody may be using it now.
 */
export interface Kept {
  readonly bytes: number;
  readonly usedUnixMs: number;
}

export interface Retention {
  /** What was used within so long stays. */
  readonly restMs: number;
  /** What was not used for so long goes. */
  readonly keepMs: number;
  /** What all together may take. */
  readonly capBytes: number;
}

export const DAY_MS = 86_400_000;

/** Longest unused first. */
export function staleOf<Thing extends Kept>(
  things: readonly Thing[],
  { restMs, keepMs, capBytes }: Retention,
  nowUnixMs: number,
): readonly Thing[] {
  let bytes = things.reduce((sum, thing) => sum + thing.bytes, 0);
  const stale: Thing[] = [];
  for (const thing of things.toSorted((a, b) => a.usedUnixMs - b.usedUnixMs)) {
    const restedMs = nowUnixMs - thing.usedUnixMs;
    if (restedMs < restMs || (restedMs < keepMs && bytes <= capBytes)) break;
    stale.push(thing);
    bytes -= thing.bytes;
  }
  return stale;
}
