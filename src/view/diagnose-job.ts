/** What a job looks like: nodes, leases, memory, manifest, phase. */
import type { JobSnapshot } from '../core/job/protocol.ts';
import { fine, type Finding } from './diagnosis.ts';
import { bytesText, countedText, durationText } from './format.ts';
import type { JobView } from './job-view.ts';
import type { NodeLook } from './looks.ts';
import { storeText } from './store-text.ts';

export interface JobEvidence {
  readonly snapshot: JobSnapshot;
  readonly view: JobView;
  /** '' when the coordinator serves the manifest as pinned, else what went wrong. */
  readonly manifestError: string;
  /** The flags that say which coordinator and job, for commands to paste. */
  readonly target: string;
}

/** From this part of a cap on a node is close to it. */
const CLOSE_TO_CAP = 0.9;

/** A node that delivered this many times less than is usual is worth a look. */
const SLOW_FACTOR = 5;

export function diagnoseJob(evidence: JobEvidence): readonly Finding[] {
  return [
    heartbeats(evidence),
    leases(evidence),
    slowNodes(evidence),
    manifest(evidence),
    memory(evidence),
    caps(evidence),
    stores(evidence),
    getsOn(evidence),
    quarantine(evidence),
  ];
}

function heartbeats({ snapshot, view, target }: JobEvidence): Finding {
  const check = 'nodes are heard of';
  const stale = view.nodes.filter((node) => node.isStale);
  const [first] = stale;
  if (first === undefined) {
    return fine(check, 'heartbeat', `${countedText(view.nodes.length, 'node')}, none stale.`);
  }
  const held = stale.reduce((sum, node) => sum + node.leaseCount, 0);
  const names = stale
    .slice(0, 5)
    .map(({ nodeId }) => nodeId)
    .join(', ');
  return {
    check,
    section: 'heartbeat',
    status: 'problem',
    found: `${countedText(stale.length, 'node')} stale (${names}): ${first.nodeId} last heard ${durationText(first.heartbeatAgeMs)} ago; they hold ${countedText(held, 'lease')}.`,
    run: [
      `npx mx8 release ${target} --node ${first.nodeId} --dry-run`,
      `npx mx8 release ${target} --node ${first.nodeId}`,
      `npx mx8 agent … --node-id ${first.nodeId} (on its machine, if the process is gone)`,
    ],
    expect: `Without a hand the leases go to others within ${durationText(snapshot.spec.leaseTtlMs)}; after the release at once. ranges_requeued_total (now ${snapshot.counters.rangesRequeuedTotal}) grows and progress resumes.`,
  };
}

function leases({ snapshot, view, target }: JobEvidence): Finding {
  const check = 'leases move';
  const still = view.leases.filter((lease) => lease.isStalled);
  const [first] = still;
  if (first === undefined) {
    return fine(check, 'lease', `${countedText(view.leases.length, 'lease')}, none stands still.`);
  }
  return {
    check,
    section: 'lease',
    status: 'problem',
    found: `${countedText(still.length, 'lease')} of ${view.leases.length} stand still; ${first.leaseId} of ${first.nodeId} for ${durationText(first.stillMs)} at sample ${first.deliveredCursor}.`,
    run: [
      `npx mx8 release ${target} --lease ${first.leaseId}`,
      `npx mx8 status ${target} --polls 5`,
    ],
    expect: `The agent restarts a worker that stands still by itself (--stall-budget-ms). After the release ranges_requeued_total (now ${snapshot.counters.rangesRequeuedTotal}) grows, whoever asks next does the rest, and a worker that does not stop is killed after 10 s; if the cursor sticks at the same sample again, that sample is the cause: run with --on-error quarantine.`,
  };
}

/** What nodes that hold work have delivered since they registered; half of the nodes delivered more than that. */
function slowNodes({ snapshot, view, target }: JobEvidence): Finding {
  const check = 'no node is far behind';
  const delivered = view.nodes
    .filter(({ leaseCount, isStale }) => leaseCount > 0 && !isStale)
    .map((node) => ({ nodeId: node.nodeId, samples: node.deliveredSamples ?? 0 }))
    .sort((a, b) => a.samples - b.samples);
  const usual = delivered[delivered.length >> 1]?.samples ?? 0;
  const [first] = delivered;
  // What two leases hold or less is no pace yet.
  const isTold = usual >= 2 * snapshot.spec.blockSize;
  if (first === undefined || !isTold || first.samples * SLOW_FACTOR > usual) {
    return fine(check, 'slow', 'Nodes that work deliver about as much as each other.');
  }
  const slow = delivered.filter(({ samples }) => samples * SLOW_FACTOR <= usual).length;
  return {
    check,
    section: 'slow',
    status: 'notice',
    found: `${countedText(slow, 'node')} delivered a fifth of what is usual or less: ${first.nodeId} ${first.samples} samples, half of the nodes ${usual} or more; it is slow, or joined late.`,
    run: [
      `npx mx8 tui ${target} (its rate, in Nodes)`,
      `npx mx8 drain ${target} --node ${first.nodeId} --dry-run`,
    ],
    expect:
      'In a job with outputs others relieve it by themselves near the end (lease_split, lease_doubled); a drained node gives back what it holds and leaves.',
  };
}

