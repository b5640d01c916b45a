/** What the page shows, as data: made here of a look, drawn by `src/page` in a browser. Pure. */
import type { JobCounters, JobPhase, StoreView } from '../core/job/protocol.ts';
import type { MapCell } from '../core/job/lease-map.ts';
import type { RecentEvent } from '../ports/coordinator-insight.ts';
import type { Health } from '../view/health.ts';
import type { ViewLimits } from '../view/looks.ts';
import type { Rates } from '../view/progress.ts';
import { PAGE_EVENTS_MAX, PAGE_JOBS_MAX, PAGE_NODES_MAX } from './limits.ts';
import type { Seen, SeenJob } from './look-cache.ts';

export interface PageModel {
  readonly version: 1;
  readonly atUnixMs: number;
  /** How old the figures are; more than a second where the coordinator does not answer. */
  readonly ageMs: number;
  readonly coordinator: CoordinatorModel;
  readonly jobs: readonly JobHead[];
  /** How many jobs there are, also those beyond the list. */
  readonly jobCount: number;
  /** The chosen job; null where there is none. */
  readonly job: JobModel | null;
  /** Newest first. */
  readonly events: readonly RecentEvent[];
}

export interface CoordinatorModel {
  readonly role: 'leader' | 'standby';
  readonly address: string;
  readonly leader: string | null;
  /** Where the leader shows its page, for a standby that knows it; else null. */
  readonly leaderUrl: string | null;
  readonly epoch: number;
  readonly tailSeq: number;
  readonly leadsSinceUnixMs: number | null;
  readonly rssBytes: number;
  /** Why the store of the state does not answer: `members` is empty then. '' where it does. */
  readonly storeError: string;
  readonly members: readonly {
    readonly address: string;
    readonly isLeader: boolean;
    readonly isThis: boolean;
    readonly lagEntries: number;
  }[];
}

export interface JobHead {
  readonly jobId: string;
  readonly phase: JobPhase;
  /** By an operator: no further lease is granted. */
  readonly isPaused: boolean;
  /** `unknown` on a standby, which hears of no node. */
  readonly health: Health['state'] | 'unknown';
  readonly fraction: number;
}

export interface NodeModel {
  readonly nodeId: string;
  readonly rank: number;
  readonly heartbeatAgeMs: number;
  readonly isStale: boolean;
  /** It finishes what it holds and leaves, as an operator wanted. */
  readonly isDraining: boolean;
  /** Null until it was seen twice. */
  readonly samplesPerSecond: number | null;
  readonly leaseCount: number;
  readonly stalledCount: number;
  readonly inflightBytes: number;
  readonly maxInflightBytes: number;
  readonly ramHighWaterBytes: number;
  readonly maxRamBytes: number;
  readonly queues: readonly [fetch: number, decode: number, pack: number];
}

export interface JobModel extends JobHead {
  readonly healthReason: string;
  readonly healthRemedy: string;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly manifestHash: string;
  readonly totalSamples: number;
  readonly finishedSamples: number;
  readonly samples: SeenJob['digest']['samples'];
  readonly rates: Rates | null;
  readonly etaMs: number | null;
  /** Age in milliseconds and samples a second, oldest first. */
  readonly rateHistory: readonly (readonly [ageMs: number, samplesPerSecond: number])[];
  readonly map: readonly MapCell[];
  readonly activeLeases: number;
  readonly availableRanges: number;
  readonly stalledCount: number;
  readonly stalled: readonly {
    readonly leaseId: string;
    readonly nodeId: string;
    readonly start: number;
    readonly end: number;
    readonly at: number;
    readonly stillMs: number;
  }[];
  readonly registeredNodes: number;
  readonly worldSize: number;
  readonly minWorldSize: number;
  readonly staleNodes: number;
  /** Those that need a look first, then by rank; the rest is counted by `registeredNodes`. */
  readonly nodes: readonly NodeModel[];
  readonly commitsOutputs: boolean;
  readonly output: SeenJob['digest']['output'];
  readonly outputManifestHash: string | null;
  readonly counters: JobCounters;
  /** Hosts that nodes read from; none on a standby, which hears of no node. */
  readonly stores: readonly StoreView[];
}

export interface PageSurroundings {
  /** Null: the first one. */
  readonly jobId: string | null;
  readonly ageMs: number;
  readonly rssBytes: number;
  readonly leaderUrl: string | null;
  readonly events: readonly RecentEvent[];
  readonly limits: ViewLimits;
}

/** The one that was asked for; where it is not there, the first that is not complete, or the last that is. */
function chosenOf({ jobs }: Seen, jobId: string | null): Seen['jobs'][number] | undefined {
  const named = jobs.find(({ digest }) => digest.spec.jobId === jobId);
  return named ?? jobs.find(({ digest }) => digest.phase !== 'completed') ?? jobs.at(-1);
}

