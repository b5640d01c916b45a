import type { Random } from '../ports/random.ts';

/** Eight lowercase hex digits: enough to tell the jobs of one person apart. */
export function randomId(random: Random): string {
  return Array.from(random.bytes(4), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