function manifest({ snapshot, manifestError, target }: JobEvidence): Finding {
  const check = 'the manifest is served';
  const { manifestHash } = snapshot.spec;
  if (manifestError === '') return fine(check, 'manifest', `${manifestHash} is served as pinned.`);
  return {
    check,
    section: 'manifest',
    status: 'problem',
    found: `Manifest ${manifestHash} cannot be read from the coordinator: ${manifestError}`,
    run: [
      'ls -l "${MX8_MANIFEST_STORE_ROOT:-$HOME/.mx8/manifests}/by-hash/" (on the coordinator)',
      `npx mx8 tui ${target} --manifest-path /path/to/manifest.tsv (to look at it meanwhile)`,
    ],
    expect: `A copy of the manifest under by-hash/${manifestHash} in the store is used at the next question, without a restart; its bytes must hash to its name.`,
  };
}

function memory({ view, target }: JobEvidence): Finding {
  const check = 'memory is below the caps';
  const close = view.nodes.filter((node) => ramPart(node) >= CLOSE_TO_CAP);
  const [first] = close;
  if (first === undefined) return fine(check, 'memory', 'No node is close to its RAM cap.');
  const { ramHighWaterBytes, inflightBytes } = first.stats;
  return {
    check,
    section: 'memory',
    status: 'problem',
    found: `${countedText(close.length, 'node')} close to the RAM cap: ${first.nodeId} reached ${bytesText(ramHighWaterBytes)} of ${bytesText(first.caps.maxRamBytes)}, with ${bytesText(inflightBytes)} in flight.`,
    run: [
      `npx mx8 cap ${target} --node ${first.nodeId} --want ${Math.max(1, Math.floor(first.stats.effectiveWant / 2))} --prefetch 1 --dry-run`,
      `npx mx8 cap ${target} --node ${first.nodeId} --want ${Math.max(1, Math.floor(first.stats.effectiveWant / 2))} --prefetch 1`,
    ],
    expect:
      'inflight_bytes and ram_high_water_bytes stay where they are, and no worker ends with "process rss … exceeds max_process_rss_bytes".',
  };
}

/** Caps that cannot be kept together: what is in flight is part of what is resident. */
function caps({ view, target }: JobEvidence): Finding {
  const check = 'caps fit together';
  const odd = view.nodes.find(
    (node) => node.caps.maxRamBytes > 0 && node.caps.maxInflightBytes > node.caps.maxRamBytes / 2,
  );
  if (odd === undefined) return fine(check, 'memory', 'Bytes in flight leave room below RAM caps.');
  const { maxInflightBytes, maxRamBytes } = odd.caps;
  const quarter = bytesText(maxRamBytes / 4);
  return {
    check,
    section: 'memory',
    status: 'notice',
    found: `${odd.nodeId} may have ${bytesText(maxInflightBytes)} in flight below a RAM cap of ${bytesText(maxRamBytes)}: that leaves process() little.`,
    run: [
      `npx mx8 cap ${target} --node ${odd.nodeId} --inflight-bytes ${Math.floor(maxRamBytes / 4)} --dry-run`,
    ],
    expect: `At most ${quarter} in flight, and no worker ends with "process rss … exceeds max_process_rss_bytes".`,
  };
}

function ramPart({ stats, caps }: NodeLook): number {
  return caps.maxRamBytes === 0 ? 0 : stats.ramHighWaterBytes / caps.maxRamBytes;
}

/** Nothing is to be done: the budget keeps to what the store gives. */
function stores({ snapshot }: JobEvidence): Finding {
  const check = 'stores give what is asked for';
  const busy = snapshot.stores.filter((one) => one.budget !== null && one.refusedTotal > 0);
  const [first] = busy.toSorted((a, b) => b.refusedTotal - a.refusedTotal);
  if (first === undefined) return fine(check, 'job', 'No store throttles the job.');
  return {
    check,
    section: 'job',
    status: 'notice',
    found: `${first.host} throttles: ${storeText(first)}, which would have ${first.wanted}. The coordinator divides what it gives; a faster job takes a higher quota there.`,
    run: [],
    expect: '',
  };
}

function getsOn({ snapshot, view, target }: JobEvidence): Finding {
  const check = 'the job gets on';
  const { health, fraction } = view;
  const done = `${(fraction * 100).toFixed(1)} % done`;
  if (health.state === 'healthy') return fine(check, 'job', `${snapshot.phase}, ${done}.`);
  return {
    check,
    section: 'job',
    status: health.state === 'stalled' ? 'problem' : 'notice',
    found: `${snapshot.phase}, ${done}. ${health.reason}`,
    run:
      snapshot.paused || snapshot.phase === 'draining' || snapshot.phase === 'failed'
        ? [`npx mx8 resume ${target}`]
        : [`npx mx8 status ${target} --polls 5`],
    expect: health.remedy,
  };
}

function quarantine({ snapshot }: JobEvidence): Finding {
  const check = 'no sample is set aside';
  const { quarantined } = snapshot.samples;
  if (quarantined === 0) return fine(check, 'job', 'None is.');
  return {
    check,
    section: 'job',
    status: 'notice',
    found: `${countedText(quarantined, 'sample')} could not be processed and are listed beside the output, in _mx8/quarantine.jsonl.`,
    run: [],
    expect: '',
  };
}
