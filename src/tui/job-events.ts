/**
 * What happened between two snapshots, as lines for the list of events. The names are those of the
 * coordinator's log where it has one. A change and its undoing between two polls are not seen.
 */
import type { JobCounters } from '../core/job/protocol.ts';
import { countedText, durationText } from '../view/format.ts';
import type { LeaseLook } from '../view/looks.ts';
import { isWhole, type JobLook } from './job-look.ts';
import { NAMES_MAX } from './limits.ts';
import type { Style } from './text.ts';
import { wireName } from '../view/wire-name.ts';

export interface Happening {
  /** As operators search for it in logs. */
  readonly name: string;
  readonly text: string;
  readonly style: Style;
}

export function happeningsBetween(before: JobLook | null, after: JobLook): readonly Happening[] {
  if (before === null) return [firstSight(after)];
  return [
    ...restarts(before, after),
    ...phases(before, after),
    ...membership(before, after),
    ...leases(before, after),
    ...samples(before, after),
    ...health(before, after),
  ];
}

function firstSight({ snapshot, view }: JobLook): Happening {
  const nodes = countedText(snapshot.registeredNodes, 'node');
  const text = `job ${snapshot.spec.jobId}: ${snapshot.phase}, ${view.health.state}, ${nodes}, ${countedText(view.totalSamples, 'sample')}`;
  return { name: 'watching', text, style: 'plain' };
}

function restarts(before: JobLook, after: JobLook): readonly Happening[] {
  const old = before.snapshot.counters;
  const now = after.snapshot.counters;
  if (now.heartbeatTotal >= old.heartbeatTotal && now.requestLeaseTotal >= old.requestLeaseTotal) {
    return [];
  }
  const text =
    'counters of what is not durable went back: the coordinator was restarted or another one leads';
  return [{ name: 'coordinator_restarted', text, style: 'warn' }];
}

function phases(before: JobLook, after: JobLook): readonly Happening[] {
  const old = before.snapshot;
  const now = after.snapshot;
  const found: Happening[] = [];
  if (!old.jobReady && now.jobReady) {
    const text = `${countedText(now.registeredNodes, 'node')} registered; leases are granted`;
    found.push({ name: 'job_ready', text, style: 'good' });
  }
  if (!old.jobDrained && now.jobDrained) {
    found.push({ name: 'job_drained', text: 'no work is left', style: 'good' });
  }
  if (old.phase !== now.phase) {
    const cause = now.failure === null ? '' : `: ${now.failure.message} [${now.failure.code}]`;
    const style = now.phase === 'failed' ? 'bad' : now.phase === 'completed' ? 'good' : 'plain';
    found.push({ name: 'phase', text: `${old.phase} → ${now.phase}${cause}`, style });
  }
  return found;
}

function membership(before: JobLook, after: JobLook): readonly Happening[] {
  const old = new Map(before.view.nodes.map((node) => [node.nodeId, node]));
  const now = new Map(after.view.nodes.map((node) => [node.nodeId, node]));
  const joined = after.view.nodes.filter((node) => !old.has(node.nodeId));
  const left = before.view.nodes.filter((node) => !now.has(node.nodeId));
  const silent = after.view.nodes.filter(
    (node) => node.isStale && old.get(node.nodeId)?.isStale !== true,
  );
  const back = after.view.nodes.filter(
    (node) => !node.isStale && old.get(node.nodeId)?.isStale === true,
  );
  const rank = (node: { nodeId: string; assignedRank: number }): string =>
    `${node.nodeId} (rank ${node.assignedRank})`;
  const age = (node: { nodeId: string; heartbeatAgeMs: number }): string =>
    `${node.nodeId} (hb_age_ms ${Math.round(node.heartbeatAgeMs)})`;
  return [
    ...listed('node_registered', 'good', joined.map(rank)),
    ...listed('rank_released', 'warn', left.map(rank)),
    ...listed('heartbeat_stale', 'bad', silent.map(age)),
    ...listed('heartbeat_back', 'good', back.map(age)),
  ];
}

