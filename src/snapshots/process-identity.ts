/**
 * Who holds a lock: a process, named so that it can be told from another one with the same number.
 * Linux tells the start time of a process, the boot, and the namespace in which its number counts;
 * elsewhere those are '' and the number alone has to do.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

import { systemCode } from './system-error.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot at which it started. */
  readonly startTime: string;
  readonly bootId: string;
  readonly machineId: string;
  readonly host: string;
  readonly pidNamespace: string;
}

export function thisProcess(): ProcessIdentity {
  return {
    pid: process.pid,
    startTime: startTimeOf('self') ?? '',
    bootId: readOr('/proc/sys/kernel/random/boot_id'),
    machineId: readOr('/etc/machine-id'),
    host: hostname(),
    pidNamespace: pidNamespace(),
  };
}

/** `unknown` when the process runs where this one cannot see it. */
export function livenessOf(other: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  const here = thisProcess();
  if (other.host !== here.host || other.machineId !== here.machineId) return 'unknown';
  if (other.bootId !== here.bootId) return here.machineId === '' ? 'unknown' : 'dead';
  if (other.pidNamespace !== here.pidNamespace) return 'unknown';
  if (!isRunning(other.pid)) return 'dead';
  if (other.startTime === '' || here.startTime === '') return 'alive';
  return startTimeOf(String(other.pid)) === other.startTime ? 'alive' : 'dead';
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process may not be signalled, but it is there.
    return systemCode(error) === 'EPERM';
  }
}

/** Field 22 of /proc/<pid>/stat, or null when there is no such process or it is only a zombie. */
function startTimeOf(pid: string): string | null {
  const stat = readOr(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses and may hold anything, spaces included.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return fields[19] ?? null;
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
