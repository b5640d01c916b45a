import { readFileSync } from 'node:fs';

/**
 * The most resident memory of a process so far, in bytes, as the kernel counts it. `resourceUsage().maxRSS` would begin
 * with what the process had that forked it.
 */
export function peakRssBytes(pid: number | 'self' = 'self'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}