/** Where only some leases are listed, those that came and went are counted and not named. */
function leases(before: JobLook, after: JobLook): readonly Happening[] {
  const areNamed = isWhole(before) && isWhole(after);
  const [oldest, latest] = areNamed ? [before.view.leases, after.view.leases] : [[], []];
  const old = new Map(oldest.map((lease) => [lease.leaseId, lease]));
  const now = new Map(latest.map((lease) => [lease.leaseId, lease]));
  const found: Happening[] = [];
  const granted = grown('leasesGrantedTotal', before, after);
  if (granted > 0) {
    const fresh = latest.filter((lease) => !old.has(lease.leaseId));
    const names = fresh.map(({ leaseId, nodeId }) => `${leaseId} to ${nodeId}`);
    found.push(counted('lease_granted', granted, names, 'plain'));
  }
  const expired = grown('leasesExpiredTotal', before, after);
  if (expired > 0) {
    const gone = oldest.filter((lease) => !now.has(lease.leaseId));
    const unfinished = gone.filter((lease) => lease.deliveredCursor < lease.end);
    // Of several that went some may have been finished: the shortest-lived are the likely ones.
    const likely = unfinished.toSorted((a, b) => a.expiresInMs - b.expiresInMs).slice(0, expired);
    const names = likely.map(
      ({ leaseId, nodeId, cursor }) => `${leaseId} of ${nodeId} at ${cursor}`,
    );
    found.push(counted('lease_expired', expired, names, 'warn'));
  }
  const requeued = grown('rangesRequeuedTotal', before, after);
  if (requeued > 0) found.push(counted('range_requeued', requeued, [], 'warn'));
  return [...found, ...listed('lease_stalled', 'bad', newlyStalled(before, after))];
}

type StalledLease = Pick<LeaseLook, 'leaseId' | 'nodeId' | 'deliveredCursor' | 'stillMs'>;

function newlyStalled(before: JobLook, after: JobLook): readonly string[] {
  const known = new Set(stalledIn(before).map(({ leaseId }) => leaseId));
  const stalled = stalledIn(after).filter(({ leaseId }) => !known.has(leaseId));
  return stalled.map(
    ({ leaseId, nodeId, deliveredCursor, stillMs }) =>
      `${leaseId} of ${nodeId} at ${deliveredCursor} for ${durationText(stillMs)}`,
  );
}

/** All of them, or of many the first. */
function stalledIn(look: JobLook): readonly StalledLease[] {
  if (!isWhole(look)) return look.snapshot.leases?.stalled ?? [];
  return look.view.leases.filter(({ isStalled }) => isStalled);
}

function samples(before: JobLook, after: JobLook): readonly Happening[] {
  const found: Happening[] = [];
  const quarantined = after.snapshot.samples.quarantined - before.snapshot.samples.quarantined;
  if (quarantined > 0) found.push(counted('sample_quarantined', quarantined, [], 'warn'));
  const old = before.snapshot.elastic.transitionsTotal;
  const { transitionsTotal, lastTransitionReason } = after.snapshot.elastic;
  if (transitionsTotal > old) {
    found.push(
      counted('world_size_changed', transitionsTotal - old, [lastTransitionReason], 'warn'),
    );
  }
  const watched = ['resumeCheckpointAppliedTotal', 'resumeCheckpointRejectedTotal'] as const;
  for (const counter of watched) {
    const by = grown(counter, before, after);
    if (by > 0) found.push(counted(wireName(counter).replace('_total', ''), by, [], 'plain'));
  }
  return found;
}

function health(before: JobLook, after: JobLook): readonly Happening[] {
  const old = before.view.health.state;
  const { state, reason } = after.view.health;
  if (old === state) return [];
  const style = state === 'healthy' ? 'good' : state === 'degraded' ? 'warn' : 'bad';
  return [
    { name: 'health', text: `${old} → ${state}${reason === '' ? '' : `: ${reason}`}`, style },
  ];
}

function grown(counter: keyof JobCounters, before: JobLook, after: JobLook): number {
  return after.snapshot.counters[counter] - before.snapshot.counters[counter];
}

function counted(name: string, by: number, names: readonly string[], style: Style): Happening {
  const who = names.length === 0 ? '' : `: ${shortList(names)}`;
  return { name, text: `${by}${who}`, style };
}

/** One happening for all names, none where there is no name. */
function listed(name: string, style: Style, names: readonly string[]): readonly Happening[] {
  return names.length === 0 ? [] : [{ name, text: shortList(names), style }];
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_MAX).join(', ');
  return names.length > NAMES_MAX ? `${shown} and ${names.length - NAMES_MAX} more` : shown;
}
