/** How much memory the control group of this process and the machine allow. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { posix } from 'node:path';

import type { MemoryReadings } from '../core/memory/rss-cap.ts';

/** Reads a small file of the kernel; null where it is not there or may not be read. */
export type ReadText = (path: string) => string | null;

export function readMemoryLimits(readText: ReadText = readKernelFile): MemoryReadings {
  const groups = readText('/proc/self/cgroup') ?? '';
  return {
    cgroupV2Bytes: v2LimitBytes(groups, readText),
    cgroupV1Bytes: v1LimitBytes(groups, readText),
    machineBytes: machineBytes(readText) ?? totalmem(),
  };
}

function readKernelFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not Linux, no such controller, or a path of another mount namespace: no limit known from there.
    return null;
  }
}

function machineBytes(readText: ReadText): number | null {
  const kib = /^MemTotal:\s+(\d+) kB$/m.exec(readText('/proc/meminfo') ?? '')?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}

/** Line `0::/path`; `memory.max` is a number or `max`. */
function v2LimitBytes(groups: string, readText: ReadText): number | null {
  const path = /^0::(\/.*)$/m.exec(groups)?.[1];
  if (path === undefined) return null;
  const roots = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];
  return smallestUpwards(roots, path, 'memory.max', readText);
}

/** Line `4:memory:/path`, the controllers separated by commas. */
function v1LimitBytes(groups: string, readText: ReadText): number | null {
  const path = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1];
  if (path === undefined) return null;
  return smallestUpwards(['/sys/fs/cgroup/memory'], path, 'memory.limit_in_bytes', readText);
}

/**
 * A group is held to the limits of all groups above it. In a container the path may be one of the
 * host, of which only the root can be seen: that one is the container's own.
 */
function smallestUpwards(
  roots: readonly string[],
  path: string,
  file: string,
  readText: ReadText,
): number | null {
  let least: number | null = null;
  for (const root of roots) {
    for (let group = posix.normalize(path); ; group = posix.dirname(group)) {
      const text = readText(posix.join(root, group, file))?.trim() ?? '';
      const bytes = /^\d+$/.test(text) ? Number(text) : null;
      if (bytes !== null && (least === null || bytes < least)) least = bytes;
      if (group === '/' || group === '.') break;
    }
  }
  return least;
}
