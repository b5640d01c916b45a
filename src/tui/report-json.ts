/** A poll as one line of JSON: wire names, unit last. */
import type { LeaseLook, NodeLook } from '../view/looks.ts';
import type { JobLook } from './job-look.ts';
import type { Watched } from './job-watch.ts';
import type { PollReport } from './report.ts';
import { wireName } from '../view/wire-name.ts';

export function reportJson(report: PollReport): string {
  const { watched, manifest, panels } = report;
  const { link, look } = watched;
  return `${JSON.stringify({
    event: 'tui_poll',
    poll: report.poll,
    polls: report.polls,
    unix_time_ms: Math.round(report.atUnixMs),
    coord_url: report.target,
    coordinator: { state: link.state, code: link.code, message: link.message },
    ...(look === null ? { job: null } : jobFields(look, watched)),
    manifest: named(manifest),
    panels,
  })}\n`;
}

function jobFields(look: JobLook, { rates }: Watched): Record<string, unknown> {
  const { snapshot, view } = look;
  const { spec } = snapshot;
  return {
    job: {
      job_id: spec.jobId,
      phase: snapshot.phase,
      manifest_hash: spec.manifestHash,
      world_size: spec.worldSize,
      registered_nodes: snapshot.registeredNodes,
      job_ready: snapshot.jobReady,
      job_drained: snapshot.jobDrained,
      active_leases: view.leaseFigures.count,
      available_ranges: snapshot.availableRanges,
      samples: named(snapshot.samples),
      output: named(snapshot.output),
      output_manifest_hash: snapshot.outputManifestHash,
      failure: snapshot.failure,
    },
    progress: {
      finished_samples: view.finishedSamples,
      total_samples: view.totalSamples,
      fraction: view.fraction,
      eta_ms: view.etaMs,
      rates: view.rates === null ? null : named(view.rates),
    },
    health: view.health,
    counters: named(snapshot.counters),
    nodes: view.nodes.map((node) => nodeFields(node, rates.perSecond.get(node.nodeId) ?? null)),
    leases: view.leases.map(leaseFields),
  };
}

function nodeFields(node: NodeLook, perSecond: number | null): Record<string, unknown> {
  return {
    node_id: node.nodeId,
    assigned_rank: node.assignedRank,
    hb_age_ms: Math.round(node.heartbeatAgeMs),
    is_stale: node.isStale,
    leases: node.leaseCount,
    samples_per_second: perSecond,
    caps: named(node.caps),
    stats: named(node.stats),
  };
}

function leaseFields(lease: LeaseLook): Record<string, unknown> {
  return {
    lease_id: lease.leaseId,
    node_id: lease.nodeId,
    start_id: lease.start,
    end_id: lease.end,
    cursor: lease.cursor,
    delivered_cursor: lease.deliveredCursor,
    expires_in_ms: Math.round(lease.expiresInMs),
    still_ms: Math.round(lease.stillMs),
    is_stalled: lease.isStalled,
  };
}

/** The same with wire names all the way down. */
function named(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(named);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]): [string, unknown] => [wireName(key), named(inner)]),
  );
}
