/**
 * A candidate of the fail-over benchmark in a process of its own: `failover-coordinator.ts STATE PORT`.
 * Tells its parent what happens to its leadership, and its memory when asked.
 */
import { openCoordinatorState } from '../src/cli/coordinator-state.ts';
import { startCoordinator } from '../src/coordinator/start-coordinator.ts';
import { LEADER_TTL_MS_DEFAULT } from '../src/core/lead/limits.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import type { EventSink } from '../src/ports/event-sink.ts';
import { MemoryManifestStore, testSpec } from '../src/testing/index.ts';
import { AGENTS, BLOCK, LEASES } from './failover-load.ts';

export interface CandidateNews {
  readonly event: string;
  readonly rssBytes: number;
}

const [state = '', port = '0'] = process.argv.slice(2);
const clock = nodeClock();
const TOLD = new Set(['coordinator_serving', 'standby_rehearsed', 'rehearsal_failed']);
const events: EventSink = {
  emit: (_level, event) => {
    if (event.startsWith('leader_') || TOLD.has(event)) tell(event);
  },
};
const manifests = new MemoryManifestStore();
// Twice the ranges that are leased at a time; how many samples the manifest has is of no interest here.
const spec = testSpec(await manifests.putFiles(1), {
  sampleCount: LEASES * 2 * BLOCK,
  blockSize: BLOCK,
  worldSize: AGENTS + 1,
});
const random = nodeRandom();
const etcd = {
  etcdCa: null,
  etcdCert: null,
  etcdKey: null,
  etcdUser: null,
  etcdPasswordFile: null,
};
const place = { state, leaderTtlMs: LEADER_TTL_MS_DEFAULT, keepPaused: false, ...etcd };
const opened = await openCoordinatorState(place, { clock, random, events }, spec);
const server = await startCoordinator({
  log: opened.log,
  election: opened.election,
  manifests,
  clock,
  random,
  events,
  bind: { host: '127.0.0.1', port: Number(port) },
  jobs: [spec],
  onFatal: (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
});
process.on('message', () => {
  globalThis.gc?.();
  tell('memory');
});
const stop = (): void => {
  void server
    .stop()
    .then(() => opened[Symbol.asyncDispose]())
    .then(() => process.exit(0));
};
process.on('SIGTERM', stop);
// Nobody is left to measure it.
process.on('disconnect', () => process.exit(0));

function tell(event: string): void {
  process.send?.({ event, rssBytes: process.memoryUsage.rss() } satisfies CandidateNews);
}
