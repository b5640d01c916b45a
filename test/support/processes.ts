/** Processes as the kernel lists them: to find workers to kill, and to see that none is left. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly command: string;
}

export function listProcesses(): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The name in parentheses may hold anything; what follows its last parenthesis is in columns.
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z') continue;
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      entries.push({ pid: Number(name), parentPid: Number(parent), command });
    } catch (error) {
      // It ended while we looked.
      if (!(error instanceof Error)) throw error;
    }
  }
  return entries;
}

/** Every process below `rootPid`, itself not included. */
export function descendants(rootPid: number): ProcessEntry[] {
  const all = listProcesses();
  const found: ProcessEntry[] = [];
  const wanted = [rootPid];
  for (let parent = wanted.pop(); parent !== undefined; parent = wanted.pop()) {
    for (const entry of all) {
      if (entry.parentPid !== parent) continue;
      found.push(entry);
      wanted.push(entry.pid);
    }
  }
  return found;
}

/** Those of `pids` that still run. */
export function stillRunning(pids: readonly number[]): number[] {
  const alive = new Set(listProcesses().map((entry) => entry.pid));
  return pids.filter((pid) => alive.has(pid));
}

/** Processor time that the process has taken so far; the kernel counts in hundredths of a second. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const columns = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(columns[11]) + Number(columns[12])) * 10;
}
