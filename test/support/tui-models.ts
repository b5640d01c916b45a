/** Jobs as an operator's screen may meet them, for tests of what it draws. */
import { jobId, leaseId, manifestHash, monoMs, nodeId, unixMs } from '../../src/core/base/units.ts';
import type { JobSnapshot, LiveLease, NodeView } from '../../src/core/job/protocol.ts';
import type { SampleRecord } from '../../src/core/manifest/record.ts';
import { nothingWatched, observe } from '../../src/tui/job-watch.ts';
import type { Moment, Watched } from '../../src/tui/job-watch.ts';
import type { ManifestSource } from '../../src/tui/manifest-source.ts';
import { NO_LEASES } from '../../src/tui/lease-part.ts';
import { NO_MANIFEST } from '../../src/tui/tui-model.ts';
import type { TuiModel } from '../../src/tui/tui-model.ts';
import { INITIAL_UI } from '../../src/tui/ui-state.ts';
import type { Tab } from '../../src/tui/ui-state.ts';

export const LIMITS = { staleHeartbeatMs: 5000, leaseStallMs: 10_000 };
const GIB = 1024 ** 3;

export function moment(atMs: number): Moment {
  return { nowMs: monoMs(atMs), unixMs: unixMs(1_700_000_000_000 + atMs) };
}

export function nodeView(rank: number, changes: Partial<NodeView> = {}): NodeView {
  return {
    nodeId: nodeId(`node-${rank}`),
    assignedRank: rank,
    draining: false,
    leaseCount: 1,
    deliveredSamples: 0,
    heartbeatAgeMs: 120,
    caps: {
      maxFetchConcurrency: 4,
      maxDecodeConcurrency: 2,
      maxInflightBytes: GIB,
      maxRamBytes: 4 * GIB,
    },
    stats: {
      inflightBytes: GIB / 2,
      ramHighWaterBytes: 3.9 * GIB,
      fetchQueueDepth: 1,
      decodeQueueDepth: 2,
      packQueueDepth: 3,
      autotuneEnabled: true,
      effectivePrefetchBatches: 4,
      effectiveMaxQueueBatches: 8,
      effectiveWant: 2,
      autotunePressureMilli: 250,
      autotuneCooldownTicks: 5,
      batchPayloadP95OverP50Milli: 1200,
      batchJitterSloBreachesTotal: 6,
    },
    ...changes,
  };
}

/** Node `rank` holds samples [rank * 100, rank * 100 + 100) and has delivered `delivered` of them. */
export function liveLease(rank: number, delivered = 10): LiveLease {
  const start = rank * 100;
  return {
    leaseId: leaseId({ epoch: 1, seq: 5, index: rank }),
    nodeId: nodeId(`node-${rank}`),
    range: { start, end: start + 100 },
    cursor: start + delivered,
    deliveredCursor: start + delivered,
    stillMs: 0,
    expiresInMs: 9000,
  };
}

export function jobSnapshot(nodes: number, changes: Partial<JobSnapshot> = {}): JobSnapshot {
  const ranks = Array.from({ length: nodes }, (_, rank) => rank);
  return {
    type: 'snapshot',
    spec: {
      jobId: jobId('embed'),
      manifestHash: manifestHash('ab'.repeat(32)),
      sampleCount: 1_000_000,
      blockSize: 100,
      worldSize: Math.max(1, nodes),
      minWorldSize: 1,
      shuffle: false,
      seed: 0n,
      epoch: 0,
      leaseTtlMs: 10_000,
      heartbeatIntervalMs: 1000,
      commitsOutputs: true,
      adoptsFirstJobId: false,
    },
    phase: 'running',
    failure: null,
    jobReady: nodes > 0,
    jobDrained: false,
    paused: false,
    registeredNodes: nodes,
    availableRanges: 1234,
    samples: { unissued: 500_000, leased: 0, committed: 500_000, quarantined: 0 },
    inputBytes: 2 ** 30,
    output: { rows: 5, bytes: 2048, pieces: 2 },
    outputManifestHash: null,
    nodes: ranks.map((rank) => nodeView(rank)),
    liveLeases: ranks.map((rank) => liveLease(rank)),
    leases: null,
    stores: [],
    counters: {
      registerTotal: nodes,
      heartbeatTotal: 20,
      requestLeaseTotal: 30,
      leasesGrantedTotal: 40,
      leasesExpiredTotal: 1,
      rangesRequeuedTotal: 2,
      progressTotal: 50,
      resumeCheckpointAppliedTotal: 0,
      resumeCheckpointRejectedTotal: 0,
      resumeRangesAppliedTotal: 0,
    },
    elastic: {
      transitionPending: false,
      transitionsTotal: 0,
      lastTransitionReason: '',
      currentWorldSize: nodes,
      targetWorldSize: nodes,
      lastTransitionUnixMs: 0,
    },
    ...changes,
  };
}

/** What is known after these answers, one a second; null stands for a poll that nobody answered. */
export function watchedAfter(...snapshots: readonly (JobSnapshot | null)[]): Watched {
  let watched = nothingWatched(moment(0));
  snapshots.forEach((snapshot, index) => {
    const answer =
      snapshot === null
        ? ({ type: 'failed', code: 'coordinator_unavailable', message: 'nobody is there' } as const)
        : ({ type: 'snapshot', snapshot, listed: NO_LEASES } as const);
    watched = observe(watched, answer, moment((index + 1) * 1000), LIMITS);
  });
  return watched;
}

export function modelOf(watched: Watched, tab: Tab = 'overview'): TuiModel {
  return {
    target: 'http://127.0.0.1:50051',
    watched,
    manifest: NO_MANIFEST,
    ui: { ...INITIAL_UI, tab },
    nowMs: monoMs(60_000),
    pollMs: 1000,
  };
}

export function record(sampleId: number): SampleRecord {
  return {
    sampleId,
    location: `/data/class-${sampleId % 7}/file-${sampleId}.jpg`,
    byteOffset: null,
    byteLength: null,
    decodeHint: '',
  };
}

/** A manifest of any length that makes its rows when asked, and remembers what it was asked for. */
export function madeSource(
  sampleCount: number,
): ManifestSource & { readonly asked: (readonly [number, number])[] } {
  const asked: (readonly [number, number])[] = [];
  return {
    hash: manifestHash('ab'.repeat(32)),
    sampleCount,
    origin: 'a test',
    asked,
    async rows(start, end) {
      asked.push([start, end]);
      return Array.from({ length: end - start }, (_, index) => record(start + index));
    },
  };
}
