/**
 * A thread of each worker process that ends the process when its agent is gone. The worker itself exits
 * when its IPC channel closes; but user code that never gives the event loop back would keep it from
 * noticing, and would burn a processor for ever after its agent was killed.
 */
import { Worker } from 'node:worker_threads';
import { ORPHAN_CHECK_INTERVAL_MS } from './limits.ts';

/**
 * What the thread runs: plain script text, as a module would bring its own copy of Node's TypeScript
 * loader, some 20 MiB. Atomics.wait is the thread's sleep.
 */
const WATCH_SCRIPT = `
const { workerData } = require('node:worker_threads');
const cell = new Int32Array(new SharedArrayBuffer(4));
while (process.ppid === workerData.agentPid) Atomics.wait(cell, 0, 0, workerData.intervalMs);
process.kill(process.pid, 'SIGKILL');
`;

/** Kills this process with SIGKILL soon after its parent process has changed. */
export function watchForOrphanhood(): void {
  const watch = new Worker(WATCH_SCRIPT, {
    eval: true,
    workerData: { agentPid: process.ppid, intervalMs: ORPHAN_CHECK_INTERVAL_MS },
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
  });
  watch.unref();
}