export function pageModel(seen: Seen, around: PageSurroundings): PageModel {
  const { view, atUnixMs } = seen.look;
  const leads = view.role === 'leader';
  const chosen = chosenOf(seen, around.jobId);
  return {
    version: 1,
    atUnixMs,
    ageMs: around.ageMs,
    coordinator: {
      role: view.role,
      address: view.address,
      leader: view.leader?.address ?? null,
      leaderUrl: around.leaderUrl,
      epoch: view.epoch,
      tailSeq: view.tailSeq,
      leadsSinceUnixMs: view.leadsSinceUnixMs,
      rssBytes: around.rssBytes,
      storeError: view.storeError,
      members: view.candidates.map(({ who, address, appliedSeq }) => ({
        address,
        isLeader: who === view.leader?.who,
        isThis: who === view.who,
        // What others say of themselves is as old as their last renewal; of itself it knows better.
        lagEntries:
          who === view.leader?.who
            ? 0
            : Math.max(0, view.tailSeq - (who === view.who ? view.appliedSeq : appliedSeq)),
      })),
    },
    jobs: seen.jobs.slice(0, PAGE_JOBS_MAX).map((one) => headOf(one, leads)),
    jobCount: seen.jobs.length,
    job: chosen === undefined ? null : jobModel(chosen, seen, around),
    events: around.events
      .filter(({ jobId }) => jobId === '' || jobId === chosen?.digest.spec.jobId)
      .slice(-PAGE_EVENTS_MAX)
      .toReversed(),
  };
}

function headOf({ digest, view }: SeenJob, leads: boolean): JobHead {
  return {
    jobId: digest.spec.jobId,
    phase: digest.phase,
    isPaused: digest.paused,
    health: leads ? view.health.state : 'unknown',
    fraction: view.fraction,
  };
}

function jobModel(job: SeenJob, seen: Seen, { limits }: PageSurroundings): JobModel {
  const { digest, view } = job;
  const { spec, leases } = digest;
  const leads = seen.look.view.role === 'leader';
  return {
    ...headOf(job, leads),
    healthReason: leads ? view.health.reason : '',
    healthRemedy: leads ? view.health.remedy : '',
    failure: digest.failure,
    manifestHash: spec.manifestHash,
    totalSamples: view.totalSamples,
    finishedSamples: view.finishedSamples,
    samples: digest.samples,
    rates: view.rates,
    etaMs: view.etaMs,
    rateHistory: view.rateHistory.map(({ atMs, samplesPerSecond }) => [
      Math.round(seen.look.atMs - atMs),
      Number(samplesPerSecond.toPrecision(4)),
    ]),
    map: digest.map.map(({ done, leased, stalled }) => ({
      done: thousandths(done),
      leased: thousandths(leads ? leased : leased + stalled),
      stalled: thousandths(leads ? stalled : 0),
    })),
    activeLeases: leases.count,
    availableRanges: digest.availableRanges,
    stalledCount: leads ? leases.stalledCount : 0,
    stalled: (leads ? leases.stalled : []).map(
      ({ leaseId, nodeId, range, deliveredCursor, stillMs }) => ({
        leaseId,
        nodeId,
        ...range,
        at: deliveredCursor,
        stillMs: Math.round(stillMs),
      }),
    ),
    registeredNodes: digest.registeredNodes,
    worldSize: spec.worldSize,
    minWorldSize: spec.minWorldSize,
    staleNodes: leads ? view.staleNodes : 0,
    nodes: leads ? nodeModels(job, limits) : [],
    commitsOutputs: spec.commitsOutputs,
    output: digest.output,
    outputManifestHash: digest.outputManifestHash,
    counters: digest.counters,
    stores: leads ? digest.stores : [],
  };
}

function nodeModels(
  { digest, nodeRates }: SeenJob,
  { staleHeartbeatMs }: ViewLimits,
): readonly NodeModel[] {
  const { nodes } = digest;
  const urgency = (node: (typeof nodes)[number]): number =>
    node.heartbeatAgeMs >= staleHeartbeatMs ? 2 : node.stalledCount > 0 ? 1 : 0;
  return nodes
    .toSorted((a, b) => urgency(b) - urgency(a) || a.assignedRank - b.assignedRank)
    .slice(0, PAGE_NODES_MAX)
    .map((node) => ({
      nodeId: node.nodeId,
      rank: node.assignedRank,
      heartbeatAgeMs: Math.round(node.heartbeatAgeMs),
      isStale: urgency(node) === 2,
      isDraining: node.draining,
      samplesPerSecond: rounded(nodeRates.get(node.nodeId)),
      leaseCount: node.leaseCount,
      stalledCount: node.stalledCount,
      inflightBytes: node.stats.inflightBytes,
      maxInflightBytes: node.caps.maxInflightBytes,
      ramHighWaterBytes: node.stats.ramHighWaterBytes,
      maxRamBytes: node.caps.maxRamBytes,
      queues: [node.stats.fetchQueueDepth, node.stats.decodeQueueDepth, node.stats.packQueueDepth],
    }));
}

/** Three digits are what a table shows. */
function rounded(perSecond: number | undefined): number | null {
  return perSecond === undefined ? null : Number(perSecond.toPrecision(3));
}

function thousandths(fraction: number): number {
  return Math.round(fraction * 1000) / 1000;
}
