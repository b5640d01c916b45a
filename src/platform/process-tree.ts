/**
 * Resident memory of a process and everything below it, as the kernel counts it (Linux /proc). Pages
 * that processes share, such as Node's own program text, are counted once for each: the sum is an
 * upper bound of what the tree really occupies.
 */
import { readFileSync } from 'node:fs';

const PAGE_BYTES = 4096;

/** Most processes looked at; a run has far fewer. */
const PROCESSES_MAX = 4096;

/** Sum of resident bytes of `rootPid` and its descendants; null where /proc does not tell. */
export function treeRssBytes(rootPid: number): number | null {
  let sum = 0;
  let isKnown = false;
  const pids = [rootPid];
  for (let at = 0; at < pids.length && at < PROCESSES_MAX; at += 1) {
    const pid = pids[at] ?? rootPid;
    const rssBytes = processRssBytes(pid);
    if (rssBytes === null) continue;
    isKnown = true;
    sum += rssBytes;
    for (const child of (readText(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ')) {
      if (child.trim() !== '') pids.push(Number(child));
    }
  }
  return isKnown ? sum : null;
}

/** Resident bytes of one process; null where /proc does not tell, or when it is gone. */
export function processRssBytes(pid: number): number | null {
  const statm = readText(`/proc/${pid}/statm`);
  return statm === null ? null : Number(statm.split(' ')[1] ?? 0) * PAGE_BYTES;
}

/** Null for a process that has just gone, which is no error here. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}
