/** Numbers as people read them. */

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `1,234,567`. */
export function countText(count: number): string {
  return grouped.format(count);
}

/** `0 B`, `1.50 KiB`, `64.0 MiB`: three digits. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 1023.96 KiB would be shown as 1024 KiB.
  while (Math.abs(value) >= 1023.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(Math.round(value)) : threeDigits(value)} ${BYTE_UNITS[unit] ?? ''}`;
}

/** `850 ms`, `4.2 s`, `1m 05s`, `2h 03m`, `3d 04h`. */
export function durationText(spanMs: number): string {
  if (spanMs < 1000) return `${Math.round(spanMs)} ms`;
  if (spanMs < 9950) return `${(spanMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(spanMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${twoDigits(seconds % 60)}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${twoDigits(minutes % 60)}m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)}d ${twoDigits(hours % 24)}h`;
}

/** `12,345/s`, `4.2/s`. */
export function rateText(perSecond: number): string {
  return `${perSecond >= 100 ? countText(perSecond) : trimmed(perSecond)}/s`;
}

/** `41.3%`; never 100% before it is all, nor 0% once there is something. */
export function percentText(fraction: number): string {
  if (fraction >= 1) return '100%';
  const percent = Math.min(99.9, fraction * 100);
  return `${(fraction > 0 ? Math.max(0.1, percent) : 0).toFixed(1)}%`;
}

/** `1 sample`, `2 samples`. */
export function countedText(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function threeDigits(value: number): string {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** The phase of a job, and that an operator holds it. */
export function phaseText(phase: string, isPaused: boolean): string {
  return isPaused ? `${phase}, paused` : phase;
}
