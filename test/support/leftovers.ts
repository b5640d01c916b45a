/** What a process holds: for tests that something has let go of everything. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Descriptors of regular files and folders below `root`. */
export function openFilesBelow(root: string): readonly string[] {
  return openFiles().filter((target) => target.startsWith(root));
}

/** Reader threads of this process; those of the runtime come and go as it likes. */
export function readerThreadCount(): number {
  return readdirSync('/proc/self/task').filter((task) => nameOf(task) === 'mx8-reader').length;
}

/** Empty for a thread that has just ended. */
function nameOf(task: string): string {
  try {
    return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim();
  } catch {
    // It ended since the listing.
    return '';
  }
}

/** Timers that keep this process alive. */
export function timerCount(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

/** Waits until `isTrue` answers true; fails by the test's own time limit when it never does. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5);
}

function openFiles(): readonly string[] {
  const targets: string[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      targets.push(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // The descriptor of this very listing.
    }
  }
  return targets.sort();
}
