/**
 * A thread of each worker process that ends the process when its agent is gone. The worker itself exits
 * when its IPC channel closes; but user code that never gives the event loop back would keep it from
 * noticing, and would burn a processor for ever after its agent was killed.
 */
import { workerData } from 'node:worker_threads';
import { nodeClock } from '../platform/clock.ts';
import { ORPHAN_CHECK_INTERVAL_MS } from './limits.ts';

const clock = nodeClock();
const agentPid: unknown = workerData;

while (process.ppid === agentPid) await clock.sleep(ORPHAN_CHECK_INTERVAL_MS);
process.kill(process.pid, 'SIGKILL');
